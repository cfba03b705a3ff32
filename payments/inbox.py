"""The inbox: Stripe's events, stored before they are acknowledged and worked after.

An event is only what wakes us. Its type and ids say which objects to fetch anew; what these say
is brought into the books by `payments.books`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core.db import OpenSession, in_transaction, insert_if_absent
from core.errors import Invalid, NotFound
from payments.books import Occasion, apply_facts, look_and_apply
from payments.facts import Facts, gather_for_event
from payments.gateway import Event, Gateway
from payments.models import InboxEvent, InboxState
from payments.tallies import count_failed

# A worker that has not come back after this long is taken for dead.
LEASE = timedelta(minutes=2)
MOST_BACK_OFF = timedelta(hours=1)
MOST_LISTED = 1000
# What waits longer than this is stuck: somebody has to look.
OLD_BACKLOG = timedelta(minutes=15)
_DUE = (InboxState.WAITING, InboxState.FAILED)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much of the inbox is not worked, and since when the oldest of it waits."""

    waiting: int
    failed: int
    oldest_received_at: datetime | None

    def is_old(self, now: datetime) -> bool:
        """Tell whether the inbox is stuck."""
        oldest = self.oldest_received_at
        return oldest is not None and now - oldest > OLD_BACKLOG


def accept_event(session: Session, event: Event, *, now: datetime) -> bool:
    """Keep an event, once; tell whether it is new. The caller commits before it acknowledges."""
    values = {
        "event_id": event.id,
        "type": event.type,
        "api_version": event.api_version,
        "object_id": event.object_id,
        "body": event.body,
        "occurred_at": event.occurred_at,
        "received_at": now,
        "state": InboxState.WAITING,
        "attempts": 0,
        "next_attempt_at": now,
    }
    return insert_if_absent(session, InboxEvent, values, unique=("event_id",))


def due_event_ids(session: Session, *, now: datetime, limit: int = 100) -> Sequence[str]:
    """Return the ids of events that are to be worked now, those that wait longest first."""
    statement = (
        select(InboxEvent.event_id)
        .where(InboxEvent.state.in_(_DUE), InboxEvent.next_attempt_at <= now)
        .order_by(InboxEvent.next_attempt_at, InboxEvent.id)
        .limit(limit)
    )
    return session.scalars(statement).all()


def work_event(
    open_session: OpenSession,
    gateway: Gateway,
    event_id: str,
    *,
    livemode: bool,
    now: Callable[[], datetime],
) -> InboxState | None:
    """Work one event: claim it, ask Stripe, bring the books along. Return None if it was not due.

    This is an edge of its own and commits: first the claim, so that nobody else works the event
    and no lock is held while we wait for Stripe; then the books and the event's state, together.
    A failure is recorded in the event, which is tried again later.
    """
    body = in_transaction(open_session, lambda session: _claim(session, event_id, now=now()))
    if body is None:
        return None

    def apply(session: Session, /, *, facts: Facts, seen: Mapping[str, int]) -> bool:
        occasion = Occasion(cause=event_id, livemode=livemode, now=now(), seen=seen)
        _apply(session, event_id, facts, occasion)
        _tally(session, event, facts, now=occasion.now)
        return True

    state, outcome = InboxState.UNHANDLED, "kept: nothing of ours follows from it"
    try:
        event = gateway.parse_event(body)
        gather = partial(gather_for_event, gateway, event)
        if look_and_apply(open_session, gather, apply, payment_id=event.payment_id):
            return InboxState.DONE
    except Exception as error:  # noqa: BLE001 - the inbox's edge: whatever it is, it is recorded
        state, outcome = InboxState.FAILED, f"{type(error).__name__}: {error}"
    in_transaction(
        open_session, lambda session: _mark(session, event_id, state, outcome, now=now())
    )
    return state


def _claim(session: Session, event_id: str, *, now: datetime) -> bytes | None:
    """Take an event for this worker, by one conditional UPDATE: of several, one gets the row."""
    row = session.execute(
        update(InboxEvent)
        .where(
            InboxEvent.event_id == event_id,
            InboxEvent.state.in_(_DUE),
            InboxEvent.next_attempt_at <= now,
        )
        .values(attempts=InboxEvent.attempts + 1, next_attempt_at=now + LEASE)
        .returning(InboxEvent.body)
        .execution_options(synchronize_session=False)
    ).first()
    return None if row is None else bytes(row.body)


def _apply(session: Session, event_id: str, facts: Facts, occasion: Occasion) -> None:
    """Bring the books along and the event to done, in one transaction: both, or neither."""
    outcome = apply_facts(session, facts, occasion)
    _mark(session, event_id, InboxState.DONE, outcome, now=occasion.now)


def _tally(session: Session, event: Event, facts: Facts, *, now: datetime) -> None:
    """Count a card that was turned down. Of the events that tell of it, one is listened to."""
    if event.type != "payment_intent.payment_failed":
        return
    for found in facts.payments:
        # A renewal that fails names none: it tells of no form.
        if found.payment.donation_id is not None:
            count_failed(session, found.payment.donation_id, at=event.occurred_at, now=now)


def _mark(
    session: Session, event_id: str, state: InboxState, outcome: str, *, now: datetime
) -> None:
    event = session.scalars(select(InboxEvent).where(InboxEvent.event_id == event_id)).one()
    event.state = state
    event.outcome = outcome[:500].replace("\0", "")
    event.worked_at = now
    if state is InboxState.FAILED:
        event.next_attempt_at = now + back_off(event.attempts)
    session.flush()


def back_off(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: 2 s, 4 s, 8 s … an hour at most."""
    return min(timedelta(seconds=2 ** min(attempts, 12)), MOST_BACK_OFF)


def retry_events(session: Session, *, now: datetime, event_id: str | None = None) -> int:
    """Make failed events (or the one named, whatever became of it) due now; return how many."""
    statement = update(InboxEvent).values(state=InboxState.WAITING, next_attempt_at=now)
    if event_id is None:
        statement = statement.where(InboxEvent.state == InboxState.FAILED)
    else:
        statement = statement.where(InboxEvent.event_id == event_id)
        kept = session.scalars(
            select(func.length(InboxEvent.body)).where(InboxEvent.event_id == event_id)
        ).one_or_none()
        if kept == 0:
            raise Invalid(
                f"What {event_id[:80]} said is no longer kept. `stripe reconcile --since` asks"
                " Stripe anew."
            )
    ids = session.scalars(
        statement.returning(InboxEvent.id).execution_options(synchronize_session=False)
    ).all()
    if event_id is not None and not ids:
        raise NotFound(f"There is no event {event_id[:80]} in the inbox.")
    return len(ids)


def list_events(
    session: Session, *, state: InboxState | None = None, limit: int = 50
) -> Sequence[InboxEvent]:
    """Return events, the newest first."""
    statement = select(InboxEvent).order_by(InboxEvent.id.desc()).limit(min(limit, MOST_LISTED))
    if state is not None:
        statement = statement.where(InboxEvent.state == state)
    return session.scalars(statement).all()


def read_backlog(session: Session) -> Backlog:
    """Return what is not worked yet."""
    counts: dict[str, int] = {
        row[0]: row[1]
        for row in session.execute(
            select(InboxEvent.state, func.count())
            .where(InboxEvent.state.in_(_DUE))
            .group_by(InboxEvent.state)
        )
    }
    oldest = session.scalar(
        select(func.min(InboxEvent.received_at)).where(InboxEvent.state.in_(_DUE))
    )
    return Backlog(
        waiting=counts.get(InboxState.WAITING, 0),
        failed=counts.get(InboxState.FAILED, 0),
        oldest_received_at=oldest,
    )
