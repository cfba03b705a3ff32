"""What Stripe kept of each period's payments: sums that follow the donations, and their audit.

A fee is known some time after its payment, in the currency in which Stripe settles; until then it
is unknown, which is not the same as zero. These are the fees of payments: what Stripe takes for a
dispute stands in its payouts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from campaigns.audit import Audit, Difference, verify_ledger
from campaigns.ledger_models import Reference
from campaigns.models import Campaign, Period
from core.db import insert_if_absent
from payments.models import Donation, PeriodFee


@dataclass(frozen=True, slots=True)
class Fee:
    """What Stripe kept of one payment, in minor units of the currency of settlement."""

    minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class FeeSum:
    """What Stripe kept of so many payments whose fees are known."""

    minor: int
    payments: int


def fee_of(donation: Donation) -> Fee | None:
    """Return what is known of a donation's fee, None where nothing is."""
    if donation.fee_minor is None or donation.settlement_currency is None:
        return None
    return Fee(donation.fee_minor, donation.settlement_currency)


def move_fee(session: Session, reference: str, before: Fee | None, after: Fee | None) -> None:
    """Bring the period's sums along with what became known of a payment's fee. Safe to repeat."""
    if before == after:
        return
    period_id = session.scalars(
        select(Reference.period_id).where(Reference.name == reference)
    ).one()
    for fee, sign in ((before, -1), (after, 1)):
        if fee is not None:
            _move(session, period_id, fee, sign)


def _move(session: Session, period_id: int, fee: Fee, sign: int) -> None:
    key = {"period_id": period_id, "currency": fee.currency}
    insert_if_absent(session, PeriodFee, key, unique=tuple(key))
    session.execute(
        update(PeriodFee)
        .where(PeriodFee.period_id == period_id, PeriodFee.currency == fee.currency)
        .values(
            fee_minor=PeriodFee.fee_minor + sign * fee.minor,
            payment_count=PeriodFee.payment_count + sign,
        )
        .execution_options(synchronize_session=False)
    )


def read_fees(session: Session, period_ids: Collection[int]) -> Mapping[int, Mapping[str, FeeSum]]:
    """Return what is known of these periods' fees, by currency of settlement."""
    found: dict[int, dict[str, FeeSum]] = {}
    for row in session.scalars(select(PeriodFee).where(PeriodFee.period_id.in_(period_ids))):
        if row.payment_count:
            by_currency = found.setdefault(row.period_id, {})
            by_currency[row.currency] = FeeSum(row.fee_minor, row.payment_count)
    return found


def verify_books(session: Session) -> Audit:
    """Verify the ledger, and the fees beside it; see `campaigns.audit.verify_ledger`."""
    ledger = verify_ledger(session)
    return Audit(
        entries=ledger.entries,
        periods=ledger.periods,
        differences=(*ledger.differences, *_fees(session)),
    )


def _fees(session: Session) -> Iterator[Difference]:
    recomputed = {
        (period_id, currency): (int(minor or 0), count)
        for period_id, currency, minor, count in session.execute(
            select(
                Reference.period_id,
                Donation.settlement_currency,
                func.sum(Donation.fee_minor),
                func.count(),
            )
            .join(Donation, Donation.reference == Reference.name)
            .where(Donation.fee_minor.is_not(None), Donation.settlement_currency.is_not(None))
            .group_by(Reference.period_id, Donation.settlement_currency)
        )
    }
    rows = session.execute(
        select(Campaign.slug, Period.key, PeriodFee)
        .join(Period, Period.id == PeriodFee.period_id)
        .join(Campaign, Campaign.id == Period.campaign_id)
        .order_by(Campaign.slug, Period.starts_at, PeriodFee.currency)
    )
    for slug, key, row in rows:
        minor, count = recomputed.pop((row.period_id, row.currency), (0, 0))
        where = f"{slug} {key}"
        if row.fee_minor != minor:
            yield Difference(where, f"fees in {row.currency}", row.fee_minor, minor)
        if row.payment_count != count:
            yield Difference(
                where, f"payments with fees in {row.currency}", row.payment_count, count
            )
    for (period_id, currency), (minor, _) in recomputed.items():
        yield Difference(f"period {period_id}", f"fees in {currency}", 0, minor)
