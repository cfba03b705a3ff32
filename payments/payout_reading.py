"""Reading payouts: the list, one with its lines, and what it brought each campaign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import and_, func, select, tuple_
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from payments.errors import PayoutNotFound
from payments.models import Donation, QuarantinedPayment, QuarantineState, ReconcileCursor
from payments.payout_models import BankPayout, PayoutLine
from payments.payouts import CURSOR

MOST_DIFFERING = 100
_is_held = and_(
    QuarantinedPayment.reference == PayoutLine.payment_id,
    QuarantinedPayment.state == QuarantineState.HELD,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a payout, and whose gift it is of."""

    line: PayoutLine
    slug: str | None
    campaign: str | None
    held: bool  # whether its payment waits in quarantine for a decision


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignShare:
    """What a payout brought a campaign, in the payout's currency: lines, gross, fees, net."""

    slug: str
    title: str
    count: int
    amount_minor: int
    fee_minor: int
    net_minor: int


def list_payouts(
    session: Session, *, after: tuple[str, str] | None, limit: int
) -> Sequence[BankPayout]:
    """Return payouts, those that arrive last first, from behind a day and an id on."""
    place = tuple_(BankPayout.arrives_on, BankPayout.id)
    asked = select(BankPayout).order_by(BankPayout.arrives_on.desc(), BankPayout.id.desc())
    if after is not None:
        asked = asked.where(place < after)
    return session.scalars(asked.limit(limit)).all()


def find_payout(session: Session, payout_id: str) -> BankPayout:
    """Return a payout, or raise PayoutNotFound."""
    payout = session.get(BankPayout, payout_id)
    if payout is None:
        raise PayoutNotFound
    return payout


def list_lines(session: Session, payout_id: str, *, after: int, limit: int) -> list[Line]:
    """Return lines of a payout from behind one on, the latest first."""
    found = session.execute(
        select(PayoutLine, Campaign.slug, Campaign.title, QuarantinedPayment.id)
        .outerjoin(Donation, Donation.id == PayoutLine.donation_id)
        .outerjoin(Campaign, Campaign.id == Donation.campaign_id)
        .outerjoin(QuarantinedPayment, _is_held)
        .where(PayoutLine.payout_id == payout_id, PayoutLine.id > after)
        .order_by(PayoutLine.id)
        .limit(limit)
    )
    return [
        Line(line=line, slug=slug, campaign=title, held=held is not None)
        for line, slug, title, held in found
    ]


def shares(session: Session, payout: BankPayout) -> list[CampaignShare]:
    """Return what a payout brought each campaign, by title."""
    found = session.execute(
        select(
            Campaign.slug,
            Campaign.title,
            func.count(),
            func.sum(PayoutLine.amount_minor),
            func.sum(PayoutLine.fee_minor),
            func.sum(PayoutLine.net_minor),
        )
        .join(Donation, Donation.id == PayoutLine.donation_id)
        .join(Campaign, Campaign.id == Donation.campaign_id)
        .where(PayoutLine.payout_id == payout.id, PayoutLine.currency == payout.currency)
        .group_by(Campaign.slug, Campaign.title)
        .order_by(Campaign.title, Campaign.slug)
    )
    return [
        CampaignShare(
            slug=slug,
            title=title,
            count=count,
            amount_minor=int(amount),
            fee_minor=int(fee),
            net_minor=int(net),
        )
        for slug, title, count, amount, fee, net in found
    ]


def differing_payouts(session: Session) -> Sequence[BankPayout]:
    """Return the payouts whose amount is not the sum of their lines, the latest first."""
    parts = (
        BankPayout.gifts_minor
        + BankPayout.refunds_minor
        + BankPayout.disputes_minor
        + BankPayout.fees_minor
        + BankPayout.foreign_minor
        + BankPayout.other_minor
    )
    return session.scalars(
        select(BankPayout)
        .where(BankPayout.complete_at.is_not(None), BankPayout.amount_minor != parts)
        .order_by(BankPayout.arrives_on.desc(), BankPayout.id.desc())
        .limit(MOST_DIFFERING)
    ).all()


def was_asked(session: Session) -> bool:
    """Tell whether Stripe was ever asked for its payouts."""
    return session.get(ReconcileCursor, CURSOR) is not None


def arrival(payout: BankPayout) -> date:
    """Return the day on which a payout arrives at the bank."""
    return date.fromisoformat(payout.arrives_on)
