"""Finding gifts, the story of one, and gifts that came without Stripe."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from admin.roles import Role
from campaigns.audit import verify_ledger
from campaigns.models import Campaign
from core.auditlog import COMMAND_LINE, AuditFilter, list_records
from core.auditlog import record as log_as_done
from core.clock import MovableClock
from core.db import db
from core.outbox import Mail, post_mail
from payments.donating import OfflineGift, counted_minor, record_offline_gift
from payments.models import Donation
from tests.admin.conftest import SignIn
from tests.conftest import START, Give, MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books
from tests.payments.gifts import REFUND, give_with_cover

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LIST, NEW, SEARCH = "/admin/donations", "/admin/donations/new", "/admin/donations/search"


@pytest.fixture
def books(app: Flask, fake_gateway: FakeGateway, clock: MovableClock) -> Books:
    return Books(app, fake_gateway, clock)


@pytest.fixture
def accountant(app: Flask, sign_in: SignIn) -> FlaskClient:
    app.config["WTF_CSRF_ENABLED"] = False
    return sign_in(Role.ACCOUNTANT)


@pytest.fixture
def viewer(app: Flask, sign_in: SignIn) -> FlaskClient:
    app.config["WTF_CSRF_ENABLED"] = False
    return sign_in(Role.VIEWER)


def record(client: FlaskClient, **changes: str) -> Any:
    typed = {"campaign": "support-us", "amount": "520", "day": "2021-05-10", "note": "Cheque 7"}
    return client.post(NEW, data=typed | {"form": "one"} | changes)


def test_an_empty_list_says_what_to_do_first(accountant: FlaskClient, viewer: FlaskClient) -> None:
    assert "Nobody has given yet." in accountant.get(LIST).text
    assert NEW in accountant.get(LIST).text
    assert NEW not in viewer.get(LIST).text


def test_the_list_names_donors_to_those_who_may_see_them(
    accountant: FlaskClient,
    viewer: FlaskClient,
    make_campaign: MakeCampaign,
    books: Books,
    clock: MovableClock,
) -> None:
    found = give_with_cover(
        books, make_campaign(), clock, amount_minor=2_000, cover_minor=90, taken=[(REFUND, 500)]
    )
    page = accountant.get(LIST).text
    assert "Ann &lt;Example&gt;" in page
    assert "15.90" in page
    for path in (LIST, f"{LIST}/{found}"):
        hidden = viewer.get(path).text
        assert "20.00" in hidden
        assert "Ann" not in hidden
        assert "ann@example.org" not in hidden


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3),
        ("campaign=support-us", 2),
        ("period=2021-04", 1),
        ("campaign=support-us&period=2021-05", 1),
        ("state=paid", 3),
        ("state=pending", 0),
        ("source=offline", 3),
        ("source=online", 0),
        ("campaign=support-us&from=2021-05-12&until=2021-05-12", 2),
        ("campaign=support-us&until=2021-05-11", 0),
        ("article=https://courier.example/a", 0),
        ("slot=top", 0),
    ],
)
def test_each_filter_narrows(
    viewer: FlaskClient, make_campaign: MakeCampaign, give: Give, query: str, count: int
) -> None:
    campaign = make_campaign()
    give(campaign, 100)
    give(campaign, 200, START - timedelta(days=20))
    give(make_campaign("other"), 300)
    page = viewer.get(f"{LIST}?{query}").text
    assert len(re.findall(r'<th scope="row"><a href="/admin/donations/don_', page)) == count


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("campaign=none", "There is no campaign"),
        ("state=rich", "Choose one of these."),
        ("period=soon", "is no period"),
        ("from=2021-05-01", "Choose a campaign"),
        ("campaign=support-us&until=x", "is not a day"),
        ("after=x~y", "No donation is like that."),
    ],
)
def test_what_can_not_be_is_told(
    viewer: FlaskClient, make_campaign: MakeCampaign, query: str, sentence: str
) -> None:
    make_campaign()
    answer = viewer.get(f"{LIST}?{query}")
    assert answer.status_code == 200
    assert sentence in answer.text


def test_pages_hold_each_gift_once_in_few_queries(
    app: Flask,
    viewer: FlaskClient,
    make_campaign: MakeCampaign,
    session: Session,
    clock: MovableClock,
) -> None:
    campaign = make_campaign()

    def many(count: int) -> None:
        for _ in range(count):
            gift = OfflineGift(amount_minor=100, paid_at=clock.now())
            record_offline_gift(session, campaign.slug, gift, now=clock.now())
        session.commit()

    def asked() -> int:
        statements: list[str] = []

        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            statements.append(statement)

        with app.app_context():
            event.listen(db.engine, "before_cursor_execute", note)
            viewer.get(LIST)
            event.remove(db.engine, "before_cursor_execute", note)
        return len(statements)

    many(1)
    alone = asked()
    many(59)
    assert asked() == alone
    seen: list[str] = []
    path: str | None = LIST
    while path:
        page = viewer.get(path).text
        seen += re.findall(r'href="/admin/donations/(don_\w+)"', page)
        match = re.search(r'rel="next" href="([^"]+)"', page)
        path = match[1].replace("&amp;", "&") if match else None
    assert len(seen) == len(set(seen)) == 60


def test_search_goes_to_the_gift_by_what_is_known_of_it(
    accountant: FlaskClient,
    viewer: FlaskClient,
    make_campaign: MakeCampaign,
    books: Books,
    clock: MovableClock,
) -> None:
    found = give_with_cover(
        books, make_campaign(), clock, amount_minor=2_050, taken=[(REFUND, 500)]
    )
    for typed in (found, f"pi_{found}", "20.50", "ANN@example.org "):
        answer = accountant.post(SEARCH, data={"q": typed})
        assert answer.headers["Location"] == f"{LIST}/{found}", typed
    for nothing in ("pi_none", "re_none", "sub_none", "cs_none", "99"):
        assert "Nothing goes by that." in accountant.post(SEARCH, data={"q": nothing}).text
    for wrong in ("", "ch_1", "somebody"):
        assert accountant.post(SEARCH, data={"q": wrong}).status_code == 422
    hidden = viewer.post(SEARCH, data={"q": "ann@example.org"})
    assert hidden.status_code == 422
    assert found not in hidden.text


def test_the_story_of_a_gift_that_came_through_stripe(
    accountant: FlaskClient, make_campaign: MakeCampaign, books: Books, clock: MovableClock
) -> None:
    campaign = make_campaign()
    found = give_with_cover(
        books, campaign, clock, amount_minor=2_000, cover_minor=90, taken=[(REFUND, 500)]
    )
    page = accountant.get(f"{LIST}/{found}").text
    for text in ("ann@example.org", "covered fees", "−5.00", "15.90 USD", f"{LIST}/{found}/refund"):
        assert text in page
    stripe = f'href="https://dashboard.stripe.com/test/payments/pi_{found}" rel="noreferrer"'
    assert stripe in page
    assert "Correct it" not in page
    assert accountant.get(f"{LIST}/don_none").status_code == 404


def happenings(client: FlaskClient, donation_id: str) -> list[str]:
    """Return what a gift's page says happened to it, each with the time that it shows."""
    page = client.get(f"{LIST}/{donation_id}").text.partition('class="log timeline"')[2]
    listed = re.findall(r"<li>(.*?)</li>", page.partition("</ol>")[0], re.DOTALL)
    return [" ".join(re.sub(r"<[^>]*>", " ", one).split()) for one in listed]


def test_what_happened_to_a_gift_is_one_list_in_the_order_of_time(
    accountant: FlaskClient,
    viewer: FlaskClient,
    sign_in: SignIn,
    make_campaign: MakeCampaign,
    books: Books,
    clock: MovableClock,
    session: Session,
) -> None:
    make_campaign()
    checkout = books.donate(2_000, cover_minor=91)
    clock.advance(timedelta(minutes=2))
    books.gateway.pay(checkout)
    clock.advance(timedelta(minutes=1))
    books.hear(checkout)
    (gift,) = books.donations()
    mail = Mail(key=f"thanks:{gift.id}", recipient="ann@example.org", subject="-", text="-")
    post_mail(session, mail, now=clock.now() + timedelta(minutes=1))
    done_at = clock.now() + timedelta(days=1)
    subject = f"donation:{gift.id}"
    log_as_done(session, COMMAND_LINE, "donation.looked_at", subject=subject, now=done_at)
    session.commit()
    told = happenings(accountant, gift.id)
    wanted = (
        "06:11 Begun",
        "06:13 Paid",
        "06:14 Booked 20.00 USD as gift",
        "06:14 Booked 0.91 USD as covered fees",
        "06:15 Mail of thanks waiting ann@example.org",
    )
    places = [next(place for place, one in enumerate(told) if text in one) for text in wanted]
    assert places == sorted(places)
    last = happenings(sign_in(Role.OWNER), gift.id)[-1]
    assert last.startswith("13 May 2021")
    assert "command line looked at donation" in last
    others = " ".join(happenings(viewer, gift.id))
    assert "Mail of thanks" in others
    assert "ann@example.org" not in others
    assert "looked at" not in others


def test_an_offline_gift_is_recorded_once_and_logged(
    accountant: FlaskClient, make_campaign: MakeCampaign, session: Session
) -> None:
    make_campaign(locale="de")
    first, again = (record(accountant, amount="1.520,50") for _ in range(2))
    assert first.status_code == again.status_code == 303
    assert first.headers["Location"] == again.headers["Location"]
    (found,) = session.scalars(select(Donation)).all()
    assert (found.amount_minor, found.note) == (152_050, "Cheque 7")
    assert found.paid_at == START.replace(day=10, hour=16, minute=0, second=0)
    (line,) = list_records(session, AuditFilter(subject=f"donation:{found.id}"))
    assert (line.action, line.told["amount_minor"]) == ("donation.recorded", 152_050)
    session.rollback()
    page = accountant.get(first.headers["Location"]).text
    assert "1,520.50 USD" in page
    assert "Cheque 7" in page
    record(accountant, amount="1.520,50", form="two")
    assert session.scalar(select(func.count(Donation.id))) == 2
    assert verify_ledger(session).differences == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("campaign", ""),
        ("campaign", "none"),
        ("amount", "1,00"),
        ("amount", "0"),
        ("amount", "9999999999999"),
        ("day", "soon"),
        ("day", "2021-05-13"),
        ("note", "x" * 256),
    ],
)
def test_what_can_not_be_recorded_is_told_beside_its_field(
    accountant: FlaskClient, make_campaign: MakeCampaign, session: Session, field: str, value: str
) -> None:
    make_campaign()
    answer = record(accountant, **{field: value})
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert session.scalar(select(func.count(Donation.id))) == 0


def test_a_wrong_one_is_corrected_by_an_entry(
    accountant: FlaskClient, viewer: FlaskClient, make_campaign: MakeCampaign, session: Session
) -> None:
    campaign: Campaign = make_campaign()
    path = record(accountant).headers["Location"]
    assert "What it should have been" in accountant.get(path).text
    assert "What it should have been" not in viewer.get(path).text
    assert accountant.post(f"{path}/correct", data={"amount": "500", "note": ""}).status_code == 422
    assert accountant.post(f"{path}/correct", data={"amount": "x", "note": "y"}).status_code == 422
    for _ in range(2):
        wrong = {"amount": "500", "note": "typed wrong"}
        assert accountant.post(f"{path}/correct", data=wrong).status_code == 303
    found = session.get_one(Donation, path.rpartition("/")[2])
    assert (found.campaign_id, counted_minor(session, found)) == (campaign.id, 50_000)
    corrected, _ = list_records(session, AuditFilter(subject=f"donation:{found.id}"))
    assert corrected.action == "donation.corrected"
    assert corrected.told["before_minor"] == 52_000
    session.rollback()
    page = accountant.get(path).text
    assert "−20.00" in page
    assert "correction: typed wrong" in page
    accountant.post(f"{path}/correct", data={"amount": "0", "note": "it bounced"})
    assert counted_minor(session, session.get_one(Donation, found.id)) == 0
    assert verify_ledger(session).differences == ()


def test_a_gift_of_stripes_is_not_corrected_by_hand(
    accountant: FlaskClient, make_campaign: MakeCampaign, books: Books, clock: MovableClock
) -> None:
    found = give_with_cover(books, make_campaign(), clock, amount_minor=2_000)
    answer = accountant.post(f"{LIST}/{found}/correct", data={"amount": "1", "note": "x"})
    assert answer.status_code == 409
