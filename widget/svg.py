"""Write a planned picture down as SVG, in the colours of a theme."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from campaigns.face import Face
from campaigns.look import DARK_PAPER, LIGHT_PAPER, ink_on
from widget.drawing import HEIGHT, WIDTH, Shape, Text, plan_image
from widget.lettering import UNITS

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Colours:
    """What each class of shapes is filled with."""

    paper: str
    edge: str
    ink: str
    soft: str
    accent: str
    on_accent: str


def light_colours(face: Face) -> Colours:
    """Return the colours on light paper."""
    return Colours(
        paper=LIGHT_PAPER,
        edge="#c9c9c4",
        ink="#1a1a1a",
        soft="#5c5f62",
        accent=face.accent,
        on_accent=ink_on(face.accent),
    )


def dark_colours(face: Face) -> Colours:
    """Return the colours on dark paper."""
    return Colours(
        paper=DARK_PAPER,
        edge="#43474b",
        ink="#f4f4f2",
        soft="#a9adb1",
        accent=face.accent_dark,
        on_accent=ink_on(face.accent_dark),
    )


def style_of(face: Face, theme: str) -> str:
    """Return the stylesheet of a theme: `light`, `dark`, or `auto`, which follows the reader."""
    if theme == "dark":
        return _rules(dark_colours(face))
    light = _rules(light_colours(face))
    if theme == "light":
        return light
    return f"{light}@media(prefers-color-scheme:dark){{{_rules(dark_colours(face))}}}"


def draw_svg(face: Face, theme: str) -> str:
    """Return the face as a picture in SVG, with its words for those who can't see it."""
    return write_svg(face, theme, plan_image(face), width=WIDTH, height=HEIGHT)


def write_svg(face: Face, theme: str, plan: Iterable[Shape], *, width: int, height: int) -> str:
    """Write down a planned picture of a face; `width` and `height` are in pixels."""
    shapes = "".join(map(_element, plan))
    said = " · ".join(filter(None, [face.value_text, face.status, *face.notes]))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img" aria-labelledby="t d"'
        f' xml:lang="{_xml(face.lang)}">'
        f'<title id="t">{_xml(face.bar_label)}</title><desc id="d">{_xml(said)}</desc>'
        f"<style>{style_of(face, theme)}</style>"
        '<defs><pattern id="h" width="4" height="4" patternUnits="userSpaceOnUse">'
        '<path class="accent" d="M0 0h2v4h-2z"/></pattern></defs>'
        f'<rect class="edge" width="{width}" height="{height}"/>'
        f'<rect class="paper" x="1" y="1" width="{width - 2}" height="{height - 2}"/>'
        f"{shapes}</svg>"
    )


def _rules(colours: Colours) -> str:
    return (
        f".paper{{fill:{colours.paper}}}.edge{{fill:{colours.edge}}}.ink{{fill:{colours.ink}}}"
        f".soft{{fill:{colours.soft}}}.accent{{fill:{colours.accent}}}"
        f".on-accent{{fill:{colours.on_accent}}}.track{{fill:none;stroke:{colours.ink}}}"
    )


def _element(shape: Shape) -> str:
    if isinstance(shape, Text):
        scale = _number(shape.line.style.size / UNITS)
        place = f"translate({_number(shape.left)} {_number(shape.baseline)})scale({scale})"
        return f'<path class="{shape.colour}" transform="{place}" d="{shape.line.path}"/>'
    left, top, width, height = shape.left, shape.top, shape.width, shape.height
    if shape.colour == "track":
        left, top, width, height = left + 0.5, top + 0.5, width - 1, height - 1
    corner = ' rx="2"' if shape.role == "button" else ""
    fill = 'fill="url(#h)"' if shape.colour == "hatch" else f'class="{shape.colour}"'
    return (
        f'<rect {fill} x="{_number(left)}" y="{_number(top)}" width="{_number(width)}"'
        f' height="{_number(height)}"{corner}/>'
    )


def _number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _xml(text: str) -> str:
    return escape(_NOT_XML.sub("", text))
