"""The overview of docs/performance.md says what the tables below it say, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

import bench.__main__
from bench.__main__ import DOCS
from bench.overview import COMPARISONS, compare, draw_overview, overview_table
from bench.paper import PARTS, figures_of

PAPER = (DOCS / "performance.md").read_text(encoding="utf-8")
READING = """\
| what answers | granian | CPU each |
| --- | ---: | ---: |
| bare WSGI function: the server's limit | 40,000/s | 23 µs |
| **progress, ready bytes** | 38,000/s | 24 µs |
"""
MIXED = """\
| kind of request | count | p99 |
| --- | ---: | ---: |
| bar, JSON | 10 | 400 µs |
| webhook | 10 | 0.1 s |

| process | when warm | in the end |
| --- | ---: | ---: |
| scheduler | 150.0 MiB | 200.0 MiB |
"""


def _paper(**figures: str) -> str:
    return "\n".join(
        f"<!-- bench {part} -->\n{figures.get(part, '')}<!-- /bench {part} -->" for part in PARTS
    )


def test_overview_of_the_paper_is_that_of_its_tables() -> None:
    lines = compare(PAPER)
    assert figures_of(PAPER, "overview") == f"{overview_table(lines)}\n"
    picture = DOCS / "images" / "performance-overview.svg"
    assert picture.read_text(encoding="utf-8") == draw_overview(lines)


def test_every_suite_was_run_and_has_all_its_lines() -> None:
    assert all(figures_of(PAPER, part).strip() for part in PARTS)
    assert [line.comparison for line in compare(PAPER)] == list(COMPARISONS)


def test_overview_alone_measures_nothing_and_leaves_a_paper_that_is_right_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "performance.md").write_text(PAPER, encoding="utf-8")
    monkeypatch.setattr(bench.__main__, "DOCS", tmp_path)
    assert bench.__main__.main(["--only", "overview"]) == 0
    assert (tmp_path / "performance.md").read_text(encoding="utf-8") == PAPER
    assert [file.name for file in (tmp_path / "images").iterdir()] == ["performance-overview.svg"]


def test_rate_is_better_where_it_is_more_and_time_where_it_is_less() -> None:
    lines = compare(_paper(reading=READING, mixed=MIXED))
    assert [(line.ours, line.other) for line in lines] == [
        ("38,000/s", "40,000/s"),
        ("400 µs", "5 ms"),
        ("0.1 s", "50 ms"),
        ("200.0 MiB", "150.0 MiB"),
    ]
    assert [line.ratio for line in lines] == pytest.approx([0.95, 12.5, 0.5, 0.75])
    table = overview_table(lines)
    assert "| reading | a bar, ready bytes | 38,000/s | bare WSGI function | 40,000/s | 0.95 |" in (
        table
    )


def test_picture_draws_better_to_the_right_and_worse_to_the_left() -> None:
    picture = draw_overview(compare(_paper(reading=READING, mixed=MIXED)))
    assert [picture.count(f'<rect class="{style}"') for style in ("better", "even", "worse")] == [
        1, 1, 2,
    ]  # fmt: skip


def test_figures_that_nobody_measured_are_left_out() -> None:
    assert compare(_paper()) == []
