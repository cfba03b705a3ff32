from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.csv_file import guarded, write_csv
from core.sheets import Amount, Column, Kind, Sheet
from tests.core.sheet_cases import EMPTY, FORMULAS, INERT, NEW_YORK, ROW, SHEET


def read(*rows: Any, sheet: Sheet = SHEET) -> list[list[str]]:
    text = b"".join(write_csv(sheet, [rows])).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def test_money_is_a_decimal_with_minor_units_and_times_have_utc_beside() -> None:
    assert read(ROW, EMPTY) == [
        ["id", "number", "amount", "amount_minor", "paid_at", "paid_at_utc", "late", "note"],
        [
            *["don_1", "7", "520.00", "52000"],
            *["2021-05-10 20:15:00", "2021-05-11T00:15:00Z", "yes", "Thank you"],
        ],
        [""] * 8,
    ]


def test_file_begins_as_excel_knows_utf_8_and_lines_end_as_the_rfc_says() -> None:
    written = b"".join(write_csv(SHEET, [[(*ROW[:-1], "a\nb")]]))
    assert written.startswith(b"\xef\xbb\xbfid,")
    assert written.endswith(b'"a\nb"\r\n')


@pytest.mark.parametrize(
    ("minor", "currency", "decimal"),
    [
        (520, "JPY", "520"),
        (1234, "KWD", "1.234"),
        (-1, "USD", "-0.01"),
        (0, "EUR", "0.00"),
        (999_999_999_999, "USD", "9999999999.99"),
        # More digits than a float has.
        (2**63 - 1, "USD", "92233720368547758.07"),
    ],
)
def test_amounts_are_exact_in_every_currency(minor: int, currency: str, decimal: str) -> None:
    sheet = Sheet("Money", (Column("amount", "Amount", Kind.MONEY),))
    assert read((Amount(minor, currency),), sheet=sheet)[1] == [decimal, str(minor)]


def test_hour_that_comes_twice_is_told_apart_by_utc() -> None:
    sheet = Sheet("Times", (Column("at", "At", Kind.INSTANT),))
    first = datetime(2021, 11, 7, 5, 30, tzinfo=UTC).astimezone(NEW_YORK)
    second = datetime(2021, 11, 7, 6, 30, tzinfo=UTC).astimezone(NEW_YORK)
    assert read((first,), (second,), sheet=sheet)[1:] == [
        ["2021-11-07 01:30:00", "2021-11-07T05:30:00Z"],
        ["2021-11-07 01:30:00", "2021-11-07T06:30:00Z"],
    ]


@pytest.mark.parametrize(("text", "safe"), FORMULAS.items())
def test_text_that_a_spreadsheet_would_run_is_guarded(text: str, safe: str) -> None:
    assert guarded(text) == safe
    assert read((*ROW[:-1], text))[1][-1] == safe


@pytest.mark.parametrize("text", INERT)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert read((*ROW[:-1], text))[1][-1] == text


@given(st.text(st.sampled_from(" ;,\t\r\n\"'=+-@x\u00a0\uff1d") | st.characters()))
def test_no_cell_begins_a_formula_however_lines_are_cut(text: str) -> None:
    written = b"".join(write_csv(SHEET, [[(*ROW[:-1], text)]])).decode("utf-8-sig")
    cut = [
        list(csv.reader(io.StringIO(written, newline=""), delimiter=separator))
        for separator in (",", ";", "\t")
    ] + [
        # A reader that knows no quotes, or has lost count of them.
        [line.split(separator) for line in re.split("[\r\n]", written)]
        for separator in (";", "\t")
    ]
    for rows in cut:
        for cell in (cell for row in rows for cell in row):
            assert not re.match(r"[\s\"]*[=+\-@\uff1d\uff0b\uff0d\uff20]", cell)


def test_what_no_file_may_hold_is_dropped() -> None:
    assert read((*ROW[:-1], "a\x00b\x1fc\ud800d\ufffee"))[1][-1] == "abcde"


def test_file_begins_before_the_first_row_is_asked_for() -> None:
    def rows() -> Any:
        asked.append(True)
        yield [ROW]

    asked: list[bool] = []
    file = write_csv(SHEET, rows())
    assert next(file).startswith(b"\xef\xbb\xbfid,")
    assert asked == []
    assert b"don_1" in next(file)


def test_no_piece_is_empty() -> None:
    assert all(write_csv(SHEET, [[], [ROW], []]))
