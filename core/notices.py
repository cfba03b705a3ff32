"""Notices: what admins want told, by mail or by a call to a webhook, to those who asked for it.

A notice is posted within the transaction that makes true what it tells, so it is told if and only
if that was committed; and once for each who asked, however often its occasion is worked. It names
no donor: who is meant is found in the admin's own lists, by the id that it gives.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import CheckConstraint, String, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.calls import Call, OutboxCall, post_call
from core.db import Base, insert_if_absent
from core.errors import Conflict, Invalid, NotFound
from core.outbox import Mail, OutboxMail, post_mail
from core.sending import forget_to

MOST_SUBSCRIBERS = 50
_PREFIX = "notice:"
_MOST_URL_CHARACTERS = 500
_MOST_TEXT_CHARACTERS = 10_000


class Topic(StrEnum):
    """What a notice is about. Stored by value."""

    GOAL = "goal"
    MONTH = "month"
    DRIFT = "drift"
    INBOX = "inbox"
    SCHEDULER = "scheduler"
    CARD = "card"
    CANCELLED = "cancelled"
    GUARD = "guard"
    TEST = "test"  # goes to one who is named, and can't be asked for


# What can be asked for.
TOPICS: Mapping[Topic, str] = MappingProxyType(
    {
        Topic.GOAL: "A goal of a month was reached: each one once.",
        Topic.MONTH: "A month was closed, with its report.",
        Topic.DRIFT: "The books differ from their own entries, or from Stripe's.",
        Topic.INBOX: "Events of Stripe's wait too long to be worked.",
        Topic.SCHEDULER: "The scheduler does not run, or runs again.",
        Topic.CARD: "The card of a regular gift failed.",
        Topic.CANCELLED: "A regular gift was cancelled, or has ended.",
        Topic.GUARD: "A form is guarded, because cards are tested with it.",
    }
)


class Channel(StrEnum):
    """How a notice reaches somebody. Stored by value."""

    MAIL = "mail"
    WEBHOOK = "webhook"


class NoticeSubscriber(Base):
    """Somebody, or some service, that asked for notices."""

    __tablename__ = "notice_subscribers"
    __table_args__ = (
        UniqueConstraint("channel", "target"),
        CheckConstraint("channel IN ('mail', 'webhook')", name="channel"),
        CheckConstraint(
            "(channel = 'webhook') = (secret IS NOT NULL)", name="webhook_has_its_secret"
        ),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(16))
    # An address of mail, or of a webhook.
    target: Mapped[str] = mapped_column(String(500))
    # Comma-separated; empty for all, those too that are yet to come.
    topics: Mapped[str] = mapped_column(String(255), default="")
    # What a webhook's calls are signed with.
    secret: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime]

    def wants(self, topic: Topic) -> bool:
        """Tell whether notices of this topic are for them."""
        return not self.topics or topic in self.topics.split(",")


class NoticeEpisode(Base):
    """Something that is wrong at present and was told of: it is told again once it was over."""

    __tablename__ = "notice_episodes"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    # Since when it is wrong.
    since: Mapped[datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to tell. `key` names the occasion: whoever asked is told of it once.

    `subject` and `text` are for people, `data` is for machines: numbers, texts and lists that JSON
    can hold. `campaign` is a slug. None of them names a donor.
    """

    topic: Topic
    key: str
    subject: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    campaign: str | None = None


def notify(session: Session, notice: Notice, *, now: datetime) -> int:
    """Post a notice to all who want its topic; return to how many it is new. The caller commits."""
    return sum(
        notify_one(session, subscriber, notice, now=now)
        for subscriber in list_subscribers(session)
        if subscriber.wants(notice.topic)
    )


def is_wanted(session: Session, topic: Topic) -> bool:
    """Tell whether anybody asked for this topic: before much is read for a notice."""
    return any(subscriber.wants(topic) for subscriber in list_subscribers(session))


def notify_one(
    session: Session, subscriber: NoticeSubscriber, notice: Notice, *, now: datetime
) -> bool:
    """Post a notice to one subscriber, whatever they want; tell whether it is new to them."""
    key = f"{_PREFIX}{notice.key}:{subscriber.id}"
    text = notice.text[:_MOST_TEXT_CHARACTERS]
    if subscriber.channel == Channel.MAIL:
        mail = Mail(key=key, recipient=subscriber.target, subject=notice.subject, text=text)
        return post_mail(session, mail, now=now)
    body = {
        # What Slack, and those that take what Slack takes, print.
        "text": slack_text(f"{notice.subject}\n{text}"),
        "topic": notice.topic.value,
        "key": notice.key,
        "campaign": notice.campaign,
        "data": notice.data,
        "at": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    call = Call(
        key=key,
        url=subscriber.target,
        secret=subscriber.secret or "",
        text=json.dumps(body, ensure_ascii=False),
    )
    return post_call(session, call, now=now)


def slack_text(text: str) -> str:
    """Return a text as Slack wants it, with nothing in it that calls people or makes links.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def begin_episode(session: Session, name: str, *, since: datetime) -> bool:
    """Write down that something is wrong; tell whether that is new, and so to be told of."""
    values = {"name": name, "since": since}
    return insert_if_absent(session, NoticeEpisode, values, unique=("name",))


def end_episode(session: Session, name: str) -> datetime | None:
    """Write down that it is over; return since when it was wrong, None where nothing was."""
    ended = session.execute(
        delete(NoticeEpisode).where(NoticeEpisode.name == name).returning(NoticeEpisode.since)
    ).first()
    return None if ended is None else ended.since


def add_mail_subscriber(
    session: Session, address: str, *, topics: Iterable[str] = (), now: datetime
) -> NoticeSubscriber:
    """Have notices mailed to an address. Raises Invalid, and Conflict where it has them already."""
    try:
        target = validate_email(address, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise Invalid(f"“{address[:80]}” is no address of mail: {error}") from None
    return _add(session, Channel.MAIL, target, topics=topics, secret=None, now=now)


def add_webhook_subscriber(
    session: Session, url: str, *, topics: Iterable[str] = (), local: bool = False, now: datetime
) -> NoticeSubscriber:
    """Have notices posted to an address, signed with the secret that the subscriber returns with.

    `local` takes `http://localhost` too. Raises Invalid, and Conflict where it has them already.
    """
    if not _is_webhook(url, {"https", "http"} if local else {"https"}):
        raise Invalid("A webhook's address is an https:// one, as in https://hooks.example.org/x.")
    secret = f"gpsec_{secrets.token_urlsafe(32)}"
    return _add(session, Channel.WEBHOOK, url, topics=topics, secret=secret, now=now)


def _is_webhook(url: str, schemes: Container[str]) -> bool:
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port  # read now, as it is refused when it is read
    except ValueError:
        return False
    return (
        parts.scheme in schemes
        and bool(parts.hostname)
        and parts.username is None
        and not parts.fragment
        and len(url) <= _MOST_URL_CHARACTERS
    )


def _add(
    session: Session,
    channel: Channel,
    target: str,
    *,
    topics: Iterable[str],
    secret: str | None,
    now: datetime,
) -> NoticeSubscriber:
    chosen = sorted(set(topics))
    unknown = [topic for topic in chosen if topic not in set(TOPICS)]
    if unknown:
        raise Invalid(f"There is no topic “{unknown[0][:40]}”. There are {', '.join(TOPICS)}.")
    if len(list_subscribers(session)) >= MOST_SUBSCRIBERS:
        raise Conflict(f"{MOST_SUBSCRIBERS} have notices already; remove one first.")
    values = {
        "channel": channel,
        "target": target,
        "topics": ",".join(chosen),
        "secret": secret,
        "created_at": now,
    }
    if not insert_if_absent(session, NoticeSubscriber, values, unique=("channel", "target")):
        raise Conflict(
            "Notices go there already. Remove it with `notices remove` to choose other topics."
        )
    return session.scalars(
        select(NoticeSubscriber).where(
            NoticeSubscriber.channel == channel, NoticeSubscriber.target == target
        )
    ).one()


def list_subscribers(session: Session) -> Sequence[NoticeSubscriber]:
    """Return all who asked for notices, the first one first."""
    return session.scalars(select(NoticeSubscriber).order_by(NoticeSubscriber.id)).all()


def find_subscriber(session: Session, subscriber_id: int) -> NoticeSubscriber:
    """Return one who asked; raise NotFound."""
    found = session.get(NoticeSubscriber, subscriber_id)
    if found is None:
        raise NotFound(f"No notices go to number {subscriber_id}. See `notices list`.")
    return found


def remove_subscriber(session: Session, subscriber_id: int) -> NoticeSubscriber:
    """Send somebody no more notices, not those that wait either. Raises NotFound."""
    found = find_subscriber(session, subscriber_id)
    session.delete(found)
    kind = OutboxMail if found.channel == Channel.MAIL else OutboxCall
    forget_to(session, kind, found.target, prefix=_PREFIX)
    session.flush()
    return found
