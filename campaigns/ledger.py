"""The ledger's law: what is known of a gift sets its effect, and the difference is posted.

A *gift* (a payment, an offline gift) brings money in; a *reduction* (a refund, a dispute) takes
from one gift. Each has a reference. Whoever learns what a reference amounts to by now states
it here; the ledger posts the difference to what the reference has posted so far, and nothing
where there is none. So any repetition and any order of the same facts end in the same books.

What a donor adds to cover the fees is part of the gift's payment and no part of the bar: entries
of their own kind on the gift's reference. Reductions take from the gift first; only what is over
is taken from the cover, so that the bar never shows money that has gone back.

The period's total and counts move in the same transaction as the entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from campaigns.errors import LedgerConflict, StaleFacts
from campaigns.ledger_models import EntryKind, LedgerEntry, PeriodDonor, Reference, ReferenceKind
from campaigns.models import Campaign, Period
from campaigns.parts import UNKNOWN, Origin, move_part, place_id_of
from campaigns.periods import get_or_create_period
from core.db import insert_if_absent
from core.money import MOST_MINOR

# Where reductions ask for more than the gift, refunds are served first, then disputes, each by
# name: a rule that does not know in which order they came.
_SERVED_FIRST = {ReferenceKind.REFUND: 0, ReferenceKind.DISPUTE: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gift:
    """What is known of one gift. `paid_at` decides its period, for good.

    `effect_minor` is the gift alone; `cover_minor` came with it, to cover the fees. `origin` is
    taken over when the gift is first stated, and stays.
    """

    reference: str
    kind: ReferenceKind
    effect_minor: int
    cover_minor: int = 0
    paid_at: datetime
    donor_key: str | None = None
    origin: Origin = UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """What is known of one refund or dispute. `effect_minor` is zero or less."""

    reference: str
    kind: ReferenceKind
    effect_minor: int


def state_gift(
    session: Session,
    campaign: Campaign,
    gift: Gift,
    reductions: Sequence[Reduction] = (),
    *,
    cause: str,
    now: datetime,
    seen_version: int | None = None,
) -> int:
    """Bring the ledger to what is known of `gift` and of what takes from it.

    Returns what is left of the gift, in minor units. Reductions that are on record and not
    named here stay as they were stated. Safe to repeat and to race: the gift's row is locked
    until the caller commits. Raises LedgerConflict where a reference already stands for
    something else, and StaleFacts where the gift was stated again since the caller read
    `seen_version` (see `gift_versions`) and asked for the facts; None is for facts that
    nobody else can know better.
    """
    bounds = range(MOST_MINOR + 1)
    if not gift.kind.is_gift or gift.effect_minor not in bounds or gift.cover_minor not in bounds:
        raise ValueError("a gift's effect and its cover lie between zero and MOST_MINOR")
    period = get_or_create_period(session, campaign, gift.paid_at)
    insert_if_absent(
        session,
        Reference,
        {
            "name": gift.reference,
            "kind": gift.kind,
            "period_id": period.id,
            "paid_at": gift.paid_at,
            "donor_key": gift.donor_key or gift.reference,
            "place_id": place_id_of(session, gift.origin),
            "is_regular": gift.origin.is_regular,
            "stated_minor": 0,
            "posted_minor": 0,
            "entry_count": 0,
            "version": 0,
        },
        unique=("name",),
    )
    row = _lock(session, gift.reference)
    if row.kind != gift.kind or _campaign_id(session, row) != campaign.id:
        raise LedgerConflict(f"{gift.reference} already stands for another gift.")
    if seen_version is not None and row.version != seen_version:
        raise StaleFacts(f"{gift.reference} was stated again in the meantime.")
    row.version += 1
    row.stated_minor = gift.effect_minor
    row.cover_stated_minor = gift.cover_minor
    for reduction in reductions:
        _state_reduction(session, row, reduction)
    return _settle(session, row, cause=cause, now=now)


def gift_versions(session: Session, references: Iterable[str]) -> dict[str, int]:
    """Return how often each of these gifts was stated; a gift that is not on record is left out."""
    return {
        row.name: row.version
        for row in session.execute(
            select(Reference.name, Reference.version).where(Reference.name.in_(references))
        )
    }


def _lock(session: Session, reference: str) -> Reference:
    return session.scalars(
        select(Reference)
        .where(Reference.name == reference)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _campaign_id(session: Session, row: Reference) -> int:
    return session.scalars(select(Period.campaign_id).where(Period.id == row.period_id)).one()


def _state_reduction(session: Session, gift: Reference, reduction: Reduction) -> None:
    if reduction.kind.is_gift or reduction.effect_minor > 0:
        raise ValueError("a reduction's effect is zero or less")
    insert_if_absent(
        session,
        Reference,
        {
            "name": reduction.reference,
            "kind": reduction.kind,
            "gift_id": gift.id,
            "period_id": gift.period_id,
            "paid_at": gift.paid_at,
            "donor_key": gift.donor_key,
            "place_id": gift.place_id,
            "is_regular": gift.is_regular,
            "stated_minor": 0,
            "posted_minor": 0,
            "entry_count": 0,
            "version": 0,
        },
        unique=("name",),
    )
    row = _lock(session, reduction.reference)
    if row.gift_id != gift.id or row.kind != reduction.kind:
        raise LedgerConflict(f"{reduction.reference} already takes from another gift.")
    row.stated_minor = reduction.effect_minor


def shares_minor(
    gift_minor: int, reductions: Mapping[str, tuple[ReferenceKind, int]]
) -> dict[str, int]:
    """Return what each reduction takes (zero or less), so that together they never pass the gift.

    `reductions` are kinds and stated effects by reference. The rule knows no order of arrival:
    refunds are served first, then disputes, each by name.
    """
    left = gift_minor
    taken: dict[str, int] = {}
    for name, (_, effect_minor) in sorted(
        reductions.items(), key=lambda item: (_SERVED_FIRST[item[1][0]], item[0])
    ):
        taken[name] = -min(-effect_minor, left)
        left += taken[name]
    return taken


def cover_left_minor(gift_minor: int, cover_minor: int, reductions_minor: int) -> int:
    """Return what is left of a cover; reductions (zero or less) take from the gift first."""
    over_minor = max(0, -reductions_minor - gift_minor)
    return max(0, cover_minor - over_minor)


def _settle(session: Session, gift: Reference, *, cause: str, now: datetime) -> int:
    """Post the differences of a gift and its reductions; return what is left of the gift."""
    session.flush()
    reductions = session.scalars(select(Reference).where(Reference.gift_id == gift.id)).all()
    before = gift.posted_minor + sum(row.posted_minor for row in reductions)
    taken = shares_minor(
        gift.stated_minor,
        {row.name: (ReferenceKind(row.kind), row.stated_minor) for row in reductions},
    )
    targets = [(gift, gift.stated_minor), *((row, taken[row.name]) for row in reductions)]
    due = [
        (row, EntryKind.GIFT, target - row.posted_minor)
        for row, target in targets
        if target != row.posted_minor
    ]
    left = gift.stated_minor + sum(taken.values())
    cover = cover_left_minor(
        gift.stated_minor, gift.cover_stated_minor, sum(row.stated_minor for row in reductions)
    )
    cover_change = cover - gift.cover_posted_minor
    if cover_change:
        due.append((gift, EntryKind.COVER, cover_change))
    if due:
        after_close = _move_period(session, gift, before=before, after=left, cover=cover_change)
        move_part(
            session,
            gift,
            [(ReferenceKind(row.kind), kind, change) for row, kind, change in due],
            gifts=(left > 0) - (before > 0),
        )
        for row, kind, change_minor in due:
            _post(session, row, kind, change_minor, after_close=after_close, cause=cause, now=now)
        session.flush()
    return left


def _post(
    session: Session,
    row: Reference,
    kind: EntryKind,
    change_minor: int,
    *,
    after_close: bool,
    cause: str,
    now: datetime,
) -> None:
    row.entry_count += 1
    session.add(
        LedgerEntry(
            reference_id=row.id,
            sequence=row.entry_count,
            period_id=row.period_id,
            amount_minor=change_minor,
            kind=kind,
            paid_at=row.paid_at,
            posted_at=now,
            after_close=after_close,
            cause=cause[:255],
        )
    )
    if kind == EntryKind.COVER:
        row.cover_posted_minor += change_minor
    else:
        row.posted_minor += change_minor


def _move_period(session: Session, gift: Reference, *, before: int, after: int, cover: int) -> bool:
    """Bring the period's totals and counts along; tell whether the period was closed before.

    Its row is locked from here to the commit, so that no roll can close the period between the
    answer and the entries that carry it.
    """
    donations = (after > 0) - (before > 0)
    donors = _move_donor(session, gift, donations) if donations else 0
    closed_at = session.scalars(
        update(Period)
        .where(Period.id == gift.period_id)
        .values(
            raised_minor=Period.raised_minor + (after - before),
            cover_minor=Period.cover_minor + cover,
            donation_count=Period.donation_count + donations,
            donor_count=Period.donor_count + donors,
        )
        .returning(Period.closed_at)
        .execution_options(synchronize_session=False)
    ).one()
    return closed_at is not None


def _move_donor(session: Session, gift: Reference, donations: int) -> int:
    """Count a gift to its donor; return by how much the period's number of donors changes."""
    key = {"period_id": gift.period_id, "donor_key": gift.donor_key}
    insert_if_absent(
        session, PeriodDonor, key | {"donation_count": 0}, unique=("period_id", "donor_key")
    )
    after = session.scalars(
        update(PeriodDonor)
        .where(PeriodDonor.period_id == gift.period_id, PeriodDonor.donor_key == gift.donor_key)
        .values(donation_count=PeriodDonor.donation_count + donations)
        .returning(PeriodDonor.donation_count)
        .execution_options(synchronize_session=False)
    ).one()
    return (after > 0) - (after - donations > 0)
