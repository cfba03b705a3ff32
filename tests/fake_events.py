"""Events as Stripe would send them: their bodies, and the headers that sign them."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from payments.gateway import API_VERSION

WEBHOOK_SECRET = "whsec_test"
_KINDS = {
    "cs": "checkout.session",
    "pi": "payment_intent",
    "ch": "charge",
    "re": "refund",
    "dp": "dispute",
    "in": "invoice",
    "sub": "subscription",
    "cus": "customer",
}


def event_body(
    type_: str,
    object_id: str,
    *,
    id_: str,
    payment_id: str | None,
    livemode: bool,
    at: datetime,
) -> bytes:
    """Return the body of an event about an object."""
    kind = _KINDS[object_id.partition("_")[0]]
    subject: dict[str, Any] = {"id": object_id, "object": kind}
    if payment_id is not None:
        subject["payment_intent"] = payment_id
    body = {
        "id": id_,
        "object": "event",
        "type": type_,
        "api_version": API_VERSION,
        "created": int(at.timestamp()),
        "livemode": livemode,
        "data": {"object": subject},
    }
    return json.dumps(body).encode()


def signed(body: bytes, *, at: datetime, secret: str = WEBHOOK_SECRET) -> dict[str, str]:
    """Return the headers with which Stripe would post `body` at that time.

    https://docs.stripe.com/webhooks#verify-manually
    """
    timestamp = int(at.timestamp())
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": f"t={timestamp},v1={mac.hexdigest()}",
    }
