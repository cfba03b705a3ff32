"""The door for Stripe's events: what gets in, and what is refused without a row."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from core.clock import MovableClock
from core.settings import Settings
from tests.conftest import make_settings
from tests.fake_events import signed
from tests.fake_gateway import FakeGateway
from tests.payments.pages import inbox

EVENT = (
    b'{"object": "event", "id": "evt_1", "type": "x", "livemode": false, "created": %b,'
    b' "data": {"object": {}}}'
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"NaN",
        b'"evt_1"',
        b"{}",
        b'{"object": "event", "id": 7}',
        b'{"object": "event", "id": "evt_1", "type": "x", "livemode": 0, "created": 1, "data": {}}',
        EVENT % b"NaN",
        EVENT % b"1e400",
        EVENT % b"99999999999999",
        EVENT % b'"soon"',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
def test_signed_nonsense_is_refused_and_never_an_error(
    post: Callable[..., int], session: Session, body: bytes
) -> None:
    assert post(body) == 400
    assert inbox(session) == {}


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "t=,v1=",
        "t=1620814272",
        "v1=abc",
        "t=99999999999999999999,v1=00",
        "t=1620814272,v1=ü",
        "nonsense",
    ],
)
def test_missing_or_malformed_signature_is_refused_without_a_row(
    post: Callable[..., int],
    fake_gateway: FakeGateway,
    session: Session,
    signature: str | None,
) -> None:
    headers = {} if signature is None else {"Stripe-Signature": signature}
    assert post(fake_gateway.event("payment_intent.succeeded", "pi_1"), headers) == 400
    assert inbox(session) == {}


def test_forged_signature_is_refused_without_a_row(
    post: Callable[..., int], fake_gateway: FakeGateway, session: Session
) -> None:
    body = fake_gateway.event("payment_intent.succeeded", "pi_1")
    assert post(body, fake_gateway.signed(body, secret="whsec_other")) == 400
    assert post(body + b" ", fake_gateway.signed(body)) == 400
    assert inbox(session) == {}


@pytest.mark.parametrize(("seconds", "status"), [(-301, 400), (-299, 200), (5, 200), (60, 400)])
def test_old_and_future_signatures_are_refused(
    post: Callable[..., int],
    fake_gateway: FakeGateway,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    status: int,
) -> None:
    # The SDK reads the machine's clock; let it be ours.
    monkeypatch.setattr("time.time", lambda: clock.now().timestamp())
    body = fake_gateway.event("customer.created", "cus_1")
    at = clock.now() + timedelta(seconds=seconds)
    assert post(body, fake_gateway.signed(body, at=at)) == status


def test_event_of_the_other_mode_is_refused_without_a_row(
    post: Callable[..., int], fake_gateway: FakeGateway, session: Session
) -> None:
    assert post(fake_gateway.event("payment_intent.succeeded", "pi_1", livemode=True)) == 400
    assert inbox(session) == {}


class TestRotation:
    @pytest.fixture
    def settings(self, database_url: str) -> Settings:
        return make_settings(database_url=database_url, stripe_webhook_secret="whsec_old,whsec_new")

    @pytest.mark.parametrize("secret", ["whsec_old", "whsec_new"])
    def test_both_secrets_are_good_while_one_is_rotated(
        self,
        post: Callable[..., int],
        fake_gateway: FakeGateway,
        clock: MovableClock,
        secret: str,
    ) -> None:
        body = fake_gateway.event("customer.created", "cus_1")
        assert post(body, signed(body, at=clock.now(), secret=secret)) == 200


def test_acknowledgement_says_nothing_of_us(client: FlaskClient, fake_gateway: FakeGateway) -> None:
    body = fake_gateway.event("customer.created", "cus_1")
    response = client.post("/webhooks/stripe", data=body, headers=fake_gateway.signed(body))
    assert json.loads(response.data) == {"received": True}
    assert "Set-Cookie" not in response.headers
