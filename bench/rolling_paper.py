"""The roll's figures as tables."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bench.paper import NAMES
from bench.rolling import Rolling
from bench.rounds import median_ratio


def rolling_tables(rolled: Sequence[Rolling], machine: str, *, rounds: int) -> str:
    """Return the figures as Markdown."""
    lines = [
        f"Measured on {machine}; medians of {rounds} rounds.",
        "",
        "| database | campaigns | all rolled | CPU, ours | longest batch | bare rows | of bare |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in rolled:
        seconds = median(one.roll)
        lines.append(
            f"| {NAMES[one.kind]} | {one.campaigns:,} | {seconds:.2f} s"
            f" | {median(one.cpu):.2f} s | {median(one.longest) * 1000:,.0f} ms"
            f" | {median(one.bare):.2f} s | × {one.ratio:.1f} |"
        )
    lines += [
        "",
        (
            "| readers, ready bytes, granian | alone | during a roll | ratio | by CPU time"
            " | p99 alone | p99 during a roll |"
        ),
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in rolled:
        quiet, beside = one.quiet, one.beside
        lines.append(
            f"| {NAMES[one.kind]} | {median(quiet.per_second):,.0f}/s"
            f" | {median(beside.per_second):,.0f}/s"
            f" | {median_ratio(beside.per_second, quiet.per_second):.2f}"
            f" | {median_ratio(quiet.cpu_seconds, beside.cpu_seconds):.2f}"
            f" | {median(quiet.p99_seconds) * 1000:.1f} ms"
            f" | {median(beside.p99_seconds) * 1000:.1f} ms |"
        )
    return "\n".join(lines)
