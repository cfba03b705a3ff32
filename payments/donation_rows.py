"""Donations as an export has them: one campaign after another, in the order of their making.

Neither of the two ever changes, so each donation that was made before the export began is there
once, as it stood when its page was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, cast, func, select
from sqlalchemy.orm import Session, aliased

from campaigns.catalog import find_campaign
from campaigns.ledger_models import Reference, ReferenceKind
from campaigns.models import Campaign, Period
from core.paging import Stretch
from core.sheets import Amount, Cell, Column, Kind, Row, Sheet
from core.zones import load_zone
from payments.export_filters import Export
from payments.export_rows import Source
from payments.models import Donation, Donor

_COLUMNS = (
    Column("id", "Donation", width=38),
    Column("campaign", "Campaign", width=20),
    Column("period", "Period", width=11),
    Column("state", "State", width=12),
    Column("amount", "Amount", Kind.MONEY),
    Column("cover", "To cover fees", Kind.MONEY),
    Column("counted", "Left of the amount", Kind.MONEY),
    Column("cover_counted", "Left of the cover", Kind.MONEY),
    Column("currency", "Currency", width=9),
    Column("frequency", "Frequency", width=10),
    Column("recurring", "Recurring", Kind.FLAG, width=10),
    Column("channel", "Channel", width=9),
    Column("reference", "Reference", width=32),
    Column("fee", "Stripe’s fee", Kind.MONEY),
    Column("net", "Net of the fee", Kind.MONEY),
    Column("settlement_currency", "Settled in", width=10),
    Column("created_at", "Begun", Kind.INSTANT, width=21),
    Column("paid_at", "Paid", Kind.INSTANT, width=21),
    Column("timezone", "Zone", width=18),
    Column("source", "Article", width=40),
    Column("slot", "Slot", width=10),
    Column("note", "Note", width=30),
)
_PERSONAL = (
    Column("donor_name", "Donor", width=24),
    Column("donor_email", "Mail address", width=28),
    Column("anonymous", "Anonymous", Kind.FLAG, width=10),
    Column("public_name", "Shown as", width=24),
    Column("message", "Message", width=40),
    Column("dedication", "Dedication", width=30),
    Column("consent", "Agreed to", width=30),
    Column("consented_at", "Agreed", Kind.INSTANT, width=21),
    Column("language", "Language", width=9),
)
_taker = aliased(Reference)
# What refunds and disputes took, in the same statement: the figures of a row agree.
_taken_minor = (
    select(cast(func.coalesce(func.sum(_taker.posted_minor), 0), BigInteger))
    .where(_taker.gift_id == Reference.id)
    .scalar_subquery()
)


def _row(found: Any) -> tuple[Cell, ...]:
    zone = load_zone(found.timezone)
    currency, settled_in = found.currency, found.settlement_currency
    return (
        found.id,
        found.slug,
        found.period,
        found.state,
        Amount(found.amount_minor, currency),
        Amount(found.cover_minor, currency),
        Amount(found.left_minor or 0, currency),
        Amount(found.cover_left_minor or 0, currency),
        currency,
        found.frequency,
        found.subscription_id is not None or found.frequency != "once",
        "offline" if found.kind == ReferenceKind.OFFLINE else "stripe",
        found.reference,
        _settled(found.fee_minor, settled_in),
        _settled(found.net_minor, settled_in),
        settled_in,
        found.created_at.astimezone(zone),
        found.paid_at and found.paid_at.astimezone(zone),
        found.timezone,
        found.source,
        found.slot,
        found.note,
    )


def _row_with_donor(found: Any) -> Row:
    agreed_at = found.consented_at and found.consented_at.astimezone(load_zone(found.timezone))
    return (
        *_row(found),
        found.donor_name,
        found.donor_email,
        found.anonymous,
        found.public_name,
        found.message,
        found.dedication,
        found.consent_text,
        agreed_at,
        found.locale,
    )


def _settled(minor: int | None, currency: str | None) -> Amount | None:
    return None if minor is None or currency is None else Amount(minor, currency)


def _stretch(session: Session, export: Export, now: datetime) -> Stretch:
    begun = (Donation.created_at, Donation.id)
    is_made = Donation.created_at <= now
    if export.slug is None:
        return Stretch(key=(Donation.campaign_id, *begun), within=(is_made,))
    campaign = find_campaign(session, export.slug, drafts=True)
    return Stretch(key=begun, within=(Donation.campaign_id == campaign.id,), end=is_made)


def _more(export: Export) -> Sequence[ColumnElement[bool]]:
    return () if export.state is None else (Donation.state == export.state,)


DONATIONS = Source(
    stretch=_stretch,
    instant=func.coalesce(Donation.paid_at, Donation.created_at),
    select=select(
        Donation.id,
        Campaign.slug,
        Campaign.timezone,
        Period.key.label("period"),
        Donation.state,
        Donation.amount_minor,
        Donation.cover_minor,
        (Reference.posted_minor + _taken_minor).label("left_minor"),
        Reference.cover_posted_minor.label("cover_left_minor"),
        Donation.currency,
        Donation.frequency,
        Donation.subscription_id,
        Reference.kind,
        Donation.reference,
        Donation.fee_minor,
        Donation.net_minor,
        Donation.settlement_currency,
        Donation.created_at,
        Donation.paid_at,
        Donation.source,
        Donation.slot,
        Donation.note,
    )
    .join(Campaign, Campaign.id == Donation.campaign_id)
    .outerjoin(Reference, Reference.name == Donation.reference)
    .outerjoin(Period, Period.id == Reference.period_id),
    count=select(func.count())
    .select_from(Donation)
    .join(Campaign, Campaign.id == Donation.campaign_id)
    .outerjoin(Reference, Reference.name == Donation.reference)
    .outerjoin(Period, Period.id == Reference.period_id),
    sheet=Sheet("Donations", _COLUMNS),
    row=_row,
    more=_more,
)
# Who may not see donors has none of this read for them.
DONATIONS_WITH_DONORS = replace(
    DONATIONS,
    select=DONATIONS.select.add_columns(
        Donor.name.label("donor_name"),
        Donor.email.label("donor_email"),
        Donation.anonymous,
        Donation.public_name,
        Donation.message,
        Donation.dedication,
        Donation.consent_text,
        Donation.consented_at,
        Donation.locale,
    ).outerjoin(Donor, Donor.id == Donation.donor_id),
    sheet=Sheet("Donations", _COLUMNS + _PERSONAL),
    row=_row_with_donor,
)
