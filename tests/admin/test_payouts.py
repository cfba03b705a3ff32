"""Payouts in the admin: the list, one with its lines, and its file."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.orm import Session

from admin.roles import GRANTS, Permission, Role
from core.auditlog import list_records
from core.clock import MovableClock
from core.db import db
from payments.gateway import Payout
from payments.gateway import PayoutLine as ToldLine
from payments.payouts import bring_payouts
from tests.admin.conftest import SignIn, csrf_token
from tests.conftest import MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books
from tests.payments.exported import read_csv, read_xlsx

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LIST = "/admin/payouts"
Bring = Callable[[], object]


@pytest.fixture
def books(app: Flask, fake_gateway: FakeGateway, clock: MovableClock) -> Books:
    return Books(app, fake_gateway, clock)


@pytest.fixture
def bring(app: Flask, fake_gateway: FakeGateway, clock: MovableClock, session: Session) -> Bring:
    def bring() -> object:
        session.rollback()
        with app.app_context():
            maker = db.sessionmaker
        return bring_payouts(maker, fake_gateway, livemode=False, now=clock.now)

    return bring


@pytest.fixture
def accountant(app: Flask, sign_in: SignIn, session: Session) -> FlaskClient:
    app.config["WTF_CSRF_ENABLED"] = False
    client = sign_in(Role.ACCOUNTANT)
    session.rollback()
    return client


def a_gift(books: Books, amount_minor: int = 152_000, *, form: str = "form") -> ToldLine:
    payment = books.gateway.pay(books.donate(amount_minor, form=form))
    books.hear(payment.id)
    return books.gateway.payout_line(payment, amount_minor, fee_minor=4_438)


def a_payout(books: Books) -> Payout:
    """Pay out a gift of ours, part of it given back, a shop's sale, and a fee."""
    gateway = books.gateway
    gift = a_gift(books)
    payment = gateway.payment(gift.payment_id or "")
    shop = gateway.payout_line(gateway.foreign_payment(5_000), 5_000, fee_minor=175)
    lines = [gift, gateway.payout_line(payment, -500), shop, gateway.payout_line(None, -77)]
    return gateway.pay_out(lines)


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_list_and_page_tell_what_a_payout_is_made_of(
    accountant: FlaskClient, books: Books, bring: Bring, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    made = a_payout(books)
    bring()
    page = accountant.get(LIST).text
    for words in ("14 May 2021", "1,518.10", "1,520.00", "−5.00", "−46.90", "50.00", "matches"):
        assert words in page
    assert "1 line is not ours." in page
    assert f'href="{LIST}/{made.id}"' in page
    page = accountant.get(f"{LIST}/{made.id}").text
    told = text_of(page)
    for words in ("Sum of 4 lines 1,518.10", "Not ours", "By campaign", "not ours", "Stripe’s fee"):
        assert words in told
    assert f'href="/admin/donations/{books.donations()[0].id}"' in page
    assert "Support us" in page
    assert "Difference" not in page


def test_payout_that_differs_failed_or_was_made_by_hand_stands_out(
    accountant: FlaskClient, books: Books, bring: Bring, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    gateway = books.gateway
    gift = a_gift(books)
    made = gateway.pay_out([gift], amount_minor=gift.net_minor + 1)
    gateway.change_payout(made.id, status="failed", failure="The bank account has been closed.")
    by_hand = gateway.pay_out(amount_minor=500, automatic=False)
    waiting = gateway.pay_out(amount_minor=700, reconciled=False)
    bring()
    page = accountant.get(LIST).text
    for words in ("differs", "0.01 are not in its lines", "failed", "has been closed", "by hand"):
        assert words in page
    page = accountant.get(f"{LIST}/{made.id}").text
    assert "The bank sent this money back" in page
    assert "Difference" in page
    assert "Stripe tells the lines of automatic payouts alone" in text_of(
        accountant.get(f"{LIST}/{by_hand.id}").text
    )
    assert "as soon as it does" in accountant.get(f"{LIST}/{waiting.id}").text


def test_payment_in_quarantine_leads_to_where_it_is_decided_about(
    accountant: FlaskClient, books: Books, bring: Bring, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    payment = books.gateway.pay(books.donate())
    books.gateway.change_payment(payment.id, currency="EUR")
    books.hear(payment.id)
    foreign = books.gateway.foreign_payment(700)
    lines = [books.gateway.payout_line(one, 1_900) for one in (payment, foreign)]
    made = books.gateway.pay_out(lines)
    bring()
    page = accountant.get(f"{LIST}/{made.id}").text
    href = f"/admin/quarantine/{payment.id}"
    assert page.count(f'<a href="{href}">a payment in quarantine</a>') == 1
    assert page.count("in quarantine</a>") == 1
    assert accountant.get(href).status_code == 200


def test_empty_list_says_what_to_do(
    accountant: FlaskClient, fake_gateway: FakeGateway, session: Session
) -> None:
    page = accountant.get(LIST).text
    assert "has not been asked for its payouts yet" in page
    answer = accountant.post(LIST)
    assert answer.status_code == 303
    assert list_records(session)[0].action == "stripe.payouts_asked"
    session.rollback()
    page = accountant.get(LIST).text
    assert "0 payouts came in" in page
    assert "Stripe has paid nothing out yet." in page
    fake_gateway.unavailable = True
    accountant.post(LIST)
    assert "Stripe could not be asked." in accountant.get(LIST).text


def test_list_and_lines_have_pages(
    accountant: FlaskClient,
    books: Books,
    bring: Bring,
    make_campaign: MakeCampaign,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_campaign()
    monkeypatch.setattr("admin.payouts.PAYOUTS_A_PAGE", 2)
    monkeypatch.setattr("admin.payouts.LINES_A_PAGE", 2)
    made = [a_payout(books)]
    for days in (1, 2):
        later = books.gateway.pay_out(amount_minor=100, automatic=False)
        arrives_on = later.arrives_on + timedelta(days=days)
        made.append(books.gateway.change_payout(later.id, arrives_on=arrives_on))
    bring()

    def following(page: str) -> str:
        return page.partition('rel="next" href="')[2].partition('"')[0]

    first = accountant.get(LIST).text
    assert made[2].id in first
    assert made[0].id not in first
    second = accountant.get(LIST + following(first)).text
    assert made[0].id in second
    assert not following(second)
    path = f"{LIST}/{made[0].id}"
    lines = accountant.get(path).text
    further = accountant.get(path + following(lines)).text
    assert "<code" in further
    assert not following(further)
    assert further.count("not ours</span>") == 1
    for strange in ("nonsense", "²", "9" * 40, "\0.x"):
        assert accountant.get(path, query_string={"after": strange}).status_code == 200
        assert accountant.get(LIST, query_string={"after": strange}).status_code == 200


def test_pages_ask_the_books_as_often_for_many_as_for_one(
    app: Flask,
    accountant: FlaskClient,
    books: Books,
    bring: Bring,
    make_campaign: MakeCampaign,
) -> None:
    def asked(path: str) -> int:
        statements: list[str] = []

        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            statements.append(statement)

        with app.app_context():
            event.listen(db.engine, "before_cursor_execute", note)
            assert accountant.get(path).status_code == 200
            event.remove(db.engine, "before_cursor_execute", note)
        return len(statements)

    make_campaign()
    small = books.gateway.pay_out([a_gift(books)])
    bring()
    alone = asked(LIST), asked(f"{LIST}/{small.id}")
    large = books.gateway.pay_out([a_gift(books, form=f"form-{n}") for n in range(8)])
    books.gateway.pay_out(amount_minor=5, automatic=False)
    bring()
    assert (asked(LIST), asked(f"{LIST}/{large.id}")) == alone


@pytest.mark.parametrize(("format_", "read"), [("csv", read_csv), ("xlsx", read_xlsx)])
def test_lines_are_taken_out_as_a_file(
    accountant: FlaskClient,
    books: Books,
    bring: Bring,
    make_campaign: MakeCampaign,
    session: Session,
    clock: MovableClock,
    format_: str,
    read: Callable[[Any], list[dict[str, Any]]],
) -> None:
    make_campaign()
    made = a_payout(books)
    bring()
    response = accountant.post(f"{LIST}/{made.id}/lines", data={"format": format_}, buffered=False)
    assert response.headers["Content-Disposition"] == (
        f"attachment; filename=payout-{made.id}.{format_}"
    )
    assert "Content-Length" not in response.headers
    rows = read(response.iter_encoded())
    response.close()
    named = "net" if format_ == "csv" else "Net"
    assert sum(round(float(row[named]) * 100) for row in rows) == made.amount_minor
    donation = "donation" if format_ == "csv" else "Donation"
    assert [bool(row[donation]) for row in rows] == [True, True, False, False]
    record = list_records(session)[0]
    assert (record.action, record.subject) == ("payout.taken_out", f"payout:{made.id}")
    session.rollback()
    assert accountant.post(f"{LIST}/{made.id}/lines", data={"format": "exe"}).status_code == 422
    for _ in range(2):
        clock.advance(timedelta(minutes=1))
        wanted = {"what": "months", "format": "csv"}
        accountant.post("/admin/exports", data=wanted).close()
    clock.advance(timedelta(minutes=1))
    accountant.post(f"{LIST}/{made.id}/lines", data={"format": format_}).close()
    listed = accountant.get("/admin/exports").text
    names = [name.strip() for name in re.findall(r'<th scope="row">([A-Za-z]+),', listed)]
    assert names == ["Payout", "Months", "Months", "Payout"]
    assert f"Payout, {format_.upper()}" in listed
    assert f'<a href="{LIST}/{made.id}">{made.id}</a>' in listed
    assert "accountant@courier.example" in listed.partition('id="runs"')[2]


@pytest.mark.parametrize("role", [role for role in Role if Permission.EXPORT not in GRANTS[role]])
def test_roles_that_may_take_nothing_out_see_no_payouts(sign_in: SignIn, role: Role) -> None:
    client = sign_in(role)
    assert client.get(LIST).status_code == 403
    assert LIST not in client.get("/admin/").text
    token = csrf_token(client)
    assert client.post(LIST, data={"csrf_token": token}).status_code == 403
