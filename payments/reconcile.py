"""Asking Stripe what happened, in case it could not tell us: after downtime the books are whole.

Up to 29 days back the event list is gone through and what we have not got goes into the inbox,
like a webhook's; further back Stripe keeps no events, and the payments themselves are. Both end
in the code that webhooks run, so it is safe beside them and safe to repeat.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.db import OpenSession, in_transaction, insert_if_absent
from core.errors import DomainError
from payments.books import Occasion, apply_facts, look_and_apply
from payments.errors import GatewayRefused, GatewayUnavailable
from payments.facts import Facts, gather_for_payment, gather_for_subscription
from payments.gateway import Event, Gateway
from payments.inbox import accept_event, due_event_ids, work_event
from payments.models import Donation, ReconcileCursor, Subscription

CURSOR = "events"
# https://docs.stripe.com/api/events: kept for 30 days; a day less, to be done in time.
EVENTS_KEPT = timedelta(days=29)
# Events are listed by the second of their making and may show up late: look at some twice.
OVERLAP = timedelta(hours=1)
# A refund or dispute of an old payment is listed by its own age, and changes for months.
LOOK_BACK = timedelta(days=180)
BATCH = 100
MOST_ROUNDS = 1000

log = logging.getLogger("goalpost.reconcile")

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a reconciliation went through."""

    since: datetime
    by: str  # events, objects
    looked_at: int
    new: int
    failed: int


def reconcile(
    open_session: OpenSession,
    gateway: Gateway,
    *,
    livemode: bool,
    now: Callable[[], datetime],
    since: datetime | None = None,
    adopt: bool = False,
    step: Step = lambda _: None,
) -> Reconciled:
    """Bring the books to what Stripe says of everything since the cursor (or `since`).

    Commits as it goes, and moves the cursor only once all of it is done; what fails by itself is
    in the inbox, and tried again there. `step` is told of each thing that is gone through.
    `adopt` goes through the payments themselves, and makes donations anew that they name and the
    books have lost: after an old backup was restored (`payments.adopting`).
    """
    begun_at = now()
    since = since or in_transaction(open_session, lambda session: _start(session, begun_at))
    if adopt or begun_at - since > EVENTS_KEPT:
        found = _by_objects(
            open_session, gateway, since, livemode=livemode, now=now, adopt=adopt, step=step
        )
    else:
        found = _by_events(open_session, gateway, since, livemode=livemode, now=now, step=step)
    in_transaction(open_session, lambda session: _move_cursor(session, begun_at))
    return found


def _start(session: Session, now: datetime) -> datetime:
    cursor = session.get(ReconcileCursor, CURSOR)
    if cursor is not None:
        return cursor.reached_at - OVERLAP
    # Never done before: since the first donation that Stripe could know of.
    first = session.scalar(
        select(func.min(Donation.created_at)).where(Donation.form_key.is_not(None))
    )
    return (first or now) - OVERLAP


def _move_cursor(session: Session, reached_at: datetime) -> None:
    insert_if_absent(
        session, ReconcileCursor, {"name": CURSOR, "reached_at": reached_at}, unique=("name",)
    )
    cursor = session.get_one(ReconcileCursor, CURSOR, with_for_update=True)
    cursor.reached_at = max(cursor.reached_at, reached_at)
    session.flush()


def _by_events(
    open_session: OpenSession,
    gateway: Gateway,
    since: datetime,
    *,
    livemode: bool,
    now: Callable[[], datetime],
    step: Step,
) -> Reconciled:
    looked_at = new = failed = 0
    for batch in _batches(gateway.events(since)):
        events = [event for event in batch if event.livemode == livemode]
        new += in_transaction(
            open_session,
            lambda session, events=events: sum(  # type: ignore[misc]
                accept_event(session, event, now=now()) for event in events
            ),
        )
        looked_at += len(batch)
        for event in batch:
            step(event.type)
    for _ in range(MOST_ROUNDS):
        due = in_transaction(open_session, lambda session: due_event_ids(session, now=now()))
        if not due:
            break
        for event_id in due:
            state = work_event(open_session, gateway, event_id, livemode=livemode, now=now)
            failed += state == "failed"
            step(event_id)
    return Reconciled(since, "events", looked_at, new, failed)


def _batches(events: Iterable[Event]) -> Iterable[list[Event]]:
    batch: list[Event] = []
    for event in events:
        batch.append(event)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _by_objects(
    open_session: OpenSession,
    gateway: Gateway,
    since: datetime,
    *,
    livemode: bool,
    now: Callable[[], datetime],
    adopt: bool,
    step: Step,
) -> Reconciled:
    payment_ids = dict.fromkeys(gateway.payment_ids(since - LOOK_BACK))
    subscription_ids = in_transaction(open_session, _subscription_ids)
    subjects: list[tuple[str, Callable[[Gateway, str], Facts]]] = [
        *((found, gather_for_payment) for found in payment_ids),
        *((found, gather_for_subscription) for found in subscription_ids),
    ]
    failed = 0

    def apply(session: Session, /, *, facts: Facts, seen: Mapping[str, int]) -> str:
        occasion = Occasion(cause="reconcile", livemode=livemode, now=now(), seen=seen, adopt=adopt)
        return apply_facts(session, facts, occasion)

    for subject, gather in subjects:
        try:
            look_and_apply(
                open_session, partial(gather, gateway, subject), apply, payment_id=subject
            )
        except (GatewayUnavailable, GatewayRefused):
            raise  # Stripe itself fails us: begin anew later, from the same cursor
        except DomainError as error:
            failed += 1  # one payment that can't be booked holds up no other
            log.warning("reconcile: %s", error.message)
        step(subject)
    return Reconciled(since, "objects", len(subjects), 0, failed)


def _subscription_ids(session: Session) -> Sequence[str]:
    return session.scalars(
        select(Subscription.stripe_id).where(Subscription.status != "canceled")
    ).all()
