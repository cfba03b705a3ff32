"""Donors in the admin: found without an address in an address, shown, taken out, and erased."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select, update
from sqlalchemy.orm import Session

from admin.roles import Role
from campaigns.audit import verify_ledger
from campaigns.models import Period
from core.auditlog import AuditRecord, list_records
from core.clock import MovableClock
from core.db import db
from core.outbox import Mail, post_mail
from payments.models import Donation, Donor, InboxEvent
from tests.admin.conftest import SignIn
from tests.conftest import MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ANN = "ann@example.org"


@pytest.fixture
def books(
    app: Flask, fake_gateway: FakeGateway, clock: MovableClock, make_campaign: MakeCampaign
) -> Books:
    """Ann gave 20 $ and 50 ¢ for the fees, of which 5 $ went back, and is thanked by mail."""
    make_campaign()
    books = Books(app, fake_gateway, clock)
    checkout = books.donate(cover_minor=50, email=ANN)
    payment = fake_gateway.pay(checkout)
    books.hear(checkout)
    fake_gateway.refund(payment.id, 500)
    books.hear(payment.id)
    with books.session() as session:
        session.execute(update(Donor).values(name="Ann <b>"))
        session.execute(update(Donation).values(message="Keep on", consent_text="Write to me"))
        mail = Mail(key="thanks:1", recipient=ANN, subject="Thank you, Ann", text="For 20 $")
        post_mail(session, mail, now=clock.now())
        session.commit()
    return books


@pytest.fixture
def accountant(app: Flask, sign_in: SignIn) -> FlaskClient:
    app.config["WTF_CSRF_ENABLED"] = False
    return sign_in(Role.ACCOUNTANT)


def page_of(client: FlaskClient, email: str = ANN) -> str:
    answer = client.post("/admin/donors", data={"email": email})
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def standing(session: Session) -> list[Any]:
    columns = (Period.raised_minor, Period.donation_count, Period.donor_count)
    found = [tuple(row) for row in session.execute(select(*columns))]
    assert verify_ledger(session).differences == ()
    session.rollback()
    return found


@pytest.mark.usefixtures("books")
def test_a_donor_is_found_shown_and_erased_and_every_total_stays(
    accountant: FlaskClient, session: Session
) -> None:
    address = page_of(accountant, " Ann@Example.ORG ")
    assert "@" not in address
    page = accountant.get(address).text
    for told in (
        ANN, "Ann &lt;b&gt;", "20.00 USD", "0.50 USD", "-5.00 USD", "15.50 USD", "Keep on",
        "Write to me", "Thank you, Ann",
    ):  # fmt: skip
        assert told in page, told
    before = standing(session)
    asked = accountant.get(f"{address}/erase").text
    assert "There is no way back" in asked
    assert standing(session) == before == [(1_500, 1, 1)]
    answer = accountant.post(f"{address}/erase", follow_redirects=True)
    assert "1 gifts keep their amounts" in answer.text
    assert standing(session) == before
    for gone in (address, f"{address}/erase"):
        assert accountant.get(gone).status_code == 404
    assert "Nothing is held" in accountant.post("/admin/donors", data={"email": ANN}).text
    assert session.scalars(select(Donor.email)).all() == [None]


@only_sqlite
@pytest.mark.usefixtures("books")
def test_the_log_says_that_it_was_done_and_not_to_whom(
    accountant: FlaskClient, session: Session
) -> None:
    address = page_of(accountant)
    number = address.rpartition("/")[2]
    answer = accountant.post(f"{address}/export")
    assert answer.headers["Content-Disposition"] == f"attachment; filename=donor-{number}.json"
    told = json.loads(answer.data)
    assert told["donor"]["email"] == ANN
    assert told["donations"][0]["message"] == "Keep on"
    accountant.post(f"{address}/erase")
    erased, exported = list_records(session, limit=2)
    assert (erased.action, exported.action) == ("donor.erased", "donor.exported")
    assert erased.subject == exported.subject == f"donor:{number}"
    assert erased.told == {"gifts": 1, "mails": 1, "events": 0}
    kept = session.scalars(select(AuditRecord.details + AuditRecord.subject)).all()
    assert not any("ann" in text.replace("accountant", "").lower() for text in kept)


@only_sqlite
def test_what_stands_in_the_way_is_said_with_what_to_do(
    books: Books, accountant: FlaskClient, session: Session
) -> None:
    checkout = books.donate(frequency="month", form="monthly", email=ANN)
    books.gateway.subscribe(checkout)
    books.hear(checkout)
    address = page_of(accountant)
    page = accountant.get(f"{address}/erase").text
    assert "still gives regularly" in page
    assert "https://dashboard.stripe.com/test/subscriptions/sub_" in page
    assert "Erase for good" not in page
    assert accountant.post(f"{address}/erase").status_code == 409
    assert session.scalars(select(Donor.email)).all() == [ANN]
    session.rollback()
    assert "month" in accountant.get(address).text


@only_sqlite
@pytest.mark.usefixtures("books")
def test_events_that_are_not_worked_are_worked_again_from_the_page(
    accountant: FlaskClient, session: Session, clock: MovableClock
) -> None:
    failed = InboxEvent(
        event_id="evt_1", type="charge.updated", body=f'"{ANN}"'.encode(),
        occurred_at=clock.now(), received_at=clock.now(), state="failed", attempts=9,
        next_attempt_at=clock.now(),
    )  # fmt: skip
    session.add(failed)
    session.commit()
    address = page_of(accountant)
    page = accountant.get(f"{address}/erase").text
    assert "evt_1" in page
    assert "Have it worked again" in page
    answer = accountant.post(f"{address}/retry", follow_redirects=True)
    assert "worked again within a minute" in answer.text
    assert session.scalars(select(InboxEvent.state)).all() == ["waiting"]
    assert list_records(session, limit=1)[0].action == "inbox.retried"


@only_sqlite
def test_who_looks_for_nobody_is_told(accountant: FlaskClient) -> None:
    for typed, told in (("", "Write the address"), ("bo@example.org\0", "Nothing is held")):
        answer = accountant.post("/admin/donors", data={"email": typed})
        assert answer.status_code == 422
        assert told in answer.text
    for number in ("0", "7", "9" * 40):
        assert accountant.get(f"/admin/donors/{number}").status_code == 404


@only_sqlite
def test_the_page_asks_the_books_as_often_for_many_gifts_as_for_one(
    app: Flask, books: Books, accountant: FlaskClient, session: Session
) -> None:
    address = page_of(accountant)

    def asked() -> int:
        statements: list[str] = []

        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            statements.append(statement)

        with app.app_context():
            event.listen(db.engine, "before_cursor_execute", note)
            assert accountant.get(address).status_code == 200
            event.remove(db.engine, "before_cursor_execute", note)
        return len(statements)

    alone = asked()
    for number in range(5):
        checkout = books.donate(form=f"more-{number}", email=ANN)
        books.gateway.pay(checkout)
        books.hear(checkout)
    assert session.scalars(select(func.count()).select_from(Donation)).one() == 6
    session.rollback()
    assert asked() == alone


@only_sqlite
@pytest.mark.usefixtures("books")
def test_erasing_wants_a_fresh_sign_in_and_editors_see_no_donor(
    app: Flask, sign_in: SignIn
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    stale = sign_in(Role.OWNER, fresh=False)
    address = page_of(stale)
    answer = stale.get(f"{address}/erase")
    assert answer.headers["Location"].startswith("/admin/confirm")
    assert stale.post(f"{address}/erase").headers["Location"].startswith("/admin/confirm")
    editor = sign_in(Role.EDITOR)
    assert editor.get(address).status_code == 403
    assert 'href="/admin/donors"' not in editor.get("/admin/").text
