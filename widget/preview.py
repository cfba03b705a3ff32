"""Every face of a campaign on one page, as it would be: for whoever changes it and wants to see."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass

from flask import render_template

from campaigns.face import Face
from campaigns.look import ink_on
from core.static import static_path
from core.web import settings
from widget.card import HEIGHT, WIDTH, plan_card
from widget.drawing import is_legible
from widget.frame_size import frame_height
from widget.oembed import describe
from widget.pixels import make_png
from widget.routes import frame_style
from widget.svg import dark_colours, draw_svg, light_colours, write_svg

THEMES = ("light", "dark")
# Two phones, and the column of an article.
WIDTHS = (320, 390, 600)


@dataclass(frozen=True, slots=True)
class Frame:
    """The iframe face: its document, and how high it is in the width that it is shown in."""

    document: str
    height: int


@dataclass(frozen=True, slots=True)
class Preview:
    """A page, and the content security policy that it is served with."""

    html: str
    policy: str


def draw_preview(
    face: Face, *, theme: str = "", width: str = "", story: str = "", notes: str = ""
) -> Preview:
    """Draw every face of a campaign; a known `theme` or `width` leaves the others out.

    `story` is printed as it is where it is Markup. What is drawn need not be stored anywhere:
    nothing on the page asks for it. It runs in an origin of its own, and the site's own pages alone
    may frame it.
    """
    base_url, style = settings().base_url, frame_style(face)
    files = f"{base_url}{static_path()}"
    themes = (theme,) if theme in THEMES else THEMES
    widths = (int(width),) if width in map(str, WIDTHS) else WIDTHS
    html = render_template(
        "widget/preview.html",
        face=face,
        told=dict(face.progress.to_json(), face=face.to_json()),
        base_url=base_url,
        themes=themes,
        widths=widths,
        frames={
            (one, wide): _frame(face, theme=one, width=wide, style=style.body.decode())
            for one in themes
            for wide in widths
        },
        pictures=_pictures(face, themes),
        card=_png(_card(face), face, "light"),
        described=json.dumps(
            describe(face, options={}, base_url=base_url, most_width=None, most_height=None),
            ensure_ascii=False,
            indent=1,
        ),
        story=story,
        notes=notes,
        ink_on=ink_on,
    )
    return Preview(
        html=html,
        # In a sandbox 'self' means nothing: all is named in full.
        policy=(
            f"default-src 'none'; script-src {base_url}/embed/ {files}/widget/;"
            f" style-src {files}/ '{style.integrity}'; img-src data:; base-uri 'none';"
            " form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts"
        ),
    )


def _frame(face: Face, *, theme: str, width: int, style: str) -> Frame:
    document = render_template(
        "widget/frame.html", face=face, base_url="", style=style, script="", slot="", theme=theme
    )
    return Frame(document=document, height=frame_height(face, width=width))


def _pictures(face: Face, themes: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Return the image faces by theme, none of them where we lack the letters of its language."""
    if not is_legible(face):
        return {}
    svgs = {theme: draw_svg(face, theme) for theme in themes}
    return {
        "SVG": {theme: _data(svg.encode(), "image/svg+xml") for theme, svg in svgs.items()},
        "PNG": {theme: _png(svg, face, theme) for theme, svg in svgs.items()},
    }


def _card(face: Face) -> str:
    plan = plan_card(face, settings().site_name)
    return write_svg(face, "light", plan, width=WIDTH, height=HEIGHT)


def _png(svg: str, face: Face, theme: str) -> str:
    colours = dark_colours(face) if theme == "dark" else light_colours(face)
    return _data(make_png(svg, colours), "image/png")


def _data(body: bytes, mimetype: str) -> str:
    return f"data:{mimetype};base64,{b64encode(body).decode()}"
