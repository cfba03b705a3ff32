"""The benchmark of exports writes what it says; how long that takes is no test's business."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from bench.exporting import EXPORTS, measure_exports, measure_writers
from bench.exporting_paper import export_tables
from bench.sites import open_sites

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the benchmark of exports needs Linux"
)


def test_every_way_writes_all_rows_and_the_paper_tells_each() -> None:
    steps: list[str] = []
    writers = measure_writers([100], rounds=1, step=steps.append)
    with open_sites("sqlite") as make:
        exports = measure_exports(make, [100], rounds=1, step=steps.append)
    assert {one.what for one in exports} == set(EXPORTS)
    for one in (*writers, *exports):
        (taken,) = one.rounds
        assert taken.first_seconds <= taken.seconds
        # 100 rows compressed, or a heading alone.
        assert taken.file_bytes > 5_000, one.what
    paper = export_tables(writers, exports, "a machine", rounds=1)
    lines = [line for line in paper.splitlines() if line.startswith("|")]
    assert len(lines) == (2 + 4) + (2 + 4)
    assert len({len(next(csv.reader(io.StringIO(line), delimiter="|"))) for line in lines}) == 2
