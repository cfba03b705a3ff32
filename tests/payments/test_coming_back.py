"""Back from Stripe's page without having paid: everything is filled in, for its donor alone."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from campaigns.models import Campaign
from tests.conftest import MakeCampaign
from tests.payments.pages import donation_of, fields_of, give_online, open_form

FILLED = {
    "amount": "20.50",
    "frequency": "month",
    "name": "Ann",
    "email": "ann@example.org",
    "message": "Keep on",
    "dedication": "Grandmother",
    "cover_fees": "1",
    "consent": "1",
    "source": "https://paper.example/a",
    "slot": "top",
}


@pytest.fixture(autouse=True)
def _campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


def leave(client: FlaskClient, app: Flask, **typed: str) -> str:
    """Send the form, and return the address that Stripe's page leads back to."""
    assert give_online(client, **(FILLED | typed)).status_code == 303
    gateway = app.extensions["goalpost.gateway"]
    (sale,) = gateway._sales.values()  # noqa: SLF001 - the fake's own books
    return str(sale.request.cancel_url).removeprefix("http://localhost:8000")


def test_everything_is_filled_in_again(client: FlaskClient, app: Flask) -> None:
    fields = fields_of(client.get(leave(client, app)))
    assert {name: fields[name] for name in FILLED} == FILLED
    assert fields["anonymous"] == "1"


def test_a_name_that_might_be_shown_still_may(client: FlaskClient, app: Flask) -> None:
    form = open_form(client) | FILLED
    del form["anonymous"]
    answer = client.post("/c/support-us/donate", data=form)
    assert answer.status_code == 303
    gateway = app.extensions["goalpost.gateway"]
    (sale,) = gateway._sales.values()  # noqa: SLF001 - the fake's own books
    back = fields_of(client.get(f"/c/support-us?donation={sale.request.donation_id}"))
    assert back["name"] == "Ann"
    assert "anonymous" not in back


def test_another_who_has_the_address_learns_nothing_of_who_it_was(
    client: FlaskClient, app: Flask
) -> None:
    address = leave(client, app)
    page = app.test_client().get(address)
    fields = fields_of(page)
    assert fields["amount"] == "20.50"
    for name in ("name", "email", "message", "dedication"):
        assert fields[name] == ""
    assert not {"cover_fees", "consent"} & set(fields)
    for trace in ("Ann", "ann@example.org", "Keep on", "Grandmother"):
        assert trace not in page.text


def test_another_gift_s_address_fills_in_nothing_of_this_one(
    client: FlaskClient, app: Flask
) -> None:
    address = leave(client, app)
    stranger = app.test_client()
    assert give_online(stranger, amount="5", name="Bob").status_code == 303
    assert fields_of(stranger.get(address))["name"] == ""
    assert donation_of(f"http://x{address}").startswith("don_")


def test_boxes_that_were_left_empty_are_empty_again(client: FlaskClient, app: Flask) -> None:
    form = open_form(client) | {"amount": "20", "email": "ann@example.org"}
    assert client.post("/c/support-us/donate", data=form).status_code == 303
    gateway = app.extensions["goalpost.gateway"]
    (sale,) = gateway._sales.values()  # noqa: SLF001 - the fake's own books
    back = fields_of(client.get(f"/c/support-us?donation={sale.request.donation_id}"))
    assert not {"cover_fees", "consent"} & set(back)


def test_whoever_comes_back_reads_the_language_of_the_form(client: FlaskClient, app: Flask) -> None:
    form = open_form(client) | FILLED | {"amount": "20,50"}
    assert client.post("/c/support-us/donate?lang=de", data=form).status_code == 303
    gateway = app.extensions["goalpost.gateway"]
    (sale,) = gateway._sales.values()  # noqa: SLF001 - the fake's own books
    back = client.get(f"/c/support-us?donation={sale.request.donation_id}")
    assert '<html lang="de"' in back.text
    assert fields_of(back)["amount"] == "20,50"


def test_a_new_press_is_a_new_gift(client: FlaskClient, app: Flask) -> None:
    fields = fields_of(client.get(leave(client, app)))
    assert client.post("/c/support-us/donate", data=fields).status_code == 303
    assert len(app.extensions["goalpost.gateway"]._sales) == 2  # noqa: SLF001 - the fake's own
