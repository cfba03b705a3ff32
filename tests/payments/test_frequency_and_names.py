"""How often a gift is asked for, and whose name is shown with one."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.catalog import CampaignChanges, change_campaign
from campaigns.look import Suggestion
from campaigns.models import Campaign
from campaigns.recent import RecentGift, recent_gifts
from payments.models import Donation
from tests.conftest import START, MakeCampaign
from tests.payments.conftest import Books
from tests.payments.pages import fields_of, give_online, look, open_form

MAY = datetime(2021, 5, 1, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


def change(session: Session, changes: CampaignChanges) -> None:
    change_campaign(session, "support-us", changes, now=START)
    session.commit()


def shown(session: Session, campaign: Campaign) -> list[RecentGift]:
    session.rollback()
    found = list(recent_gifts(session, campaign.id, starts_at=MAY))
    session.rollback()
    return found


def amounts_of(page: str) -> dict[str, list[str]]:
    """Return the amounts that a page suggests, by frequency."""
    offers = re.split(r'<div class="offer[^"]*" data-frequency="', page)[1:]
    return {
        offer.partition('"')[0]: re.findall(r'class="chip"[^>]*data-amount="([^"]*)"', offer)
        for offer in offers
    }


@pytest.mark.parametrize("frequency", ["once", "month", "year"])
def test_a_gift_is_asked_for_as_often_as_was_chosen(
    client: FlaskClient, session: Session, frequency: str
) -> None:
    assert give_online(client, amount="20", frequency=frequency).status_code == 303
    (donation,) = look(session, select(Donation))
    assert donation.frequency == frequency


def test_a_form_that_does_not_say_how_often_gives_once(
    client: FlaskClient, session: Session
) -> None:
    form = open_form(client)
    del form["frequency"]
    response = client.post("/c/support-us/donate", data=form | {"amount": "20"})
    assert response.status_code == 303
    (donation,) = look(session, select(Donation))
    assert donation.frequency == "once"


def test_the_link_of_the_widget_chooses_how_often(client: FlaskClient) -> None:
    assert open_form(client, frequency="month", amount="20")["frequency"] == "month"
    assert open_form(client, frequency="never")["frequency"] == "once"


def test_what_the_campaign_does_not_offer_is_refused(client: FlaskClient, session: Session) -> None:
    change(session, CampaignChanges(frequencies=("once", "year")))
    response = give_online(client, amount="20", frequency="month")
    assert response.status_code == 422
    assert "choose how often" in response.text
    assert fields_of(response)["amount"] == "20"
    assert give_online(client, amount="20", frequency="year").status_code == 303


def test_amounts_are_suggested_by_frequency(client: FlaskClient, session: Session) -> None:
    change(session, CampaignChanges(suggestions={"month": (Suggestion(300), Suggestion(700))}))
    monthly = client.get("/c/support-us?frequency=month").text
    assert amounts_of(monthly) == {
        "once": ["10", "20", "50", "100"],
        "month": ["3", "7"],
        "year": ["50", "100", "200", "500"],
    }
    assert 'class="offer current" data-frequency="month"' in monthly
    assert 'class="offer current" data-frequency="once"' in client.get("/c/support-us").text


def test_a_name_is_not_shown_unless_its_donor_says_so(
    client: FlaskClient, session: Session, campaign: Campaign, books: Books
) -> None:
    assert give_online(client, amount="20", name="Ann").status_code == 303
    books.gateway.pay("cs_test_1")
    books.hear("cs_test_1")
    assert shown(session, campaign) == [RecentGift(amount_minor=2_000, name=None)]
    (donation,) = look(session, select(Donation))
    assert (donation.anonymous, donation.public_name) == (True, None)


def test_a_name_that_may_be_shown_is_shown_with_what_is_left_of_its_gift(
    client: FlaskClient, session: Session, campaign: Campaign, books: Books
) -> None:
    form = open_form(client) | {"amount": "20", "name": "Ann"}
    del form["anonymous"]
    assert client.post("/c/support-us/donate", data=form).status_code == 303
    payment = books.gateway.pay("cs_test_1")
    for _ in range(2):
        books.hear("cs_test_1")
    assert shown(session, campaign) == [RecentGift(amount_minor=2_000, name="Ann")]
    books.gateway.refund(payment.id, 500)
    books.hear(payment.id)
    assert shown(session, campaign) == [RecentGift(amount_minor=1_500, name="Ann")]
    books.gateway.refund(payment.id, 1_500)
    books.hear(payment.id)
    assert shown(session, campaign) == []
