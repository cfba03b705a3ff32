"""What the pages of notices show: receivers, what each is told, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from core.calls import OutboxCall
from core.deliveries import DELIVERIES_A_PAGE, Standing, list_deliveries, read_standings
from core.outbox import OutboxMail
from core.sending import Sendable, SendState
from core.subscribers import TOPICS, Channel, NoticeSubscriber, Topic, list_subscribers

KINDS: Mapping[Channel, str] = {
    Channel.MAIL: "Mail",
    Channel.CHAT: "Chat",
    Channel.WEBHOOK: "Webhook",
}
TOPIC_NAMES: Mapping[Topic, str] = {
    Topic.GOAL: "Goals",
    Topic.MONTH: "Months",
    Topic.DRIFT: "Drift",
    Topic.INBOX: "Stuck events",
    Topic.SCHEDULER: "Scheduler",
    Topic.CARD: "Failed cards",
    Topic.CANCELLED: "Cancelled gifts",
    Topic.GUARD: "Guarded forms",
    Topic.PAYOUT: "Failed payouts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Somebody who is told, as the list shows them."""

    subscriber: NoticeSubscriber
    kind: str
    topics: str
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A topic, and who hears of it."""

    name: str
    words: str
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """Something that was posted to a receiver."""

    id: int
    at: str
    about: str
    state: str
    tone: str
    attempts: int
    outcome: str
    body: str
    is_sendable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """A page of what was posted; `following` is where the next one begins."""

    rows: Sequence[DeliveryView]
    following: int | None
    is_moving: bool
    failed: int


def instant(at: datetime) -> str:
    """Return a time to the minute. Notices are of the whole site, so it is UTC's."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def topics_label(subscriber: NoticeSubscriber) -> str:
    """Return what a receiver is told."""
    if not subscriber.topics:
        return "Everything"
    return ", ".join(name for topic, name in TOPIC_NAMES.items() if subscriber.asked_for(topic))


def receivers(session: Session) -> list[Receiver]:
    """Return all who are told, the first one first."""
    standings = read_standings(session)
    return [
        Receiver(
            subscriber=subscriber,
            kind=KINDS[Channel(subscriber.channel)],
            topics=topics_label(subscriber),
            standing=standings.get(subscriber.id, Standing()),
        )
        for subscriber in list_subscribers(session)
    ]


def told_topics(shown: Sequence[Receiver]) -> list[Told]:
    """Return each topic with the names of those who hear of it now."""
    return [
        Told(
            name=TOPIC_NAMES[topic],
            words=words,
            who=", ".join(one.subscriber.label for one in shown if one.subscriber.wants(topic)),
        )
        for topic, words in TOPICS.items()
    ]


def deliveries(
    session: Session, subscriber: NoticeSubscriber, *, before_id: int | None, now: datetime
) -> Deliveries:
    """Return a page of what was posted to a receiver, the newest first."""
    # One more than is shown tells whether there are more.
    found = list_deliveries(session, subscriber, before_id=before_id, limit=DELIVERIES_A_PAGE + 1)
    shown = found[:DELIVERIES_A_PAGE]
    standing = read_standings(session).get(subscriber.id, Standing())
    return Deliveries(
        rows=[_view(row) for row in shown],
        following=shown[-1].id if len(found) > len(shown) else None,
        is_moving=any(row.is_under_way or _is_due(row, now) for row in shown),
        failed=standing.failed,
    )


def outcome_of(row: Sendable) -> str:
    """Say what came of the last attempt, how long it took, and when the next one is."""
    if not row.recipient and row.state == SendState.FAILED:
        return "Dropped."
    if row.tried_at is None:
        return "On its way." if row.attempts else "Waits for its turn."
    took = f" after {row.took_ms} ms" if row.took_ms is not None else ""
    if row.state == SendState.SENT:
        if isinstance(row, OutboxMail):
            return f"The mail server took it{took}."
        return f"Answered {row.answer or 'yes'}{took}"
    said = f"{row.error or 'No answer'}{took}."
    if row.state == SendState.WAITING:
        return f"{said} Tried again from {instant(row.next_attempt_at)} on."
    return said


def _view(row: Sendable) -> DeliveryView:
    state, tone = {
        SendState.SENT: ("sent", "good"),
        SendState.WAITING: ("waits", ""),
        SendState.FAILED: ("given up", "bad") if row.recipient else ("dropped", ""),
    }[SendState(row.state)]
    return DeliveryView(
        id=row.id,
        at=instant(row.posted_at),
        about=_about(row),
        state="under way" if row.is_under_way else state,
        tone=tone,
        attempts=row.attempts,
        outcome=outcome_of(row),
        body=_body(row),
        is_sendable=bool(row.recipient and row.tried_at) and row.state != SendState.SENT,
    )


def _is_due(row: Sendable, now: datetime) -> bool:
    return row.state == SendState.WAITING and row.next_attempt_at <= now


def _about(row: Sendable) -> str:
    """Return its first line; its key alone where its words are no longer kept."""
    if isinstance(row, OutboxMail):
        words = row.subject
    else:
        words = str(json.loads(row.text).get("text", "")).partition("\n")[0] if row.text else ""
        # As it was before it was written for chats.
        words = words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return words or row.key.removeprefix("notice:").rpartition(":")[0]


def _body(row: Sendable) -> str:
    if isinstance(row, OutboxCall) and row.text:
        return json.dumps(json.loads(row.text), ensure_ascii=False, indent=2)
    return row.text
