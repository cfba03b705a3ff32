"""Stripe's events: when they were signed, and what a body says.

The scheme: https://docs.stripe.com/webhooks#verify-manually. The SDK checks the signature (in
`payments.stripe_gateway`); what it leaves open, timestamps of the future and signatures that
are not ASCII, is closed here.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from payments.errors import UntrustedEvent
from payments.gateway import Event
from payments.stripe_objects import id_of

SIGNATURE_TOLERANCE_SECONDS = 300
# Clocks of two machines differ a little; a timestamp further ahead than this was made up.
CLOCK_SKEW_SECONDS = 10
_TIMESTAMP = re.compile(r"(?:^|,)t=(\d{1,12})(?:,|$)", re.ASCII)


def check_timestamp(signature: str, *, now: datetime) -> None:
    """Refuse a signature that is malformed, older than the tolerance, or of the future."""
    stated = _TIMESTAMP.search(signature)
    if not signature.isascii() or stated is None:
        raise UntrustedEvent("The signature is missing or malformed.")
    age_seconds = int(now.timestamp()) - int(stated[1])
    if not -CLOCK_SKEW_SECONDS <= age_seconds <= SIGNATURE_TOLERANCE_SECONDS:
        raise UntrustedEvent("The signature is too old, or of the future.")


def parse_event(body: bytes) -> Event:
    """Read an event's body; raise UntrustedEvent where it is none."""
    try:
        return _event(json.loads(body, parse_constant=_refuse_constant), body)
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        OverflowError,
        OSError,  # a time that the machine's calendar does not reach
        RecursionError,
    ):
        raise UntrustedEvent("The body is not an event.") from None


def _event(payload: Any, body: bytes) -> Event:
    """Read an event's parts; whatever is not as it must be raises, one way or another."""
    subject = payload["data"]["object"]
    parts = (payload["id"], payload["type"], payload.get("api_version") or "", subject.get("id"))
    if payload["object"] != "event" or not parts[0].startswith("evt_"):
        raise ValueError("not an event")
    if not all(isinstance(part, str) and "\0" not in part for part in parts if part is not None):
        raise TypeError("an event's parts are text")
    if not isinstance(payload["livemode"], bool):
        raise TypeError("livemode is true or false")
    return Event(
        id=payload["id"][:255],
        type=payload["type"][:100],
        api_version=(payload.get("api_version") or "")[:64] or None,
        livemode=payload["livemode"],
        occurred_at=datetime.fromtimestamp(int(payload["created"]), UTC),
        object_id=subject.get("id"),
        payment_id=_payment_of(subject),
        invoice_id=id_of(subject.get("invoice")),
        body=body,
    )


def _payment_of(subject: dict[str, Any]) -> str | None:
    if subject.get("object") == "payment_intent":
        return id_of(subject["id"])
    return id_of(subject.get("payment_intent"))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
