"""Turn words into outlines, with typefaces that Goalpost brings along.

The images hold no text but its shapes. So they look the same everywhere, whatever is installed;
docs/adr/0011-images-are-outlines.md says why. HarfBuzz shapes (it joins Arabic letters and kerns
Latin ones), widget/bidi.py orders, and the measures are those of the very outlines that are drawn.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path

import uharfbuzz as hb

from widget.bidi import runs_in_order

FOLDER = Path(__file__).resolve().parent / "fonts"
UNITS = 1000  # in an em of each typeface
ELLIPSIS = "…"
REGULAR, BOLD = "regular", "semibold"
# In the order in which they are asked. Japanese is of one weight, for its size.
_FAMILIES = ("sans", "arabic", "japanese")
_WEIGHTS = {"japanese": {REGULAR: "medium", BOLD: "medium"}}
_JOINERS = "\u200c\u200d"
_BLANK = re.compile(r" {2,}")


@dataclass(frozen=True, slots=True)
class Style:
    """How a text is set. `tracking` is added after each letter, in thousandths of its size."""

    size: float
    weight: str = REGULAR
    tracking: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text as outlines: an SVG path, in thousandths of its size, from (0, 0) on."""

    text: str
    style: Style
    width: float  # in the unit of the size
    path: str


class _Typeface:
    """A font file, opened when it is first needed."""

    def __init__(self, file: Path) -> None:
        face = hb.Face(hb.Blob.from_file_path(file))
        self._font = hb.Font(face)
        self.characters = frozenset(map(chr, face.unicodes))
        self._contours: dict[int, tuple[tuple[int, int, str], ...]] = {}

    def shape(self, text: str, *, is_rtl: bool) -> list[tuple[int, int, int, int]]:
        """Return glyph, advance and offset of each sign, from left to right."""
        buffer = hb.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        buffer.direction = "rtl" if is_rtl else "ltr"
        hb.shape(self._font, buffer)
        return [
            (info.codepoint, place.x_advance, place.x_offset, place.y_offset)
            for info, place in zip(
                buffer.glyph_infos or (), buffer.glyph_positions or (), strict=True
            )
        ]

    def contours(self, glyph: int) -> tuple[tuple[int, int, str], ...]:
        """Return where each closed curve of a glyph begins, and how it goes on from there."""
        if glyph not in self._contours:
            pen = _Pen()
            self._font.draw_glyph(glyph, _draw_funcs(), pen)
            self._contours[glyph] = tuple(pen.contours)
        return self._contours[glyph]


class _Pen:
    """Writes curves as SVG does, in steps relative to the last point; y grows downwards."""

    def __init__(self) -> None:
        self.contours: list[tuple[int, int, str]] = []
        self._steps: list[str] = []
        self._start = self._at = (0, 0)

    def move(self, x: float, y: float) -> None:
        self._start = self._at = (round(x), -round(y))
        self._steps = []

    def line(self, x: float, y: float) -> None:
        self._step("l", x, y)

    def quadratic(self, *points: float) -> None:
        self._step("q", *points)

    def cubic(self, *points: float) -> None:
        self._step("c", *points)

    def close(self) -> None:
        self.contours.append((*self._start, "".join(self._steps) + "z"))

    def _step(self, command: str, *points: float) -> None:
        from_x, from_y = self._at
        self._at = (round(points[-2]), -round(points[-1]))
        steps = [
            (round(x) - from_x, -round(y) - from_y)
            for x, y in zip(points[::2], points[1::2], strict=True)
        ]
        self._steps.append(command + _numbers(*(value for step in steps for value in step)))


def set_line(text: str, style: Style, *, direction: str) -> Line:
    """Set a text on one line, in a paragraph of `direction`; what can't be drawn is left out."""
    pieces, pen = [], 0
    for typeface, part, is_rtl in _parts(drawable(text), style.weight, direction):
        for glyph, advance, offset_x, offset_y in typeface.shape(part, is_rtl=is_rtl):
            for x, y, steps in typeface.contours(glyph):
                pieces.append(f"M{_numbers(pen + offset_x + x, y - offset_y)}{steps}")
            pen += advance + (style.tracking if advance else 0)
    # The space after the last letter is not the line's.
    width = max(0, pen - style.tracking) * style.size / UNITS
    return Line(text=text, style=style, width=width, path="".join(pieces))


def fit_line(text: str, style: Style, *, direction: str, most: float) -> Line:
    """Set a text on one line that is no longer than `most`, cut with `…` where it must be."""
    whole = set_line(text, style, direction=direction)
    if whole.width <= most:
        return whole
    shortest, longest = 0, len(text)
    while shortest < longest - 1:
        middle = (shortest + longest) // 2
        if set_line(_cut(text, middle), style, direction=direction).width <= most:
            shortest = middle
        else:
            longest = middle
    return set_line(_cut(text, shortest), style, direction=direction)


def is_drawable(text: str) -> bool:
    """Tell whether each sign of a text is in a typeface that we have."""
    return all(_is_silent(sign) or _family_of(sign) for sign in _tidy(text))


def drawable(text: str) -> str:
    """Return what can be drawn of a text: on one line, without the signs that nothing has."""
    return "".join(sign for sign in _tidy(text) if _is_silent(sign) or _family_of(sign))


def _cut(text: str, length: int) -> str:
    return text[:length].rstrip(" .,;:-–—") + ELLIPSIS


@lru_cache(maxsize=1024)
def _tidy(text: str) -> str:
    composed = unicodedata.normalize("NFC", text)
    blanks = {"Cc", "Zl", "Zp"}
    spaced = (" " if unicodedata.category(sign) in blanks else sign for sign in composed)
    return _BLANK.sub(" ", "".join(spaced)).strip()


def _is_silent(sign: str) -> bool:
    """Tell whether a sign only steers how others are drawn: joiners, marks of direction."""
    return unicodedata.category(sign) == "Cf" or "\ufe00" <= sign <= "\ufe0f"


def _parts(text: str, weight: str, direction: str) -> Iterator[tuple[_Typeface, str, bool]]:
    """Part a line into what is of one typeface and one direction, from left to right."""
    for run in runs_in_order(text, direction):
        kept = [sign for sign in run.text if not _is_silent(sign) or sign in _JOINERS]
        families: list[str] = []
        for sign in kept:
            # Spaces, joiners and marks stay with what they follow, so that it is shaped as one.
            stays = families and (sign.isspace() or unicodedata.category(sign) in {"Mn", "Cf"})
            keeps = stays and (sign in _JOINERS or sign in _typeface(families[-1]).characters)
            families.append(families[-1] if keeps else _family_of(sign) or _FAMILIES[0])
        parts = [
            (family, "".join(sign for _, sign in group))
            for family, group in groupby(zip(families, kept, strict=True), key=lambda pair: pair[0])
        ]
        for family, part in reversed(parts) if run.is_rtl else parts:
            yield _typeface(family, weight), part, run.is_rtl


@lru_cache(maxsize=4096)
def _family_of(sign: str) -> str | None:
    return next((name for name in _FAMILIES if sign in _typeface(name).characters), None)


@cache
def _typeface(family: str, weight: str = REGULAR) -> _Typeface:
    return _Typeface(FOLDER / f"{family}-{_WEIGHTS.get(family, {}).get(weight, weight)}.ttf")


@cache
def _draw_funcs() -> hb.DrawFuncs:
    funcs = hb.DrawFuncs()
    funcs.set_move_to_func(lambda x, y, pen: pen.move(x, y))
    funcs.set_line_to_func(lambda x, y, pen: pen.line(x, y))
    funcs.set_quadratic_to_func(lambda a, b, x, y, pen: pen.quadratic(a, b, x, y))
    funcs.set_cubic_to_func(lambda a, b, c, d, x, y, pen: pen.cubic(a, b, c, d, x, y))
    funcs.set_close_path_func(lambda pen: pen.close())
    return funcs


def _numbers(*values: int) -> str:
    # A minus parts numbers as well as a space does.
    return " ".join(map(str, values)).replace(" -", "-")
