"""What was posted to those who asked for notices, and what came of it; and to send it at once.

To send at once is the same as what the scheduler's jobs do, for one row that is due: claimed,
sent, written down. Where a job is quicker, it sends it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from core.calls import OutboxCall, Post, send_call
from core.db import OpenSession
from core.errors import Conflict, NotFound
from core.notices import outbox_of
from core.outbox import Connect, OutboxMail, send_mail
from core.sending import Sendable, SendState
from core.subscribers import Channel, NoticeSubscriber

DELIVERIES_A_PAGE = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a subscriber stands: what they were sent last, and what they were not."""

    sent_at: datetime | None = None
    waiting: int = 0
    failed: int = 0
    # The last of what was not sent yet that went wrong.
    error: str | None = None
    error_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Senders:
    """What sends: to mail's server, where there is one, and to hooks."""

    connect: Connect | None
    sender: str | None
    post: Post


def read_standings(session: Session) -> Mapping[int, Standing]:
    """Return where each subscriber stands, in as many queries for fifty as for one."""
    found: dict[int, Standing] = {}
    for kind, channels in (
        (OutboxMail, (Channel.MAIL,)),
        (OutboxCall, (Channel.CHAT, Channel.WEBHOOK)),
    ):
        last_sent = (
            select(kind.sent_at)
            .where(kind.subscriber_id == NoticeSubscriber.id, kind.state == SendState.SENT)
            .order_by(kind.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        sent = select(NoticeSubscriber.id, last_sent).where(NoticeSubscriber.channel.in_(channels))
        unsent = (
            select(
                kind.subscriber_id,
                func.sum(case((kind.state == SendState.WAITING, 1), else_=0)),
                func.sum(case((kind.state == SendState.FAILED, 1), else_=0)),
                func.max(case((kind.error.is_not(None), kind.id))),
            )
            .where(
                kind.state.in_((SendState.WAITING, SendState.FAILED)),
                kind.recipient != "",
                kind.subscriber_id.is_not(None),
            )
            .group_by(kind.subscriber_id)
        )
        counts = {number: rest for number, *rest in session.execute(unsent)}
        wrong = [row_id for *_, row_id in counts.values() if row_id is not None]
        problems = {row.id: row for row in session.scalars(select(kind).where(kind.id.in_(wrong)))}
        for number, sent_at in session.execute(sent):
            waiting, failed, row_id = counts.get(number, (0, 0, None))
            problem = None if row_id is None else problems[row_id]
            found[number] = Standing(
                sent_at=sent_at,
                waiting=int(waiting),
                failed=int(failed),
                error=problem.error if problem else None,
                error_at=problem.tried_at if problem else None,
            )
    return found


def list_deliveries(
    session: Session,
    subscriber: NoticeSubscriber,
    *,
    before_id: int | None = None,
    limit: int = DELIVERIES_A_PAGE,
) -> Sequence[Sendable]:
    """Return what was posted to a subscriber, the newest first; `before_id` ended the last page."""
    kind = outbox_of(subscriber)
    statement = select(kind).where(kind.subscriber_id == subscriber.id)
    if before_id is not None:
        statement = statement.where(kind.id < before_id)
    return session.scalars(statement.order_by(kind.id.desc()).limit(limit)).all()


def find_delivery(session: Session, subscriber: NoticeSubscriber, delivery_id: int) -> Sendable:
    """Return something that was posted to a subscriber; raise NotFound."""
    found = session.get(outbox_of(subscriber), delivery_id)
    if found is None or found.subscriber_id != subscriber.id:
        raise NotFound("There is no such delivery.")
    return found


def check_sendable(subscriber: NoticeSubscriber, senders: Senders) -> None:
    """Raise Conflict where nothing can be sent to a subscriber, as there is no mail server."""
    if subscriber.channel == Channel.MAIL and (senders.connect is None or senders.sender is None):
        raise Conflict("No mail is sent: MAIL_URL is not set.")


def send_at_once(
    open_session: OpenSession,
    senders: Senders,
    row: Sendable,
    *,
    now: Callable[[], datetime],
) -> bool:
    """Send what is due now; tell whether it was sent. Commits; what came of it is in the row."""
    if isinstance(row, OutboxCall):
        return send_call(open_session, senders.post, row.id, now=now)
    if senders.connect is None or senders.sender is None:
        return False
    try:
        return send_mail(open_session, senders.connect, row.id, sender=senders.sender, now=now)
    except OSError:  # the server is away, which is written down
        return False
