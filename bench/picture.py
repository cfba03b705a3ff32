"""The picture of docs/performance.md: what growing books cost, drawn as SVG without a library.

Both axes are logarithmic. It is readable on white and on black: its colours follow the reader's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.growth import Measured
from bench.paper import NAMES

WIDTH, HEIGHT = 760, 360
_TOP, _BOTTOM, _LEFT, _RIGHT, _GAP = 58, 46, 62, 12, 40
_LINES = (("read", "reading the bar"), ("post", "posting a gift"), ("sum", "adding up"))
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 14px }
  .soft { fill: #59636e }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  polyline { fill: none; stroke-width: 2.5; stroke-linejoin: round }
  .read { stroke: #0969da; fill: #0969da }
  .post { stroke: #1a7f37; fill: #1a7f37 }
  .sum { stroke: #bc4c00; fill: #bc4c00; stroke-dasharray: 6 4 }
  circle { stroke: none } text.read, text.post, text.sum { stroke: none }
  polyline.read, polyline.post, polyline.sum { fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .soft { fill: #9198a1 } .grid { stroke: #3d444d }
    .read { stroke: #4493f8; fill: #4493f8 }
    .post { stroke: #3fb950; fill: #3fb950 }
    .sum { stroke: #f0883e; fill: #f0883e }
  }
"""


def draw(growth: Sequence[Measured]) -> str:
    """Return the picture: a panel for each database, a line for each question."""
    kinds = list(dict.fromkeys(measured.kind for measured in growth))
    times = [measured.median_of(name) for measured in growth for name, _ in _LINES]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    panel = (WIDTH - _LEFT - _RIGHT - _GAP * (len(kinds) - 1)) / len(kinds)
    parts = [_key()]
    for place, kind in enumerate(kinds):
        left = _LEFT + place * (panel + _GAP)
        measured = [one for one in growth if one.kind == kind]
        parts += _panel(measured, left=left, width=panel, low=low, high=high, scale=place == 0)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' width="{WIDTH}" height="{HEIGHT}" role="img" aria-labelledby="name">\n'
        '<title id="name">Reading the bar and posting a gift take as long with many entries as'
        " with few; adding the entries up does not.</title>\n"
        f"<style>{_STYLE}</style>\n{body}\n</svg>\n"
    )


def _key() -> str:
    parts, x = [], _LEFT
    for name, label in _LINES:
        parts.append(
            f'<polyline class="{name}" points="{x},18 {x + 26},18"/>'
            f'<text class="{name}" x="{x + 32}" y="22">{label}</text>'
        )
        x += 56 + 7 * len(label)
    return "\n".join(parts)


def _panel(
    growth: Sequence[Measured], *, left: float, width: float, low: int, high: int, scale: bool
) -> list[str]:
    foot = HEIGHT - _BOTTOM
    most = math.log10(growth[-1].entries)
    least = math.log10(growth[0].entries)

    def x_of(entries: int) -> float:
        return left + 8 + (math.log10(entries) - least) / ((most - least) or 1) * (width - 40)

    def y_of(seconds: float) -> float:
        return foot - (math.log10(seconds) - low) / ((high - low) or 1) * (foot - _TOP)

    parts = [f'<text class="title" x="{left}" y="{_TOP - 12}">{NAMES[growth[0].kind]}</text>']
    for power in range(low, high + 1):
        y = y_of(10**power)
        parts.append(f'<path class="grid" d="M{left} {y:.1f}H{left + width}"/>')
        if scale:
            parts.append(
                f'<text class="soft" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">'
                f"{_duration(power)}</text>"
            )
    parts += [
        f'<text class="soft" x="{x_of(one.entries):.1f}" y="{foot + 18}" text-anchor="middle">'
        f"{_short(one.entries)}</text>"
        for one in growth
    ]
    parts.append(
        f'<text class="soft" x="{left + width / 2:.1f}" y="{foot + 36}" text-anchor="middle">'
        "entries in the ledger</text>"
    )
    for name, _ in _LINES:
        points = [(x_of(one.entries), y_of(one.median_of(name))) for one in growth]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="{name}" points="{line}"/>')
        parts += [f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in points]
    return parts


def _duration(power: int) -> str:
    for unit, exponent in (("s", 0), ("ms", -3), ("µs", -6)):
        if power >= exponent:
            return f"{10 ** (power - exponent)} {unit}"
    return f"{10 ** (power + 9)} ns"


def _short(entries: int) -> str:
    for size, letter in ((1_000_000, " M"), (1_000, " k")):
        if entries >= size:
            return f"{entries // size}{letter}"
    return str(entries)
