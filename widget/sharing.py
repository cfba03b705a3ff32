"""What goes with a link to a campaign: its card, for messages, and its code, for paper."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from urllib.parse import urlencode

import segno
from flask import Blueprint, Flask, Response, current_app

from campaigns.catalog import find_campaign
from core.db import read_session
from core.web import settings
from widget.card import HEIGHT, WIDTH, plan_card
from widget.images import drawable_face, for_other_pages, told
from widget.pixels import make_png
from widget.script import digest_of
from widget.svg import light_colours, write_svg

# Modules of the code around it that stay empty: ISO/IEC 18004, 9.1.
QUIET_MODULES = 4
_CODE_CACHED = "public, max-age=86400"
_TYPES = {"svg": "image/svg+xml", "png": "image/png"}

bp = Blueprint("sharing", __name__)
bp.after_request(for_other_pages)


def init_app(app: Flask) -> None:
    """Give `app` the card and the code."""
    app.register_blueprint(bp)


@bp.get("/c/<slug>/card.png")
def card_png(slug: str) -> Response:
    """Serve the picture that networks and messengers show beside a link, 1200 by 630."""
    face = drawable_face(slug)
    plan = plan_card(face, settings().site_name)
    svg = write_svg(face, "light", plan, width=WIDTH, height=HEIGHT)
    png = make_png(svg, light_colours(face))
    response = current_app.response_class(png, mimetype="image/png")
    return told(response, tag=digest_of(svg.encode()), slug=slug, policy="default-src 'none'")


@bp.get("/c/<slug>/qr.<any(svg, png):form>")
def code(slug: str, form: str) -> Response:
    """Serve the address of the donate page as a QR code; gifts that come by it say slot `qr`."""
    campaign = find_campaign(read_session(), slug)
    query = urlencode({"slot": "qr"})
    body = _code(f"{settings().base_url}/c/{campaign.slug}?{query}", form)
    response = current_app.response_class(body, mimetype=_TYPES[form])
    tag = digest_of(body)
    response = told(response, tag=tag, slug=slug, policy="default-src 'none'; sandbox")
    response.headers["Cache-Control"] = _CODE_CACHED
    return response


@lru_cache(maxsize=256)
def _code(address: str, form: str) -> bytes:
    file = BytesIO()
    scale = 4 if form == "svg" else 16
    segno.make_qr(address, error="m").save(
        file, kind=form, scale=scale, border=QUIET_MODULES, light="#fff"
    )
    return file.getvalue()
