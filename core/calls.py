"""The outbox of calls: JSON that is posted to webhooks of other services, signed (`core.sending`).

The receiver sees by `Goalpost-Delivery` that a call was sent again: it is the same each time.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import String
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import sending
from core.db import OpenSession, insert_if_absent, read_only
from core.sending import Refused, Sendable, outbox_arguments, waiting_values
from core.subscribers import NoticeSubscriber

SIGNATURE_HEADER = "Goalpost-Signature"
DELIVERY_HEADER = "Goalpost-Delivery"


class OutboxCall(Sendable):
    """A call, from when it was posted until long after it was sent. Its text is JSON."""

    __tablename__ = "outbox_calls"
    __table_args__ = outbox_arguments(__tablename__)
    FORGOTTEN = MappingProxyType({"recipient": "", "text": ""})

    recipient: Mapped[str] = mapped_column(String(500))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call to post. `key` names what it tells of; `text` is JSON."""

    key: str
    url: str
    subscriber_id: int
    text: str


# Posts a body with headers to an address; returns what was said to it. Raises Refused or Delayed
# (see `core.sending`).
Post = Callable[[str, bytes, Mapping[str, str]], str]


def post_call(session: Session, call: Call, *, now: datetime) -> bool:
    """Put a call into the outbox, once a key; tell whether it is new. The caller commits."""
    values = {
        "key": call.key,
        "recipient": call.url,
        "subscriber_id": call.subscriber_id,
        "text": call.text,
        **waiting_values(now),
    }
    return insert_if_absent(session, OutboxCall, values, unique=("key",))


def due_call_ids(session: Session, *, now: datetime, limit: int = 100) -> Sequence[int]:
    """Return the ids of calls that are to be sent now, those that wait longest first."""
    return sending.due_ids(session, OutboxCall, now=now, limit=limit)


def send_due_calls(open_session: OpenSession, post: Post, *, now: Callable[[], datetime]) -> int:
    """Send what is due; return how many were sent.

    An edge of its own that commits: each call is claimed first, so that two schedulers don't send
    it twice, then sent, then marked. One receiver that is away delays its own calls only.
    """
    with open_session() as session:
        due = due_call_ids(session, now=now())
    return sum(send_call(open_session, post, call_id, now=now) for call_id in due)


def send_call(
    open_session: OpenSession, post: Post, call_id: int, *, now: Callable[[], datetime]
) -> bool:
    """Send one call that is due; tell whether it was sent. An edge that commits, as above."""

    def send(call: OutboxCall) -> str:
        body = call.text.encode()
        keys = _signing_secrets(open_session, call, now=now())
        return post(call.recipient, body, headers_of(call.key, body, secrets=keys, now=now()))

    return sending.send_one(open_session, OutboxCall, call_id, send, now=now)


def _signing_secrets(
    open_session: OpenSession, call: OutboxCall, *, now: datetime
) -> Sequence[str]:
    """Return the secrets that are its receiver's now, whichever they were when it was posted."""
    with open_session() as session:
        read_only(session)
        subscriber = session.get(NoticeSubscriber, call.subscriber_id or 0)
        if subscriber is None:
            raise Refused("nobody asks for it any more")
        return subscriber.signing_secrets(now)


def headers_of(key: str, body: bytes, *, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """Return what tells the receiver who sends, and whether it has the call already.

    The signature is made as Stripe makes its own (https://docs.stripe.com/webhooks#verify-manually):
    HMAC-SHA256 of the time in seconds, a dot and the body. The time is in it, so that a call that
    somebody overheard can't be played again later. While a secret is replaced there is a signature
    by each of the two, as Stripe does it, too. Without a secret there is none.
    """
    headers = {
        "Content-Type": "application/json",
        DELIVERY_HEADER: hashlib.sha256(key.encode()).hexdigest()[:32],
    }
    if secrets:
        seconds = int(now.timestamp())
        signed = b"%d.%b" % (seconds, body)
        signatures = [
            hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets
        ]
        parts = [f"t={seconds}", *(f"v1={signature}" for signature in signatures)]
        headers[SIGNATURE_HEADER] = ",".join(parts)
    return headers
