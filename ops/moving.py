"""Carrying a site to another database: SQLite to PostgreSQL, and back.

Every table is read in one transaction of the source, in which nobody else may write, and written in
one of the target. Then both are read again and compared, table by table; only what is the same to
the last value is committed. So the target holds all or nothing, and the source stays as it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from campaigns.ledger_models import LedgerEntry
from campaigns.models import Campaign, Period
from core.db import Base
from core.errors import Conflict, Unavailable
from ops.copying import refuse_books
from payments.fee_sums import verify_books

# Rows at a time: what is held in memory.
CHUNK = 2_000
_CHECKSUM_BITS = 128
_MOST_ERROR_CHARACTERS = 200

# A table is being read or written, so many rows at once.
Step = Callable[[str, int], None]


class MoveFailed(Unavailable):
    """The target refused something, or is not the same: it was left as it was."""

    code = "move_failed"
    hint = ""


@dataclass(frozen=True, slots=True)
class Content:
    """What a table holds: the checksum is of all values of all rows, in whatever order."""

    rows: int
    checksum: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What was carried, and what both databases say of it."""

    tables: Mapping[str, Content]
    # Of each currency: what the ledger's entries come to, in minor units.
    totals_minor: Mapping[str, int]
    entries: int
    differences: int  # that `ledger verify` finds, in both alike


def tables() -> Sequence[Table]:
    """Return all tables in the order in which they may be filled."""
    return Base.metadata.sorted_tables


def count_rows(connection: Connection) -> int:
    """Return how many rows there are to carry."""
    return sum(
        connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables()
    )


def lock_out_writers(source: Connection) -> None:
    """Begin the transaction that reads the source, in which nobody else writes.

    On SQLite that is the lock which every transaction of ours that may write takes first.
    """
    if source.dialect.name == "sqlite":
        source.begin()
        return
    source.execution_options(isolation_level="REPEATABLE READ")
    source.begin()
    names = ", ".join(source.dialect.identifier_preparer.quote(table.name) for table in tables())
    source.execute(text(f"LOCK TABLE {names} IN SHARE MODE"))


def move(source: Connection, target: Connection, *, step: Step) -> Moved:
    """Carry everything into the target, an empty, migrated database, and prove that it is there.

    `source` is in the transaction of `lock_out_writers`. The caller commits the target. Raises
    HoldsBooks where the target is not empty, and MoveFailed.
    """
    refuse_books(target, called="The other database")
    sent = {table.name: _carry(table, source, target, step) for table in tables()}
    if target.dialect.name == "postgresql":
        for table in tables():
            _set_sequence(table, target)
    arrived = {table.name: content_of(table, target, step=step) for table in tables()}
    unlike = [name for name, content in sent.items() if arrived[name] != content]
    if unlike:
        raise MoveFailed(f"These did not arrive as they were: {', '.join(unlike)}.")
    found = [_books_of(connection, arrived) for connection in (source, target)]
    if found[0] != found[1]:
        raise MoveFailed("The totals of the two differ.")
    return found[1]


def content_of(table: Table, connection: Connection, *, step: Step) -> Content:
    """Read a table and say what it holds."""
    rows = total = 0
    for chunk in _chunks(table, connection):
        rows += len(chunk)
        total += _sum_of(chunk)
        step(table.name, len(chunk))
    return _content(rows, total)


def _carry(table: Table, source: Connection, target: Connection, step: Step) -> Content:
    rows = total = 0
    names = [column.name for column in table.columns]
    statement = insert(table)
    for chunk in _chunks(table, source):
        try:
            target.execute(statement, [dict(zip(names, row, strict=True)) for row in chunk])
        except (DBAPIError, ValueError) as error:
            # Its first line: what follows tells the row, and with it perhaps a donor.
            told = str(getattr(error, "orig", error)).splitlines()[0][:_MOST_ERROR_CHARACTERS]
            raise MoveFailed(f"A row of {table.name} was not taken: {told}.") from None
        rows += len(chunk)
        total += _sum_of(chunk)
        step(table.name, len(chunk))
    return _content(rows, total)


def _chunks(table: Table, connection: Connection) -> Iterator[Sequence[Sequence[Any]]]:
    # In the order of their keys, so that a refund follows the gift that it names.
    statement = select(table).order_by(*table.primary_key.columns)
    found = connection.execute(statement.execution_options(stream_results=True))
    for partition in found.partitions(CHUNK):
        yield [tuple(row) for row in partition]


def _sum_of(rows: Sequence[Sequence[Any]]) -> int:
    """Add up the rows' own hashes: the two databases sort texts differently."""
    return sum(
        int.from_bytes(
            hashlib.blake2b(
                repr([_plain(value) for value in row]).encode("utf-8", "surrogatepass"),
                digest_size=_CHECKSUM_BITS // 8,
            ).digest()
        )
        for row in rows
    )


def _content(rows: int, total: int) -> Content:
    return Content(rows, f"{total % 2**_CHECKSUM_BITS:0{_CHECKSUM_BITS // 4}x}")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return bytes(value) if isinstance(value, memoryview) else value


def _set_sequence(table: Table, target: Connection) -> None:
    column = table.autoincrement_column
    if column is None:
        return
    newest = target.scalar(select(func.max(column)))
    sequence = target.scalar(select(func.pg_get_serial_sequence(table.name, column.name)))
    if newest is not None and sequence is not None:
        target.execute(select(func.setval(sequence, newest)))


def _books_of(connection: Connection, contents: Mapping[str, Content]) -> Moved:
    totals = connection.execute(
        select(Campaign.currency, func.sum(LedgerEntry.amount_minor))
        .join(Period, Period.campaign_id == Campaign.id)
        .join(LedgerEntry, LedgerEntry.period_id == Period.id)
        .group_by(Campaign.currency)
        .order_by(Campaign.currency)
    ).all()
    # A savepoint's end is all that closing this session ends.
    with Session(bind=connection, join_transaction_mode="create_savepoint") as session:
        audit = verify_books(session)
    return Moved(
        tables=contents,
        totals_minor={currency: int(minor) for currency, minor in totals},
        entries=audit.entries,
        differences=len(audit.differences),
    )


def refuse_unlike(*, source: set[str], target: set[str], newest: set[str]) -> None:
    """Raise Conflict unless both databases have the tables of this code."""
    if source != newest:
        raise Conflict("This site's tables are old: run `flask --app app db upgrade` first.")
    if target != newest:
        raise Conflict(
            "The other database has not the tables of this Goalpost: run"
            " `DATABASE_URL=<the other one> flask --app app db upgrade` first."
        )
