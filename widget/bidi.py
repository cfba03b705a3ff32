"""The order in which a line is drawn: the Unicode Bidirectional Algorithm for one short line.

Of https://www.unicode.org/reports/tr9/ it has what labels and titles need: the weak types (W1 to
W7), the neutral ones (N1, N2), the levels (I1, I2) and the reordering (L1, L2). Left out are
explicit embeddings and isolates, whose characters count as nothing, and pairs of brackets (N0).
Brackets are mirrored where the glyphs are chosen.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from itertools import pairwise

_STRONG = frozenset({"L", "R", "AL"})
_NEUTRAL = frozenset({"B", "S", "WS", "ON"})
_NUMBER = frozenset({"EN", "AN"})
# They take the type of what they follow: marks, and what has no width at all.
_FOLLOWERS = frozenset({"NSM", "BN", "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


@dataclass(frozen=True, slots=True)
class Run:
    """A part of a line, in the order of writing, that runs in one direction."""

    text: str
    is_rtl: bool


def direction_of_text(text: str, default: str) -> str:
    """Return `rtl` or `ltr` by the first letter that has a direction, as HTML's `dir=auto` does."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in _STRONG:
            return "ltr" if kind == "L" else "rtl"
    return default


def runs_in_order(text: str, direction: str) -> list[Run]:
    """Return the runs of a line from left to right, for a paragraph of `direction`."""
    levels = _levels(text, 1 if direction == "rtl" else 0)
    edges = [0, *(at for at in range(1, len(text)) if levels[at] != levels[at - 1]), len(text)]
    runs = [(start, end) for start, end in pairwise(edges) if start < end]
    # L2: from the highest level to the lowest odd one, reverse what is at that level or higher.
    for level in range(max(levels, default=0), 0, -1):
        start = 0
        while start < len(runs):
            end = start
            while end < len(runs) and levels[runs[end][0]] >= level:
                end += 1
            runs[start:end] = runs[start:end][::-1]
            start = max(end, start + 1)
    return [Run(text[start:end], is_rtl=levels[start] % 2 == 1) for start, end in runs]


def _levels(text: str, base: int) -> list[int]:
    own = "R" if base else "L"
    types = _resolve_neutrals(_resolve_weak([unicodedata.bidirectional(c) for c in text], own), own)
    if base:
        levels = [1 if kind == "R" else 2 for kind in types]
    else:
        levels = [{"L": 0, "R": 1}.get(kind, 2) for kind in types]
    # L1: what is blank at the end stands at the end of the line, whatever it follows.
    for at in range(len(text) - 1, -1, -1):
        if unicodedata.bidirectional(text[at]) not in {"WS", "S", "B", *_FOLLOWERS}:
            break
        levels[at] = base
    return levels


def _resolve_weak(types: list[str], own: str) -> list[str]:
    """Apply W1 to W7: marks, digits and what belongs to digits."""
    strong, previous = own, own
    for at, found in enumerate(types):
        kind = types[at] = previous if found in _FOLLOWERS else found  # W1
        if kind in _STRONG:
            strong = kind
        if kind == "EN" and strong == "AL":  # W2
            types[at] = "AN"
        previous = types[at]
    types = ["R" if kind == "AL" else kind for kind in types]  # W3
    for at in range(1, len(types) - 1):  # W4
        before, kind, after = types[at - 1 : at + 2]
        if before == after and ((kind == "ES" and before == "EN") or kind == "CS"):
            types[at] = before if before in _NUMBER else kind
    _spread_to_signs(types)
    types = ["ON" if kind in {"ES", "ET", "CS"} else kind for kind in types]  # W6
    strong = own
    for at, kind in enumerate(types):  # W7
        if kind in {"L", "R"}:
            strong = kind
        elif kind == "EN" and strong == "L":
            types[at] = "L"
    return types


def _spread_to_signs(types: list[str]) -> None:
    """Apply W5: signs such as $ and % go with the digits beside them."""
    for order in (range(1, len(types)), range(len(types) - 2, -1, -1)):
        for at in order:
            if types[at] == "ET" and types[at - order.step] == "EN":
                types[at] = "EN"


def _resolve_neutrals(types: list[str], own: str) -> list[str]:
    """Apply N1 and N2: what has no direction takes that of both its sides, else the line's."""
    at = 0
    while at < len(types):
        end = at
        while end < len(types) and types[end] in _NEUTRAL:
            end += 1
        if end > at:
            before = _side(types[at - 1]) if at else own
            after = _side(types[end]) if end < len(types) else own
            types[at:end] = [before if before == after else own] * (end - at)
        at = end + 1
    return types


def _side(kind: str) -> str:
    return "R" if kind in _NUMBER else kind
