"""What is held on one donor, as the admin shows it: gifts, regular gifts, mails, and the sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.outbox import OutboxMail
from payments.errors import DonorNotFound
from payments.models import OVER, Donation, Donor, Subscription
from payments.sums import GiftSums, read_sums

MOST_SHOWN = 100
_MOST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DonorGift:
    """A gift, and where it was meant for; no sums where the ledger has not counted it."""

    donation: Donation
    campaign: Campaign
    sums: GiftSums | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DonorRegular:
    """A regular gift: what it goes to, and whether it still runs."""

    subscription: Subscription
    campaign: Campaign

    @property
    def is_running(self) -> bool:
        """Whether more may come of it."""
        return self.subscription.status not in OVER


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyTotal:
    """All that somebody gave in one currency."""

    currency: str
    gifts: int
    sums: GiftSums


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldDonor:
    """All of a person that a page shows; of gifts and mails the newest, and how many there are."""

    donor: Donor
    totals: Sequence[CurrencyTotal]
    gifts: Sequence[DonorGift]
    gift_count: int
    regular: Sequence[DonorRegular]
    mails: Sequence[OutboxMail]
    mail_count: int


def donor_by_id(session: Session, donor_id: int) -> Donor:
    """Return a donor who was not erased; raise DonorNotFound."""
    donor = session.get(Donor, donor_id) if donor_id <= _MOST_ID else None
    if donor is None or donor.email is None:
        raise DonorNotFound
    return donor


def read_held(session: Session, donor: Donor) -> HeldDonor:
    """Return what is held on a donor, in as many queries for a hundred gifts as for one."""
    rows = session.execute(
        select(Donation, Campaign)
        .join(Campaign, Campaign.id == Donation.campaign_id)
        .where(Donation.donor_id == donor.id)
        .order_by(Donation.created_at.desc(), Donation.id)
    ).all()
    sums = read_sums(session, [row.Donation.reference for row in rows if row.Donation.reference])
    gifts = [
        DonorGift(
            donation=row.Donation,
            campaign=row.Campaign,
            sums=sums.get(row.Donation.reference or ""),
        )
        for row in rows
    ]
    regular = session.execute(
        select(Subscription, Campaign)
        .join(Campaign, Campaign.id == Subscription.campaign_id)
        .where(Subscription.donor_id == donor.id)
        .order_by(Subscription.id.desc())
    ).all()
    mails = OutboxMail.recipient == donor.email
    return HeldDonor(
        donor=donor,
        totals=_totals(gifts),
        gifts=gifts[:MOST_SHOWN],
        gift_count=len(gifts),
        regular=[
            DonorRegular(subscription=row.Subscription, campaign=row.Campaign) for row in regular
        ],
        mails=session.scalars(
            select(OutboxMail).where(mails).order_by(OutboxMail.id.desc()).limit(MOST_SHOWN)
        ).all(),
        mail_count=session.scalars(select(func.count()).select_from(OutboxMail).where(mails)).one(),
    )


def _totals(gifts: Sequence[DonorGift]) -> list[CurrencyTotal]:
    by_currency: dict[str, list[GiftSums]] = {}
    for gift in gifts:
        if gift.sums is not None:
            by_currency.setdefault(gift.donation.currency, []).append(gift.sums)
    return [
        CurrencyTotal(currency=currency, gifts=len(sums), sums=sum(sums, GiftSums()))
        for currency, sums in sorted(by_currency.items())
    ]
