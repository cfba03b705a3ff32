"""Measure, print, and write the figures into docs/performance.md: `make bench`.

python -m bench                     all sizes, both databases; writes the paper and the pictures
python -m bench --quick             up to 100,000 entries, a short mixed load; prints only
python -m bench --entries 10,1000   books of these sizes; prints only
python -m bench --only reading      one part of the paper, and of the pictures
python -m bench --only mixed        ten minutes of everything at once; --minutes 60 for an hour
python -m bench --only overview     measures nothing: the overview anew, of what the paper says
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench import admin, exporting
from bench.admin_paper import admin_tables
from bench.events import measure_events
from bench.exporting_paper import export_tables
from bench.growth import measure_growth
from bench.mixed import FULL_SECONDS, QUICK_SECONDS, measure_mixed
from bench.mixed_paper import draw_mixed, mixed_tables
from bench.overview import compare, draw_overview, overview_table
from bench.paper import PARTS, events_table, growth_table, machine, write_paper
from bench.picture import draw
from bench.reading import measure_reading
from bench.reading_paper import draw_reading, reading_tables
from bench.rolling import measure_rolling
from bench.rolling_paper import rolling_tables
from bench.servers import versions
from bench.sites import KINDS, open_sites

SIZES = (10, 10_000, 1_000_000, 10_000_000)
QUICK_SIZES = (10, 10_000, 100_000)
THREADS = (1, 4)
OVERVIEW = "overview"
DOCS = Path(__file__).resolve().parents[1] / "docs"


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; return the exit status: 1 where the mixed load met an error."""
    asked = _parser().parse_args(arguments)
    # Set up before any site is made: none logs each request of its own into ours.
    logging.basicConfig(level=logging.WARNING)
    run = _Run(
        kinds=asked.databases or list(KINDS),
        # Everything at once is for sites that have outgrown SQLite.
        mixed_kind=(asked.databases or ["postgresql"])[0],
        sizes=asked.entries or (QUICK_SIZES if asked.quick else SIZES),
        rounds=asked.rounds or (3 if asked.quick else 5),
        quick=asked.quick,
        mixed_seconds=_mixed_seconds(asked.minutes, quick=asked.quick),
    )
    parts = [asked.only] if asked.only else list(PARTS)
    is_short = asked.minutes is not None and asked.minutes * 60 < FULL_SECONDS
    is_whole = not asked.quick and asked.entries is None and not is_short
    for part in parts:
        if part == OVERVIEW:
            continue
        run.suites()[part]()
        # Each as soon as it is there: what takes hours may be stopped. Where a database was left
        # out, so are its figures: what is written down has them all.
        of_one = part in {"reading", "mixed"}
        if is_whole and (of_one or set(run.kinds) == set(KINDS)):
            _write(run, part)
    print("\n\n".join(run.figures.values()))
    if is_whole:
        _write_overview()
        run.step("wrote docs/performance.md and its pictures")
    return 1 if run.errors else 0


def _write(run: _Run, part: str) -> None:
    if part not in run.figures:
        return
    write_paper(DOCS / "performance.md", part, run.figures[part])
    if part in run.pictures:
        name, picture = run.pictures[part]
        (DOCS / "images" / name).write_text(picture, encoding="utf-8")


def _write_overview() -> None:
    paper = DOCS / "performance.md"
    lines = compare(paper.read_text(encoding="utf-8"))
    write_paper(paper, OVERVIEW, overview_table(lines))
    picture = DOCS / "images" / "performance-overview.svg"
    picture.write_text(draw_overview(lines), encoding="utf-8")


@dataclass(slots=True)
class _Run:
    """What is measured, and what came of it, by part."""

    kinds: list[str]
    mixed_kind: str
    sizes: tuple[int, ...]
    rounds: int
    quick: bool
    mixed_seconds: float
    figures: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, tuple[str, str]] = field(default_factory=dict)
    errors: int = 0
    begun: float = field(default_factory=time.monotonic)

    def step(self, what: str) -> None:
        """Say what is done now."""
        print(f"{time.monotonic() - self.begun:6.0f} s  {what}", file=sys.stderr, flush=True)

    def suites(self) -> Mapping[str, Callable[[], None]]:
        """Return what measures each part."""
        return {
            "reading": self._reading,
            "books": self._books,
            "events": self._events,
            "rolling": self._rolling,
            "exports": self._exports,
            "admin": self._admin,
            "mixed": self._mixed,
        }

    def _reading(self) -> None:
        seconds = 0.3 if self.quick else 0.7
        with open_sites(self.kinds[0]) as make:
            readings = measure_reading(make, rounds=self.rounds, seconds=seconds, step=self.step)
            on = _busy(*versions(), make().database)
        if readings:
            self.figures["reading"] = reading_tables(readings, on, rounds=self.rounds)
            self.pictures["reading"] = "performance-reading.svg", draw_reading(readings)

    def _books(self) -> None:
        growth, databases = [], []
        for kind in self.kinds:
            with open_sites(kind) as make:
                growth += measure_growth(make, self.sizes, rounds=self.rounds, step=self.step)
                databases.append(make().database)
        self.figures["books"] = growth_table(growth, _busy(*databases), rounds=self.rounds)
        self.pictures["books"] = "performance.svg", draw(growth)

    def _events(self) -> None:
        rates, databases = [], []
        for kind in self.kinds:
            with open_sites(kind) as make:
                site = make()
                databases.append(site.database)
                rates += measure_events(
                    site,
                    threads=THREADS,
                    rounds=self.rounds,
                    events=50 if self.quick else 150,
                    step=self.step,
                )
        self.figures["events"] = events_table(rates, _busy(*databases), rounds=self.rounds)

    def _rolling(self) -> None:
        count = 1_000 if self.quick else 10_000
        rolled = []
        for kind in self.kinds:
            with open_sites(kind) as make:
                rolled.append(measure_rolling(make, count, rounds=self.rounds, step=self.step))
        on = _busy(*(one.database for one in rolled))
        self.figures["rolling"] = rolling_tables(rolled, on, rounds=self.rounds)

    def _exports(self) -> None:
        sizes = exporting.QUICK_SIZES if self.quick else exporting.SIZES
        rounds = min(self.rounds, 3)
        writers = exporting.measure_writers(sizes, rounds=rounds, step=self.step)
        exports, databases = [], []
        for kind in self.kinds:
            with open_sites(kind) as make:
                exports += exporting.measure_exports(make, sizes, rounds=rounds, step=self.step)
                databases.append(make().database)
        self.figures["exports"] = export_tables(writers, exports, _busy(*databases), rounds=rounds)

    def _admin(self) -> None:
        sizes = admin.QUICK_SIZES if self.quick else admin.SIZES
        pages, databases = [], []
        for kind in self.kinds:
            with open_sites(kind) as make:
                pages += admin.measure_admin(make, sizes, rounds=self.rounds, step=self.step)
                databases.append(make().database)
        self.figures["admin"] = admin_tables(pages, _busy(*databases), rounds=self.rounds)

    def _mixed(self) -> None:
        with open_sites(self.mixed_kind) as make:
            mixed = measure_mixed(make(), seconds=self.mixed_seconds, step=self.step)
        self.errors += mixed.errors
        for told in (*mixed.records.told, *mixed.wrong):
            self.step(f"mixed: {told}")
        self.figures["mixed"] = mixed_tables(mixed, _busy(mixed.server, mixed.database))
        self.pictures["mixed"] = "performance-mixed.svg", draw_mixed(mixed)


def _busy(*measured: str) -> str:
    """Say on what it was measured, and how busy that was."""
    # Two cores are busy with this alone; whatever is above that was others' work.
    return machine([*measured, f"load average {os.getloadavg()[1]:.0f}"])


def _mixed_seconds(minutes: float | None, *, quick: bool) -> float:
    if minutes is not None:
        return minutes * 60
    return QUICK_SECONDS if quick else FULL_SECONDS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="up to 100,000 entries; prints only")
    parser.add_argument(
        "--entries", type=_numbers, metavar="N,N,…", help="these sizes instead; prints only"
    )
    parser.add_argument("--only", choices=(*PARTS, OVERVIEW), help="this part only")
    parser.add_argument(
        "--minutes", type=float, help="how long the mixed load lasts; under ten it prints only"
    )
    parser.add_argument("--rounds", type=int, help="how often each is measured, in turns")
    parser.add_argument(
        "--database", dest="databases", action="append", choices=KINDS, help="this one only"
    )
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
