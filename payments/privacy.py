"""Donors' data: all that is held on one person, its erasure, and how long the rest is kept.

The ledger (amounts, months, Stripe's ids, times) stands apart and stays, so totals and counts are
the same to the cent before and after. What Stripe keeps is Stripe's: the export names its ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, TextClause, delete, or_, select, text, update
from sqlalchemy.orm import Session

from campaigns.ledger_models import PublicName, Reference
from core.calls import OutboxCall
from core.outbox import OutboxMail, forget_old, forget_recipient
from core.sending import forget_before
from payments.donating import find_donor
from payments.errors import DonorNotFound, NotErasableYet
from payments.models import (
    ABANDONED,
    HAS_BODY,
    HAS_WORDS,
    OVER,
    Donation,
    Donor,
    InboxEvent,
    InboxState,
    Subscription,
)

_WORKED = (InboxState.DONE, InboxState.UNHANDLED)
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long personal data is kept once it is of no more use."""

    messages: timedelta
    events: timedelta
    abandoned: timedelta
    mail: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What an erasure took away, and what is left to do by hand."""

    donations: int
    mails: int
    events: int
    customer_ids: tuple[str, ...]  # at Stripe, which keeps its own


def export_donor(session: Session, email: str) -> dict[str, Any]:
    """Return all that is held on the person of this address; raise DonorNotFound."""
    donor = _donor(session, email)
    return {
        "donor": {
            "email": donor.email,
            "name": donor.name,
            "since": _text(donor.created_at),
            "stripe_customer": donor.customer_id,
        },
        "donations": [
            {
                "id": donation.id,
                "state": donation.state,
                "amount_minor": donation.amount_minor,
                "cover_minor": donation.cover_minor,
                "currency": donation.currency,
                "frequency": donation.frequency,
                "created_at": _text(donation.created_at),
                "paid_at": _text(donation.paid_at),
                "stripe_reference": donation.reference,
                "source": donation.source,
                "slot": donation.slot,
                "anonymous": donation.anonymous,
                "public_name": donation.public_name,
                "message": donation.message,
                "dedication": donation.dedication,
                "consented_to": donation.consent_text,
                "consented_at": _text(donation.consented_at),
                "language": donation.locale,
                "note": donation.note,
            }
            for donation in _donations(session, donor)
        ],
        "regular_gifts": [
            {
                "stripe_subscription": row.stripe_id,
                "stripe_customer": row.customer_id,
                "status": row.status,
                "amount_minor": row.amount_minor,
                "currency": row.currency,
                "interval": row.interval,
            }
            for row in _subscriptions(session, donor)
        ],
        "mails": [
            {
                "subject": mail.subject,
                "text": mail.text,
                "posted_at": _text(mail.posted_at),
                "sent_at": _text(mail.sent_at),
            }
            for mail in session.scalars(
                select(OutboxMail).where(OutboxMail.recipient == donor.email)
            )
        ],
        "stripe_events": [event.event_id for event in _events_naming(session, donor)],
    }


def erase_donor(session: Session, email: str, *, now: datetime) -> Erased:
    """Forget the person of this address; the caller commits.

    Raises DonorNotFound, and NotErasableYet while a regular gift runs, whose next payment would
    bring the person back, or while one of Stripe's events is not worked. Totals and counts stay.
    """
    donor = _donor(session, email)
    subscriptions = _subscriptions(session, donor)
    events = list(_events_naming(session, donor))
    if hindrance := _hindrance(subscriptions, events):
        raise hindrance
    for event in events:
        event.body = b""
    mails = forget_recipient(session, donor.email or "")
    donations = _donations(session, donor)
    for donation in donations:
        _forget(donation, now=now)
    references = [donation.reference for donation in donations if donation.reference]
    session.execute(
        delete(PublicName).where(
            PublicName.reference_id.in_(select(Reference.id).where(Reference.name.in_(references)))
        )
    )
    for row in subscriptions:
        row.donor_id = None
    # The row stays, empty: its number stands in the ledger as an opaque key, and SQLite would give
    # the number of a deleted row to the next person.
    donor.email = donor.name = donor.customer_id = None
    session.flush()
    return Erased(
        donations=len(donations),
        mails=mails,
        events=len(events),
        customer_ids=tuple(sorted({row.customer_id for row in subscriptions})),
    )


def hindrance_to_erase(session: Session, donor: Donor) -> NotErasableYet | None:
    """Return what `erase_donor` would raise as things stand, so that a page can say it before."""
    return _hindrance(_subscriptions(session, donor), _events_naming(session, donor))


def _hindrance(
    subscriptions: Iterable[Subscription], events: Iterable[InboxEvent]
) -> NotErasableYet | None:
    running = [row.stripe_id for row in subscriptions if row.status not in OVER]
    if running:
        return NotErasableYet(running=running)
    waiting = [event.event_id for event in events if event.state not in _WORKED]
    return NotErasableYet(waiting=waiting) if waiting else None


def tidy(session: Session, retention: Retention, *, now: datetime) -> int:
    """Take away what is older than it is to be kept, some of it a call; return how many rows.

    The caller commits, and calls again while there is something.
    """
    return (
        _clear(
            session,
            Donation,
            text(HAS_WORDS),
            Donation.created_at < now - retention.messages,
            values={"message": None, "dedication": None},
        )
        + _forget_abandoned(session, now - retention.abandoned)
        + _clear(
            session,
            InboxEvent,
            text(HAS_BODY),
            InboxEvent.state.in_(_WORKED),
            InboxEvent.received_at < now - retention.events,
            values={"body": b""},
        )
        + forget_old(session, now - retention.mail, limit=_AT_ONCE)
        + forget_before(session, OutboxCall, now - retention.mail, limit=_AT_ONCE)
    )


def _clear(
    session: Session,
    model: Any,
    *conditions: ColumnElement[bool] | TextClause,
    values: dict[str, Any],
) -> int:
    due = select(model.id).where(*conditions).limit(_AT_ONCE)
    statement = update(model).where(model.id.in_(due)).values(values).returning(model.id)
    return len(session.execute(statement).all())


def _forget_abandoned(session: Session, before: datetime) -> int:
    """Forget who went to pay and did not, and the person where there is no other gift."""
    due = session.execute(
        select(Donation.id, Donation.donor_id)
        .where(text(ABANDONED), Donation.created_at < before)
        .limit(_AT_ONCE)
    ).all()
    session.execute(
        update(Donation)
        .where(Donation.id.in_([row.id for row in due]))
        .values(donor_id=None, public_name=None, message=None, dedication=None)
    )
    used = or_(
        select(Donation.id).where(Donation.donor_id == Donor.id).exists(),
        select(Subscription.id).where(Subscription.donor_id == Donor.id).exists(),
    )
    donors = {row.donor_id for row in due if row.donor_id is not None}
    # One who was erased has no address; that number is kept for the ledger's sake.
    session.execute(delete(Donor).where(Donor.id.in_(donors), Donor.email.is_not(None), ~used))
    return len(due)


def _forget(donation: Donation, *, now: datetime) -> None:
    donation.donor_id = None
    donation.message = donation.dedication = None
    donation.consent_text = donation.consented_at = donation.locale = None
    donation.public_name = None
    donation.anonymous = True
    # So that a refund which Stripe tells of next year does not bring the person back.
    donation.erased_at = now


def _donor(session: Session, email: str) -> Donor:
    donor = find_donor(session, email)
    if donor is None:
        raise DonorNotFound
    return donor


def _donations(session: Session, donor: Donor) -> Sequence[Donation]:
    statement = select(Donation).where(Donation.donor_id == donor.id)
    return session.scalars(statement.order_by(Donation.created_at, Donation.id)).all()


def _subscriptions(session: Session, donor: Donor) -> Sequence[Subscription]:
    statement = select(Subscription).where(Subscription.donor_id == donor.id)
    return session.scalars(statement.order_by(Subscription.id)).all()


def _events_naming(session: Session, donor: Donor) -> Iterator[InboxEvent]:
    """Go through all stored events for the donor's address: rare, and there is no index for it."""
    needle = (donor.email or "").encode()
    last = 0
    while True:
        events = session.scalars(
            select(InboxEvent).where(InboxEvent.id > last).order_by(InboxEvent.id).limit(_AT_ONCE)
        ).all()
        if not events:
            return
        last = events[-1].id
        yield from (event for event in events if needle in event.body.lower())


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
