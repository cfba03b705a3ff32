"""The benchmark of exports writes what it says; how long that takes is no test's business."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from bench.exporting import EXPORTS, OF_GIFTS, fill_donations, measure_exports, measure_writers
from bench.exporting_paper import export_tables
from bench.filling import fill
from bench.sites import NOW, SLUG, open_sites
from core.auditlog import COMMAND_LINE
from core.sheets import Format
from payments.export_filters import Export, What
from payments.exporting import begin_export

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the benchmark of exports needs Linux"
)


@pytest.mark.parametrize("slug", [None, SLUG])
@pytest.mark.parametrize("what", OF_GIFTS)
def test_page_costs_the_same_wherever_it_stands(what: What, slug: str | None) -> None:
    steps: list[None] = []
    with open_sites("sqlite") as make:
        site = make()
        fill(site, 12_000)
        fill_donations(site, 12_000)

        @event.listens_for(site.engine, "checkout")
        def count(connection: Any, _record: object, _proxy: object) -> None:
            # Called for each hundred steps of SQLite's machine, whatever else runs on ours.
            connection.set_progress_handler(lambda: steps.append(None), 100)

        export = Export(what=what, format=Format.CSV, slug=slug)
        stream = begin_export(site.open_session, export, actor=COMMAND_LINE, clock=lambda: NOW)
        taken = []
        for _ in stream:
            taken.append(len(steps))
            steps.clear()
    # The heading and the first page, which counts all rows, stand before.
    pages = taken[2:]
    assert len(pages) == 5
    assert max(pages) < 1.2 * min(pages)


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
