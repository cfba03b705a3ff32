"""CSV as spreadsheets and programs both read it, and as no spreadsheet runs it.

UTF-8 with a byte order mark, without which Excel guesses another encoding; CRLF; quotes where
RFC 4180 wants them. Texts are guarded as OWASP says, and somewhat more:
https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import csv
import io
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from core.money import to_major
from core.sheets import UNWRITABLE, Amount, Column, Kind, Pieces, Row, Sheet, utc_text

_Cells: TypeAlias = Sequence[tuple[str, Callable[[Any], str | int | None]]]

# What spreadsheets pass over before they look whether a cell is a formula: space, quotes, and
# characters that show nothing. Not what may end a cell: behind that another one begins.
_PASSED_OVER = "(?:[^\\S\t\r\n]|[\"'`\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff])*"
# The last four are the wide forms of the first, which East Asian spreadsheets take for the same.
_BEGINS_A_FORMULA = "[=+\\-@\uff1d\uff0b\uff0d\uff20]"
# Where a cell begins: at the start of the text, and also after a semicolon, a tab or a line break,
# because an Excel whose language separates by semicolons cuts our lines there, quotes or not.
_RISKY = re.compile(rf"^(?=[\t\r\n])|(^|[;\t\r\n])(?={_PASSED_OVER}{_BEGINS_A_FORMULA})")
# Most texts hold nothing of all that, and one look says so.
_SAFE = re.compile(rf"(?!{_PASSED_OVER}{_BEGINS_A_FORMULA})[^;\t\r\n{UNWRITABLE.pattern[1:-1]}]*\Z")


def write_csv(sheet: Sheet, batches: Iterable[Sequence[Row]], /) -> Pieces:
    """Yield the sheet as CSV: see `core.sheets.Write`."""
    cells = [
        (place, write) for place, column in enumerate(sheet.columns) for _, write in _cells(column)
    ]
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([name for column in sheet.columns for name, _ in _cells(column)])
    yield BOM_UTF8 + _taken(out)
    for batch in batches:
        writer.writerows([[write(row[place]) for place, write in cells] for row in batch])
        if written := _taken(out):
            yield written


def guarded(text: str | None) -> str | None:
    """Return a text that no spreadsheet takes for a formula: `'=1+1`, an apostrophe before it."""
    if text is None or _SAFE.match(text):
        return text
    return _RISKY.sub(r"\1'", UNWRITABLE.sub("", text))


def _taken(out: io.StringIO) -> bytes:
    written = out.getvalue().encode()
    out.seek(0)
    out.truncate()
    return written


def _cells(column: Column) -> _Cells:
    """Return the name of each cell that a column becomes, and what writes it."""
    name = column.name
    if column.kind is Kind.MONEY:
        return (name, _decimal), (f"{name}_minor", _minor)
    if column.kind is Kind.INSTANT:
        return (name, _local), (f"{name}_utc", _utc)
    return ((name, _SINGLE[column.kind]),)


def _decimal(amount: Amount | None) -> str | None:
    return None if amount is None else str(to_major(*amount))


def _minor(amount: Amount | None) -> int | None:
    return None if amount is None else amount.minor


def _local(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat(" ", "seconds")[:19]


def _utc(instant: datetime | None) -> str | None:
    return None if instant is None else utc_text(instant)


def _number(number: int | None) -> int | None:
    return number


def _flag(flag: bool | None) -> str | None:  # noqa: FBT001 - a cell's value
    return None if flag is None else "yes" if flag else "no"


_SINGLE: dict[Kind, Callable[[Any], str | int | None]] = {
    Kind.TEXT: guarded,
    Kind.NUMBER: _number,
    Kind.FLAG: _flag,
}
