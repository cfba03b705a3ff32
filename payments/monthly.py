"""Monthly totals with what Stripe kept: the figures of `campaigns.reports`, and fees beside them.

Net is what is left of the gifts, and what donors added to cover fees, less the fees that are known
in the campaign's currency. Fees settled in another currency stand apart; none is converted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.models import Campaign, Period
from campaigns.reports import CalendarMonth, Figures, Month, Scope
from payments.fee_sums import FeeSum, read_fees
from payments.models import PeriodFee

_payments = func.sum(PeriodFee.payment_count)


@dataclass(frozen=True, slots=True)
class Totals:
    """Figures in one currency, and the fees of their payments by currency of settlement."""

    currency: str
    figures: Figures
    fees: Mapping[str, FeeSum] = field(default_factory=dict)

    @property
    def fee_minor(self) -> int:
        """What Stripe kept, as far as that is known, in the currency of the figures."""
        known = self.fees.get(self.currency)
        return known.minor if known else 0

    @property
    def fee_payments(self) -> int:
        """Of how many payments the fee is known, in whatever currency."""
        return sum(fee.payments for fee in self.fees.values())

    @property
    def other_fees(self) -> Mapping[str, FeeSum]:
        """What Stripe kept in other currencies."""
        return {code: fee for code, fee in self.fees.items() if code != self.currency}

    @property
    def net_minor(self) -> int:
        """What remains: raised and covered, less the fees that are known in this currency."""
        return self.figures.raised_minor + self.figures.cover_minor - self.fee_minor

    def __add__(self, other: Totals) -> Totals:
        if self.currency != other.currency:
            raise ValueError("Amounts of two currencies are never added.")
        return Totals(
            self.currency, self.figures + other.figures, _added(self.fees, other.fees, sign=1)
        )

    def __sub__(self, other: Totals) -> Totals:
        if self.currency != other.currency:
            raise ValueError("Amounts of two currencies are never subtracted.")
        return Totals(
            self.currency, self.figures - other.figures, _added(self.fees, other.fees, sign=-1)
        )


def _added(
    fees: Mapping[str, FeeSum], others: Mapping[str, FeeSum], *, sign: int
) -> Mapping[str, FeeSum]:
    found = dict(fees)
    for code, fee in others.items():
        before = found.get(code, FeeSum(0, 0))
        found[code] = FeeSum(before.minor + sign * fee.minor, before.payments + sign * fee.payments)
    return {code: fee for code, fee in found.items() if fee.payments}


def totals_of(session: Session, campaign: Campaign, months: Sequence[Month]) -> dict[int, Totals]:
    """Return the totals of a campaign's periods by their numbers, in one query."""
    fees = read_fees(session, [month.period_id for month in months])
    return {
        month.period_id: Totals(campaign.currency, month.figures, fees.get(month.period_id, {}))
        for month in months
    }


def calendar_totals(
    session: Session, scope: Scope, months: Sequence[CalendarMonth]
) -> dict[str, Totals]:
    """Return the totals of what `campaigns.reports.read_calendar` found, by key, in one query."""
    month = func.substr(Period.key, 1, 7)
    rows = session.execute(
        select(month, PeriodFee.currency, func.sum(PeriodFee.fee_minor), _payments)
        .select_from(PeriodFee)
        .join(Period, Period.id == PeriodFee.period_id)
        .join(Campaign, Campaign.id == Period.campaign_id)
        .where(*scope.conditions())
        .group_by(month, PeriodFee.currency)
    )
    fees: dict[str, dict[str, FeeSum]] = {}
    for key, settled_in, minor, payments in rows:
        if payments:
            fees.setdefault(key, {})[settled_in] = FeeSum(int(minor), int(payments))
    return {one.key: Totals(scope.currency, one.figures, fees.get(one.key, {})) for one in months}


def campaign_totals(
    session: Session, scope: Scope, rows: Sequence[tuple[Campaign, Figures]]
) -> dict[int, Totals]:
    """Return the totals of what `campaigns.reports.read_by_campaign` found, in one query."""
    fees: dict[int, dict[str, FeeSum]] = {}
    found = session.execute(
        select(Period.campaign_id, PeriodFee.currency, func.sum(PeriodFee.fee_minor), _payments)
        .select_from(PeriodFee)
        .join(Period, Period.id == PeriodFee.period_id)
        .join(Campaign, Campaign.id == Period.campaign_id)
        .where(*scope.conditions(), Period.campaign_id.in_([one.id for one, _ in rows]))
        .group_by(Period.campaign_id, PeriodFee.currency)
    )
    for campaign_id, settled_in, minor, payments in found:
        if payments:
            fees.setdefault(campaign_id, {})[settled_in] = FeeSum(int(minor), int(payments))
    return {
        campaign.id: Totals(scope.currency, figures, fees.get(campaign.id, {}))
        for campaign, figures in rows
    }


def scope_totals(session: Session, scope: Scope, figures: Figures) -> Totals:
    """Return figures of a scope with the fees of its payments, in one query."""
    rows = session.execute(
        select(PeriodFee.currency, func.sum(PeriodFee.fee_minor), _payments)
        .where(PeriodFee.period_id.in_(scope.period_ids()))
        .group_by(PeriodFee.currency)
    )
    fees = {code: FeeSum(int(minor), int(count)) for code, minor, count in rows if count}
    return Totals(scope.currency, figures, fees)
