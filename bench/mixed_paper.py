"""The mixed load's figures: as tables, and as a picture of times and memory with the roll in it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.crowd import (
    ADMIN,
    AGAIN,
    BAR,
    EVENT,
    FORM,
    FRAME,
    IMAGE,
    KINDS,
    KNOWN,
    SCRIPT,
    SENDING,
    THANKS,
)
from bench.mixed import DATABASE, SCHEDULER, WEB, Mixed
from bench.rounds import percentile
from bench.visitors import Taken

_MEBI = 1 << 20
# How much of the run around the month's end is looked at by itself.
ROLL_SHARE = 0.1
_PERCENTS = (50, 95, 99, 100)


def mixed_tables(mixed: Mixed, machine: str) -> str:
    """Return the figures as Markdown."""
    answers = mixed.records.answers
    total = sum(len(taken) for taken in answers.values())
    lines = [
        f"Measured on {machine}; {_length(mixed.seconds)}, {total / mixed.seconds:,.0f} answers/s.",
        "",
        "| kind of request | count | errors | p50 | p95 | p99 | most | p99 around the roll |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for kind in KINDS:
        if taken := answers.get(kind):
            times = sorted(one.seconds for one in taken)
            cells = [_duration(percentile(times, percent)) for percent in _PERCENTS]
            near = sorted(one.seconds for one in _around_the_roll(mixed, taken))
            cells.append(_duration(percentile(near, 99)) if near else "–")
            errors = mixed.records.errors[kind]
            lines.append(f"| {kind} | {len(taken):,} | {errors} | {' | '.join(cells)} |")
    lines.append(f"| all | {total:,} | {mixed.errors} | | | | | |")
    lines += [
        "",
        "| process | when warm | in the end | peak | grows by |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, memory in sorted(mixed.memory.items()):
        warm = memory.after(mixed.warm_at)[0][1]
        an_hour = memory.slope(after=mixed.warm_at) * 3600 / _MEBI
        cells = [f"{held / _MEBI:,.1f} MiB" for held in (warm, memory.last, memory.peak)]
        lines.append(f"| {name} | {' | '.join(cells)} | {an_hour:+,.1f} MiB/h |")
    return "\n".join([*lines, "", _told(mixed)])


def _told(mixed: Mixed) -> str:
    closed = "was not closed"
    if mixed.closed_at is not None:
        closed = f"was closed {mixed.closed_at - mixed.ended_at:,.1f} s after its end"
    seen = "no reader saw the next one"
    if mixed.seen_at is not None:
        seen = (
            f"readers saw the next one {max(0.0, mixed.seen_at - mixed.ended_at):,.1f} s after it"
        )
    sums = (mixed.paid_minor, mixed.booked_minor, mixed.shown_minor)
    paid, booked, shown = (f"{minor / 100:,.2f} $" for minor in sums)
    right = "; ".join(mixed.wrong) or "`ledger verify` found nothing"
    events, again = (len(mixed.records.answers[kind]) for kind in (EVENT, AGAIN))
    return (
        f"{mixed.gifts:,} gifts and {mixed.refunds:,} refunds, told by {events:,} events, {again:,}"
        f" of them twice. Paid at the sandbox: {paid}; in the books, by {mixed.entries:,}"
        f" references: {booked}; shown on the bars of both months: {shown}; {right}. The month"
        f" {closed}, {_length(mixed.ended_at)} into the run; {seen}. Of those who knew the bar,"
        f" {mixed.not_modified:,} were answered by 304."
    )


def _around_the_roll(mixed: Mixed, taken: Sequence[Taken]) -> list[Taken]:
    reach = mixed.seconds * ROLL_SHARE / 2
    return [one for one in taken if abs(one.at - mixed.ended_at) <= reach]


def _length(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"  # noqa: PLR2004


def _duration(seconds: float) -> str:
    shown = seconds * 1000
    return f"{shown:,.1f} ms" if shown < 10 else f"{shown:,.0f} ms"  # noqa: PLR2004 - three digits


# The picture.
WIDTH, HEIGHT = 760, 560
_LEFT, _RIGHT, _TOP, _MIDDLE, _FOOT = 62, 14, 64, 316, 520
_PANEL = 190
_WINDOWS = 40
_MOST_LINES = 5
_GROUPS = (
    ("bar", "the bar and its faces", (BAR, KNOWN, FRAME, IMAGE, SCRIPT)),
    ("event", "events of Stripe's", (EVENT, AGAIN)),
    ("give", "donors' pages", (FORM, SENDING, THANKS)),
    ("admin", "the admin's pages", (ADMIN,)),
)
_MEMORIES = (
    ("bar", "a web process", WEB),
    ("event", SCHEDULER, SCHEDULER),
    ("admin", "PostgreSQL, its own", DATABASE),
)
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 14px }
  .soft { fill: #59636e }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .roll { stroke: #59636e; stroke-width: 1.5; stroke-dasharray: 3 3 }
  polyline { fill: none; stroke-width: 2; stroke-linejoin: round }
  polyline.bar { stroke: #0969da } polyline.event { stroke: #1a7f37 }
  polyline.give { stroke: #bc4c00 } polyline.admin { stroke: #8250df }
  text.bar { fill: #0969da } text.event { fill: #1a7f37 }
  text.give { fill: #bc4c00 } text.admin { fill: #8250df }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .soft { fill: #9198a1 } .grid { stroke: #3d444d }
    .roll { stroke: #9198a1 }
    polyline.bar { stroke: #4493f8 } polyline.event { stroke: #3fb950 }
    polyline.give { stroke: #f0883e } polyline.admin { stroke: #ab7df8 }
    text.bar { fill: #4493f8 } text.event { fill: #3fb950 }
    text.give { fill: #f0883e } text.admin { fill: #ab7df8 }
  }
"""
_NAME = "Times stay as they are while the month is rolled, and the processes' memory stays flat."

Points = list[tuple[float, float]]


def draw_mixed(mixed: Mixed) -> str:
    """Return the picture: times of each kind over the run, above them what was held in memory."""
    times = [(style, label, _windows(mixed, kinds)) for style, label, kinds in _GROUPS]
    held = [
        (style, label, [(at, bytes_ / _MEBI) for at, bytes_ in memory.samples])
        for style, label, prefix in _MEMORIES
        for name, memory in sorted(mixed.memory.items())
        if name.startswith(prefix)
    ]
    body = [
        *_panel(
            "95 of 100 are answered within",
            times,
            top=_TOP,
            seconds=mixed.seconds,
            scale=_logarithmic([y for _, _, points in times for _, y in points]),
        ),
        *_panel(
            "memory", held, top=_MIDDLE, seconds=mixed.seconds,
            scale=_linear([y for _, _, points in held for _, y in points]),
        ),
        *_roll(mixed),
        *_minutes(mixed.seconds),
    ]  # fmt: skip
    lines = "\n".join(body)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        f' width="{WIDTH}" height="{HEIGHT}" role="img" aria-labelledby="name">\n'
        f'<title id="name">{_NAME}</title>\n<style>{_STYLE}</style>\n{lines}\n</svg>\n'
    )


def _windows(mixed: Mixed, kinds: Sequence[str]) -> Points:
    """Return the middle of each part of the run, and within what time 95 of 100 were answered."""
    length = mixed.seconds / _WINDOWS
    found: dict[int, list[float]] = {}
    for kind in kinds:
        for taken in mixed.records.answers.get(kind, ()):
            found.setdefault(min(_WINDOWS - 1, int(taken.at / length)), []).append(taken.seconds)
    return [
        ((window + 0.5) * length, percentile(sorted(times), 95))
        for window, times in sorted(found.items())
    ]


# A scale says how high in the panel a figure stands, from 0 to 1, and which lines there are.
_Scale = tuple[float, float, bool, list[tuple[float, str]]]


def _logarithmic(figures: Sequence[float]) -> _Scale:
    low = math.floor(math.log10(min(figures)))
    high = max(low + 1, math.ceil(math.log10(max(figures))))
    lines = [(10.0**power, _power(power)) for power in range(low, high + 1)]
    return 10.0**low, 10.0**high, True, lines


def _power(power: int) -> str:
    return f"{10**power} s" if power >= 0 else f"{10 ** (power + 3):g} ms"


def _linear(figures: Sequence[float]) -> _Scale:
    step = next(
        step for step in (10, 20, 50, 100, 200, 500, 1000) if max(figures) <= _MOST_LINES * step
    )
    high = math.ceil(max(figures) / step) * step
    return 0.0, high, False, [(float(at), f"{at} MiB") for at in range(0, high + 1, step)]


def _panel(
    title: str,
    lines: Sequence[tuple[str, str, Points]],
    *,
    top: float,
    seconds: float,
    scale: _Scale,
) -> list[str]:
    low, high, is_log, marks = scale

    def y_of(figure: float) -> float:
        part = (
            math.log10(figure / low) / math.log10(high / low)
            if is_log
            else (figure - low) / (high - low)
        )
        return top + _PANEL * (1 - part)

    parts = [f'<text class="title" x="{_LEFT}" y="{top - 38}">{title}</text>']
    for figure, label in marks:
        y = y_of(figure)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(
            f'<text class="soft" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
        )
    x = float(_LEFT)
    for style, label in dict.fromkeys((style, label) for style, label, _ in lines):
        parts.append(
            f'<polyline class="{style}" points="{x:.0f},{top - 20} {x + 22:.0f},{top - 20}"/>'
            f'<text class="{style}" x="{x + 28:.0f}" y="{top - 16}">{label}</text>'
        )
        x += 48 + 6.5 * len(label)
    for style, _, points in lines:
        line = " ".join(f"{_x_of(at, seconds):.1f},{y_of(figure):.1f}" for at, figure in points)
        parts.append(f'<polyline class="{style}" points="{line}"/>')
    return parts


def _x_of(at: float, seconds: float) -> float:
    return _LEFT + min(1.0, at / seconds) * (WIDTH - _LEFT - _RIGHT)


def _roll(mixed: Mixed) -> list[str]:
    x = _x_of(mixed.ended_at, mixed.seconds)
    return [
        *(
            f'<path class="roll" d="M{x:.1f} {top}v{_PANEL}"/>'
            f'<text class="soft" x="{x + 5:.1f}" y="{top + 12}">the month ends</text>'
            for top in (_TOP, _MIDDLE)
        )
    ]


def _minutes(seconds: float) -> list[str]:
    step = 60 if seconds > 120 else 10  # noqa: PLR2004
    labels = [
        f'<text class="soft" x="{_x_of(at, seconds):.1f}" y="{_FOOT + 6}" text-anchor="middle">'
        f"{at // 60 if step == 60 else at}</text>"  # noqa: PLR2004
        for at in range(0, int(seconds) + 1, step)
    ]
    unit = "minutes" if step == 60 else "seconds"  # noqa: PLR2004
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    return [
        *labels,
        f'<text class="soft" x="{middle:.0f}" y="{_FOOT + 24}" text-anchor="middle">{unit}</text>',
    ]
