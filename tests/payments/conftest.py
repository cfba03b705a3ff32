"""What the tests of payments share: a gift on its way, and events that are worked at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from campaigns.catalog import find_campaign
from core.clock import MovableClock
from core.db import db
from payments.books import Occasion, apply_facts
from payments.donating import Wish, checkout_request, start_donation
from payments.facts import Facts, gather_for_checkout, gather_for_payment, gather_for_subscription
from payments.gateway import Frequency
from payments.models import Donation
from tests.fake_gateway import FakeGateway
from tests.payments.pages import give_online


class Books:
    """Our books, driven the way that the edges drive them: each step a transaction of its own."""

    def __init__(self, app: Flask, gateway: FakeGateway, clock: MovableClock) -> None:
        self._app = app
        self._clock = clock
        self.gateway = gateway

    def donate(
        self,
        amount_minor: int = 2_000,
        *,
        frequency: Frequency = "once",
        form: str = "form",
        email: str | None = "ann@example.org",
        cover_minor: int = 0,
    ) -> str:
        """Ask for a gift to `support-us`; return the id of its session at Stripe."""
        wish = Wish(
            form_token=form,
            amount_minor=amount_minor,
            cover_minor=cover_minor,
            frequency=frequency,
            email=email,
        )
        with self.session() as session:
            campaign = find_campaign(session, "support-us")
            donation = start_donation(session, campaign, wish, now=self._clock.now())
            request = checkout_request(campaign, donation, email=email, base_url="https://goal")
            checkout = self.gateway.create_checkout(request)
            donation.checkout_session_id = checkout.id
            session.commit()
        return checkout.id

    def hear(self, reference: str) -> str:
        """Bring the books to what Stripe says of a session, a payment or a subscription."""
        return self.apply(self.gather(reference))

    def gather(self, reference: str) -> Facts:
        """Ask Stripe."""
        if reference.startswith("cs_"):
            return gather_for_checkout(self.gateway, reference)
        if reference.startswith("sub_"):
            return gather_for_subscription(self.gateway, reference)
        return gather_for_payment(self.gateway, reference)

    def apply(self, facts: Facts) -> str:
        """Bring the books to facts that were gathered before, perhaps long ago."""
        with self.session() as session:
            occasion = Occasion(cause="test", livemode=False, now=self._clock.now())
            outcome = apply_facts(session, facts, occasion)
            session.commit()
        return outcome

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a session of its own."""
        with self._app.app_context():
            maker = db.sessionmaker
        with maker() as session:
            yield session

    def donations(self) -> list[Donation]:
        """Return all donations, the oldest first."""
        with self.session() as session:
            found = session.query(Donation).order_by(Donation.paid_at, Donation.id).all()
            session.expunge_all()
            return found


@pytest.fixture
def books(app: Flask, fake_gateway: FakeGateway, clock: MovableClock) -> Books:
    return Books(app, fake_gateway, clock)


@pytest.fixture
def post(client: FlaskClient, fake_gateway: FakeGateway) -> Callable[..., int]:
    """Post an event's body as Stripe does; returns once its work is done."""

    def post(body: bytes, headers: dict[str, str] | None = None) -> int:
        response = client.post(
            "/webhooks/stripe",
            data=body,
            headers=fake_gateway.signed(body) if headers is None else headers,
        )
        response.close()
        return response.status_code

    return post


@pytest.fixture
def paid(client: FlaskClient, fake_gateway: FakeGateway) -> str:
    """Return the id of a payment of 20 $ that we have not heard of yet."""
    assert give_online(client, amount="20", email="ann@example.org").status_code == 303
    return fake_gateway.pay("cs_test_1").id
