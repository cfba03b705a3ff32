"""One clock: nothing but core/clock.py reads the time, so that tests and the demo can move it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("core", "campaigns", "payments", "widget", "admin", "ops")
# What has passed since may be measured anywhere, by `monotonic` and `perf_counter`.
READERS = {
    *("now", "utcnow", "today", "time", "time_ns", "gmtime", "localtime", "ctime"),
    *("clock_gettime", "current_timestamp", "current_date", "localtimestamp"),
}
OWNERS = {"datetime", "date", "dt", "time", "func"}


def modules() -> list[Path]:
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return [*found, ROOT / "app.py"]


def readings(source: str) -> Iterator[str]:
    """Yield where a text of Python reads the machine's or the database's time."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in READERS:
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if name in OWNERS:
                yield f"line {node.lineno}: {name}.{node.attr}"
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (
                f"line {node.lineno}: time.{name.name}"
                for name in node.names
                if name.name in READERS
            )


def test_nothing_but_the_clock_reads_the_time() -> None:
    found = {
        str(path.relative_to(ROOT)): list(readings(path.read_text(encoding="utf-8")))
        for path in modules()
    }
    assert [path for path, lines in found.items() if lines] == ["core/clock.py"], found


@pytest.mark.parametrize(
    "source",
    [
        "datetime.now(UTC)",
        "datetime.datetime.utcnow()",
        "date.today()",
        "time.time()",
        "from time import time_ns",
        "select(func.now())",
        "key = time.time",
    ],
)
def test_whoever_reads_it_is_found(source: str) -> None:
    assert list(readings(source))


@pytest.mark.parametrize("source", ["time.monotonic()", "clock.now()", "now()", "self.time"])
def test_whoever_is_handed_it_is_not(source: str) -> None:
    assert not list(readings(source))
