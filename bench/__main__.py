"""Measure, print, and write the figures into docs/performance.md: `make bench`.

python -m bench                     all sizes, both databases; writes the paper and the picture
python -m bench --quick             up to 100,000 entries; prints only
python -m bench --entries 10,1000   these sizes; prints only
python -m bench --only reading      one part of the paper, and of the pictures
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import admin, exporting
from bench.admin_paper import admin_tables
from bench.events import Rates, measure_events
from bench.exporting_paper import export_tables
from bench.growth import Measured, measure_growth
from bench.paper import PARTS, Results, machine, table, write_paper
from bench.picture import draw
from bench.reading import Reading, measure_reading
from bench.reading_paper import draw_reading, reading_tables
from bench.rolling import measure_rolling
from bench.rolling_paper import rolling_tables
from bench.servers import versions
from bench.sites import KINDS, open_sites

SIZES = (10, 10_000, 1_000_000, 10_000_000)
QUICK_SIZES = (10, 10_000, 100_000)
THREADS = (1, 4)
DOCS = Path(__file__).resolve().parents[1] / "docs"


def main(arguments: list[str] | None = None) -> int:  # noqa: C901 - a line for each part
    """Run the benchmark; return the exit status."""
    asked = _parser().parse_args(arguments)
    kinds = asked.databases or list(KINDS)
    sizes = asked.entries or (QUICK_SIZES if asked.quick else SIZES)
    rounds = asked.rounds or (3 if asked.quick else 5)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    begun = time.monotonic()

    def step(what: str) -> None:
        print(f"{time.monotonic() - begun:6.0f} s  {what}", file=sys.stderr, flush=True)

    is_whole = not asked.quick and asked.entries is None
    parts = [asked.only] if asked.only else list(PARTS)
    pictures: dict[str, str] = {}
    figures: dict[str, str] = {}
    if "reading" in parts:
        seconds = 0.3 if asked.quick else 0.7
        readings, on = _measure_reading(kinds[0], rounds=rounds, seconds=seconds, step=step)
        if readings:
            figures["reading"] = reading_tables(readings, on, rounds=rounds)
            pictures["performance-reading.svg"] = draw_reading(readings)
    if "books" in parts:
        events = 50 if asked.quick else 150
        results = _measure(kinds, sizes, rounds=rounds, events=events, step=step)
        # Where a database was left out, so are its figures: what is written down has them all.
        is_whole = is_whole and set(kinds) == set(KINDS)
        figures["books"] = table(results)
        pictures["performance.svg"] = draw(results.growth)
    if "rolling" in parts:
        count = 1_000 if asked.quick else 10_000
        figures["rolling"] = _measure_rolling(kinds, count, rounds=rounds, step=step)
        is_whole = is_whole and set(kinds) == set(KINDS)
    if "exports" in parts:
        rows = exporting.QUICK_SIZES if asked.quick else exporting.SIZES
        figures["exports"] = _measure_exports(kinds, rows, rounds=min(rounds, 3), step=step)
        is_whole = is_whole and set(kinds) == set(KINDS)
    if "admin" in parts:
        donations = admin.QUICK_SIZES if asked.quick else admin.SIZES
        figures["admin"] = _measure_admin(kinds, donations, rounds=rounds, step=step)
        is_whole = is_whole and set(kinds) == set(KINDS)
    print("\n\n".join(figures.values()))
    if is_whole:
        for part, text in figures.items():
            write_paper(DOCS / "performance.md", part, text)
        for name, picture in pictures.items():
            (DOCS / "images" / name).write_text(picture, encoding="utf-8")
        step("wrote docs/performance.md and its pictures")
    return 0


def _measure_reading(
    kind: str, *, rounds: int, seconds: float, step: Callable[[str], None]
) -> tuple[list[Reading], str]:
    with open_sites(kind) as make:
        readings = measure_reading(make, rounds=rounds, seconds=seconds, step=step)
        return readings, _busy(*versions(), make().database)


def _measure(
    kinds: list[str],
    sizes: tuple[int, ...],
    *,
    rounds: int,
    events: int,
    step: Callable[[str], None],
) -> Results:
    growth: list[Measured] = []
    rates: list[Rates] = []
    databases: list[str] = []
    for kind in kinds:
        with open_sites(kind) as make:
            site = make()
            databases.append(site.database)
            rates += measure_events(site, threads=THREADS, rounds=rounds, events=events, step=step)
            growth += measure_growth(make, sizes, rounds=rounds, step=step)
    return Results(growth, rates, machine(databases), rounds)


def _measure_rolling(
    kinds: list[str], campaigns: int, *, rounds: int, step: Callable[[str], None]
) -> str:
    rolled = []
    for kind in kinds:
        with open_sites(kind) as make:
            rolled.append(measure_rolling(make, campaigns, rounds=rounds, step=step))
    return rolling_tables(rolled, _busy(*(one.database for one in rolled)), rounds=rounds)


def _measure_exports(
    kinds: list[str], sizes: tuple[int, ...], *, rounds: int, step: Callable[[str], None]
) -> str:
    writers = exporting.measure_writers(sizes, rounds=rounds, step=step)
    exports, databases = [], []
    for kind in kinds:
        with open_sites(kind) as make:
            exports += exporting.measure_exports(make, sizes, rounds=rounds, step=step)
            databases.append(make().database)
    return export_tables(writers, exports, _busy(*databases), rounds=rounds)


def _measure_admin(
    kinds: list[str], sizes: tuple[int, ...], *, rounds: int, step: Callable[[str], None]
) -> str:
    pages, databases = [], []
    for kind in kinds:
        with open_sites(kind) as make:
            pages += admin.measure_admin(make, sizes, rounds=rounds, step=step)
            databases.append(make().database)
    return admin_tables(pages, _busy(*databases), rounds=rounds)


def _busy(*measured: str) -> str:
    """Say on what it was measured, and how busy that was."""
    # Two cores are busy with this alone; whatever is above that was others' work.
    return machine([*measured, f"load average {os.getloadavg()[1]:.0f}"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="up to 100,000 entries; prints only")
    parser.add_argument(
        "--entries", type=_numbers, metavar="N,N,…", help="these sizes instead; prints only"
    )
    parser.add_argument("--only", choices=PARTS, help="this part only")
    parser.add_argument("--rounds", type=int, help="how often each is measured, in turns")
    parser.add_argument(
        "--database", dest="databases", action="append", choices=KINDS, help="this one only"
    )
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
