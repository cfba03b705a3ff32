"""Where the tiers' labels stand over a bar that the server draws, where nobody can measure text.

The element measures; here the width of a text is estimated, generously, for the typefaces that our
pages name. A label stands over its mark, moved aside by so much that at a least width it touches no
other and no edge. On every wider bar the marks are further apart, so what fits there fits always.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask

from campaigns.face import Face, Mark

# In pixels; static/widget/drawn.css has a rule for each but the first, which is every width.
LEAST_WIDTHS = (240, 320, 480, 640)
_LABEL_PIXELS = 13  # what .8125em are
_GAP_EM = 0.75
_NARROW = frozenset(" .,'’·:;|!\u00a0\u202f")
_CHECK_EM = 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label: where its mark is, in percent, and how far aside it stands, in its own ems."""

    mark: Mark
    shift_em: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Labels in one row, which they fit from `least_width` pixels on; below they are a list."""

    labels: tuple[Label, ...]
    least_width: int


def init_app(app: Flask) -> None:
    """Let the templates place labels."""
    app.jinja_env.globals["place_labels"] = place_labels


def place_labels(face: Face) -> Row | None:
    """Return the row of a face's labels; None where they fit into no width that we know of."""
    for least_width in LEAST_WIDTHS:
        labels = _fit(face.marks, least_width / _LABEL_PIXELS)
        if labels is not None:
            return Row(labels=labels, least_width=least_width)
    return None


def _fit(marks: Sequence[Mark], width_em: float) -> tuple[Label, ...] | None:
    # From the left each is pushed by those before it, then from the right by those behind it.
    sizes = [_text_em(mark) for mark in marks]
    starts, free = [], 0.0
    for mark, size in zip(marks, sizes, strict=True):
        starts.append(max(free, mark.share / 100 * width_em - size / 2))
        free = starts[-1] + size + _GAP_EM
    free = width_em
    labels: list[Label] = []
    for mark, size, start in reversed(list(zip(marks, sizes, starts, strict=True))):
        begin = min(start, free - size)
        if begin < 0:
            return None
        free = begin - _GAP_EM
        centre = begin + size / 2
        labels.insert(0, Label(mark=mark, shift_em=round(centre - mark.share / 100 * width_em, 2)))
    return tuple(labels)


def _text_em(mark: Mark) -> float:
    check = _CHECK_EM if mark.reached and mark.share else 0
    return check + sum(_character_em(character) for character in mark.label)


def _character_em(character: str) -> float:
    if unicodedata.category(character) == "Cf":
        return 0  # a mark that says which way text runs
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if character in _NARROW:
        return 0.35
    if character.isdigit():
        return 0.65
    return 0.85 if character.isupper() else 0.7
