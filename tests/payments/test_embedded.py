"""Paying in a page of ours (`CHECKOUT=embedded`): who sees it, what it lets in, where it leads."""

from __future__ import annotations

import logging

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from campaigns.models import Campaign
from core.settings import Settings
from core.web import PAGE_POLICY
from payments.models import Donation
from tests.conftest import MakeCampaign, make_settings
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books
from tests.payments.pages import donation_of, fields_of, give_online, look, open_form

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SECRET = "cs_test_1_secret_x"
KEY = "pk_test_ours"


@pytest.fixture
def settings(database_url: str) -> Settings:
    return make_settings(database_url=database_url, checkout="embedded", stripe_publishable_key=KEY)


@pytest.fixture(autouse=True)
def _campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


@pytest.fixture
def page(client: FlaskClient) -> str:
    """The address of our page, for the browser that sent a gift of 20 $."""
    response = give_online(client, amount="20", email="ann@example.org", name="Ann")
    assert response.status_code == 303
    return response.location


def donations(session: Session) -> list[Donation]:
    return list(look(session, select(Donation).order_by(Donation.checkout_session_id)))


def directives(response: TestResponse) -> dict[str, set[str]]:
    policy = response.headers["Content-Security-Policy"]
    parts = (part.split() for part in policy.split(";"))
    return {name: set(sources) for name, *sources in parts}


def elsewhere(client: FlaskClient, page: str) -> TestResponse:
    """Press “Pay on Stripe's page instead”."""
    return client.post("/c/support-us/pay", data=fields_of(client.get(page)))


def test_form_leads_to_our_own_page(page: str, fake_gateway: FakeGateway) -> None:
    path, _, query = page.partition("?")
    assert path == "/c/support-us/pay"
    assert query.startswith("donation=don_")
    asked = fake_gateway.asked("cs_test_1")
    assert asked.embedded
    assert asked.success_url.endswith(f"/c/support-us/thanks?{query.partition('&')[0]}")


def test_page_mounts_stripes_form_and_says_what_is_given(client: FlaskClient, page: str) -> None:
    response = client.get(page)
    assert response.status_code == 200
    assert 'data-script="https://js.stripe.com/endive/stripe.js"' in response.text
    assert f'data-key="{KEY}"' in response.text
    assert f'data-secret="{SECRET}"' in response.text
    assert "You give 20 $" in response.text
    assert f'href="/c/support-us?donation={donation_of(page)}' in response.text
    assert "ann@example.org" not in response.text


def test_page_lets_in_what_stripe_documents_and_nothing_else(
    client: FlaskClient, page: str
) -> None:
    assert directives(client.get(page)) == {
        "default-src": {"'none'"},
        "script-src": {
            "'self'",
            "https://js.stripe.com",
            "https://*.js.stripe.com",
            "https://checkout.stripe.com",
        },
        "style-src": {"'self'"},
        "img-src": {"'self'", "data:", "https://*.stripe.com"},
        "font-src": {"'self'"},
        "connect-src": {"'self'", "https://api.stripe.com", "https://checkout.stripe.com"},
        "frame-src": {
            "https://js.stripe.com",
            "https://*.js.stripe.com",
            "https://hooks.stripe.com",
            "https://checkout.stripe.com",
        },
        "base-uri": {"'none'"},
        "form-action": {"'self'", "https://checkout.stripe.com"},
        "frame-ancestors": {"'none'"},
    }


def test_no_other_page_lets_stripe_in(client: FlaskClient, page: str) -> None:
    query = page.partition("?")[2]
    for address in ("/", "/c/support-us", f"/c/support-us/thanks?{query}", "/manage"):
        assert client.get(address).headers["Content-Security-Policy"] == PAGE_POLICY


def test_page_is_not_stored(client: FlaskClient, page: str) -> None:
    assert client.get(page).headers["Cache-Control"] == "no-store"


def test_secret_stands_in_no_log_and_no_address(
    client: FlaskClient, fake_gateway: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    page = give_online(client, amount="20").location
    client.get(page)
    fake_gateway.unavailable = True
    assert client.get(page).status_code == 503
    fake_gateway.unavailable = False
    assert "_secret_" not in page + elsewhere(client, page).location + caplog.text
    assert "_secret_" not in repr(fake_gateway.checkout("cs_test_1"))


def test_other_browsers_get_the_form_with_the_amount_alone(app: Flask, page: str) -> None:
    stranger = app.test_client()
    response = stranger.get(page)
    assert response.status_code == 303
    assert response.location == f"/c/support-us?donation={donation_of(page)}"
    fields = fields_of(stranger.get(response.location))
    assert (fields["amount"], fields["name"], fields["email"]) == ("20", "", "")


def test_back_link_keeps_what_was_filled_in(client: FlaskClient, page: str) -> None:
    fields = open_form(client, donation=donation_of(page))
    assert (fields["amount"], fields["name"]) == ("20", "Ann")
    assert fields["email"] == "ann@example.org"


@pytest.mark.parametrize("donation", ["", "don_0", f"don_{'0' * 32}", "' OR 1=1"])
def test_unknown_gift_is_404(client: FlaskClient, donation: str) -> None:
    response = client.get("/c/support-us/pay", query_string={"donation": donation})
    assert response.status_code == 404


def test_gift_of_another_campaign_is_404(
    client: FlaskClient, make_campaign: MakeCampaign, page: str
) -> None:
    make_campaign(slug="other")
    assert client.get(page.replace("support-us", "other")).status_code == 404


def test_gift_that_was_paid_leads_to_the_thanks(
    client: FlaskClient, page: str, fake_gateway: FakeGateway, books: Books
) -> None:
    thanks = page.replace("/pay?", "/thanks?")
    fake_gateway.pay("cs_test_1")
    assert client.get(page).location == thanks  # Stripe was asked
    books.hear("cs_test_1")
    assert client.get(page).location == thanks  # our books know


def test_session_whose_time_is_over_leads_back_to_the_form(
    client: FlaskClient, page: str, fake_gateway: FakeGateway, books: Books
) -> None:
    form = page.replace("/pay?", "?")
    fake_gateway.expire("cs_test_1")
    assert client.get(page).location == form
    books.hear("cs_test_1")
    assert client.get(page).location == form


def test_stripe_out_of_reach_is_told_with_503(
    client: FlaskClient, page: str, fake_gateway: FakeGateway
) -> None:
    fake_gateway.unavailable = True
    response = client.get(page)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "60"
    assert "Nothing was charged" in response.text
    fake_gateway.unavailable = False
    assert client.get(page).status_code == 200


def test_stripes_own_page_takes_over_and_the_first_session_is_closed(
    client: FlaskClient, page: str, session: Session, fake_gateway: FakeGateway
) -> None:
    response = elsewhere(client, page)
    assert response.status_code == 303
    assert response.location == "https://checkout.stripe.com/c/pay/cs_test_2"
    assert fake_gateway.checkout("cs_test_1").status == "expired"
    first, second = donations(session)
    assert (first.id, second.id) == (
        fake_gateway.asked("cs_test_1").donation_id,
        fake_gateway.asked("cs_test_2").donation_id,
    )
    for name in ("amount_minor", "cover_minor", "frequency", "donor_id", "public_name", "locale"):
        assert getattr(second, name) == getattr(first, name), name
    assert fake_gateway.asked("cs_test_2").email == "ann@example.org"
    # Who turns back there finds the form as it was filled in.
    assert open_form(client, donation=second.id)["name"] == "Ann"


def test_pressing_twice_makes_one_other_gift(
    client: FlaskClient, page: str, session: Session
) -> None:
    fields = fields_of(client.get(page))
    first = client.post("/c/support-us/pay", data=fields)
    again = client.post("/c/support-us/pay", data=fields)
    assert first.location.endswith("/cs_test_2")
    assert again.location == page.replace("/pay?", "?")  # its own gift is another by now
    assert len(donations(session)) == 2


def test_gift_that_is_paid_meanwhile_is_not_asked_for_again(
    client: FlaskClient, page: str, session: Session, fake_gateway: FakeGateway
) -> None:
    fields = fields_of(client.get(page))
    fake_gateway.pay("cs_test_1")
    response = client.post("/c/support-us/pay", data=fields)
    assert response.location == page.replace("/pay?", "/thanks?")
    assert len(donations(session)) == 1


def test_stripe_that_fails_between_makes_no_second_way_to_pay(
    client: FlaskClient, page: str, session: Session, fake_gateway: FakeGateway
) -> None:
    fields = fields_of(client.get(page))
    fake_gateway.lost_answers = 1
    response = client.post("/c/support-us/pay", data=fields)
    assert response.status_code == 503
    assert "Nothing was charged" in response.text
    assert fake_gateway.checkout("cs_test_1").status == "expired"
    # Sent again, it is the same other gift and the same session.
    assert client.post("/c/support-us/pay", data=fields).location.endswith("/cs_test_2")
    assert len(donations(session)) == 2


def test_taking_it_elsewhere_needs_the_forms_token(
    client: FlaskClient, page: str, fake_gateway: FakeGateway
) -> None:
    response = client.post("/c/support-us/pay", data={"donation": donation_of(page)})
    assert response.status_code == 400
    assert fake_gateway.checkout("cs_test_1").status == "open"


def test_strangers_cannot_close_a_session(app: Flask, page: str, fake_gateway: FakeGateway) -> None:
    stranger = app.test_client()
    fields = open_form(stranger) | {"donation": donation_of(page)}
    assert stranger.post("/c/support-us/pay", data=fields).location.startswith("/c/support-us?")
    assert fake_gateway.checkout("cs_test_1").status == "open"


def test_page_speaks_the_donors_language(client: FlaskClient, page: str) -> None:
    response = client.get(f"{page}&lang=de")
    assert '<html lang="de"' in response.text
    assert f'href="/c/support-us?donation={donation_of(page)}&amp;lang=de"' in response.text


def test_double_click_leads_to_the_same_page(client: FlaskClient, session: Session) -> None:
    fields = open_form(client) | {"amount": "20"}
    addresses = {client.post("/c/support-us/donate", data=fields).location for _ in range(3)}
    assert len(addresses) == 1
    assert len(donations(session)) == 1
