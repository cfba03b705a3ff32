"""The ledger's entries as an export has them, in the order in which they were posted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from campaigns.ledger_models import LedgerEntry, Reference
from campaigns.models import Campaign, Period
from core.paging import Stretch
from core.sheets import Amount, Column, Kind, Row, Sheet
from core.zones import load_zone
from payments.export_filters import Export
from payments.export_rows import Source
from payments.models import Donation

_gift = aliased(Reference)

SHEET = Sheet(
    "Entries",
    (
        Column("id", "Entry", Kind.NUMBER, width=10),
        Column("campaign", "Campaign", width=20),
        Column("period", "Period", width=11),
        Column("reference", "Reference", width=32),
        Column("reference_kind", "Kind of reference", width=16),
        Column("sequence", "Its entry number", Kind.NUMBER, width=10),
        Column("kind", "Counts as", width=10),
        Column("amount", "Amount", Kind.MONEY),
        Column("currency", "Currency", width=9),
        Column("paid_at", "Gift paid", Kind.INSTANT, width=21),
        Column("posted_at", "Posted", Kind.INSTANT, width=21),
        Column("timezone", "Zone", width=18),
        Column("after_close", "After the close", Kind.FLAG, width=10),
        Column("cause", "Cause", width=32),
        Column("gift", "Takes from the gift", width=32),
        Column("donation", "Donation", width=38),
    ),
)


def _row(found: Any) -> Row:
    zone = load_zone(found.timezone)
    return (
        found.id,
        found.slug,
        found.period,
        found.reference,
        found.reference_kind,
        found.sequence,
        found.kind,
        Amount(found.amount_minor, found.currency),
        found.currency,
        found.paid_at.astimezone(zone),
        found.posted_at.astimezone(zone),
        found.timezone,
        found.after_close,
        found.cause,
        found.gift,
        found.donation_id,
    )


def _stretch(session: Session, export: Export, _now: datetime) -> Stretch:
    ends = select(func.min(LedgerEntry.id), func.max(LedgerEntry.id))
    if export.period is not None:
        # A period's entries lie together, and an index knows where: the rest is not gone through.
        found = select(Period.id).where(Period.key == export.period)
        ends = ends.where(LedgerEntry.period_id.in_(found))
    first, last = session.execute(ends).one()
    return Stretch(
        key=(LedgerEntry.id,), after=((first or 0) - 1,), end=LedgerEntry.id <= (last or 0)
    )


ENTRIES = Source(
    stretch=_stretch,
    instant=LedgerEntry.paid_at,
    select=select(
        LedgerEntry.id,
        Campaign.slug,
        Campaign.currency,
        Campaign.timezone,
        Period.key.label("period"),
        Reference.name.label("reference"),
        Reference.kind.label("reference_kind"),
        LedgerEntry.sequence,
        LedgerEntry.kind,
        LedgerEntry.amount_minor,
        LedgerEntry.paid_at,
        LedgerEntry.posted_at,
        LedgerEntry.after_close,
        LedgerEntry.cause,
        _gift.name.label("gift"),
        Donation.id.label("donation_id"),
    )
    .join(Reference, Reference.id == LedgerEntry.reference_id)
    .join(Period, Period.id == LedgerEntry.period_id)
    .join(Campaign, Campaign.id == Period.campaign_id)
    .outerjoin(_gift, _gift.id == Reference.gift_id)
    .outerjoin(Donation, Donation.reference == func.coalesce(_gift.name, Reference.name)),
    count=select(func.count())
    .select_from(LedgerEntry)
    .join(Period, Period.id == LedgerEntry.period_id)
    .join(Campaign, Campaign.id == Period.campaign_id),
    sheet=SHEET,
    row=_row,
)
