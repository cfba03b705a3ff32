"""The last gifts as they come, with what has become of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, ScalarSelect, cast, func, null, select
from sqlalchemy.orm import Session, aliased

from campaigns.ledger_models import LedgerEntry, Reference, ReferenceKind
from campaigns.models import Campaign, Period
from payments.models import Donation, Donor


@dataclass(frozen=True, slots=True, kw_only=True)
class LastGift:
    """A gift that was counted, in minor units of its campaign's currency.

    Refunds and disputes are what they took, zero or less. `donor` is None for who may not see
    donors, and where nobody is known.
    """

    campaign: Campaign
    paid_at: datetime
    amount_minor: int
    refunds_minor: int
    disputes_minor: int
    is_offline: bool
    is_regular: bool
    donation_id: str | None
    donor: str | None
    wants_no_name: bool

    @property
    def left_minor(self) -> int:
        """What is left of it."""
        return self.amount_minor + self.refunds_minor + self.disputes_minor


def read_last_gifts(session: Session, *, limit: int, with_donors: bool) -> Sequence[LastGift]:
    """Return the gifts that were counted last, newest first, in one query.

    In the order in which they were counted, which is that of their numbers: a gift of last month
    that is entered today is news of today. Names are read only for who may see them.
    """
    statement = (
        select(
            Campaign,
            Reference.paid_at,
            Reference.posted_minor,
            _taken(ReferenceKind.REFUND),
            _taken(ReferenceKind.DISPUTE),
            Reference.kind,
            Reference.is_regular,
            Donation.id,
            Donation.anonymous,
            func.coalesce(Donor.name, Donor.email) if with_donors else null(),
        )
        .select_from(Reference)
        .join(Period, Period.id == Reference.period_id)
        .join(Campaign, Campaign.id == Period.campaign_id)
        .outerjoin(Donation, Donation.reference == Reference.name)
        .where(Reference.gift_id.is_(None), Reference.posted_minor > 0)
        .order_by(Reference.id.desc())
        .limit(limit)
    )
    if with_donors:
        statement = statement.outerjoin(Donor, Donor.id == Donation.donor_id)
    return [
        LastGift(
            campaign=campaign,
            paid_at=paid_at,
            amount_minor=posted,
            refunds_minor=int(refunds),
            disputes_minor=int(disputes),
            is_offline=kind == ReferenceKind.OFFLINE,
            is_regular=is_regular,
            donation_id=donation_id,
            donor=donor,
            wants_no_name=bool(anonymous),
        )
        for (
            campaign,
            paid_at,
            posted,
            refunds,
            disputes,
            kind,
            is_regular,
            donation_id,
            anonymous,
            donor,
        ) in session.execute(statement)
    ]


def _taken(kind: ReferenceKind) -> ScalarSelect[int]:
    taker = aliased(Reference)
    total: ColumnElement[int] = cast(func.coalesce(func.sum(taker.posted_minor), 0), BigInteger)
    return select(total).where(taker.gift_id == Reference.id, taker.kind == kind).scalar_subquery()


def newest_entry_id(session: Session) -> int:
    """Return the number of the ledger's newest line, 0 where there is none.

    Whatever is counted, and whatever is taken from it, adds a line: a page that knows this number
    knows whether it is current, by one look at the end of an index.
    """
    return session.scalar(select(func.max(LedgerEntry.id))) or 0
