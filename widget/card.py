"""Plan the card of a campaign: the picture that stands beside a link to it, 1200 by 630.

It is the image face with room above it, for a title that can be read in a stream of messages on a
phone. Units are half a pixel of the card, as those of the image face are half a pixel of its PNG.
"""

from __future__ import annotations

from dataclasses import replace

from campaigns.face import Face
from widget.bidi import direction_of_text
from widget.drawing import LEFT, LENGTH, Box, Shape, Text, in_direction, plan_image
from widget.lettering import BOLD, Line, Style, fit_line, is_drawable, set_line

# https://ogp.me and the networks' own papers: 1.91 to 1, 1200 pixels wide.
WIDTH, HEIGHT = 600, 315
MOST_LINES = 4
_SITE_BASELINE = 36
_SIZES = (44.0, 38.0, 32.0, 27.0)
_LEADING = 1.12
# The title stands between these.
_TITLE_TOP, _TITLE_BOTTOM = 48, 172
# How far the image face moves down, and the stripe along the edge of the card.
_DOWN = HEIGHT - 160 - 4
_STRIPE = 8


def plan_card(face: Face, site_name: str) -> list[Shape]:
    """Return what is drawn on a campaign's card, and where."""
    image = [_down(shape) for shape in plan_image(face) if shape.role not in {"title", "rule"}]
    stripe = Box("stripe", 0, 0, WIDTH, _STRIPE, "accent")
    return [stripe, *in_direction(face, [*_site(face, site_name), *_title(face)]), *image]


def _down(shape: Shape) -> Shape:
    if isinstance(shape, Text):
        return replace(shape, baseline=shape.baseline + _DOWN)
    return replace(shape, top=shape.top + _DOWN)


def _site(face: Face, site_name: str) -> list[Text]:
    if not is_drawable(site_name):
        return []
    direction = direction_of_text(site_name, face.direction)
    line = fit_line(site_name, Style(15), direction=direction, most=LENGTH)
    return [Text("site", line, LEFT, _SITE_BASELINE, "soft")]


def _title(face: Face) -> list[Text]:
    """Set the title as large as it goes; one that is too long at its smallest ends with dots."""
    title = face.progress.title
    if not is_drawable(title):
        title = face.bar_label if is_drawable(face.bar_label) else face.progress.period.label
    direction = direction_of_text(title, face.direction)
    lines: list[Line] = []
    for size in _SIZES:
        lines = _wrapped(title, Style(size, BOLD), direction)
        height = size * _LEADING * len(lines)
        if height <= _TITLE_BOTTOM - _TITLE_TOP and all(line.width <= LENGTH for line in lines):
            break
    else:
        style = Style(_SIZES[-1], BOLD)
        kept = [line.text for line in lines[: MOST_LINES - 1]]
        rest = title.removeprefix(" ".join(kept)).strip()
        lines = [fit_line(text, style, direction=direction, most=LENGTH) for text in [*kept, rest]]
    height = lines[0].style.size * _LEADING
    middle = (_TITLE_TOP + _TITLE_BOTTOM) / 2
    first = middle + lines[0].style.size * 0.36 - height * (len(lines) - 1) / 2
    return [
        Text("title", line, LEFT, first + height * number, "ink")
        for number, line in enumerate(lines)
    ]


def _wrapped(text: str, style: Style, direction: str) -> list[Line]:
    """Break a text between its words, into lines that fit as far as their words do."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and set_line(longer, style, direction=direction).width <= LENGTH:
            lines[-1] = longer
        else:
            lines.append(word)
    return [set_line(line, style, direction=direction) for line in lines or [text]]
