"""What a period's sum is made of, by place and way: kept with the entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from campaigns.ledger_models import EntryKind, PeriodPart, Place, Reference, ReferenceKind
from core.db import insert_if_absent

_COLUMNS = {
    ReferenceKind.PAYMENT: "gross_minor",
    ReferenceKind.OFFLINE: "gross_minor",
    ReferenceKind.REFUND: "refunds_minor",
    ReferenceKind.DISPUTE: "disputes_minor",
}
_NOWHERE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a gift was asked for, and whether it is one of a regular gift's. None is unknown."""

    source: str | None = None
    slot: str | None = None
    is_regular: bool = False


UNKNOWN = Origin()


def place_id_of(session: Session, origin: Origin) -> int:
    """Return the number of the place that a gift comes from, 0 where it is unknown."""
    source, slot = origin.source or "", origin.slot or ""
    if not source and not slot:
        return _NOWHERE
    named = select(Place.id).where(Place.source == source, Place.slot == slot)
    found = session.scalars(named).one_or_none()
    if found is None:
        values = {"source": source, "slot": slot, "site": urlsplit(source).netloc[:255]}
        insert_if_absent(session, Place, values, unique=("source", "slot"))
        found = session.scalars(named).one()
    return found


def move_part(
    session: Session,
    gift: Reference,
    due: Iterable[tuple[ReferenceKind, EntryKind, int]],
    *,
    gifts: int,
) -> None:
    """Bring the part of a period that a gift belongs to along with what is posted of it.

    `due` are the changes by kind, in minor units, `gifts` by how many more gifts something is
    left. The caller holds the period's row, so that no two wait for each other's parts.
    """
    changes = dict.fromkeys((*_COLUMNS.values(), "cover_minor"), 0)
    for reference_kind, entry_kind, change_minor in due:
        is_cover = entry_kind is EntryKind.COVER
        changes["cover_minor" if is_cover else _COLUMNS[reference_kind]] += change_minor
    changes["gift_count"] = gifts
    key = {
        "period_id": gift.period_id,
        "place_id": gift.place_id,
        "is_offline": gift.kind == ReferenceKind.OFFLINE,
        "is_regular": gift.is_regular,
    }
    # Made first and moved then: a row that is inserted with a change that takes away would not
    # pass its own checks, even where it is there already.
    insert_if_absent(session, PeriodPart, key, unique=tuple(key))
    session.execute(
        update(PeriodPart)
        .where(*(getattr(PeriodPart, name) == value for name, value in key.items()))
        .values({name: getattr(PeriodPart, name) + change for name, change in changes.items()})
        .execution_options(synchronize_session=False)
    )
