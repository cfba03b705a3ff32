"""Giving gifts back from the admin: the question, the request, what Stripe says, and the list."""

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
from ops.jobs import ask_refunds
from payments.refund_models import RefundRequest
from payments.refunding import MOST_ATTEMPTS
from tests.admin.conftest import SignIn
from tests.conftest import Give, MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books
from tests.payments.pages import fields_of, look

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LIST = "/admin/refunds"


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
def gift_page(books: Books) -> str:
    """The page that gives a gift of 20 $ back, which was given with 0.91 $ to cover fees."""
    checkout = books.donate(2_000, cover_minor=91)
    books.gateway.pay(checkout)
    books.hear(checkout)
    return f"/admin/donations/{books.donations()[0].id}/refund"


def ask(client: FlaskClient, page: str, **typed: str) -> TestResponse:
    """Fill in the form as it is shown, and send it."""
    return client.post(page, data=fields_of(client.get(page)) | {"reason": ""} | typed)


def give_back(client: FlaskClient, page: str, **typed: str) -> TestResponse:
    """Send the form, and say yes to what it asks."""
    question = ask(client, page, **typed)
    assert question.status_code == 200
    return client.post(page, data=fields_of(question), follow_redirects=True)


def raised(session: Session) -> int:
    return sum(look(session, select(Period.raised_minor)))


def test_question_says_what_happens_and_nothing_does_before_its_answer(
    accountant: FlaskClient, session: Session, gift_page: str, fake_gateway: FakeGateway
) -> None:
    form = accountant.get(gift_page)
    assert 'value="20.91"' in form.text
    assert "20 $, and 0.91 $ to cover fees" in form.text
    question = ask(accountant, gift_page, amount="20.50", reason="duplicate").text
    for text in (
        "Give back 20.50 $?",
        "ann@example.org",
        "0.41 $ stays",
        "<b>May 2021</b> falls by 20 $, from 20 $ to 0 $",
        "0.50 $ of it is what was given to cover fees",
        "Stripe does not give its fee back",
        "Given twice by mistake",
    ):
        assert text in question
    assert "create_refund" not in fake_gateway.calls
    assert look(session, select(RefundRequest.id)) == []


def test_part_of_a_gift_goes_back_and_the_month_falls(
    accountant: FlaskClient, session: Session, gift_page: str
) -> None:
    told = give_back(accountant, gift_page, amount="5")
    assert "5 $ was given back." in told.text
    assert '<span class="tag good">given back</span>' in told.text
    assert 'value="15.91"' in told.text
    assert raised(session) == 1_500
    assert verify_ledger(session).differences == ()
    line = list_records(session)[0]
    assert (line.action, line.actor_name) == ("refund.requested", "accountant@courier.example")
    assert (line.told["amount_minor"], line.told["currency"]) == (500, "USD")


def test_double_click_and_a_second_tab_give_back_once(
    accountant: FlaskClient, session: Session, gift_page: str, fake_gateway: FakeGateway
) -> None:
    first, second = (fields_of(ask(accountant, gift_page)) for _ in range(2))
    for fields in (first, first, second):
        told = accountant.post(gift_page, data=fields, follow_redirects=True)
        assert "20.91 $ was given back." in told.text
    assert "Nothing is left that could be given back." in told.text
    assert fake_gateway.calls["create_refund"] == 1
    assert len(look(session, select(RefundRequest.id))) == 1
    other = accountant.post(gift_page, data=first | {"amount": "1"})
    assert other.status_code == 409
    assert "sent before with another choice" in other.text


@pytest.mark.parametrize(
    ("typed", "field", "sentence"),
    [
        ({"amount": "21"}, "amount", "No more than 20.91 $ is left of it."),
        ({"amount": "0"}, "amount", "The amount must be more than zero."),
        ({"amount": "-5"}, "amount", "The amount must be more than zero."),
        ({"amount": "some"}, "amount", "“some” is not an amount"),
        ({"amount": "9" * 15}, "amount", "No more than"),
        ({"reason": "a whim"}, "reason", "Choose one of the reasons"),
    ],
)
def test_what_can_not_go_back_is_said_beside_its_field(
    accountant: FlaskClient,
    session: Session,
    gift_page: str,
    typed: dict[str, str],
    field: str,
    sentence: str,
) -> None:
    for confirmed in ({}, {"confirmed": "1"}):
        answer = ask(accountant, gift_page, **(typed | confirmed))
        assert answer.status_code == 422
        assert f'id="{field}-error">{sentence}' in answer.text
    assert look(session, select(RefundRequest.id)) == []


def test_refusal_is_told_in_stripes_words_and_can_be_asked_anew(
    accountant: FlaskClient,
    session: Session,
    clock: MovableClock,
    gift_page: str,
    fake_gateway: FakeGateway,
) -> None:
    fake_gateway.refused = True
    told = give_back(accountant, gift_page)
    assert "Nothing went back. Stripe refused the call" in told.text
    assert raised(session) == 2_000
    fake_gateway.refused = False
    assert f'href="{gift_page}">Ask for it anew' in accountant.get(LIST).text
    clock.advance(timedelta(minutes=1))
    assert "20.91 $ was given back." in give_back(accountant, gift_page).text
    assert "Nothing waits" in accountant.get(LIST).text
    everything = accountant.get(f"{LIST}?which=all").text
    assert everything.count("20.91 USD") == 2


def test_stripe_that_is_down_is_asked_by_the_scheduler(
    app: Flask,
    accountant: FlaskClient,
    session: Session,
    clock: MovableClock,
    gift_page: str,
    fake_gateway: FakeGateway,
) -> None:
    fake_gateway.unavailable = True
    told = give_back(accountant, gift_page)
    assert "Stripe has not answered yet" in told.text
    assert "Asked again from" in accountant.get(LIST).text
    fake_gateway.unavailable = False
    clock.advance(timedelta(minutes=1))
    with app.app_context():
        assert ask_refunds() == 1
    assert raised(session) == 0
    assert "Nothing waits" in accountant.get(LIST).text


def test_what_was_given_up_is_asked_for_once_more_by_hand(
    sign_in: SignIn,
    app: Flask,
    session: Session,
    clock: MovableClock,
    gift_page: str,
    fake_gateway: FakeGateway,
) -> None:
    fake_gateway.unavailable = True
    give_back(sign_in(Role.ACCOUNTANT), gift_page)
    with app.app_context():
        for _ in range(MOST_ATTEMPTS):
            clock.advance(timedelta(hours=2))
            ask_refunds()
    accountant = sign_in(Role.ACCOUNTANT, email="bea@courier.example")
    listed = accountant.get(LIST)
    assert '<span class="tag bad">given up</span>' in listed.text
    (request_id,) = look(session, select(RefundRequest.id))
    token = fields_of(listed)["csrf_token"]
    again = f"{LIST}/{request_id}/ask"
    told = accountant.post(again, data={"csrf_token": token}, follow_redirects=True)
    assert "Stripe gave no answer again" in told.text
    fake_gateway.unavailable = False
    told = accountant.post(again, data={"csrf_token": token}, follow_redirects=True)
    assert "20.91 USD was given back." in told.text
    assert raised(session) == 0
    assert [line.action for line in list_records(session)[:2]] == ["refund.asked_again"] * 2


def test_offline_gift_is_told_how_it_is_put_right(
    accountant: FlaskClient, campaign: Campaign, give: Give
) -> None:
    gift = give(campaign, 52_000)
    page = accountant.get(f"/admin/donations/{gift.id}/refund").text
    assert "correct it by an entry" in page
    assert 'name="amount"' not in page


def test_gift_that_was_never_paid_is_not_given_back(accountant: FlaskClient, books: Books) -> None:
    books.donate()
    page = f"/admin/donations/{books.donations()[0].id}/refund"
    assert "Nothing was paid that could be given back." in accountant.get(page).text
    fields = fields_of(accountant.get(page)) | {"amount": "5", "form": "refund-0"}
    assert accountant.post(page, data=fields).status_code == 409


def test_form_of_a_quarter_hour_ago_leads_to_the_password_and_back(
    sign_in: SignIn, gift_page: str
) -> None:
    stale = sign_in(Role.ACCOUNTANT, fresh=False)
    token = fields_of(stale.get(LIST))["csrf_token"]
    sent_from = {"Referer": f"http://localhost{gift_page}"}
    answer = stale.post(gift_page, data={"csrf_token": token}, headers=sent_from)
    assert answer.headers["Location"] == f"/admin/confirm?next={gift_page}"
    elsewhere = stale.post(
        gift_page,
        data={"csrf_token": token},
        headers={"Referer": f"https://evil.example{gift_page}"},
    )
    assert elsewhere.headers["Location"] == "/admin/confirm?next=/admin/"


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
        checkout = books.donate(1_000 + number, form=str(number))
        books.gateway.pay(checkout)
        books.hear(checkout)
        donation_id = next(
            one.id for one in books.donations() if one.amount_minor == 1_000 + number
        )
        give_back(accountant, f"/admin/donations/{donation_id}/refund")
        clock.advance(timedelta(minutes=1))
        statements.clear()
        accountant.get(f"{LIST}?which=all")
        counts.append(len(statements))
    assert counts[0] == counts[-1]
    monkeypatch.setattr("admin.refunds.REQUESTS_A_PAGE", 2)
    first = accountant.get(f"{LIST}?which=all").text
    assert "10.02 USD" in first
    assert "10.00 USD" not in first
    following = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    second = accountant.get(LIST + following).text
    assert "10.00 USD" in second
    assert "10.01 USD" not in second
    assert accountant.get(f"{LIST}?after=nonsense").status_code == 422
