from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.models import Campaign, LedgerEntry
from payments.models import Donation
from tests.conftest import MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.pages import give_online, look


@pytest.fixture(autouse=True)
def _campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


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
    assert "Your 20 $ arrived" in page.text
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
