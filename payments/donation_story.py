"""The whole story of one donation: what it is, what Stripe told of it, and what it changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from campaigns.ledger_models import LedgerEntry, Reference
from campaigns.models import Campaign
from core.outbox import OutboxMail
from payments.donation_list import FoundDonation, find_one
from payments.errors import DonationNotFound
from payments.models import InboxEvent, Subscription
from payments.refund_models import RefundRequest
from payments.refunding import list_refund_requests, refund_hindrance

_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A donation and everything that is kept of it, each list in the order of time."""

    found: FoundDonation
    subscription: Subscription | None
    entries: Sequence[tuple[LedgerEntry, Reference]]
    events: Sequence[InboxEvent]
    mails: Sequence[OutboxMail]
    refunds: Sequence[RefundRequest]
    # Why it can't be given back from here; None where it can.
    hindrance: str | None

    @property
    def campaign(self) -> Campaign:
        """The campaign that it was given to."""
        return self.found.campaign

    @property
    def is_offline(self) -> bool:
        """Whether it came without Stripe."""
        return (self.found.donation.reference or "").startswith("offline:")


def read_story(session: Session, donation_id: str) -> Story:
    """Return the story of a donation; raise DonationNotFound."""
    found = find_one(session, donation_id)
    if found is None:
        raise DonationNotFound
    donation = found.donation
    entries = _entries(session, donation.reference)
    names = {donation.reference, donation.checkout_session_id}
    names |= {reference.name for _, reference in entries}
    causes = {entry.cause for entry, _ in entries}
    events = session.scalars(
        select(InboxEvent)
        .where(
            or_(
                InboxEvent.object_id.in_([name for name in names if name]),
                InboxEvent.event_id.in_(causes),
            )
        )
        .order_by(InboxEvent.occurred_at, InboxEvent.id)
        .limit(_MOST)
    ).all()
    mails = session.scalars(
        select(OutboxMail).where(OutboxMail.key == f"thanks:{donation.id}")
    ).all()
    return Story(
        found=found,
        subscription=(
            session.get(Subscription, donation.subscription_id)
            if donation.subscription_id
            else None
        ),
        entries=entries,
        events=events,
        mails=mails,
        refunds=list_refund_requests(session, donation.reference) if donation.reference else (),
        hindrance=refund_hindrance(session, donation),
    )


def _entries(session: Session, reference: str | None) -> Sequence[tuple[LedgerEntry, Reference]]:
    gift = select(Reference.id).where(Reference.name == reference).scalar_subquery()
    rows = session.execute(
        select(LedgerEntry, Reference)
        .join(Reference, Reference.id == LedgerEntry.reference_id)
        .where(or_(Reference.id == gift, Reference.gift_id == gift))
        .order_by(LedgerEntry.id)
        .limit(_MOST)
    )
    return [(entry, of) for entry, of in rows]
