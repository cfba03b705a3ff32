"""Who asked for notices: people by mail, chats, and services that are called, with what they want.

Addresses of chats and services are secrets of theirs: whoever knows one may post there. They are
shown in part, and in whole to those alone who may change them.
"""

from __future__ import annotations

import secrets
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import CheckConstraint, String, UniqueConstraint, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.auditlog import Actor, record
from core.db import Base, insert_if_absent
from core.errors import Conflict, Invalid, NotFound
from core.printing import masked
from core.webhooks import is_public

MOST_SUBSCRIBERS = 50
MOST_NAME_CHARACTERS = 80
MOST_URL_CHARACTERS = 500
# Within these a receiver is given the new secret; longer, and an old one that leaked stays good.
MOST_OVERLAP = timedelta(days=7)


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
    PAYOUT = "payout"
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
        Topic.PAYOUT: "A payout of Stripe's did not reach the bank.",
    }
)


class Channel(StrEnum):
    """How a notice reaches somebody. Stored by value."""

    MAIL = "mail"
    CHAT = "chat"  # a hook of Slack's, or of one that takes what Slack takes
    WEBHOOK = "webhook"  # a service: gets the data too, and a signature


class NoticeSubscriber(Base):
    """Somebody, or some service, that asked for notices."""

    __tablename__ = "notice_subscribers"
    __table_args__ = (
        UniqueConstraint("channel", "target"),
        CheckConstraint("channel IN ('mail', 'chat', 'webhook')", name="channel"),
        CheckConstraint(
            "(channel = 'webhook') = (secret IS NOT NULL)", name="webhook_has_its_secret"
        ),
        CheckConstraint(
            "(former_secret IS NULL) = (former_secret_until IS NULL)",
            name="former_secret_has_its_end",
        ),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(16))
    # What admins call it; empty where its address says enough.
    name: Mapped[str] = mapped_column(String(MOST_NAME_CHARACTERS), default="")
    # An address of mail, or of a chat's or a service's hook.
    target: Mapped[str] = mapped_column(String(MOST_URL_CHARACTERS))
    # Comma-separated; empty for all, those too that are yet to come.
    topics: Mapped[str] = mapped_column(String(255), default="")
    # Off, it is told nothing.
    is_on: Mapped[bool] = mapped_column(default=True)
    # What a webhook's calls are signed with; and with which too, until then.
    secret: Mapped[str | None] = mapped_column(String(64))
    former_secret: Mapped[str | None] = mapped_column(String(64))
    former_secret_until: Mapped[datetime | None]
    created_at: Mapped[datetime]

    def wants(self, topic: Topic) -> bool:
        """Tell whether notices of this topic are for them, now."""
        return self.is_on and self.asked_for(topic)

    def asked_for(self, topic: Topic) -> bool:
        """Tell whether they want this topic whenever they are on."""
        return not self.topics or topic in self.topics.split(",")

    @property
    def shown_target(self) -> str:
        """The address as it may be shown and logged."""
        return self.target if self.channel == Channel.MAIL else masked(self.target)

    @property
    def label(self) -> str:
        """What it is called: by its name, else by its address."""
        return self.name or self.shown_target

    def signing_secrets(self, now: datetime) -> Sequence[str]:
        """Return what a call is signed with, the newest first; nothing where nobody checks."""
        found = [self.secret] if self.secret else []
        if self.former_secret and self.former_secret_until and now < self.former_secret_until:
            found.append(self.former_secret)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Where notices shall go, and which: all of them where no topic is named.

    `local` takes `http://localhost` too: for a developer's own machine.
    """

    channel: Channel
    target: str
    topics: Iterable[str] = ()
    name: str = ""
    local: bool = False


def add_subscriber(
    session: Session, wish: Wish, *, actor: Actor, now: datetime
) -> NoticeSubscriber:
    """Have notices sent somewhere from now on; a webhook returns with its secret.

    Raises Invalid, naming the field, and Conflict where notices go there already.
    """
    target = _checked_target(wish.channel, wish.target, local=wish.local)
    values = {
        "channel": wish.channel,
        "target": target,
        "name": _checked_name(wish.name),
        "topics": _checked_topics(wish.topics),
        "is_on": True,
        "secret": _new_secret() if wish.channel is Channel.WEBHOOK else None,
        "created_at": now,
    }
    if len(list_subscribers(session)) >= MOST_SUBSCRIBERS:
        raise Conflict(f"{MOST_SUBSCRIBERS} have notices already; remove one first.")
    if not insert_if_absent(session, NoticeSubscriber, values, unique=("channel", "target")):
        raise _taken()
    added = session.scalars(
        select(NoticeSubscriber).where(
            NoticeSubscriber.channel == wish.channel, NoticeSubscriber.target == target
        )
    ).one()
    log_change(
        session,
        actor,
        "notice.added",
        added,
        {"channel": added.channel, "to": added.shown_target, "topics": added.topics or "all"},
        now=now,
    )
    return added


def change_subscriber(
    session: Session, subscriber: NoticeSubscriber, wish: Wish, *, actor: Actor, now: datetime
) -> bool:
    """Give a subscriber another name, address or topics; tell whether anything is other.

    What was posted before goes where it was posted to: see `core.notices.send_to_new_address`.
    Raises Invalid, naming the field, and Conflict where notices go there already.
    """
    wanted = {
        "name": _checked_name(wish.name),
        "target": _checked_target(Channel(subscriber.channel), wish.target, local=wish.local),
        "topics": _checked_topics(wish.topics),
    }
    if wanted["target"] != subscriber.target and _is_taken(session, subscriber, wanted["target"]):
        raise _taken()
    before = _told(subscriber)
    for field, value in wanted.items():
        setattr(subscriber, field, value)
    session.flush()
    after = _told(subscriber)
    changed = {field: [before[field], after[field]] for field in after}
    changed = {field: pair for field, pair in changed.items() if pair[0] != pair[1]}
    if changed:
        log_change(session, actor, "notice.changed", subscriber, changed, now=now)
    return bool(changed)


def rotate_secret(
    session: Session,
    subscriber: NoticeSubscriber,
    *,
    overlap: timedelta,
    actor: Actor,
    now: datetime,
) -> None:
    """Sign a webhook's calls with a new secret, and for a while with the one before as well.

    One that was older still is no longer used. Raises Invalid where nothing is signed, or where
    the overlap is longer than it may be.
    """
    if subscriber.secret is None:
        raise Invalid("Only calls to webhooks are signed.")
    if not timedelta(0) <= overlap <= MOST_OVERLAP:
        raise Invalid("Choose one of these.", field="overlap")
    kept = subscriber.secret if overlap else None
    subscriber.secret, subscriber.former_secret = _new_secret(), kept
    subscriber.former_secret_until = now + overlap if overlap else None
    session.flush()
    hours = int(overlap.total_seconds() // 3600)
    details = {"former_good_for_hours": hours}
    log_change(session, actor, "notice.secret_rotated", subscriber, details, now=now)


def forget_former_secrets(session: Session, now: datetime) -> int:
    """Take away secrets that sign nothing any more; return how many. The caller commits."""
    over = session.execute(
        update(NoticeSubscriber)
        .where(NoticeSubscriber.former_secret_until <= now)
        .values(former_secret=None, former_secret_until=None)
        .returning(NoticeSubscriber.id)
        .execution_options(synchronize_session=False)
    )
    return len(over.all())


def list_subscribers(session: Session) -> Sequence[NoticeSubscriber]:
    """Return all who asked for notices, the first one first."""
    return session.scalars(select(NoticeSubscriber).order_by(NoticeSubscriber.id)).all()


def find_subscriber(session: Session, subscriber_id: int) -> NoticeSubscriber:
    """Return one who asked; raise NotFound."""
    found = session.get(NoticeSubscriber, subscriber_id)
    if found is None:
        raise NotFound(f"No notices go to number {subscriber_id}. See `notices list`.")
    return found


def log_change(
    session: Session,
    actor: Actor,
    action: str,
    subscriber: NoticeSubscriber,
    details: Mapping[str, Any] | None = None,
    *,
    now: datetime,
) -> None:
    """Write down what somebody did to a subscriber."""
    subject = f"notice:{subscriber.id}"
    record(session, actor, action, subject=subject, details=details, now=now)


def _told(subscriber: NoticeSubscriber) -> dict[str, str]:
    return {
        "name": subscriber.name,
        "to": subscriber.shown_target,
        "topics": subscriber.topics or "all",
    }


def _new_secret() -> str:
    return f"gpsec_{secrets.token_urlsafe(32)}"


def _taken() -> Conflict:
    return Conflict(
        "Notices go there already. Change its topics, or remove it first.", field="target"
    )


def _is_taken(session: Session, subscriber: NoticeSubscriber, target: str) -> bool:
    other = select(NoticeSubscriber.id).where(
        NoticeSubscriber.channel == subscriber.channel,
        NoticeSubscriber.target == target,
        NoticeSubscriber.id != subscriber.id,
    )
    return session.scalar(other) is not None


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if len(name) > MOST_NAME_CHARACTERS or not name.isprintable():
        raise Invalid(f"A name has {MOST_NAME_CHARACTERS} characters at most.", field="name")
    return name


def _checked_topics(topics: Iterable[str]) -> str:
    chosen = sorted(set(topics))
    unknown = [topic for topic in chosen if topic not in set(TOPICS)]
    if unknown:
        there_are = ", ".join(TOPICS)
        raise Invalid(
            f"There is no topic “{unknown[0][:40]}”. There are {there_are}.", field="topics"
        )
    return ",".join(chosen)


def _checked_target(channel: Channel, target: str, *, local: bool) -> str:
    if channel is Channel.MAIL:
        try:
            return validate_email(target, check_deliverability=False).normalized
        except EmailNotValidError as error:
            raise Invalid(
                f"“{target[:80]}” is no address of mail: {error}", field="target"
            ) from None
    if not _is_hook(target, {"https", "http"} if local else {"https"}):
        raise Invalid(
            "A hook's address is an https:// one, as in https://hooks.example.org/x.",
            field="target",
        )
    # A name is looked up whenever it is called; what is plainly inside is refused at once.
    if not local and _is_plainly_inside(urlsplit(target).hostname or ""):
        raise Invalid("Only hosts of the public internet are called.", field="target")
    return target


def _is_hook(url: str, schemes: Container[str]) -> bool:
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
        and len(url) <= MOST_URL_CHARACTERS
    )


def _is_plainly_inside(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return not is_public(host)
