"""How high the frame is where nobody can measure it: from what it says, and how wide it is.

It knows the sizes of static/widget/donation-goal.css; tests/widget/test_frame_size.py holds it to
what a browser draws. A little too high is a little paper below; too low is a scroll bar.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from math import ceil

from campaigns.face import Face

_PADDING = 16  # left and right; above and below there is as much, and half as much to spare
_BAR, _SUM, _BUTTON, _OFTEN, _LINE = 24, 34, 40, 38, 20
# How wide a character is, in each size of type.
_SMALL, _LABEL, _BOLD, _TITLE, _RAISED = 6.6, 8.0, 8.2, 10.6, 14.0


def frame_height(face: Face, *, width: int) -> int:
    """Return how high, in CSS pixels, a frame of this width is that shows this face whole."""
    room = max(1, width - _PADDING)
    height = _PADDING + 16 + 24 * _lines(face.progress.title, _TITLE, room)
    if face.marks:
        labels = (_SMALL * _signs(mark.label) + 16 * (1 + mark.reached) for mark in face.marks)
        height += _BAR + _LINE * _rows(labels, gap=10, room=room)
    height += 8 + _SUM + _LINE * (_rows(_sum_widths(face), gap=8, room=room) - 1)
    if face.status:
        height += 8 + _LINE * _lines(face.status, _BOLD, room - 16)
    if face.notes:
        height += 8 + _LINE * _lines(" · ".join(face.notes), _SMALL, room)
    if face.recent:
        gifts = (_SMALL * _signs(text) for text in face.recent)
        height += 8 + _LINE * _rows(gifts, gap=20, room=room)
    return height + (_give_height(face, room) if face.is_open else 0)


def _signs(text: str) -> int:
    """Return how many signs of a text are seen: marks that say which way it runs are not."""
    return sum(unicodedata.category(character) != "Cf" for character in text)


def _sum_widths(face: Face) -> list[float]:
    widths = [
        _RAISED * _signs(face.progress.raised_label),
        _LABEL * _signs(face.progress.period.label),
    ]
    if face.goal_label:
        widths.insert(1, _SMALL * _signs(f"{face.goal_label} · {face.percent_label}"))
    return widths


def _give_height(face: Face, room: int) -> int:
    """Return the height of what one gives with: how often, how much, and the button."""
    choices = [choice.label for choice in face.offers[0].choices] + [face.words.gettext("Other")]
    sums = _rows((_LABEL * _signs(label) + 10 for label in choices), gap=4, room=min(room, 448))
    parts = [(272.0, (_BUTTON + 4) * sums - 4), (128.0, _BUTTON)]
    if len(face.offers) > 1:
        often = sum(_LABEL * _signs(offer.label) + 16 for offer in face.offers[:2])
        parts.insert(0, (often, _OFTEN))
    height, free, row = 8, 0.0, 0
    for width, part_height in parts:
        if width > free:
            height, free, row = height + row + 8, float(room), 0
        free, row = free - width - 16, max(row, part_height)
    return height + row


def _lines(text: str, character: float, room: float) -> int:
    return ceil(_signs(text) * character / max(1, room)) or 1


def _rows(widths: Iterable[float], *, gap: float, room: float) -> int:
    """Return how many rows things take that stand side by side where there is room."""
    rows, free = 1, room + gap
    for width in widths:
        if width + gap > free and free < room + gap:
            rows, free = rows + 1, room + gap
        free -= width + gap
    return rows
