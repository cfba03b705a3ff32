"""Notices: what admins want told, by mail or by a call to a webhook, to those who asked for it.

A notice is posted within the transaction that makes true what it tells, so it is told if and only
if that was committed; and once for each who asked, however often its occasion is worked. It names
no donor: who is meant is found in the admin's own lists, by the id that it gives.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import String, delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import sending
from core.auditlog import Actor
from core.calls import Call, OutboxCall, post_call
from core.db import Base, insert_if_absent
from core.outbox import Mail, OutboxMail, post_mail
from core.subscribers import (
    Channel,
    NoticeSubscriber,
    Topic,
    Wish,
    change_subscriber,
    list_subscribers,
    log_change,
)

_PREFIX = "notice:"
_MOST_TEXT_CHARACTERS = 10_000


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
    key = _key_of(subscriber, notice.key)
    text = notice.text[:_MOST_TEXT_CHARACTERS]
    if subscriber.channel == Channel.MAIL:
        mail = Mail(
            key=key,
            recipient=subscriber.target,
            subject=notice.subject,
            text=text,
            subscriber_id=subscriber.id,
        )
        return post_mail(session, mail, now=now)
    # What Slack, and those that take what Slack takes, print. Some of them refuse all else.
    body: dict[str, object] = {"text": slack_text(f"{notice.subject}\n{text}")}
    if subscriber.channel == Channel.WEBHOOK:
        body |= {
            "topic": notice.topic.value,
            "key": notice.key,
            "campaign": notice.campaign,
            "data": notice.data,
            "at": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    call = Call(
        key=key,
        url=subscriber.target,
        subscriber_id=subscriber.id,
        text=json.dumps(body, ensure_ascii=False),
    )
    return post_call(session, call, now=now)


def post_test(
    session: Session, subscriber: NoticeSubscriber, *, site: str, actor: Actor, now: datetime
) -> str:
    """Post a notice to try a subscriber with, on or off; return its key in the outbox.

    `site` is the address that it names.
    """
    notice = Notice(
        topic=Topic.TEST,
        key=f"test:{secrets.token_hex(8)}",
        subject="A notice to try it",
        text=f"If you read this, notices of {site} reach you.",
    )
    notify_one(session, subscriber, notice, now=now)
    log_change(session, actor, "notice.tested", subscriber, now=now)
    return _key_of(subscriber, notice.key)


def _key_of(subscriber: NoticeSubscriber, key: str) -> str:
    return f"{_PREFIX}{key}:{subscriber.id}"


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


def outbox_of(subscriber: NoticeSubscriber) -> type[OutboxMail | OutboxCall]:
    """Return where what is posted to a subscriber waits."""
    return OutboxMail if subscriber.channel == Channel.MAIL else OutboxCall


def change(
    session: Session, subscriber: NoticeSubscriber, wish: Wish, *, actor: Actor, now: datetime
) -> bool:
    """Give a subscriber another name, address or topics; tell whether anything is other.

    What was not sent yet goes to the new address. Raises Invalid and Conflict.
    """
    before = subscriber.target
    is_other = change_subscriber(session, subscriber, wish, actor=actor, now=now)
    if subscriber.target != before:
        sending.readdress(session, outbox_of(subscriber), subscriber.id, subscriber.target)
    return is_other


def turn_off(
    session: Session, subscriber: NoticeSubscriber, *, actor: Actor, now: datetime
) -> None:
    """Tell a subscriber nothing until it is turned on again; what waits is dropped."""
    if subscriber.is_on:
        subscriber.is_on = False
        sending.drop_unsent(session, outbox_of(subscriber), subscriber.id)
        session.flush()
        log_change(session, actor, "notice.turned_off", subscriber, now=now)


def turn_on(session: Session, subscriber: NoticeSubscriber, *, actor: Actor, now: datetime) -> None:
    """Tell a subscriber what happens from now on."""
    if not subscriber.is_on:
        subscriber.is_on = True
        session.flush()
        log_change(session, actor, "notice.turned_on", subscriber, now=now)


def remove_subscriber(
    session: Session, subscriber: NoticeSubscriber, *, actor: Actor, now: datetime
) -> None:
    """Send somebody no more notices, not those that wait either, and forget what was sent."""
    sending.forget_subscriber(session, outbox_of(subscriber), subscriber.id)
    details = {"channel": subscriber.channel, "to": subscriber.shown_target}
    log_change(session, actor, "notice.removed", subscriber, details, now=now)
    session.delete(subscriber)
    session.flush()
