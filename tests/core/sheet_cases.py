"""A sheet of every kind of column, and rows for it, for the tests of both formats."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from core.sheets import Amount, Column, Kind, Row, Sheet

NEW_YORK = ZoneInfo("America/New_York")
PAID_AT = datetime(2021, 5, 11, 0, 15, 0, 999_999, tzinfo=UTC).astimezone(NEW_YORK)
SHEET = Sheet(
    "Gifts",
    (
        Column("id", "Gift", width=30),
        Column("number", "Number", Kind.NUMBER),
        Column("amount", "Amount", Kind.MONEY),
        Column("paid_at", "Paid", Kind.INSTANT, width=20),
        Column("late", "Late", Kind.FLAG),
        Column("note", "Note"),
    ),
)
ROW: Row = ("don_1", 7, Amount(52_000, "USD"), PAID_AT, True, "Thank you")
EMPTY: Row = (None,) * len(SHEET.columns)

# What a spreadsheet would run, and what stands in a CSV cell instead.
FORMULAS = {
    "=1+1": "'=1+1",
    "+1": "'+1",
    "-1": "'-1",
    "@SUM(A1)": "'@SUM(A1)",
    "\tx": "'\tx",
    "\rx": "'\rx",
    "\nx": "'\nx",
    " =1+1": "' =1+1",
    "\u00a0=1+1": "'\u00a0=1+1",
    "\u200b\ufeff=1+1": "'\u200b\ufeff=1+1",
    '"=1+1': "'\"=1+1",
    "'=1+1": "''=1+1",
    "\x00=1+1": "'=1+1",
    "\uff1d1+1": "'\uff1d1+1",
    "\uff0d1": "'\uff0d1",
    "\uff0b1": "'\uff0b1",
    "\uff20A1": "'\uff20A1",
    # Where lines are cut at semicolons, which quotes do not keep all readers from.
    "a;=1+1": "a;'=1+1",
    'a;" @x': "a;'\" @x",
    "a\t=1+1": "a\t'=1+1",
    "a\r\n=1+1;b": "a\r\n'=1+1;b",
}
INERT = ["", "x", "1-1", "ann+list@example.org", "a, =b", "5 = 5", "it's; fine", "–5", "Ünï 🎁"]


def batches(count: int, *, at_once: int = 500) -> Iterator[list[Row]]:
    """Yield so many rows, no two alike, made when they are asked for."""
    for start in range(0, count, at_once):
        yield [
            (
                f"don_{number * 2_654_435_761 & 0xFFFFFFFF:032x}",
                number,
                Amount(number, "USD"),
                PAID_AT + timedelta(seconds=37 * number),
                number % 2 == 0,
                f"Gift {number}",
            )
            for number in range(start, min(start + at_once, count))
        ]
