"""What git leaves in a file where two changed the same lines breaks pages that no linter reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("docs", "static", "templates", "sandbox/static", "sandbox/templates", "migrations")
TEXTS = {".css", ".html", ".js", ".md", ".py", ".svg", ".toml", ".txt", ".xml"}
MARK = re.compile(r"^(<{7}|>{7}) |^={7}$", re.MULTILINE)


def files() -> Iterator[Path]:
    yield from (path for path in ROOT.iterdir() if path.suffix in TEXTS)
    for folder in FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*") if path.suffix in TEXTS)


def test_no_file_holds_the_marks_of_a_merge() -> None:
    marked = [
        str(path.relative_to(ROOT)) for path in files() if MARK.search(path.read_text("utf-8"))
    ]
    assert marked == []
