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
from core.db import OpenSession, insert_if_absent
from core.sending import Sendable, outbox_arguments, waiting_values

SIGNATURE_HEADER = "Goalpost-Signature"
DELIVERY_HEADER = "Goalpost-Delivery"


class OutboxCall(Sendable):
    """A call, from when it was posted until long after it was sent. Its text is JSON."""

    __tablename__ = "outbox_calls"
    __table_args__ = outbox_arguments(__tablename__)
    FORGOTTEN = MappingProxyType({"recipient": "", "text": "", "secret": ""})

    recipient: Mapped[str] = mapped_column(String(500))
    # What it is signed with: the receiver's, as it was when the call was posted.
    secret: Mapped[str] = mapped_column(String(64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call to post. `key` names what it tells of; `text` is JSON."""

    key: str
    url: str
    secret: str
    text: str


# Posts a body with headers to an address. Raises Refused or Delayed (see `core.sending`).
Post = Callable[[str, bytes, Mapping[str, str]], None]


def post_call(session: Session, call: Call, *, now: datetime) -> bool:
    """Put a call into the outbox, once a key; tell whether it is new. The caller commits."""
    values = {
        "key": call.key,
        "recipient": call.url,
        "secret": call.secret,
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

    def send(call: OutboxCall) -> None:
        body = call.text.encode()
        post(call.recipient, body, headers_of(call.key, body, secret=call.secret, now=now()))

    return sum(sending.send_one(open_session, OutboxCall, row, send, now=now) for row in due)


def headers_of(key: str, body: bytes, *, secret: str, now: datetime) -> dict[str, str]:
    """Return what tells the receiver who sends, and whether it has the call already.

    The signature is made as Stripe makes its own (https://docs.stripe.com/webhooks#verify-manually):
    HMAC-SHA256 of the time in seconds, a dot and the body. The time is in it, so that a call that
    somebody overheard can't be played again later.
    """
    seconds = int(now.timestamp())
    signature = hmac.new(secret.encode(), b"%d.%b" % (seconds, body), hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        SIGNATURE_HEADER: f"t={seconds},v1={signature}",
        DELIVERY_HEADER: hashlib.sha256(key.encode()).hexdigest()[:32],
    }
