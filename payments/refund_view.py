"""What pages tell of refunds: what may be given back of a donation, and what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, true, tuple_
from sqlalchemy.orm import Session, aliased

from campaigns.ledger_models import Reference
from campaigns.models import Campaign, Period
from payments.errors import DonationNotFound
from payments.models import Donation, DonationState, Donor, QuarantinedPayment
from payments.refund_models import RefundRequest, RefundRequestState
from payments.refunding import (
    list_refund_requests,
    refund_form_token,
    refund_hindrance,
    refundable_minor,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundView:
    """A donation before somebody gives it back, and what that would do."""

    donation: Donation
    campaign: Campaign
    email: str | None
    # Why it can't be given back from here; None where it can.
    hindrance: str | None
    left_minor: int
    # What of that is on the bar; the rest was given to cover fees.
    left_on_bar_minor: int
    period: Period | None
    form_token: str
    requests: Sequence[RefundRequest]

    @property
    def is_offline(self) -> bool:
        """Whether it came without Stripe."""
        return (self.donation.reference or "").startswith("offline:")

    def fall_minor(self, amount_minor: int) -> int:
        """Return by how much its period falls where so much is given back: covers go last."""
        return min(amount_minor, self.left_on_bar_minor)


def read_refund_view(session: Session, donation_id: str) -> RefundView:
    """Return what a page needs before a donation is given back; raise DonationNotFound."""
    # Outer joins, which the types of a Select don't know.
    statement: Select[*tuple[Any, ...]] = (
        select(Donation, Campaign, Donor.email, Reference, Period)
        .join(Campaign, Campaign.id == Donation.campaign_id)
        .outerjoin(Donor, Donor.id == Donation.donor_id)
        .outerjoin(Reference, Reference.name == Donation.reference)
        .outerjoin(Period, Period.id == Reference.period_id)
        .where(Donation.id == donation_id)
    )
    found = session.execute(statement).one_or_none()
    if found is None:
        raise DonationNotFound
    donation, campaign, email, gift, period = found
    left_minor = refundable_minor(session, donation)
    reference = donation.reference or ""
    return RefundView(
        donation=donation,
        campaign=campaign,
        email=email,
        hindrance=refund_hindrance(session, donation),
        left_minor=left_minor,
        left_on_bar_minor=max(0, left_minor - (gift.cover_stated_minor if gift else 0)),
        period=period,
        form_token=refund_form_token(session, reference),
        requests=list_refund_requests(session, reference) if reference else (),
    )


def held_payment_of(session: Session, donation: Donation) -> str | None:
    """Return the payment in quarantine that a donation waits for; None where it waits for none."""
    if donation.state != DonationState.QUARANTINED or donation.reference is not None:
        return None
    return session.scalars(
        select(QuarantinedPayment.reference).where(QuarantinedPayment.donation_id == donation.id)
    ).first()


class Which(StrEnum):
    """Which requests are asked for."""

    OPEN = "open"  # those that somebody may have to look after
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRequest:
    """A request with the campaign of its donation; money that was held has neither."""

    request: RefundRequest
    campaign: Campaign | None


def list_requests(
    session: Session,
    which: Which = Which.OPEN,
    *,
    after: tuple[datetime, str] | None = None,
    limit: int,
) -> Sequence[ListedRequest]:
    """Return requests, the newest first; `after` is the time and id of the last one before.

    Open are those that wait, and those of which nothing went back, unless somebody has asked anew
    for the same payment since.
    """
    statement: Select[*tuple[Any, ...]] = (
        select(RefundRequest, Campaign)
        .outerjoin(Donation, Donation.id == RefundRequest.donation_id)
        .outerjoin(Campaign, Campaign.id == Donation.campaign_id)
        .where(_is_open() if which is Which.OPEN else true())
        .order_by(RefundRequest.requested_at.desc(), RefundRequest.id.desc())
        .limit(limit)
    )
    if after is not None:
        place = tuple_(RefundRequest.requested_at, RefundRequest.id)
        statement = statement.where(place < after)
    return [
        ListedRequest(request=request, campaign=campaign)
        for request, campaign in session.execute(statement)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnansweredRefunds:
    """How many requests wait for Stripe's answer, and how many are asked for no more."""

    waiting: int
    given_up: int


def read_unanswered(session: Session) -> UnansweredRefunds:
    """Count the requests without an answer: few, and found by an index."""
    next_attempts = session.scalars(
        select(RefundRequest.next_attempt_at).where(
            RefundRequest.state == RefundRequestState.WAITING
        )
    ).all()
    given_up = sum(1 for at in next_attempts if at is None)
    return UnansweredRefunds(waiting=len(next_attempts) - given_up, given_up=given_up)


def _is_open() -> ColumnElement[bool]:
    later = aliased(RefundRequest)
    asked_anew = exists().where(
        later.reference == RefundRequest.reference,
        later.requested_at > RefundRequest.requested_at,
    )
    gave_nothing = or_(
        RefundRequest.state == RefundRequestState.REFUSED,
        RefundRequest.refund_status.in_(["failed", "canceled"]),
    )
    return or_(RefundRequest.state == RefundRequestState.WAITING, and_(gave_nothing, ~asked_anew))
