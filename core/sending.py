"""What waits to be sent, mail and calls alike: claimed, tried less and less often, given up.

Whoever has something to say posts it within its own transaction, so that it is sent if and only
if what it tells of was committed. Each has a key and is posted once, however often its occasion
is worked. Sending is at least once: a sender that dies between the other side's yes and our
commit sends the same again, under the same name, by which the other side knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from sqlalchemy import (
    CheckConstraint,
    Index,
    String,
    case,
    func,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.clock import stopwatch
from core.db import Base, OpenSession

# A sender that has not come back after this long is taken for dead.
LEASE = timedelta(minutes=5)
MOST_BACK_OFF = timedelta(hours=4)
# About three days with the back-off; a person then finds it in `outbox list`.
MOST_ATTEMPTS = 24
_FIRST_BACK_OFF = timedelta(seconds=30)
_MOST_ERROR_CHARACTERS = 500
_MOST_ANSWER_CHARACTERS = 255
_KEPT = "recipient <> ''"
_TO_SUBSCRIBERS = "subscriber_id IS NOT NULL"


class SendState(StrEnum):
    """What became of something that was posted. Stored by value."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"  # given up; `outbox retry` begins anew


class Sendable(Base):
    """What every outbox has, from when something was posted until long after it was sent."""

    __abstract__ = True
    # What stands in a row's words once they are no longer kept. The keys stay, so that nothing
    # is posted a second time.
    FORGOTTEN: ClassVar[Mapping[str, Any]]

    id: Mapped[int] = mapped_column(primary_key=True)
    # What it tells of, as in `thanks:don_…`: a second one of the same key is not posted.
    key: Mapped[str] = mapped_column(String(255), unique=True)
    # Where it goes; empty once forgotten.
    recipient: Mapped[str]
    text: Mapped[str]
    state: Mapped[str] = mapped_column(String(16), default=SendState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    posted_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    # When the last attempt ended, and how long it took; nothing while one is under way.
    tried_at: Mapped[datetime | None]
    took_ms: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(String(_MOST_ERROR_CHARACTERS))
    # What the other side said with its yes.
    answer: Mapped[str | None] = mapped_column(String(_MOST_ANSWER_CHARACTERS))

    # Who asked for it, where it is a notice, and asks for notices still. No foreign key: to add
    # one, SQLite would copy all mails.
    subscriber_id: Mapped[int | None]

    @property
    def is_under_way(self) -> bool:
        """Whether a sender has it in hand, or died with it."""
        return self.state == SendState.WAITING and self.attempts > 0 and self.tried_at is None


S = TypeVar("S", bound=Sendable)


def outbox_arguments(table: str) -> tuple[Any, ...]:
    """Return the constraints and indices of an outbox, for its `__table_args__`."""
    return (
        CheckConstraint("state IN ('waiting', 'sent', 'failed')", name="state"),
        CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_has_its_time"),
        Index(f"ix_{table}_state_next_attempt_at", "state", "next_attempt_at"),
        # Those whose words are kept still.
        Index(
            f"ix_{table}_posted_at_kept",
            "posted_at",
            sqlite_where=text(_KEPT),
            postgresql_where=text(_KEPT),
        ),
        Index(
            f"ix_{table}_subscriber_id_id",
            "subscriber_id",
            "id",
            sqlite_where=text(_TO_SUBSCRIBERS),
            postgresql_where=text(_TO_SUBSCRIBERS),
        ),
        {"sqlite_strict": True},
    )


class Refused(Exception):
    """The other side refuses it for good: asking again can't help."""


class Delayed(Exception):
    """The other side does not take it now; it may later."""


def waiting_values(now: datetime) -> dict[str, Any]:
    """Return what a row has when it is posted, beside its key and its words."""
    return {
        "state": SendState.WAITING,
        "attempts": 0,
        "next_attempt_at": now,
        "posted_at": now,
    }


def due_ids(session: Session, kind: type[S], *, now: datetime, limit: int = 100) -> Sequence[int]:
    """Return the ids of what is to be sent now, those that wait longest first."""
    statement = (
        select(kind.id)
        .where(kind.state == SendState.WAITING, kind.next_attempt_at <= now)
        .order_by(kind.next_attempt_at, kind.id)
        .limit(limit)
    )
    return session.scalars(statement).all()


def send_one(
    open_session: OpenSession,
    kind: type[S],
    row_id: int,
    send: Callable[[S], str | None],
    *,
    now: Callable[[], datetime],
) -> bool:
    """Claim what is due, send it, and mark it; tell whether it was sent.

    `send` returns what the other side said, if anything. It raises Refused or Delayed; an OSError
    too is written down, and then raised: whatever carries the others is gone as well.
    """
    with open_session() as session:
        row = _claim(session, kind, row_id, now=now())
        session.commit()
    if row is None:
        return False
    took_ms = stopwatch()
    answer = problem = lost = None
    gives_up = False
    try:
        answer = send(row)
    except (Refused, ValueError) as error:  # the other side's no, or an address that is none
        problem, gives_up = str(error), True
    except Delayed as error:
        problem = str(error)
    except OSError as error:
        problem, lost = f"{type(error).__name__}: {error}", error
    end = _end_values(row, answer=answer, problem=problem, gives_up=gives_up, now=now())
    with open_session() as session:
        session.execute(update(kind).where(kind.id == row.id).values(took_ms=took_ms(), **end))
        session.commit()
    if lost is not None:
        raise lost
    return problem is None


def _claim(session: Session, kind: type[S], row_id: int, *, now: datetime) -> S | None:
    """Take what is due for this sender alone; None where another was quicker."""
    claimed = session.execute(
        update(kind)
        .where(
            kind.id == row_id,
            kind.state == SendState.WAITING,
            kind.next_attempt_at <= now,
        )
        .values(attempts=kind.attempts + 1, next_attempt_at=now + LEASE, tried_at=None)
        .returning(kind.id)
    ).first()
    return None if claimed is None else session.get_one(kind, row_id)


def _end_values(
    row: Sendable, *, answer: str | None, problem: str | None, gives_up: bool, now: datetime
) -> dict[str, object]:
    """Return what is written down of an attempt: that it was sent, or what is to come of it."""
    if problem is None:
        said = None if answer is None else answer[:_MOST_ANSWER_CHARACTERS]
        return {
            "state": SendState.SENT,
            "sent_at": now,
            "tried_at": now,
            "error": None,
            "answer": said,
        }
    gives_up = gives_up or row.attempts >= MOST_ATTEMPTS
    back_off = min(_FIRST_BACK_OFF * 2 ** min(row.attempts - 1, 16), MOST_BACK_OFF)
    return {
        "state": SendState.FAILED if gives_up else SendState.WAITING,
        "next_attempt_at": now + back_off,
        "tried_at": now,
        "error": problem[:_MOST_ERROR_CHARACTERS],
    }


def list_posted(session: Session, kind: type[S], *, limit: int = 100) -> Sequence[S]:
    """Return the latest rows of an outbox, newest first."""
    return session.scalars(select(kind).order_by(kind.id.desc()).limit(limit)).all()


@dataclass(frozen=True, slots=True)
class Unsent:
    """How much is not sent, and since when the oldest of it waits."""

    waiting: int
    failed: int
    oldest_posted_at: datetime | None


def read_unsent(session: Session, kind: type[S]) -> Unsent:
    """Return how much of an outbox is not sent; what was forgotten nobody can send any more."""
    statement = (
        select(kind.state, func.count(), func.min(kind.posted_at))
        .where(kind.state.in_((SendState.WAITING, SendState.FAILED)), kind.recipient != "")
        .group_by(kind.state)
    )
    found = {state: (count, oldest) for state, count, oldest in session.execute(statement)}
    waiting, oldest = found.get(SendState.WAITING, (0, None))
    return Unsent(waiting, found.get(SendState.FAILED, (0, None))[0], oldest)


def retry_given_up(session: Session, kind: type[S], *, now: datetime) -> int:
    """Have what was given up sent anew; return how many that are. The caller commits."""
    retried = session.execute(
        update(kind)
        .where(kind.state == SendState.FAILED, kind.recipient != "")
        .values(state=SendState.WAITING, attempts=0, next_attempt_at=now)
        .returning(kind.id)
    )
    return len(retried.all())


def retry_of(session: Session, kind: type[S], subscriber_id: int, *, now: datetime) -> int:
    """Do the same with what goes to one subscriber alone."""
    retried = session.execute(
        update(kind)
        .where(
            kind.subscriber_id == subscriber_id,
            kind.state == SendState.FAILED,
            kind.recipient != "",
        )
        .values(state=SendState.WAITING, attempts=0, next_attempt_at=now)
        .returning(kind.id)
    )
    return len(retried.all())


def retry_now(
    session: Session, kind: type[S], row_id: int, *, subscriber_id: int, now: datetime
) -> bool:
    """Have one sent now that was given up, or waits for its next attempt; tell whether it can be.

    It can't where it was sent, is under way, or its words are no longer kept.
    """
    retried = session.execute(
        update(kind)
        .where(
            kind.id == row_id,
            kind.subscriber_id == subscriber_id,
            kind.state != SendState.SENT,
            kind.tried_at.is_not(None),
            kind.recipient != "",
        )
        .values(
            state=SendState.WAITING,
            attempts=case((kind.state == SendState.FAILED, 0), else_=kind.attempts),
            next_attempt_at=now,
        )
        .returning(kind.id)
    )
    return retried.first() is not None


def readdress(session: Session, kind: type[S], subscriber_id: int, recipient: str) -> None:
    """Have what was not sent to a subscriber yet go to another address."""
    session.execute(
        update(kind)
        .where(
            kind.subscriber_id == subscriber_id,
            kind.state != SendState.SENT,
            kind.recipient != "",
        )
        .values(recipient=recipient)
    )


def drop_unsent(session: Session, kind: type[S], subscriber_id: int) -> None:
    """Take the address and the words out of all that a subscriber was not sent: it never is."""
    session.execute(
        update(kind)
        .where(kind.subscriber_id == subscriber_id, kind.state != SendState.SENT)
        .values(state=SendState.FAILED, **kind.FORGOTTEN)
    )


def forget_to(session: Session, kind: type[S], recipient: str) -> int:
    """Take the address and the words out of all that goes to somebody; return how many rows.

    What was not sent never is.
    """
    forgotten = session.execute(
        update(kind)
        .where(kind.recipient == recipient)
        .values(
            state=case((kind.state == SendState.SENT, SendState.SENT), else_=SendState.FAILED),
            **kind.FORGOTTEN,
        )
        .returning(kind.id)
    )
    return len(forgotten.all())


def forget_subscriber(session: Session, kind: type[S], subscriber_id: int) -> None:
    """Do the same with all that a subscriber asked for, and forget that they did."""
    session.execute(
        update(kind)
        .where(kind.subscriber_id == subscriber_id)
        .values(
            subscriber_id=None,
            state=case((kind.state == SendState.SENT, SendState.SENT), else_=SendState.FAILED),
            **kind.FORGOTTEN,
        )
    )


def forget_before(session: Session, kind: type[S], before: datetime, *, limit: int) -> int:
    """Do the same with what was posted before then and waits no more."""
    due = (
        select(kind.id)
        .where(kind.posted_at < before, text(_KEPT), kind.state != SendState.WAITING)
        .limit(limit)
    )
    forgotten = session.execute(
        update(kind).where(kind.id.in_(due)).values(kind.FORGOTTEN).returning(kind.id)
    )
    return len(forgotten.all())
