"""The admin's figures as a table."""

from __future__ import annotations

from collections.abc import Sequence

from bench.admin import Page
from bench.paper import NAMES, medians
from bench.rounds import median_ratio


def admin_tables(pages: Sequence[Page], machine: str, *, rounds: int) -> str:
    """Return what each page takes at the smallest size and at the largest, as Markdown."""
    small, large = (find(page.donations for page in pages) for find in (min, max))
    kinds = list(dict.fromkeys(page.kind for page in pages))
    found = {(page.name, page.kind, page.donations): page for page in pages}
    heads = [f"{NAMES[kind]}, {size:,}" for kind in kinds for size in (small, large)]
    lines = [
        f"Measured on {machine}; {medians(rounds)}.",
        "",
        f"| page | statements | {' | '.join(heads)} |",
        f"| --- | ---: |{' ---: |' * len(heads)}",
    ]
    for name in dict.fromkeys(page.name for page in pages):
        cells = []
        for kind in kinds:
            one, many = found[name, kind, small], found[name, kind, large]
            ratio = median_ratio(many.rounds, one.rounds)
            cells.append(f"{one.seconds * 1000:,.1f} ms")
            cells.append(f"{many.seconds * 1000:,.1f} ms (× {ratio:.1f})")
        counts = sorted({page.statements for page in pages if page.name == name})
        told = "–".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
        lines.append(f"| {name} | {told} | {' | '.join(cells)} |")
    return "\n".join(lines)
