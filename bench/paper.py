"""The figures as a table, and where they stand in docs/performance.md."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.events import Rates
from bench.growth import Measured
from bench.rounds import median_ratio

NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
PARTS = ("reading", "books", "events", "rolling", "exports", "admin", "mixed")
_PLACE = r"(<!-- bench {} -->\n)(.*?)(<!-- /bench {} -->)"


def machine(databases: Sequence[str]) -> str:
    """Say what the figures were measured on."""
    cores = os.cpu_count()
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} {platform.machine()}"
    return f"{cores} shared cores, {system}, {python}; {'; '.join(databases)}"


def medians(rounds: int) -> str:
    """Say of how many rounds figures are the medians."""
    return "one round" if rounds == 1 else f"medians of {rounds} rounds in turns"


def growth_table(growth: Sequence[Measured], machine: str, *, rounds: int) -> str:
    """Return the figures of books that grow, as Markdown."""
    lines = [
        f"Measured on {machine}; {medians(rounds)}.",
        "",
        "| database | entries | reading the bar | posting a gift | adding the entries up |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    first = {measured.kind: measured for measured in reversed(growth)}
    for measured in growth:
        cells = (_time(measured, first[measured.kind], name) for name in ("read", "post", "sum"))
        lines.append(f"| {NAMES[measured.kind]} | {measured.entries:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def events_table(events: Sequence[Rates], machine: str, *, rounds: int) -> str:
    """Return the figures of events a second, as Markdown."""
    lines = [
        f"Measured on {machine}; {medians(rounds)}.",
        "",
        "| database | threads | bare INSERT | accepted | bare INSERT and UPDATE | worked |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for rates in events:
        accepted = median_ratio(rates.accepted, rates.bare_insert)
        worked = median_ratio(rates.worked, rates.bare_update)
        lines.append(
            f"| {NAMES[rates.kind]} | {rates.threads} | {median(rates.bare_insert):,.0f}/s"
            f" | {median(rates.accepted):,.0f}/s ({accepted:.2f})"
            f" | {median(rates.bare_update):,.0f}/s"
            f" | {median(rates.worked):,.0f}/s ({worked:.2f}) |"
        )
    return "\n".join(lines)


def _time(measured: Measured, first: Measured, name: str) -> str:
    seconds = measured.median_of(name)
    return f"{seconds * 1000:,.2f} ms (× {seconds / first.median_of(name):,.2f})"


def figures_of(paper: str, part: str) -> str:
    """Return what stands in a part's place of the paper, given as its text."""
    found = re.findall(_PLACE.format(part, part), paper, re.DOTALL)
    if len(found) != 1:
        raise ValueError(f"the paper has no single place for the figures: <!-- bench {part} -->")
    return str(found[0][1])


def write_paper(paper: Path, part: str, figures: str) -> None:
    """Put the figures of a part in their place of the paper, whose words are written by hand."""
    text = paper.read_text(encoding="utf-8")
    place = re.compile(_PLACE.format(part, part), re.DOTALL)
    written, places = place.subn(lambda match: f"{match[1]}{figures}\n{match[3]}", text)
    if places != 1:
        raise ValueError(f"{paper.name} has no single place for the figures: <!-- bench {part} -->")
    paper.write_text(written, encoding="utf-8")
