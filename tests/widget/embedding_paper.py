"""docs/embedding.md, taken apart."""

from __future__ import annotations

import re
from pathlib import Path

PAPER = (Path(__file__).resolve().parents[2] / "docs" / "embedding.md").read_text(encoding="utf-8")
HOME = "https://goal.example.org"
# A block's name stands behind its language: ```html element
BLOCKS: dict[str, str] = dict(
    re.findall(r"^```\w+ ([a-z-]+)\n(.*?)^```$", PAPER, re.DOTALL | re.MULTILINE)
)


def first_column(head: str) -> list[str]:
    """Return the first column of the table over which a word stands, without its marks."""
    table = PAPER.split(f"\n| {head} | ")[1].split("\n\n")[0]
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
