"""Monthly totals as an export has them: each campaign's periods that have begun, in their order."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, cast, func, select
from sqlalchemy.orm import Session

from campaigns.catalog import find_campaign
from campaigns.ledger_models import PeriodPart
from campaigns.models import Campaign, Period
from campaigns.reports import SUMS, figures_of
from core.paging import Stretch
from core.sheets import Amount, Column, Kind, Row, Sheet
from core.zones import load_zone
from payments.export_filters import Export
from payments.export_rows import Source
from payments.models import PeriodFee

SHEET = Sheet(
    "Months",
    (
        Column("campaign", "Campaign", width=20),
        Column("period", "Period", width=11),
        Column("starts_at", "Begins", Kind.INSTANT, width=21),
        Column("ends_at", "Ends", Kind.INSTANT, width=21),
        Column("timezone", "Zone", width=18),
        Column("currency", "Currency", width=9),
        Column("gross", "Gross", Kind.MONEY),
        Column("refunds", "Refunds", Kind.MONEY),
        Column("disputes", "Disputes", Kind.MONEY),
        Column("raised", "Raised", Kind.MONEY),
        Column("as_closed", "Raised as closed", Kind.MONEY),
        Column("offline", "Of it offline", Kind.MONEY),
        Column("regular", "Of it regular", Kind.MONEY),
        Column("one_off", "Of it one-off", Kind.MONEY),
        Column("cover", "Covered fees", Kind.MONEY),
        Column("fees", "Stripe’s fees", Kind.MONEY),
        Column("fee_payments", "Payments with that fee", Kind.NUMBER, width=10),
        Column("other_fee_payments", "With fees in other currencies", Kind.NUMBER, width=10),
        Column("net", "Net", Kind.MONEY),
        Column("gifts", "Gifts", Kind.NUMBER, width=9),
        Column("donors", "Donors", Kind.NUMBER, width=9),
        Column("average", "Average gift", Kind.MONEY),
        Column("gifts_as_closed", "Gifts as closed", Kind.NUMBER, width=9),
        Column("donors_as_closed", "Donors as closed", Kind.NUMBER, width=9),
        Column("closed_at", "Closed", Kind.INSTANT, width=21),
    ),
)


def _of_fees(column: Any, *, own: bool) -> ColumnElement[int]:
    """Return the sum of a column of the period's fees in the campaign's currency, or in others."""
    is_own = PeriodFee.currency == Campaign.currency
    return (
        select(cast(func.coalesce(func.sum(column), 0), BigInteger))
        .where(PeriodFee.period_id == Period.id, is_own if own else ~is_own)
        .correlate(Period, Campaign)
        .scalar_subquery()
    )


def _row(found: Any) -> Row:
    zone, currency = load_zone(found.timezone), found.currency
    figures = figures_of(found[-len(SUMS) :])
    average_minor = figures.average_minor
    net_minor = figures.raised_minor + figures.cover_minor - found.fee_minor

    def money(minor: int) -> Amount:
        return Amount(minor, currency)

    return (
        found.slug,
        found.key,
        found.starts_at.astimezone(zone),
        found.ends_at.astimezone(zone),
        found.timezone,
        currency,
        money(figures.gross_minor),
        money(figures.refunds_minor),
        money(figures.disputes_minor),
        money(figures.raised_minor),
        None if found.as_closed_minor is None else money(found.as_closed_minor),
        money(figures.offline_minor),
        money(figures.regular_minor),
        money(figures.one_off_minor),
        money(figures.cover_minor),
        # Of no payment is not to say that it is zero.
        money(found.fee_minor) if found.fee_payments else None,
        found.fee_payments,
        found.other_fee_payments,
        money(net_minor),
        figures.gifts,
        found.donor_count,
        None if average_minor is None else money(average_minor),
        found.as_closed_donations,
        found.as_closed_donors,
        found.closed_at and found.closed_at.astimezone(zone),
    )


def _stretch(session: Session, export: Export, now: datetime) -> Stretch:
    has_begun = Period.starts_at <= now
    if export.slug is None:
        return Stretch(key=(Period.campaign_id, Period.starts_at), within=(has_begun,))
    campaign = find_campaign(session, export.slug, drafts=True)
    return Stretch(
        key=(Period.starts_at,), within=(Period.campaign_id == campaign.id,), end=has_begun
    )


MONTHS = Source(
    stretch=_stretch,
    instant=Period.starts_at,
    select=select(
        Campaign.slug,
        Campaign.currency,
        Campaign.timezone,
        Period.key,
        Period.starts_at,
        Period.ends_at,
        Period.donor_count,
        Period.as_closed_minor,
        Period.as_closed_donations,
        Period.as_closed_donors,
        Period.closed_at,
        _of_fees(PeriodFee.fee_minor, own=True).label("fee_minor"),
        _of_fees(PeriodFee.payment_count, own=True).label("fee_payments"),
        _of_fees(PeriodFee.payment_count, own=False).label("other_fee_payments"),
        *SUMS,
    )
    .select_from(Period)
    .join(Campaign, Campaign.id == Period.campaign_id)
    .outerjoin(PeriodPart, PeriodPart.period_id == Period.id)
    .group_by(Period.id, Campaign.id),
    count=select(func.count())
    .select_from(Period)
    .join(Campaign, Campaign.id == Period.campaign_id),
    sheet=SHEET,
    row=_row,
)
