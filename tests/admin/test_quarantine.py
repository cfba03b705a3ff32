"""Deciding about held money from the admin: what is shown, and what each decision does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from admin.roles import Role
from campaigns.audit import verify_ledger
from campaigns.models import Campaign, Period
from core.auditlog import list_records
from core.clock import MovableClock
from core.db import db
from payments.models import Donation, QuarantinedPayment
from payments.refund_models import RefundRequest
from tests.admin.conftest import SignIn
from tests.conftest import MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books
from tests.payments.pages import fields_of, look

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LIST, GIVE_BACK = "/admin/quarantine", "/admin/quarantine/give-back"


@pytest.fixture(autouse=True)
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


@pytest.fixture
def books(app: Flask, fake_gateway: FakeGateway, clock: MovableClock) -> Books:
    return Books(app, fake_gateway, clock)


@pytest.fixture
def accountant(sign_in: SignIn) -> FlaskClient:
    return sign_in(Role.ACCOUNTANT)


@pytest.fixture
def shop(books: Books) -> str:
    """A payment of 7 $ that no gift of ours asked for."""
    payment = books.gateway.foreign_payment(700)
    books.hear(payment.id)
    return payment.id


@pytest.fixture
def odd(books: Books) -> str:
    """A payment of 19 $ for a gift of 20 $."""
    checkout = books.donate(2_000)
    payment = books.gateway.pay(checkout)
    books.gateway.change_payment(payment.id, received_minor=1_900)
    books.hear(checkout)
    return payment.id


def decide(client: FlaskClient, reference: str, what: str, **typed: str) -> TestResponse:
    """Press a button of a payment's page, and say yes to what it asks."""
    page = f"{LIST}/{reference}"
    token = fields_of(client.get(page))["csrf_token"]
    question = client.post(f"{page}/{what}", data={"csrf_token": token, **typed})
    assert question.status_code == 200
    return client.post(f"{page}/{what}", data=fields_of(question), follow_redirects=True)


def give_back(client: FlaskClient, *references: str, **typed: str) -> TestResponse:
    """Tick payments, and say yes to what is asked."""
    question = client.get(GIVE_BACK, query_string={"payment": references})
    assert question.status_code == 200
    token = fields_of(question)["csrf_token"]
    values = {"csrf_token": token, "payment": list(references), "reason": "", **typed}
    return client.post(GIVE_BACK, data=values, follow_redirects=True)


def raised(session: Session) -> int:
    return sum(look(session, select(Period.raised_minor)))


def test_what_is_held_is_listed_with_the_reason(
    accountant: FlaskClient, shop: str, odd: str, books: Books
) -> None:
    page = accountant.get(LIST).text
    for text in (
        *(shop, "7.00 USD", "No donation of ours", "nothing that is known"),
        *(odd, "19.00 USD", "Paid 19.00, asked 20.00", "Support us"),
    ):
        assert text in page
    (donation,) = books.donations()
    one = accountant.get(f"{LIST}/{odd}").text
    assert f'href="/admin/donations/{donation.id}"' in one
    assert accountant.get(f"/admin/donations/{donation.id}/refund").location == f"{LIST}/{odd}"
    assert "Nothing was released" in accountant.get(f"{LIST}?state=released").text


def test_empty_quarantine_says_what_it_is_for(accountant: FlaskClient) -> None:
    assert "Nothing is held" in accountant.get(LIST).text
    assert "was ever held" in accountant.get(f"{LIST}?state=all").text


def test_released_money_counts_as_a_gift(
    accountant: FlaskClient, session: Session, shop: str
) -> None:
    told = decide(accountant, shop, "release", campaign="support-us")
    assert "it counts as a gift to Support us." in told.text
    assert raised(session) == 700
    assert verify_ledger(session).differences == ()
    (donation,) = look(session, select(Donation))
    assert f'href="/admin/donations/{donation.id}"' in told.text
    line = list_records(session)[0]
    assert (line.action, line.subject) == ("quarantine.released", f"quarantine:{shop}")
    assert line.told["campaign"] == "support-us"
    session.rollback()
    token = fields_of(accountant.get(f"{LIST}?state=released"))
    assert token is not None
    assert "Released" in accountant.get(f"{LIST}?state=all").text


def test_what_was_given_back_at_stripe_meanwhile_is_not_counted(
    accountant: FlaskClient, session: Session, shop: str, fake_gateway: FakeGateway
) -> None:
    fake_gateway.refund(shop, 200)
    decide(accountant, shop, "release", campaign="support-us")
    assert raised(session) == 500


def test_only_campaigns_of_its_currency_are_offered(
    accountant: FlaskClient, books: Books, session: Session, make_campaign: MakeCampaign
) -> None:
    payment = books.gateway.foreign_payment(700, "EUR")
    books.hear(payment.id)
    assert "No campaign counts EUR." in accountant.get(f"{LIST}/{payment.id}").text
    make_campaign("europe", title="Europe", currency="EUR")
    page = accountant.get(f"{LIST}/{payment.id}").text
    assert "Europe (europe)" in page
    assert "(support-us)" not in page
    token = fields_of(accountant.get(f"{LIST}/{payment.id}"))["csrf_token"]
    for slug in ("", "support-us", "none"):
        values = {"csrf_token": token, "campaign": slug, "confirmed": "1"}
        answer = accountant.post(f"{LIST}/{payment.id}/release", data=values)
        assert answer.status_code == 422
        assert 'id="campaign-error">Choose one of the campaigns' in answer.text
    assert raised(session) == 0


def test_live_money_on_a_test_site_is_not_released(
    accountant: FlaskClient, books: Books, session: Session
) -> None:
    payment = books.gateway.foreign_payment(700)
    books.gateway.change_payment(payment.id, livemode=True)
    books.hear(payment.id)
    answer = decide(accountant, payment.id, "release", campaign="support-us")
    assert answer.status_code == 409
    assert "never mixed" in answer.text
    assert raised(session) == 0


def test_refused_money_never_counts_and_can_be_given_back_later(
    accountant: FlaskClient, session: Session, odd: str, fake_gateway: FakeGateway
) -> None:
    told = decide(accountant, odd, "refuse")
    assert "it never counts. Its money is still in your Stripe account." in told.text
    assert "create_refund" not in fake_gateway.calls
    assert decide(accountant, odd, "refuse").status_code == 409
    told = give_back(accountant, odd)
    assert "19.00 USD was given back." in told.text
    assert "It counts nowhere, and was given back." in told.text
    assert [line.action for line in list_records(session)[:2]] == [
        "refund.requested",
        "quarantine.refused",
    ]
    assert raised(session) == 0


def test_several_are_refused_and_given_back_at_once(
    accountant: FlaskClient, session: Session, books: Books, shop: str, odd: str
) -> None:
    more = []
    for _ in range(3):
        payment = books.gateway.foreign_payment(700)
        books.hear(payment.id)
        more.append(payment.id)
    question = accountant.get(GIVE_BACK, query_string={"payment": [shop, odd, shop]}).text
    assert "<h1>Give back 26.00 USD?</h1>" in question
    for _ in range(2):  # the button twice
        told = give_back(accountant, shop, odd, *more, reason="fraudulent")
        assert "2 more are written down" in told.text
    assert set(look(session, select(QuarantinedPayment.state))) == {"refused"}
    states = look(session, select(RefundRequest.state).order_by(RefundRequest.state))
    assert states == ["accepted"] * 3 + ["waiting"] * 2
    assert raised(session) == 0


def test_one_that_can_not_go_back_holds_up_no_other(
    accountant: FlaskClient, session: Session, shop: str, odd: str
) -> None:
    decide(accountant, shop, "release", campaign="support-us")
    told = give_back(accountant, shop, odd)
    assert "was released: give its donation back." in told.text
    assert "19.00 USD was given back." in told.text
    assert raised(session) == 700


def test_nothing_ticked_is_said_and_nothing_is_done(
    accountant: FlaskClient, session: Session
) -> None:
    told = accountant.get(GIVE_BACK, follow_redirects=True)
    assert "Tick what is to go back first." in told.text
    for payment in ("pi_none", "\0"):
        assert accountant.get(GIVE_BACK, query_string={"payment": payment}).status_code == 404
    assert look(session, select(RefundRequest.id)) == []


def test_list_asks_little_of_the_database_and_goes_on_by_pages(
    app: Flask,
    accountant: FlaskClient,
    books: Books,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    statements: list[str] = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    counts = []
    for number in range(3):
        books.hear(books.gateway.foreign_payment(1_000 + number).id)
        clock.advance(timedelta(minutes=1))
        statements.clear()
        accountant.get(LIST)
        counts.append(len(statements))
    assert counts[0] == counts[-1]
    monkeypatch.setattr("admin.quarantine.PAYMENTS_A_PAGE", 2)
    first = accountant.get(LIST).text
    assert "10.02 USD" in first
    assert "10.00 USD" not in first
    following = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    second = accountant.get(LIST + following).text
    assert "10.00 USD" in second
    assert "10.01 USD" not in second
