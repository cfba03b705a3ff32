"""A Stripe that answers at once from memory: what is measured is our own work, and no network."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime

from core.settings import Settings
from payments.gateway import API_VERSION, Dispute, Event, Invoice, Payment, Refund
from payments.stripe_gateway import StripeGateway

SECRET = "whsec_bench"  # noqa: S105 - signs nothing but the benchmark's own events
# About as long as a real event.
_PADDING = "x" * 2500


class MemoryGateway:
    """What a payment's event needs of `payments.gateway.Gateway`, and nothing else."""

    def __init__(self, settings: Settings) -> None:
        self.payments: dict[str, Payment] = {}
        self._reader = StripeGateway(settings)

    def payment(self, payment_id: str) -> Payment:
        """Return a payment that was put in before."""
        return self.payments[payment_id]

    def refunds(self, payment_id: str) -> Sequence[Refund]:  # noqa: ARG002 - the protocol's
        """Return none."""
        return ()

    def disputes(self, payment_id: str) -> Sequence[Dispute]:  # noqa: ARG002 - the protocol's
        """Return none."""
        return ()

    def invoice_of(self, payment_id: str) -> Invoice | None:  # noqa: ARG002 - the protocol's
        """Return none: no payment here is a subscription's."""
        return None

    def read_event(self, body: bytes, signature: str, *, now: datetime) -> Event:
        """Verify and read an event, by the code that does it in production."""
        return self._reader.read_event(body, signature, now=now)

    def parse_event(self, body: bytes) -> Event:
        """Read an event, by the code that does it in production."""
        return self._reader.parse_event(body)


def event_body(payment_id: str, *, at: datetime) -> bytes:
    """Return an event that tells of a payment, as long as Stripe's."""
    body = {
        "id": f"evt_{payment_id}",
        "object": "event",
        "type": "payment_intent.succeeded",
        "api_version": API_VERSION,
        "created": int(at.timestamp()),
        "livemode": False,
        "data": {"object": {"id": payment_id, "object": "payment_intent", "description": _PADDING}},
    }
    return json.dumps(body).encode()


def signature_of(body: bytes, *, at: datetime) -> str:
    """Return the header with which Stripe would post `body` at that time."""
    timestamp = int(at.timestamp())
    mac = hmac.new(SECRET.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"t={timestamp},v1={mac.hexdigest()}"
