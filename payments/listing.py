"""A page of the rows that an export would have, for programs that read some at a time.

A page costs the same wherever it begins: it is found by an index, from behind a key on. It goes
through so many rows and no more, so where a filter leaves few of them it may hold fewer than were
asked for, or none; whether that was the end is said apart.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Select, and_, select, true, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.db import UtcDateTime
from core.errors import Invalid
from payments.donation_rows import DONATIONS, DONATIONS_WITH_DONORS
from payments.entry_rows import ENTRIES
from payments.errors import DonationNotFound
from payments.export_filters import Export, What, check_export, narrowed, zones_of
from payments.export_rows import Source
from payments.models import Donation

MOST_LOOKED_AT = 5_000
_MOST_INTEGER = 2**63 - 1
Key = tuple[InstrumentedAttribute[Any], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and the cursor of those behind them; None where that was all."""

    rows: Sequence[Any]
    following: str | None


def read_page(
    session: Session, export: Export, *, limit: int, cursor: str | None = None, now: datetime
) -> Page:
    """Return up to `limit` rows of an export, behind those of the page whose cursor that is.

    `export.personal` adds what is known of the donors, for whom that is allowed. Raises what
    `check_export` does, and Invalid for a cursor that no page has given.
    """
    check_export(session, export)
    source = _source(export)
    stretch = source.stretch(session, export, now)
    key, place, after = stretch.key, tuple_(*stretch.key), stretch.after
    if cursor is not None:
        asked = _read_cursor(cursor, key)
        after = asked if after is None else max(asked, after)
    bounds = [*stretch.within, *([] if after is None else [place > after])]
    if stretch.end is not None:
        bounds.append(stretch.end)
    looked_at = select(*key).where(*bounds).order_by(*key)
    last = session.execute(looked_at.offset(MOST_LOOKED_AT - 1).limit(1)).first()
    if last is not None:
        bounds.append(place <= tuple(last))
    # One more than is shown tells whether there are more.
    found = session.execute(
        _with_key(source.select, key)
        .where(
            and_(true(), *bounds),
            *narrowed(export, source.instant, zones_of(session, export)),
            *source.more(export),
        )
        .order_by(*key)
        .limit(limit + 1)
    ).all()
    rows = found[:limit]
    if len(found) > limit:
        return Page(rows, _cursor(tuple(rows[-1][-len(key) :])))
    return Page(rows, None if last is None else _cursor(tuple(last)))


def read_donation(session: Session, donation_id: str, *, personal: bool) -> Any:
    """Return one donation as a row of their export; raise DonationNotFound."""
    source = DONATIONS_WITH_DONORS if personal else DONATIONS
    found = None
    if "\0" not in donation_id:
        found = session.execute(source.select.where(Donation.id == donation_id)).one_or_none()
    if found is None:
        raise DonationNotFound
    return found


def _source(export: Export) -> Source:
    if export.what is What.ENTRIES:
        return ENTRIES
    return DONATIONS_WITH_DONORS if export.personal else DONATIONS


def _with_key(statement: Select[Any], key: Key) -> Select[Any]:
    """Read the key, too, at the end of each row."""
    return statement.add_columns(
        *(column.label(f"key_{number}") for number, column in enumerate(key))
    )


def _cursor(key: tuple[Any, ...]) -> str:
    told = [part.isoformat() if isinstance(part, datetime) else part for part in key]
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")


def _read_cursor(text: str, key: Key) -> tuple[Any, ...]:
    """Read what `_cursor` wrote; raise Invalid for all else, whatever it is."""
    try:
        padded = text + "=" * (-len(text) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if isinstance(parts, list):
            return tuple(_part(part, column) for part, column in zip(parts, key, strict=True))
    except (ValueError, RecursionError):
        pass
    raise Invalid("This cursor is none that a page has given.", field="after")


def _part(part: Any, column: InstrumentedAttribute[Any]) -> Any:
    if isinstance(column.type, UtcDateTime) and isinstance(part, str):
        instant = datetime.fromisoformat(part)
        if instant.utcoffset() == timedelta(0):
            return instant
    elif isinstance(column.type, BigInteger):
        if type(part) is int and 0 <= part <= _MOST_INTEGER:
            return part
    elif isinstance(part, str) and part.isascii() and part.isprintable():
        return part
    raise ValueError
