from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET
from zipfile import ZipFile

import openpyxl
import pytest
from openpyxl.workbook import Workbook

from core import xlsx_file
from core.sheets import Amount, Column, Kind, Row, Sheet
from core.xlsx_file import MOST_CHARACTERS, write_xlsx
from core.xlsx_parts import letters
from tests.core.sheet_cases import EMPTY, FORMULAS, INERT, NEW_YORK, ROW, SHEET, batches


def written(*rows: Row, sheet: Sheet = SHEET, **limits: int) -> bytes:
    return b"".join(write_xlsx(sheet, [rows], **limits))


def read(*rows: Row, sheet: Sheet = SHEET) -> list[tuple[Any, ...]]:
    return list(opened(written(*rows, sheet=sheet)).worksheets[0].iter_rows(values_only=True))


def opened(file: bytes) -> Workbook:
    return openpyxl.load_workbook(io.BytesIO(file))


def test_cells_are_numbers_times_and_texts() -> None:
    assert read(ROW, EMPTY, ROW) == [
        ("Gift", "Number", "Amount", "Paid", "Paid, UTC", "Late", "Note"),
        *(
            row := [
                (
                    *("don_1", 7, 520),
                    *(datetime(2021, 5, 10, 20, 15), "2021-05-11T00:15:00Z"),  # noqa: DTZ001
                    *(True, "Thank you"),
                )
            ]
        ),
        (None,) * 7,
        *row,
    ]


def test_sheet_is_comfortable() -> None:
    sheet = opened(written(ROW)).worksheets[0]
    assert sheet.title == "Gifts"
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:G2"
    assert sheet["A1"].font.b
    assert not sheet["A2"].font.b
    assert sheet["D2"].number_format == r"yyyy\-mm\-dd\ hh:mm:ss"
    assert sheet["D2"].is_date
    assert sheet.column_dimensions["A"].width == 30
    assert sheet.column_dimensions["E"].width == 20


@pytest.mark.parametrize(
    ("minor", "currency", "text", "number_format"),
    [
        (52_010, "USD", "520.10", "#,##0.00"),
        (520, "JPY", "520", "#,##0"),
        (1_234, "KWD", "1.234", "#,##0.000"),
        (-1, "EUR", "-0.01", "#,##0.00"),
        (999_999_999_999, "USD", "9999999999.99", "#,##0.00"),
    ],
)
def test_amounts_are_numbers_written_exactly(
    minor: int, currency: str, text: str, number_format: str
) -> None:
    sheet = Sheet("Money", (Column("amount", "Amount", Kind.MONEY),))
    file = written((Amount(minor, currency),), sheet=sheet)
    assert f"<v>{text}</v>".encode() in ZipFile(io.BytesIO(file)).read("xl/worksheets/sheet1.xml")
    cell = opened(file).worksheets[0]["A2"]
    assert (cell.data_type, cell.number_format) == ("n", number_format)


@pytest.mark.parametrize("text", [*FORMULAS, *INERT, "<b>&amp;</b>", " kept "])
def test_text_is_a_text_whatever_it_begins_with(text: str) -> None:
    file = written((*ROW[:-1], text))
    assert b"<f>" not in ZipFile(io.BytesIO(file)).read("xl/worksheets/sheet1.xml")
    cell = opened(file).worksheets[0]["G2"]
    kept = re.sub("\r\n?", "\n", text.replace("\0", ""))  # as XML reads line breaks
    assert cell.value == (kept or None)
    assert cell.data_type in {"s", "inlineStr", "n"[: not kept]}


def test_what_xml_can_not_hold_is_dropped_and_what_excel_would_unfold_is_not() -> None:
    file = written((*ROW[:-1], "a\x00b\x1fc\ud800d\ufffee _x0041_ _x_"))
    text = ZipFile(io.BytesIO(file)).read("xl/worksheets/sheet1.xml").decode()
    assert "abcde _x005F_x0041_ _x_" in text


def test_cell_that_is_too_long_for_excel_is_cut() -> None:
    assert len(read((*ROW[:-1], "<" * 50_000))[1][-1]) == MOST_CHARACTERS


@pytest.mark.parametrize("offset", range(0, 86_400, 7_919))
def test_times_come_back_to_the_second(offset: int) -> None:
    sheet = Sheet("Times", (Column("at", "At", Kind.INSTANT),))
    instant = (datetime(2024, 2, 29, tzinfo=UTC) + timedelta(seconds=offset)).astimezone(NEW_YORK)
    assert read((instant,), sheet=sheet)[1][0] == instant.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("rows", "expected"), [(0, [1]), (3, [4]), (4, [4, 2]), (6, [4, 4]), (7, [4, 4, 2])]
)
def test_rows_beyond_a_sheet_go_on_to_the_next(rows: int, expected: list[int]) -> None:
    book = opened(b"".join(write_xlsx(SHEET, batches(rows, at_once=2), most_rows=4)))
    assert [sheet.max_row for sheet in book] == expected
    assert book.sheetnames == ["Gifts", "Gifts 2", "Gifts 3"][: len(expected)]
    numbers = [row[1] for sheet in book for row in sheet.iter_rows(min_row=2, values_only=True)]
    assert numbers == list(range(rows))
    assert {sheet["A1"].value for sheet in book} == {"Gift"}


def test_sheet_ends_before_it_is_too_large_for_its_archive() -> None:
    book = opened(b"".join(write_xlsx(SHEET, batches(6, at_once=2), most_bytes=1)))
    assert [sheet.max_row for sheet in book] == [3, 3, 3]


def test_every_part_is_well_formed_and_named_in_the_contents() -> None:
    archive = ZipFile(io.BytesIO(written(ROW, ROW, most_rows=2)))
    assert archive.testzip() is None
    for name in archive.namelist():
        ET.fromstring(archive.read(name))  # noqa: S314 - ours
    contents = archive.read("[Content_Types].xml").decode()
    named = set(re.findall(r'PartName="/([^"]+)"', contents))
    assert named == {name for name in archive.namelist() if "rels" not in name} - {
        "[Content_Types].xml"
    }


def test_file_begins_before_the_first_row_is_asked_for() -> None:
    def rows() -> Iterator[Sequence[Row]]:
        asked.append(True)
        yield [ROW]

    asked: list[bool] = []
    file = write_xlsx(SHEET, rows())
    assert next(file).startswith(b"PK\x03\x04")
    assert asked == []
    assert b"".join(file).endswith(b"\0\0")
    assert asked == [True]


def test_no_piece_is_empty() -> None:
    assert all(write_xlsx(SHEET, [[], [ROW], [], *batches(1_000)]))


def test_whoever_stops_reading_leaves_nothing_open() -> None:
    file = write_xlsx(SHEET, batches(10_000))
    next(file)
    next(file)
    file.close()
    assert list(file) == []


def test_columns_are_called_as_excel_calls_them() -> None:
    assert [letters(place) for place in (0, 25, 26, 51, 52, 701, 702)] == [
        *("A", "Z", "AA", "AZ", "BA", "ZZ", "AAA")
    ]


def test_limits_are_those_of_excel_and_of_plain_zip() -> None:
    assert xlsx_file.MOST_ROWS == 2**20
    assert xlsx_file.MOST_BYTES < 2**31
