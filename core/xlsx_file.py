"""XLSX (Office Open XML, ECMA-376) that is sent while its rows are still being read.

An archive of a few XML files, of which the sheets are the first: neither they nor the archive
need to be looked back at. Texts stand in their cells ("inline strings") and are texts whatever they
begin with; a formula would be an element of its own, which nothing here writes. docs/adr/0020 says
why no library does this.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, TypeAlias
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

from core import xlsx_parts
from core.money import exponent, to_major
from core.sheets import UNWRITABLE, Amount, Column, Kind, Pieces, Row, Sheet, utc_text

# What Excel's sheets end at; the heading is one of these rows.
MOST_ROWS = 1_048_576
# A file in an archive that is larger than 2 GiB needs ZIP64, which Excel asks its user to repair
# where the size was not known beforehand. What is over goes on to the next sheet.
MOST_BYTES = 1_900_000_000
MOST_CHARACTERS = 32_767  # of a cell
# Nearly as small as the usual 6, at a third of the time (docs/performance.md).
_COMPRESSION = 1
_DAY_ZERO = date(1899, 12, 30).toordinal()  # the day that Excel counts from
_SECONDS_A_DAY = 86_400
# Characters of XML, what it can't hold, and what Excel would take for one of its own escapes.
_SPECIAL = re.compile(f"[&<>]|_x|{UNWRITABLE.pattern}")
_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")

# Writes a cell: the column's letters are known, the value and the number of its row come.
_WriteCell: TypeAlias = Callable[[Any, int], str]


class _Outlet:
    """What the archive writes to: it can't be gone back in, and is emptied now and then."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        if piece:  # an empty one would tell some servers that this is the end
            self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Do nothing: whoever sends the pieces takes them."""

    def close(self) -> None:
        """Do nothing: there is nothing to be closed."""

    def taken(self) -> Iterator[bytes]:
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            yield b"".join(pieces)


def write_xlsx(
    sheet: Sheet,
    batches: Iterable[Sequence[Row]],
    /,
    *,
    most_rows: int = MOST_ROWS,
    most_bytes: int = MOST_BYTES,
) -> Pieces:
    """Yield the sheet as XLSX: see `core.sheets.Write`.

    Rows beyond `most_rows` or `most_bytes` of XML go on to a further sheet with the same heading.
    """
    outlet = _Outlet()
    cells = _cells(sheet)
    heads = [head for column in sheet.columns for head in _heads(column)]
    source = iter(batches)
    batch: Sequence[Row] | None = ()
    last_rows: list[int] = []  # of each sheet
    with ZipFile(outlet, "w", ZIP_DEFLATED, compresslevel=_COMPRESSION) as archive:
        while batch is not None:
            with archive.open(xlsx_parts.sheet_path(len(last_rows) + 1), "w") as part:
                part.write(xlsx_parts.sheet_head(heads).encode())
                yield from outlet.taken()
                last_row, size = 1, 0
                while batch is not None:
                    fitting = batch[: most_rows - last_row]
                    size += part.write(_rows(fitting, cells, after=last_row).encode())
                    last_row += len(fitting)
                    yield from outlet.taken()
                    batch = batch[len(fitting) :] or next(source, None)
                    if last_row >= most_rows or size >= most_bytes:
                        break
                part.write(xlsx_parts.sheet_tail(len(heads), last_row).encode())
            last_rows.append(last_row)
        for path, text in xlsx_parts.book(sheet.title, len(heads), last_rows):
            archive.writestr(path, text)
    yield from outlet.taken()


def _rows(rows: Sequence[Row], cells: Sequence[_WriteCell], *, after: int) -> str:
    return "".join(
        [
            f'<row r="{number}">'
            + "".join([write(value, number) for write, value in zip(cells, row, strict=True)])
            + "</row>"
            for number, row in enumerate(rows, after + 1)
        ]
    )


def _heads(column: Column) -> Sequence[tuple[str, int]]:
    """Return the title and the width of each cell that a column becomes."""
    if column.kind is Kind.INSTANT:
        return (column.title, column.width), (f"{column.title}, UTC", column.width)
    return ((column.title, column.width),)


def _cells(sheet: Sheet) -> list[_WriteCell]:
    place, cells = 0, []
    for column in sheet.columns:
        cells.append(_WRITERS[column.kind](*map(xlsx_parts.letters, (place, place + 1))))
        place += len(_heads(column))
    return cells


def _text(at: str, _next: str) -> _WriteCell:
    def write(text: str | None, row: int) -> str:
        if not text:
            return ""
        if len(text) > MOST_CHARACTERS or _SPECIAL.search(text):
            text = _ESCAPE.sub("_x005F_", UNWRITABLE.sub("", text)[:MOST_CHARACTERS])
            text = escape(text)
        return f'<c r="{at}{row}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'

    return write


def _number(at: str, _next: str) -> _WriteCell:
    def write(number: int | None, row: int) -> str:
        return "" if number is None else f'<c r="{at}{row}"><v>{number}</v></c>'

    return write


def _money(at: str, _next: str) -> _WriteCell:
    def write(amount: Amount | None, row: int) -> str:
        if amount is None:
            return ""
        style = xlsx_parts.MONEY_STYLES[exponent(amount.currency)]
        return f'<c r="{at}{row}" s="{style}"><v>{to_major(*amount)}</v></c>'

    return write


def _instant(at: str, beside: str) -> _WriteCell:
    def write(instant: datetime | None, row: int) -> str:
        if instant is None:
            return ""
        seconds = instant.hour * 3600 + instant.minute * 60 + instant.second
        days = instant.toordinal() - _DAY_ZERO + seconds / _SECONDS_A_DAY
        return (
            f'<c r="{at}{row}" s="{xlsx_parts.INSTANT_STYLE}"><v>{days:.10f}</v></c>'
            f'<c r="{beside}{row}" t="inlineStr"><is><t>{utc_text(instant)}</t></is></c>'
        )

    return write


def _flag(at: str, _next: str) -> _WriteCell:
    def write(flag: bool | None, row: int) -> str:  # noqa: FBT001 - a cell's value
        return "" if flag is None else f'<c r="{at}{row}" t="b"><v>{flag:d}</v></c>'

    return write


_WRITERS: dict[Kind, Callable[[str, str], _WriteCell]] = {
    Kind.TEXT: _text,
    Kind.NUMBER: _number,
    Kind.MONEY: _money,
    Kind.INSTANT: _instant,
    Kind.FLAG: _flag,
}
