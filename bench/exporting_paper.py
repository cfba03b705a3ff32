"""The exports' figures as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from bench.exporting import EXPORTS, PEERS, Exporting, Taken
from bench.paper import NAMES, medians
from bench.rounds import median_ratio

_MEBI = 1 << 20
_TOLD = {
    "csv": "**CSV**",
    "peer-csv": "bare `csv`, without guard and zones",
    "xlsx": "**XLSX**",
    "peer-xlsx": "openpyxl, write-only",
}


def export_tables(
    writers: Sequence[Exporting], exports: Sequence[Exporting], machine: str, *, rounds: int
) -> str:
    """Return the figures as Markdown."""
    lines = [
        f"Measured on {machine}; {medians(rounds)}.",
        "",
        "| written alone | rows | rows/s | of the peer | first byte | memory | file |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    found = {(one.what, one.rows): one for one in writers}
    for one in writers:
        ratio = ""
        if peer := PEERS.get(one.what):
            beside = found[peer, one.rows]
            ratio = f"× {median_ratio(_seconds(beside), _seconds(one)):.2f}"
        lines.append(f"| {_TOLD[one.what]} | {one.rows:,} | {_figures(one, ratio)} |")
    lines += [
        "",
        "| from the books | database | rows | rows/s | CPU | first byte | memory | file |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in sorted(exports, key=lambda one: (one.kind != "sqlite", EXPORTS.index(one.what))):
        what, format_ = one.what.split("-")
        cpu = f"{_median(one, lambda taken: taken.cpu_seconds):,.0f} s"
        lines.append(
            f"| {what}, {format_.upper()} | {NAMES[one.kind or 'sqlite']} | {one.rows:,}"
            f" | {_figures(one, cpu)} |"
        )
    return "\n".join(lines)


def _figures(one: Exporting, between: str) -> str:
    rate = one.rows / median(_seconds(one))
    first = _median(one, lambda taken: taken.first_seconds)
    peak = _median(one, lambda taken: taken.peak_bytes)
    size = _median(one, lambda taken: taken.file_bytes)
    shown = f"{first:,.0f} s" if first > 1 else f"{first * 1000:,.1f} ms"
    return (
        f"{rate:,.0f}/s | {between} | {shown} | {peak / _MEBI:,.0f} MiB | {size / _MEBI:,.0f} MiB"
    )


def _seconds(one: Exporting) -> list[float]:
    return [taken.seconds for taken in one.rounds]


def _median(one: Exporting, figure: Callable[[Taken], float]) -> float:
    return median(figure(taken) for taken in one.rounds)
