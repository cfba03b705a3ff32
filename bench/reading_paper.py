"""The figures of reading: as tables beside the goals, and as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from bench.load import CONNECTIONS
from bench.reading import (
    ASKED,
    BARE,
    FRAME,
    GZIP,
    IMAGE,
    KNOWN,
    NGINX,
    PLAIN,
    READY,
    SUM_SIZES,
    Reading,
    sum_of,
)
from bench.servers import SERVERS

_SERVER_NAMES = {"granian": "granian", "gunicorn": "gunicorn gthread", "nginx": "nginx"}
NAMES = {
    NGINX: "nginx, static file",
    BARE: "bare WSGI function: the server's limit",
    READY: "**progress, ready bytes**",
    GZIP: "**the same, gzip**",
    KNOWN: "**the same, 304**",
    FRAME: "**frame, ready bytes**",
    IMAGE: "**image, ready bytes**",
    PLAIN: "plain Flask view that answers with constant bytes",
    ASKED: "our own view without ready bytes: Flask and ORM",
    **{sum_of(size): f"Flask view that adds up {size:,} entries" for size in SUM_SIZES},
}
_WIDTH, _ROW, _TOP, _LEFT, _RIGHT = 760, 17, 34, 268, 74
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .soft { fill: #59636e }
  .ours { font-weight: 600 }
  .granian { fill: #0969da } .gunicorn { fill: #1a7f37 } .nginx { fill: #59636e }
  .other { opacity: .45 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .soft { fill: #9198a1 }
    .granian { fill: #4493f8 } .gunicorn { fill: #3fb950 } .nginx { fill: #9198a1 }
  }
"""

Found = dict[tuple[str, str], Reading]


def reading_tables(readings: Sequence[Reading], machine: str, *, rounds: int) -> str:
    """Return the figures and the goals as Markdown."""
    found = {(reading.server, reading.what): reading for reading in readings}
    how = f"one worker and {CONNECTIONS} connections, medians of {rounds} rounds in turns"
    lines = [
        f"Measured on {machine}; {how}.",
        "",
        "| what answers | granian | CPU each | of bare | gunicorn gthread | CPU each | of bare |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for what, name in NAMES.items():
        if what == NGINX:
            continue
        cells = [cell for server in SERVERS for cell in _cells(found, server, what)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    nginx = found.get(("nginx", NGINX))
    lines += [
        "",
        f"nginx with a static file, on the same core: {median(nginx.per_second):,.0f}/s,"
        f" {_microseconds(nginx)} each."
        if nginx
        else "There was no nginx on this machine to compare with.",
        "",
        "| goal | by answers a second | by CPU time |",
        "| --- | ---: | ---: |",
        *_goals(found, nginx),
    ]
    return "\n".join(lines)


def _cells(found: Found, server: str, what: str) -> list[str]:
    reading = found.get((server, what))
    if reading is None:
        return ["–", "–", "–"]
    bare = found[server, BARE]
    return [
        f"{median(reading.per_second):,.0f}/s",
        _microseconds(reading),
        f"{reading.cpu_ratio_to(bare):.2f}",
    ]


def _microseconds(reading: Reading) -> str:
    return f"{median(reading.cpu_seconds) * 1e6:,.0f} µs"


def _goals(found: Found, nginx: Reading | None) -> list[str]:
    lines = []

    def compare(goal: str, ours: Reading | None, other: Reading | None) -> None:
        if ours is None or other is None:
            lines.append(f"| {goal} | – | – |")
        else:
            by_cpu = ours.cpu_ratio_to(other)
            lines.append(f"| {goal} | {ours.ratio_to(other):,.2f} | {by_cpu:,.2f} |")

    for server in SERVERS:
        name, ready = _SERVER_NAMES[server], found[server, READY]
        compare(f"progress ≥ 0.95 × bare, {name}", ready, found[server, BARE])
        compare(f"gzip no dearer than plain, {name}", found[server, GZIP], ready)
        compare(f"304 no dearer than plain, {name}", found[server, KNOWN], ready)
        compare(f"frame ≥ 0.8 × progress, {name}", found[server, FRAME], ready)
        compare(f"image ≥ 0.8 × progress, {name}", found.get((server, IMAGE)), ready)
    fastest, usual = found["granian", READY], found["gunicorn", ASKED]
    compare("progress, granian ≥ 0.55 × nginx, static file", fastest, nginx)
    compare("progress, granian ≥ 20 × Flask and ORM, gunicorn gthread", fastest, usual)
    compare("the same, both on gunicorn gthread (no goal)", found["gunicorn", READY], usual)
    for server in SERVERS:
        # What else the machine does meanwhile can only make it longer.
        p99 = min(found[server, READY].p99_seconds) * 1000
        goal = f"p99 under 5 ms at half load, in the quietest round, {_SERVER_NAMES[server]}"
        lines.append(f"| {goal} | {p99:,.1f} ms | |")
    return lines


def draw_reading(readings: Sequence[Reading]) -> str:
    """Return the picture: a bar for each server and question, on a logarithmic scale."""
    order = list(NAMES)
    rows = sorted(
        readings, key=lambda reading: (order.index(reading.what), reading.server), reverse=False
    )
    most = max(median(reading.per_second) for reading in rows)
    height = _TOP + _ROW * len(rows) + 10
    scale = (_WIDTH - _LEFT - _RIGHT) / math.log10(most)
    parts = []
    x = _LEFT
    for server in (*SERVERS, "nginx"):
        if any(reading.server == server for reading in rows):
            name = _SERVER_NAMES[server]
            parts.append(
                f'<rect class="{server}" x="{x}" y="9" width="12" height="10"/>'
                f'<text x="{x + 17}" y="18">{name}</text>'
            )
            x += 40 + 7 * len(name)
    told = ""
    for number, reading in enumerate(rows):
        y = _TOP + _ROW * number
        figure = median(reading.per_second)
        name = NAMES[reading.what]
        is_ours = name.startswith("**")
        if name != told:
            style = ' class="ours"' if is_ours else ""
            plain = name.strip("*").replace("bare WSGI function: the", "bare function, the")
            parts.append(
                f'<text{style} x="{_LEFT - 8}" y="{y + 11}" text-anchor="end">'
                f"{plain.replace(' that answers with constant bytes', '')}</text>"
            )
            told = name
        width = max(1.0, math.log10(figure) * scale)
        parts.append(
            f'<rect class="{reading.server}{"" if is_ours else " other"}" x="{_LEFT}" y="{y + 1}"'
            f' width="{width:.1f}" height="{_ROW - 5}"/>'
            f'<text class="soft" x="{_LEFT + width + 5:.1f}" y="{y + 11}">{figure:,.0f}/s</text>'
        )
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        f' width="{_WIDTH}" height="{height}" role="img" aria-labelledby="name">\n'
        '<title id="name">Answers a second, on a logarithmic scale: ready bytes come as fast as the'
        " bare server answers, and many times as fast as a view that asks the books.</title>\n"
        f"<style>{_STYLE}</style>\n{body}\n</svg>\n"
    )
