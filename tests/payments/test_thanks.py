from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from campaigns.ledger_models import LedgerEntry, ReferenceKind
from campaigns.models import Campaign, CampaignState
from core.clock import MovableClock
from core.db import Base
from payments.models import Donation
from tests.conftest import MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books
from tests.payments.gifts import DISPUTE, REFUND, give_with_cover
from tests.payments.pages import give_online, look

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


def came_back(
    client: FlaskClient, books: Books, reference: str, locale: str = "en"
) -> tuple[str, str]:
    """Bring the books along, open the page of the one gift; return its address and its text."""
    books.hear(reference)
    (donation,) = books.donations()
    address = f"/c/support-us/thanks?donation={donation.id}"
    page = client.get(address, headers={"Accept-Language": locale})
    assert page.status_code == 200
    return address, page.text


@pytest.fixture
def address(client: FlaskClient, session: Session) -> str:
    """Return the address that Stripe sends the donor of 20 $ back to."""
    give_online(client, amount="20", name="Ann Example", email="ann@example.org")
    (donation,) = look(session, select(Donation.id))
    return f"/c/support-us/thanks?donation={donation}"


def test_paid_gift_counts_before_its_webhook_and_only_once(
    client: FlaskClient, session: Session, fake_gateway: FakeGateway, address: str
) -> None:
    fake_gateway.pay("cs_test_1")
    page = client.get(address)
    assert page.status_code == 200
    assert "Your gift of 20 $ arrived" in page.text
    client.get(address)
    assert look(session, select(LedgerEntry.amount_minor)) == [2_000]
    body = fake_gateway.event("checkout.session.completed", "cs_test_1")
    client.post("/webhooks/stripe", data=body, headers=fake_gateway.signed(body)).close()
    assert look(session, select(LedgerEntry.amount_minor)) == [2_000]


def test_unpaid_gift_is_said_to_be_on_its_way(client: FlaskClient, address: str) -> None:
    page = client.get(address)
    assert "on its way" in page.text
    assert 'http-equiv="refresh"' in page.text


def test_page_stops_looking_again_some_time(client: FlaskClient, address: str) -> None:
    assert 'http-equiv="refresh"' not in client.get(f"{address}&round=24").text
    assert 'http-equiv="refresh"' not in client.get(f"{address}&round=-1").text


def test_failed_gift_is_told_as_it_is(
    client: FlaskClient, fake_gateway: FakeGateway, address: str
) -> None:
    fake_gateway.pay("cs_test_1", status="requires_payment_method")
    assert "Nothing was charged" in client.get(address).text


def test_expired_gift_is_told_as_it_is(
    client: FlaskClient, fake_gateway: FakeGateway, address: str
) -> None:
    fake_gateway.expire("cs_test_1")
    assert "Nothing was charged" in client.get(address).text


def test_refunded_gift_is_told_as_it_is(
    client: FlaskClient, fake_gateway: FakeGateway, address: str
) -> None:
    fake_gateway.refund(fake_gateway.pay("cs_test_1").id)
    assert "went back to you" in client.get(address).text


def test_stripe_being_down_leaves_the_page_standing(
    client: FlaskClient, fake_gateway: FakeGateway, address: str
) -> None:
    fake_gateway.unavailable = True
    page = client.get(address)
    assert page.status_code == 200
    assert "on its way" in page.text


def test_page_names_nobody(client: FlaskClient, fake_gateway: FakeGateway, address: str) -> None:
    fake_gateway.pay("cs_test_1")
    page = client.get(address).text
    assert "Ann" not in page
    assert "example.org" not in page


@pytest.mark.parametrize("query", ["", "?donation=", "?donation=don_guess", "?donation=%00"])
def test_unknown_donation_is_404(client: FlaskClient, query: str) -> None:
    assert client.get(f"/c/support-us/thanks{query}").status_code == 404


def test_donation_of_another_campaign_is_404(
    client: FlaskClient, make_campaign: MakeCampaign, address: str
) -> None:
    make_campaign(slug="other")
    assert client.get(address.replace("support-us", "other")).status_code == 404


def test_what_was_added_for_the_fees_is_told_beside_the_gift(
    client: FlaskClient, books: Books, campaign: Campaign, clock: MovableClock
) -> None:
    donation = give_with_cover(books, campaign, clock, amount_minor=2_000, cover_minor=91)
    page = client.get(f"/c/support-us/thanks?donation={donation}").text
    assert "Your gift of 20 $ arrived, and the 0.91 $ that you added for the fees." in page


@pytest.mark.parametrize(
    ("taken", "title", "said"),
    [
        ([(REFUND, 2_091)], "This gift was given back", "Your 20.91 $ went back to you"),
        ([(DISPUTE, 2_091)], "being looked into", "tell your bank that you know this payment"),
        ([(REFUND, 500)], "Thank you", "5 $ of it went back to you since"),
        ([(DISPUTE, 500)], "Thank you", "asked for 5 $ of it back"),
    ],
)
def test_what_went_back_is_told_from_the_books(
    client: FlaskClient,
    books: Books,
    campaign: Campaign,
    clock: MovableClock,
    taken: list[tuple[ReferenceKind, int]],
    title: str,
    said: str,
) -> None:
    donation = give_with_cover(
        books, campaign, clock, amount_minor=2_000, cover_minor=91, taken=taken
    )
    page = client.get(f"/c/support-us/thanks?donation={donation}").text
    assert title in page
    assert said in page


def test_payment_that_is_not_as_asked_is_said_to_be_looked_at(
    client: FlaskClient, books: Books, fake_gateway: FakeGateway
) -> None:
    checkout = books.donate()
    payment = fake_gateway.pay(checkout)
    fake_gateway.change_payment(payment.id, currency="EUR")
    _, page = came_back(client, books, checkout)
    assert "Somebody looks at it before it counts" in page
    assert 'http-equiv="refresh"' not in page


def test_regular_gift_says_when_the_next_payment_is_and_how_to_end_it(
    client: FlaskClient, books: Books
) -> None:
    checkout = books.donate(frequency="month")
    books.gateway.subscribe(checkout)
    _, page = came_back(client, books, checkout)
    assert "You give every month. The next payment is on June 12, 2021." in page
    assert 'href="/manage"' in page
    assert "give monthly" not in page


@only_sqlite
def test_regular_gift_that_ends_promises_no_payment(client: FlaskClient, books: Books) -> None:
    checkout = books.donate(frequency="month")
    books.gateway.subscribe(checkout)
    books.hear(checkout)
    books.gateway.change_subscription("sub_2", status="canceled")
    _, page = came_back(client, books, "sub_2")
    assert "next payment" not in page
    assert "every month." not in page


@only_sqlite
def test_gift_of_once_leads_to_a_monthly_one_where_that_is_offered(
    client: FlaskClient, books: Books, session: Session, campaign: Campaign
) -> None:
    checkout = books.donate()
    books.gateway.pay(checkout)
    address, page = came_back(client, books, checkout)
    assert 'href="/c/support-us?frequency=month#give"' in page
    session.merge(campaign).frequencies = "once"
    session.commit()
    assert "frequency=month" not in client.get(address).text
    session.merge(campaign).state = CampaignState.PAUSED
    campaign.frequencies = "once,month"
    session.commit()
    assert "frequency=month" not in client.get(address).text


def test_page_speaks_the_reader_s_language(client: FlaskClient, books: Books) -> None:
    checkout = books.donate(frequency="month")
    books.gateway.subscribe(checkout)
    _, page = came_back(client, books, checkout, locale="de")
    assert 'lang="de"' in page
    assert "12. Juni 2021" in page


@only_sqlite
def test_page_speaks_the_form_s_language_where_the_reader_asks_for_none(
    client: FlaskClient, books: Books, session: Session
) -> None:
    checkout = books.donate()
    books.gateway.pay(checkout)
    books.hear(checkout)
    (donation,) = books.donations()
    session.get_one(Donation, donation.id).locale = "fr"
    session.commit()
    page = client.get(f"/c/support-us/thanks?donation={donation.id}")
    assert 'lang="fr"' in page.text


def test_page_of_whoever_it_is_passed_on_to_tells_the_gift_and_changes_nothing(
    client: FlaskClient, app: Flask, books: Books, session: Session
) -> None:
    checkout = books.donate(frequency="month")
    books.gateway.subscribe(checkout)
    address, _ = came_back(client, books, checkout)
    told = {"message": "Go on like that", "dedication": "For Grandmother", "public_name": "Ann E."}
    session.execute(update(Donation).values(**told))
    session.commit()
    before = everything(session), dict(books.gateway.calls)
    stranger = app.test_client()
    pages = [stranger.get(address), stranger.get(address), stranger.get(f"{address}&round=3")]
    for page in pages:
        assert page.status_code == 200
        for secret in (
            "ann@example.org",
            "Ann E.",
            "Go on like that",
            "Grandmother",
            "sub_",
            "cus_",
        ):
            assert secret not in page.text
    assert (everything(session), dict(books.gateway.calls)) == before


def everything(session: Session) -> list[object]:
    """Return every row that a gift may have, as it stands."""
    session.rollback()
    rows: list[object] = []
    for table in Base.metadata.sorted_tables:
        rows += [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))]
    session.rollback()
    return rows


@only_sqlite
def test_page_is_for_no_other_site(client: FlaskClient, address: str) -> None:
    page = client.get(address)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    assert '<meta name="robots" content="noindex">' in page.text
    loaded = re.findall(r'<(?:script|img|link|iframe)[^>]*(?:src|href)="([^"]*)"', page.text)
    assert loaded
    assert [url for url in loaded if not url.startswith("/")] == []
