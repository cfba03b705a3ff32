"""However many rows there are, no more of them are in memory at once."""

from __future__ import annotations

import tracemalloc

import pytest

from core.csv_file import write_csv
from core.sheets import Write
from core.xlsx_file import write_xlsx
from tests.core.sheet_cases import SHEET, batches

KIB = 1024


def peak_of(write: Write, rows: int) -> int:
    tracemalloc.start()
    try:
        for _ in write(SHEET, batches(rows)):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("write", [write_csv, write_xlsx])
def test_memory_does_not_grow_with_the_rows(write: Write) -> None:
    peak_of(write, 1_000)  # what is loaded once
    few, many = peak_of(write, 2_000), peak_of(write, 20_000)
    assert many < few + 64 * KIB
    assert few < 2_000 * KIB


def test_what_holds_all_rows_is_noticed() -> None:
    def hoard(sheet: object, rows: object) -> list[bytes]:
        return list(write_csv(sheet, list(rows)))  # type: ignore[arg-type,call-overload]

    few, many = peak_of(hoard, 2_000), peak_of(hoard, 20_000)  # type: ignore[arg-type]
    assert many > few + 64 * KIB
