"""Sheets: named columns of typed cells, written as CSV or XLSX while rows are still being read.

The files know no domain. A row holds one value for each column; how many cells of the file that
becomes is the format's affair: an instant is written in its own zone and in UTC beside it, and
money in CSV as a decimal and in minor units.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum, auto
from typing import NamedTuple, Protocol, TypeAlias

# A page of rows: what is in memory at one time.
ROWS_AT_ONCE = 2_000
# What XML 1.0 has no way to write, and no file of ours holds. NUL ends a text for many a program.
UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Format(StrEnum):
    """What file a sheet is written as."""

    CSV = "csv"
    XLSX = "xlsx"

    @property
    def media_type(self) -> str:
        """What the file is called on the web."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class Kind(Enum):
    """What a column holds. A cell of any kind may be empty: None."""

    TEXT = auto()  # str, whoever wrote it: never a formula
    NUMBER = auto()  # int
    MONEY = auto()  # Amount
    INSTANT = auto()  # an aware datetime, in the zone that it is to be shown in
    FLAG = auto()  # bool


class Amount(NamedTuple):
    """Money for a cell: minor units of a currency, as `core.money` has them."""

    minor: int
    currency: str


Cell: TypeAlias = str | int | Amount | datetime | None
Row: TypeAlias = Sequence[Cell]
Pieces: TypeAlias = Generator[bytes, None, None]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its `name` is for programs and heads it in CSV, its `title` is for people."""

    name: str
    title: str
    kind: Kind = Kind.TEXT
    width: int = 14  # in characters, in XLSX


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a file holds; the title is XLSX's name for it."""

    title: str
    columns: tuple[Column, ...]


class Write(Protocol):
    """Writes a sheet. The file begins before the first batch is asked for.

    Whoever stops reading closes the iterator, which then leaves the rest undone.
    """

    def __call__(self, sheet: Sheet, batches: Iterable[Sequence[Row]], /) -> Pieces:
        """Yield the file in pieces, about one for each batch."""


def utc_text(instant: datetime) -> str:
    """Write an instant as ISO 8601 in UTC, to the second: `2021-05-11T00:15:00Z`."""
    return f"{instant.astimezone(UTC).isoformat(timespec='seconds')[:19]}Z"
