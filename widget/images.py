"""The image faces: what remains of the widget in feeds, in mail and without script."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Flask, Response, current_app, request

from campaigns.face import Face, read_face
from core.clock import now
from core.db import read_session
from core.web import settings
from core.words import SOURCE_LANGUAGE
from widget.drawing import is_legible
from widget.pixels import make_png
from widget.routes import asked_locale, conditional
from widget.script import digest_of, make_asset
from widget.svg import dark_colours, draw_svg, light_colours, style_of

# What fetches pictures for mail and feeds keeps them for hours anyway.
_CACHED = "public, max-age=300"

bp = Blueprint("images", __name__)


def init_app(app: Flask) -> None:
    """Give `app` the image faces."""
    app.register_blueprint(bp)


@bp.after_request
def for_other_pages(response: Response) -> Response:
    """Let pages of any origin show the picture."""
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@bp.get("/c/<slug>.svg")
def image_svg(slug: str) -> Response:
    """Serve the picture as SVG; `auto` follows the reader's system, and is for pages that do."""
    face = drawable_face(slug)
    # Browsers ask the system and not the page around the picture: most papers stay light.
    asked = request.args.get("theme", "")
    theme = asked if asked in {"auto", "dark"} else "light"
    style = make_asset(style_of(face, theme))
    # Whoever opens it by itself gets a document of ours: it may style itself, and nothing else.
    policy = f"default-src 'none'; style-src '{style.integrity}'; frame-ancestors 'none'; sandbox"
    svg = draw_svg(face, theme)
    response = current_app.response_class(svg, mimetype="image/svg+xml")
    return told(response, tag=digest_of(svg.encode()), slug=slug, policy=policy)


@bp.get("/c/<slug>.png")
def image_png(slug: str) -> Response:
    """Serve the picture as pixels, on light paper unless dark is asked for."""
    face = drawable_face(slug)
    is_dark = request.args.get("theme") == "dark"
    svg = draw_svg(face, "dark" if is_dark else "light")
    png = make_png(svg, dark_colours(face) if is_dark else light_colours(face))
    response = current_app.response_class(png, mimetype="image/png")
    return told(response, tag=digest_of(svg.encode()), slug=slug, policy="default-src 'none'")


def drawable_face(slug: str) -> Face:
    """Return the face in the language asked for, or in English where we lack that one's letters."""
    read = partial(read_face, read_session(), slug, now=now(), base_url=settings().base_url)
    face = read(locale=asked_locale())
    return face if is_legible(face) else read(locale=SOURCE_LANGUAGE)


def told(response: Response, *, tag: str, slug: str, policy: str) -> Response:
    """Give a picture of a campaign its headers; `tag` names what is drawn."""
    response.headers["Cache-Control"] = _CACHED
    response.headers["Surrogate-Key"] = f"campaign-{slug}"
    response.headers["Content-Security-Policy"] = policy
    # Weak: the SVG is packed on its way. Nothing that is drawn tells the time of reading.
    return conditional(response, tag=tag, weak=True)
