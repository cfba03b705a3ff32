"""All suites on one page: taken out of what each has written into its own place of the paper.

So the overview can't say anything else than the tables below it: whichever suite was run last, it
is made anew of all of them. A figure that stands nowhere, since its suite has not run, is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.paper import figures_of

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_MILLI = {"µs": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a figure stands: in the row that begins with these cells, below that head."""

    row: tuple[str, ...]
    column: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure of a suite, and what stands beside it."""

    part: str
    what: str
    ours: Cell
    beside: str  # its name
    other: Cell | str  # where it stands, or a goal as it is written
    limited_by: str
    less_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the overview. `ratio`: 1 is as good as what stands beside, more is better."""

    comparison: Comparison
    ours: str
    other: str
    ratio: float


_SERVER = "the web server, which reads the request and writes the answer"
_STATEMENTS = "the way to the database, a few statements, whatever the books' size"
_READY = ("**progress, ready bytes**",)
_SQLITE, _POSTGRES = "SQLite", "PostgreSQL"


def _growth(database: str, what: str, limited_by: str) -> Comparison:
    return Comparison(
        "books",
        f"{what} at 10,000,000 entries, {database}",
        Cell((database, "10,000,000"), what),
        "at 10 entries",
        Cell((database, "10"), what),
        limited_by,
        less_is_better=True,
    )


def _events(database: str, what: str, limit: str, limited_by: str) -> Comparison:
    row = (database, "4")
    return Comparison(
        "events", f"events {what}, {database}", Cell(row, what), limit, Cell(row, limit), limited_by
    )


def _rolled(database: str) -> Comparison:
    row = (database, "10,000")
    return Comparison(
        "rolling",
        f"10,000 months closed, {database}",
        Cell(row, "all rolled"),
        "bare rows",
        Cell(row, "bare rows"),
        "reading what each campaign plans, by the ORM",
        less_is_better=True,
    )


def _page(database: str, page: str, limited_by: str) -> Comparison:
    return Comparison(
        "admin",
        f"{page} at 1,000,000 gifts, {database}",
        Cell((page,), f"{database}, 1,000,000"),
        "at 1,000 gifts",
        Cell((page,), f"{database}, 1,000"),
        limited_by,
        less_is_better=True,
    )


COMPARISONS = (
    Comparison(
        "reading", "a bar, ready bytes", Cell(_READY, "granian"), "bare WSGI function",
        Cell(("bare WSGI function: the server's limit",), "granian"), _SERVER,
    ),
    Comparison(
        "reading", "a bar, ready bytes", Cell(_READY, "granian"), "plain Flask view",
        Cell(("plain Flask view that answers with constant bytes",), "granian"), _SERVER,
    ),
    Comparison(
        "reading", "a bar, ready bytes", Cell(_READY, "granian"), "adding up 100,000 entries",
        Cell(("Flask view that adds up 100,000 entries",), "granian"), _SERVER,
    ),
    _growth(_SQLITE, "reading the bar", "the ORM; no sum is made"),
    _growth(_POSTGRES, "reading the bar", _STATEMENTS),
    _growth(_SQLITE, "posting a gift", "the disk's sync"),
    _growth(_POSTGRES, "posting a gift", _STATEMENTS),
    _events(_SQLITE, "accepted", "bare INSERT", "the disk's sync, then Flask's work"),
    _events(_POSTGRES, "accepted", "bare INSERT", "Flask's work and three ways to the database"),
    _events(_SQLITE, "worked", "bare INSERT and UPDATE", "Python: two transactions by the ORM"),
    _events(_POSTGRES, "worked", "bare INSERT and UPDATE", "ways to the database, one by one"),
    _rolled(_SQLITE),
    _rolled(_POSTGRES),
    Comparison(
        "exports", "rows as CSV, 1,000,000", Cell(("**CSV**", "1,000,000"), "rows/s"),
        "bare `csv`", Cell(("bare `csv`, without guard and zones", "1,000,000"), "rows/s"),
        "Python, a cell at a time: zones and guards",
    ),
    Comparison(
        "exports", "rows as XLSX, 1,000,000", Cell(("**XLSX**", "1,000,000"), "rows/s"),
        "openpyxl", Cell(("openpyxl, write-only", "1,000,000"), "rows/s"),
        "Python, a cell at a time, and compressing",
    ),
    _page(_SQLITE, "dashboard", "Flask and the templates"),
    _page(_POSTGRES, "dashboard", "the way to the database, 20 statements"),
    _page(_POSTGRES, "donations", "the way to the database, 6 statements"),
    Comparison(
        "mixed", "a bar under mixed load, p99", Cell(("bar, JSON",), "p99"), "goal", "5 ms",
        "whatever else runs on the same cores", less_is_better=True,
    ),
    Comparison(
        "mixed", "an event accepted under mixed load, p99", Cell(("webhook",), "p99"), "goal",
        "50 ms", "its commit, beside donors' pages in the same process", less_is_better=True,
    ),
    *(
        Comparison(
            "mixed", f"memory of a {name} in the end", Cell((row,), "in the end"), "when warm",
            Cell((row,), "when warm"), "what it imports: nothing that grows with the load",
            less_is_better=True,
        )
        for name, row in (("web process", "web process 1"), ("scheduler", "scheduler"))
    ),
)  # fmt: skip


def compare(paper: str) -> list[Line]:
    """Return a line for each comparison whose figures stand in the paper."""
    tables = {part: list(_rows(figures_of(paper, part))) for part in dict.fromkeys(_PARTS)}
    lines = []
    for comparison in COMPARISONS:
        rows = tables[comparison.part]
        ours = _find(rows, comparison.ours)
        other = comparison.other
        beside = other if isinstance(other, str) else _find(rows, other)
        if ours is None or beside is None:
            continue
        figures = _figure(ours), _figure(beside)
        ratio = figures[1] / figures[0] if comparison.less_is_better else figures[0] / figures[1]
        lines.append(Line(comparison, ours, beside, ratio))
    return lines


_PARTS = tuple(comparison.part for comparison in COMPARISONS)


def overview_table(lines: Sequence[Line]) -> str:
    """Return the lines as Markdown."""
    return "\n".join(
        [
            "| suite | what | ours | beside | its figure | ratio | what limits ours |",
            "| --- | --- | ---: | --- | ---: | ---: | --- |",
            *(
                f"| {line.comparison.part} | {line.comparison.what} | {line.ours}"
                f" | {line.comparison.beside} | {line.other} | {_ratio(line.ratio)}"
                f" | {line.comparison.limited_by} |"
                for line in lines
            ),
        ]
    )


def _ratio(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.2f}"  # noqa: PLR2004 - three digits


def _rows(figures: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield each row of each table with the heads above it."""
    heads: list[str] | None = None
    for text in figures.splitlines():
        if not text.startswith("|"):
            heads = None
            continue
        cells = [cell.strip() for cell in text.strip("|").split("|")]
        if heads is None:
            heads = cells
        elif not set(text) <= set("|-: "):
            yield heads, cells


def _find(rows: Sequence[tuple[list[str], list[str]]], cell: Cell) -> str | None:
    """Return what stands there, without what it is compared with in brackets."""
    for heads, cells in rows:
        if tuple(cells[: len(cell.row)]) == cell.row and cell.column in heads:
            found = cells[heads.index(cell.column)].partition(" (")[0]
            return found if _NUMBER.search(found) else None
    return None


def _figure(text: str) -> float:
    """Return the number of a cell; of a time in milliseconds."""
    number = _NUMBER.search(text)
    if number is None:
        raise ValueError(f"{text!r} holds no number")
    unit = text[number.end() :].strip()
    return float(number[0].replace(",", "")) * _MILLI.get(unit, 1.0)


# The picture.
_WIDTH, _ROW, _TOP, _LEFT, _RIGHT = 760, 34, 48, 12, 74
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .soft { fill: #59636e }
  .line { stroke: #59636e; stroke-width: 1.5 }
  .better { fill: #1a7f37 } .even { fill: #0969da } .worse { fill: #bc4c00 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .soft { fill: #9198a1 } .line { stroke: #9198a1 }
    .better { fill: #3fb950 } .even { fill: #4493f8 } .worse { fill: #f0883e }
  }
"""
# Within this of 1 it is as good.
_EVEN = 1.25


def draw_overview(lines: Sequence[Line]) -> str:
    """Return the picture: a bar for each line, to the right where ours is better; logarithmic."""
    height = _TOP + _ROW * len(lines) + 8
    powers = [math.log10(line.ratio) for line in lines]
    low, high = min(-1.0, *powers), max(1.0, *powers)
    scale = (_WIDTH - _LEFT - _RIGHT) / (high - low)
    zero = _LEFT - low * scale
    parts = [
        f'<text class="soft" x="{zero - 6:.1f}" y="20" text-anchor="end">ours takes more</text>',
        f'<text class="soft" x="{zero + 6:.1f}" y="20">as good, or so many times as good</text>',
    ]
    for number, (line, power) in enumerate(zip(lines, powers, strict=True)):
        y = _TOP + _ROW * number
        x, width = min(zero, zero + power * scale), max(1.0, abs(power) * scale)
        style = "even" if abs(power) < math.log10(_EVEN) else "better" if power > 0 else "worse"
        name = f"{line.comparison.what}, beside {line.comparison.beside}".replace("`", "")
        end = max(zero, zero + power * scale) + 6
        parts.append(
            f'<text x="{_LEFT}" y="{y + 10}">{name}</text>'
            f'<rect class="{style}" x="{x:.1f}" y="{y + 14}" width="{width:.1f}" height="11"/>'
            f'<path class="line" d="M{zero:.1f} {y + 13}v13"/>'
            f'<text class="soft" x="{end:.1f}" y="{y + 24}">× {_ratio(line.ratio)}</text>'
        )
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        f' width="{_WIDTH}" height="{height}" role="img" aria-labelledby="name">\n'
        '<title id="name">What was measured, beside its limit or peer.</title>\n'
        f"<style>{_STYLE}</style>\n{body}\n</svg>\n"
    )
