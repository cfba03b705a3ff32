"""The ledger's entries behind a number, and their sum.

What narrows a report narrows the entries, so that whoever doubts a figure can go through the lines
that it was added up from. The sum of a selection comes from the parts that the ledger keeps (see
`campaigns.parts`), and costs the same at ten entries and at ten million.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from campaigns.ledger_models import (
    GIFT_KINDS,
    EntryKind,
    LedgerEntry,
    PeriodPart,
    Place,
    Reference,
    ReferenceKind,
)
from campaigns.models import Campaign, Period
from campaigns.reports import SUMS, Figures, effect_of, figures_of

_gift = aliased(Reference)


class Counting(StrEnum):
    """Which entries are asked for, by the figure that they add to."""

    GIFT = "gift"
    REFUND = "refund"
    DISPUTE = "dispute"
    COVER = "cover"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """Which entries; None does not narrow them.

    Without a `kind` they are those that the bar counts: gifts, and what takes from them. `month`
    is the key of a period, or the beginning of keys: `2021` is all that began in that year. Of an
    article, a slot and a site the empty name is the unknown; gifts without Stripe came from none.
    """

    campaign_id: int | None = None
    currency: str | None = None
    month: str | None = None
    kind: Counting | None = None
    offline: bool | None = None
    regular: bool | None = None
    article: str | None = None
    slot: str | None = None
    site: str | None = None
    after_close: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEntry:
    """An entry with what it belongs to; `gift` is the reference of the gift that it changes."""

    id: int
    amount_minor: int
    kind: EntryKind
    reference: str
    reference_kind: ReferenceKind
    gift: str
    is_regular: bool
    period_key: str
    campaign: Campaign
    paid_at: datetime
    posted_at: datetime
    after_close: bool
    cause: str


def figure_of(figures: Figures, kind: Counting | None) -> int:
    """Return the sum, in minor units, of the entries of that kind."""
    return {
        None: figures.raised_minor,
        Counting.GIFT: figures.gross_minor,
        Counting.REFUND: figures.refunds_minor,
        Counting.DISPUTE: figures.disputes_minor,
        Counting.COVER: figures.cover_minor,
        Counting.ALL: figures.raised_minor + figures.cover_minor,
    }[kind]


def list_entries(
    session: Session, wanted: EntryFilter, *, before_id: int | None = None, limit: int
) -> Sequence[ListedEntry]:
    """Return entries, the last written first; `before_id` is the last one of the page before."""
    period_ids = session.scalars(_periods(session, wanted)).all()
    if not period_ids:
        return []  # all entries would be gone through for it
    statement = (
        select(LedgerEntry, Reference, Period.key, Campaign, _gift.name)
        .join(Reference, Reference.id == LedgerEntry.reference_id)
        .join(Period, Period.id == LedgerEntry.period_id)
        .join(Campaign, Campaign.id == Period.campaign_id)
        .outerjoin(_gift, _gift.id == Reference.gift_id)
        .where(LedgerEntry.period_id.in_(period_ids), *_entry_conditions(wanted))
        .order_by(LedgerEntry.id.desc())
        .limit(limit)
    )
    if before_id is not None:
        statement = statement.where(LedgerEntry.id < before_id)
    return [
        ListedEntry(
            id=entry.id,
            amount_minor=entry.amount_minor,
            kind=EntryKind(entry.kind),
            reference=reference.name,
            reference_kind=ReferenceKind(reference.kind),
            gift=gift or reference.name,
            is_regular=reference.is_regular,
            period_key=key,
            campaign=campaign,
            paid_at=entry.paid_at,
            posted_at=entry.posted_at,
            after_close=entry.after_close,
            cause=entry.cause,
        )
        for entry, reference, key, campaign, gift in session.execute(statement)
    ]


def sum_entries(session: Session, wanted: EntryFilter) -> dict[str, Figures]:
    """Return the figures of a selection by currency; a currency without any is left out.

    They are those of all kinds: `figure_of` picks one. Gifts after a close are not counted, nor
    are offline and regular ones told apart there: see `campaigns.reports.read_since_close`.
    """
    if wanted.after_close:
        return _sum_late(session, replace(wanted, kind=Counting.ALL))
    rows = session.execute(
        select(Campaign.currency, *SUMS)
        .select_from(PeriodPart)
        .join(Period, Period.id == PeriodPart.period_id)
        .join(Campaign, Campaign.id == Period.campaign_id)
        .outerjoin(Place, Place.id == PeriodPart.place_id)
        .where(*_part_conditions(session, wanted))
        .group_by(Campaign.currency)
        .order_by(Campaign.currency)
    )
    return {row[0]: figures_of(row[1:]) for row in rows}


def _sum_late(session: Session, wanted: EntryFilter) -> dict[str, Figures]:
    rows = session.execute(
        select(
            Campaign.currency,
            Reference.kind,
            LedgerEntry.kind,
            func.sum(LedgerEntry.amount_minor),
        )
        .select_from(LedgerEntry)
        .join(Reference, Reference.id == LedgerEntry.reference_id)
        .join(Period, Period.id == LedgerEntry.period_id)
        .join(Campaign, Campaign.id == Period.campaign_id)
        .outerjoin(_gift, _gift.id == Reference.gift_id)
        .where(LedgerEntry.period_id.in_(_periods(session, wanted)), *_entry_conditions(wanted))
        .group_by(Campaign.currency, Reference.kind, LedgerEntry.kind)
        .order_by(Campaign.currency)
    )
    found: dict[str, Figures] = {}
    for currency, reference_kind, entry_kind, amount in rows:
        effect = effect_of(ReferenceKind(reference_kind), EntryKind(entry_kind), int(amount))
        found[currency] = found.get(currency, Figures()) + effect
    return found


def _entry_conditions(wanted: EntryFilter) -> list[ColumnElement[bool]]:
    conditions = _kinds(wanted.kind)
    if wanted.after_close:
        # In the very words of the index of those alone.
        conditions.append(and_(LedgerEntry.after_close))
    offline = _offline(wanted)
    if offline is not None:
        is_offline = or_(
            Reference.kind == ReferenceKind.OFFLINE,
            func.coalesce(_gift.kind, "") == ReferenceKind.OFFLINE,
        )
        conditions.append(is_offline if offline else ~is_offline)
    if wanted.regular is not None:
        conditions.append(Reference.is_regular.is_(wanted.regular))
    return [*conditions, *_at_places(wanted)]


def _kinds(kind: Counting | None) -> list[ColumnElement[bool]]:
    if kind is Counting.ALL:
        return []
    if kind is Counting.COVER:
        return [LedgerEntry.kind == EntryKind.COVER]
    conditions: list[ColumnElement[bool]] = [LedgerEntry.kind == EntryKind.GIFT]
    if kind is Counting.GIFT:
        conditions.append(Reference.kind.in_(GIFT_KINDS))
    elif kind is not None:
        # In the very words of the index of those alone.
        conditions += [Reference.kind == kind.value, Reference.gift_id.is_not(None)]
    return conditions


def _periods(session: Session, wanted: EntryFilter) -> Select[int]:
    """Return the query of the periods in which there is anything of the kind: not all are read."""
    return (
        select(PeriodPart.period_id)
        .join(Period, Period.id == PeriodPart.period_id)
        .join(Campaign, Campaign.id == Period.campaign_id)
        .outerjoin(Place, Place.id == PeriodPart.place_id)
        .where(*_part_conditions(session, wanted))
        .distinct()
    )


def _part_conditions(session: Session, wanted: EntryFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.campaign_id is not None:
        conditions.append(Period.campaign_id == wanted.campaign_id)
    if wanted.currency is not None:
        conditions.append(Campaign.currency == wanted.currency)
    if wanted.month is not None:
        conditions.append(_in_month(session, wanted.campaign_id, wanted.month))
    offline = _offline(wanted)
    if offline is not None:
        conditions.append(PeriodPart.is_offline.is_(offline))
    if wanted.regular is not None:
        conditions.append(PeriodPart.is_regular.is_(wanted.regular))
    conditions.extend(func.coalesce(column, "") == name for column, name in _named(wanted))
    return conditions


def _in_month(session: Session, campaign_id: int | None, month: str) -> ColumnElement[bool]:
    """Return the condition that a period is the one of that key, or began in that span.

    A campaign whose cadence changed may have 2021-05 and 2021-05-15: the one named is meant.
    """
    if campaign_id is not None:
        named = select(Period.id).where(Period.campaign_id == campaign_id, Period.key == month)
        if (found := session.scalars(named).one_or_none()) is not None:
            return Period.id == found
    return func.substr(Period.key, 1, len(month)) == month


def _offline(wanted: EntryFilter) -> bool | None:
    # What came without Stripe came from no page: an unknown article is not its.
    return False if wanted.offline is None and _named(wanted) else wanted.offline


def _named(wanted: EntryFilter) -> list[tuple[InstrumentedAttribute[str], str]]:
    columns = ((Place.source, wanted.article), (Place.slot, wanted.slot), (Place.site, wanted.site))
    return [(column, name) for column, name in columns if name is not None]


def _at_places(wanted: EntryFilter) -> list[ColumnElement[bool]]:
    named = _named(wanted)
    if not named:
        return []
    found = Reference.place_id.in_(
        select(Place.id).where(*(column == name for column, name in named))
    )
    # 0 is nowhere that we know of, and no row.
    return [or_(found, Reference.place_id == 0) if not any(name for _, name in named) else found]
