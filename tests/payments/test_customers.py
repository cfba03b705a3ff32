"""One customer a donor at Stripe, for regular gifts alone; and a customer who is deleted there."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from payments.models import Donation, Donor
from payments.privacy import erase_donor
from tests.conftest import START, MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books
from tests.payments.pages import fields_of, give_online, look


@pytest.fixture(autouse=True)
def _campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


@pytest.fixture
def customer_id(client: FlaskClient, books: Books, session: Session) -> str:
    """The customer of Ann, who gives every month."""
    give_online(client, amount="20", frequency="month", email="Ann@example.org")
    assert books.gateway.asked("cs_test_1").customer_id is None
    books.gateway.subscribe("cs_test_1")
    books.hear("cs_test_1")
    (donor,) = look(session, select(Donor))
    assert donor.customer_id is not None
    return donor.customer_id


def latest(session: Session) -> Donation:
    return look(session, select(Donation).where(Donation.state == "pending"))[-1]


def test_next_regular_gift_is_of_the_same_customer(
    client: FlaskClient, session: Session, fake_gateway: FakeGateway, customer_id: str
) -> None:
    give_online(client, amount="5", frequency="year", email="ann@EXAMPLE.org")
    asked = fake_gateway.asked(latest(session).checkout_session_id or "")
    assert asked.customer_id == customer_id


def test_gift_given_once_names_no_customer(
    client: FlaskClient, session: Session, fake_gateway: FakeGateway, customer_id: str
) -> None:
    assert customer_id
    give_online(client, amount="5", frequency="once", email="ann@example.org")
    asked = fake_gateway.asked(latest(session).checkout_session_id or "")
    assert asked.customer_id is None
    assert asked.email == "ann@example.org"


def test_other_donors_have_customers_of_their_own(
    client: FlaskClient, session: Session, fake_gateway: FakeGateway, customer_id: str
) -> None:
    assert customer_id
    give_online(client, amount="5", frequency="month", email="bob@example.org")
    assert fake_gateway.asked(latest(session).checkout_session_id or "").customer_id is None


def test_first_customer_stays_whatever_comes_later(
    client: FlaskClient, books: Books, session: Session, customer_id: str
) -> None:
    give_online(client, amount="5", frequency="month", email="ann@example.org")
    checkout_id = latest(session).checkout_session_id or ""
    books.gateway.subscribe(checkout_id)
    plan_id = books.gateway.checkout(checkout_id).subscription_id or ""
    books.gateway.change_subscription(plan_id, customer_id="cus_other")
    books.hear(checkout_id)
    assert look(session, select(Donor))[0].customer_id == customer_id


def test_deleted_customer_is_forgotten_and_locks_nobody_out(
    client: FlaskClient, session: Session, fake_gateway: FakeGateway, customer_id: str
) -> None:
    fake_gateway.gone.add(customer_id)
    response = give_online(client, amount="5", frequency="month", email="ann@example.org")
    assert response.status_code == 303
    asked = fake_gateway.asked(latest(session).checkout_session_id or "")
    assert (asked.customer_id, asked.email) == (None, "ann@example.org")
    assert look(session, select(Donor))[0].customer_id is None


def test_answer_lost_after_the_customer_was_refused_gives_the_same_session(
    client: FlaskClient, session: Session, fake_gateway: FakeGateway, customer_id: str
) -> None:
    fake_gateway.gone.add(customer_id)
    fake_gateway.lost_answers = 1
    response = give_online(client, amount="5", frequency="month", email="ann@example.org")
    assert response.status_code == 503
    again = client.post("/c/support-us/donate", data=fields_of(response))
    assert again.status_code == 303
    assert len(look(session, select(Donation).where(Donation.state == "pending"))) == 1


def test_end_of_a_deleted_customers_gift_does_not_bring_the_customer_back(
    client: FlaskClient,
    session: Session,
    books: Books,
    customer_id: str,
) -> None:
    books.gateway.gone.add(customer_id)
    give_online(client, amount="5", frequency="month", email="ann@example.org")
    plan_id = books.gateway.checkout("cs_test_1").subscription_id or ""
    books.gateway.change_subscription(plan_id, status="canceled")
    books.hear(plan_id)
    assert look(session, select(Donor))[0].customer_id is None


def test_erased_donor_gets_no_customer_back(
    session: Session, books: Books, customer_id: str
) -> None:
    assert customer_id
    plan_id = books.gateway.checkout("cs_test_1").subscription_id or ""
    books.gateway.change_subscription(plan_id, status="canceled")
    books.hear(plan_id)
    erase_donor(session, "ann@example.org", now=START)
    session.commit()
    books.gateway.change_subscription(plan_id, status="active")
    books.hear(plan_id)
    assert look(session, select(Donor))[0].customer_id is None
