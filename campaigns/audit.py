"""Holding the maintained totals against the ledger's entries, which alone are the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session, aliased

from campaigns.ledger_models import (
    EntryKind,
    LedgerEntry,
    PeriodDonor,
    PeriodPart,
    Reference,
    ReferenceKind,
)
from campaigns.models import Campaign, Period

_OF_GIFTS = LedgerEntry.kind == EntryKind.GIFT
_OF_COVERS = LedgerEntry.kind == EntryKind.COVER


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that does not follow from the entries."""

    where: str
    figure: str
    kept: int
    recomputed: int

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.figure} is kept as {self.kept}, the entries say {self.recomputed}"
        )


@dataclass(frozen=True, slots=True)
class Audit:
    """What a verification looked at and found."""

    entries: int
    periods: int
    differences: tuple[Difference, ...]


def verify_ledger(session: Session) -> Audit:
    """Recompute every total and count from the entries and name whatever differs.

    Reads only; needs one snapshot to be exact, so call it first in a transaction.
    """
    differences = (
        *_references(session),
        *_period_totals(session),
        *_gifts_below_zero(session),
        *_covers(session),
        *_closed_periods(session),
        *_parts(session),
    )
    return Audit(
        entries=session.scalar(select(func.count()).select_from(LedgerEntry)) or 0,
        periods=session.scalar(select(func.count()).select_from(Period)) or 0,
        differences=differences,
    )


def _references(session: Session) -> Iterator[Difference]:
    total = func.coalesce(func.sum(LedgerEntry.amount_minor).filter(_OF_GIFTS), 0)
    cover = func.coalesce(func.sum(LedgerEntry.amount_minor).filter(_OF_COVERS), 0)
    last = func.coalesce(func.max(LedgerEntry.sequence), 0)
    count = func.count(LedgerEntry.id)
    statement = (
        select(Reference, total, cover, count, last)
        .outerjoin(LedgerEntry, LedgerEntry.reference_id == Reference.id)
        .group_by(Reference.id)
        .having(
            (total != Reference.posted_minor)
            | (cover != Reference.cover_posted_minor)
            | (count != Reference.entry_count)
            | (last != Reference.entry_count)
        )
        .order_by(Reference.id)
    )
    for row, posted, covered, entries, sequence in session.execute(statement):
        figures = (
            ("posted_minor", row.posted_minor, int(posted)),
            ("cover_posted_minor", row.cover_posted_minor, int(covered)),
            ("entry_count", row.entry_count, entries),
            ("last sequence", row.entry_count, sequence),
        )
        for figure, was, should in figures:
            if was != should:
                yield Difference(row.name, figure, was, should)


def _period_totals(session: Session) -> Iterator[Difference]:
    reduction, gift = aliased(Reference), aliased(Reference)
    taken = (
        select(reduction.gift_id, func.sum(reduction.posted_minor).label("minor"))
        .where(reduction.gift_id.is_not(None))
        .group_by(reduction.gift_id)
        .subquery()
    )
    counted = (
        select(
            gift.period_id,
            func.count().label("donations"),
            func.count(gift.donor_key.distinct()).label("donors"),
        )
        .outerjoin(taken, taken.c.gift_id == gift.id)
        .where(gift.gift_id.is_(None), gift.posted_minor + func.coalesce(taken.c.minor, 0) > 0)
        .group_by(gift.period_id)
        .subquery()
    )
    amount = func.sum(LedgerEntry.amount_minor)
    raised = (
        select(
            LedgerEntry.period_id,
            amount.filter(_OF_GIFTS).label("minor"),
            amount.filter(_OF_COVERS).label("cover_minor"),
        )
        .group_by(LedgerEntry.period_id)
        .subquery()
    )
    listed = (
        select(PeriodDonor.period_id, func.count().label("donors"))
        .where(PeriodDonor.donation_count > 0)
        .group_by(PeriodDonor.period_id)
        .subquery()
    )
    statement = (
        select(
            Campaign.slug,
            Period,
            func.coalesce(raised.c.minor, 0),
            func.coalesce(raised.c.cover_minor, 0),
            func.coalesce(counted.c.donations, 0),
            func.coalesce(counted.c.donors, 0),
            func.coalesce(listed.c.donors, 0),
        )
        .join(Campaign, Campaign.id == Period.campaign_id)
        .outerjoin(raised, raised.c.period_id == Period.id)
        .outerjoin(counted, counted.c.period_id == Period.id)
        .outerjoin(listed, listed.c.period_id == Period.id)
        .order_by(Campaign.slug, Period.starts_at)
    )
    return _compare(session, statement)


def _compare(session: Session, statement: Select[*tuple[Any, ...]]) -> Iterator[Difference]:
    for row in session.execute(statement):
        slug, period, *recomputed = row
        kept = (
            ("raised_minor", period.raised_minor),
            ("cover_minor", period.cover_minor),
            ("donation_count", period.donation_count),
            ("donor_count", period.donor_count),
            ("listed donors", period.donor_count),
        )
        for (figure, was), should in zip(kept, recomputed, strict=True):
            if was != should:
                yield Difference(f"{slug} {period.key}", figure, was, int(should))


def _gifts_below_zero(session: Session) -> Iterator[Difference]:
    gift, reduction = aliased(Reference), aliased(Reference)
    left = gift.posted_minor + func.sum(reduction.posted_minor)
    statement = (
        select(gift.name, left)
        .join(reduction, reduction.gift_id == gift.id)
        .group_by(gift.id, gift.name, gift.posted_minor)
        .having(left < 0)
    )
    for name, minor in session.execute(statement):
        yield Difference(name, "left of the gift", int(minor), 0)


def _covers(session: Session) -> Iterator[Difference]:
    """What is left of a cover: all of it, less what reductions ask for beyond the gift."""
    gift, reduction = aliased(Reference), aliased(Reference)
    asked = -func.coalesce(func.sum(reduction.stated_minor), 0)
    over = case((asked > gift.stated_minor, asked - gift.stated_minor), else_=0)
    left = case(
        (gift.gift_id.is_not(None), 0),  # only a gift has one
        (over < gift.cover_stated_minor, gift.cover_stated_minor - over),
        else_=0,
    )
    statement = (
        select(gift.name, gift.cover_posted_minor, left)
        .outerjoin(reduction, reduction.gift_id == gift.id)
        .where((gift.cover_stated_minor != 0) | (gift.cover_posted_minor != 0))
        .group_by(gift.id)
        .having(gift.cover_posted_minor != left)
    )
    for name, posted, should in session.execute(statement):
        yield Difference(name, "left of the cover", posted, int(should))


def _closed_periods(session: Session) -> Iterator[Difference]:
    """What a closed period raised is what was announced and the entries that came after."""
    later = func.coalesce(
        func.sum(LedgerEntry.amount_minor).filter(LedgerEntry.after_close.is_(True), _OF_GIFTS), 0
    )
    statement = (
        select(Campaign.slug, Period.key, Period.raised_minor, Period.as_closed_minor + later)
        .join(Campaign, Campaign.id == Period.campaign_id)
        .outerjoin(LedgerEntry, LedgerEntry.period_id == Period.id)
        .where(Period.closed_at.is_not(None))
        .group_by(Campaign.slug, Period.key, Period.raised_minor, Period.as_closed_minor)
        .having(Period.raised_minor != Period.as_closed_minor + later)
    )
    for slug, key, raised, explained in session.execute(statement):
        yield Difference(f"{slug} {key}", "as closed and adjusted", raised, int(explained or 0))


def _parts(session: Session) -> Iterator[Difference]:
    """What each part of a period is, made again from the entries of its references."""
    gift, reduction = aliased(Reference), aliased(Reference)
    key = (
        LedgerEntry.period_id,
        gift.place_id,
        gift.kind == ReferenceKind.OFFLINE,
        gift.is_regular,
    )
    amount = func.sum(LedgerEntry.amount_minor)
    own = aliased(Reference)
    sums = (
        select(
            *key,
            amount.filter(_OF_GIFTS, own.gift_id.is_(None)),
            amount.filter(_OF_GIFTS, own.kind == ReferenceKind.REFUND),
            amount.filter(_OF_GIFTS, own.kind == ReferenceKind.DISPUTE),
            amount.filter(_OF_COVERS),
        )
        .join(own, own.id == LedgerEntry.reference_id)
        .join(gift, gift.id == func.coalesce(own.gift_id, own.id))
        .group_by(*key)
    )
    found: dict[tuple[Any, ...], list[int]] = {}
    for period_id, place_id, is_offline, is_regular, *figures in session.execute(sums):
        part = (period_id, place_id, bool(is_offline), bool(is_regular))
        found[part] = [*(int(figure or 0) for figure in figures), 0]
    taken = (
        select(reduction.gift_id, func.sum(reduction.posted_minor).label("minor"))
        .where(reduction.gift_id.is_not(None))
        .group_by(reduction.gift_id)
        .subquery()
    )
    counted_key = (
        gift.period_id,
        gift.place_id,
        gift.kind == ReferenceKind.OFFLINE,
        gift.is_regular,
    )
    counts = (
        select(*counted_key, func.count())
        .outerjoin(taken, taken.c.gift_id == gift.id)
        .where(gift.gift_id.is_(None), gift.posted_minor + func.coalesce(taken.c.minor, 0) > 0)
        .group_by(*counted_key)
    )
    for period_id, place_id, is_offline, is_regular, count in session.execute(counts):
        part = (period_id, place_id, bool(is_offline), bool(is_regular))
        found.setdefault(part, [0] * 5)[-1] = count
    names = ("gross_minor", "refunds_minor", "disputes_minor", "cover_minor", "gift_count")
    for row in session.scalars(select(PeriodPart).order_by(PeriodPart.period_id)):
        part = (row.period_id, row.place_id, row.is_offline, row.is_regular)
        yield from _compare_part(
            part, [getattr(row, name) for name in names], found.pop(part, None)
        )
    for part, figures in found.items():
        yield from _compare_part(part, [0] * len(names), figures)


def _compare_part(
    part: tuple[Any, ...], kept: list[int], recomputed: list[int] | None
) -> Iterator[Difference]:
    period_id, place_id, is_offline, is_regular = part
    where = (
        f"period {period_id}, place {place_id}, {'offline' if is_offline else 'online'},"
        f" {'regular' if is_regular else 'once'}"
    )
    names = ("gross", "refunds", "disputes", "covers", "gifts")
    for name, was, should in zip(names, kept, recomputed or [0] * len(kept), strict=True):
        if was != should:
            yield Difference(where, name, was, should)
