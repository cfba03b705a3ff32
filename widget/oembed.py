"""oEmbed: a pasted address of a campaign becomes its frame in WordPress, Ghost and others.

https://oembed.com, version 1.0, type `rich`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Literal, NotRequired, cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit
from xml.etree import ElementTree as ET

from flask import Blueprint, Flask, Response, current_app, request
from flask.typing import ResponseReturnValue
from pydantic import Field
from typing_extensions import TypedDict

from campaigns.errors import CampaignNotFound
from campaigns.face import Face, read_face
from core.clock import now
from core.db import read_session
from core.openapi import Parameter, described
from core.shapes import Address
from core.web import settings
from widget.frame_size import frame_height
from widget.routes import spoken_locale
from widget.snippet import frame_snippet

WIDTH = 600
# The image face, which is drawn twice as large as it is shown.
THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT = 1200, 320
CACHE_SECONDS = 3600
# Of the pasted address's own query, what the frame reads.
PASSED_ON = ("lang", "theme", "slot", "source")
_MOST_VALUE_CHARACTERS = 500
_PAGE = re.compile(r"/(?:c|embed)/([a-z0-9-]+)/?", re.ASCII)
_PIXELS = re.compile(r"[1-9]\d{0,8}", re.ASCII)
# XML has no place for these, escaped or not (https://www.w3.org/TR/xml/#charsets).
NOT_IN_XML = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DEFAULT_PORTS = {"http": 80, "https": 443}

bp = Blueprint("oembed", __name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """The campaign that an address names, and what the address says of how to show it."""

    slug: str
    options: dict[str, str]


def init_app(app: Flask) -> None:
    """Answer oEmbed, and let templates print the links by which consumers discover it."""
    app.register_blueprint(bp)
    app.add_template_global(discovery_address)


class OembedJson(TypedDict):
    """The frame of a campaign, as https://oembed.com describes one of the type `rich`."""

    type: Literal["rich"]
    version: Literal["1.0"]
    title: str
    provider_name: str
    provider_url: Address
    cache_age: Annotated[int, Field(description="Seconds.")]
    width: Annotated[int, Field(description="CSS pixels.")]
    height: int
    html: str
    thumbnail_url: NotRequired[Address]
    thumbnail_width: NotRequired[int]
    thumbnail_height: NotRequired[int]


@bp.get("/oembed")
@described(
    OembedJson,
    Parameter("url", "The address of a campaign's page.", required=True),
    Parameter("format", "`json` or `xml`.", {"enum": ["json", "xml"], "default": "json"}),
    Parameter("maxwidth", "At most so many CSS pixels wide.", {"type": "integer", "minimum": 1}),
    Parameter("maxheight", "At most so many CSS pixels high.", {"type": "integer", "minimum": 1}),
    errors=(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.NOT_IMPLEMENTED,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
    media=("text/xml",),
)
def oembed() -> ResponseReturnValue:
    """Describe the frame of the campaign whose page or frame is at `url`."""
    form = request.args.get("format", "json")
    if form not in {"json", "xml"}:
        return _refuse(HTTPStatus.NOT_IMPLEMENTED, "`format` is json or xml.")
    url = request.args.get("url", "").strip()
    if not url:
        return _refuse(HTTPStatus.BAD_REQUEST, "`url` is the address of a campaign's page.")
    base_url = settings().base_url
    asked = read_address(url, base_url=base_url)
    if asked is None:
        return _refuse(HTTPStatus.NOT_FOUND, "This is no address of a campaign here.")
    try:
        face = read_face(
            read_session(),
            asked.slug,
            now=now(),
            base_url=base_url,
            locale=spoken_locale(asked.options.get("lang", "")),
        )
    except CampaignNotFound as error:
        return _refuse(HTTPStatus.NOT_FOUND, error.message)
    told = describe(
        face,
        options=asked.options,
        base_url=base_url,
        most_width=_pixels("maxwidth"),
        most_height=_pixels("maxheight"),
    )
    response = _as_xml(told) if form == "xml" else _as_json(told)
    response.headers["Cache-Control"] = f"public, max-age={CACHE_SECONDS}"
    response.headers["Surrogate-Key"] = f"campaign-{asked.slug}"
    return response


@bp.after_request
def _open_to_all(response: Response) -> Response:
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def discovery_address(page_url: str, *, form: str) -> str:
    """Return where a campaign's page is described, for `<link rel="alternate">` in its head.

    What the page was asked for with goes along: consumers read the link, not what was pasted.
    """
    options = _known_options(request.args)
    url = f"{page_url}?{urlencode(options)}" if options else page_url
    return f"{settings().base_url}/oembed?{urlencode({'url': url, 'format': form})}"


def read_address(url: str, *, base_url: str) -> Asked | None:
    """Return what the address of a campaign's page or frame asks for; None for any other.

    People paste what their address bar shows: over http or https, with a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        is_ours = _site(parts) == _site(urlsplit(base_url)) and "@" not in parts.netloc
    except ValueError:  # no port, or no address at all
        return None
    page = _PAGE.fullmatch(unquote(parts.path))
    if not is_ours or page is None:
        return None
    # Of a name that comes twice the first counts, as everywhere here.
    return Asked(page[1], _known_options(dict(reversed(parse_qsl(parts.query)))))


def describe(
    face: Face,
    *,
    options: dict[str, str],
    base_url: str,
    most_width: int | None,
    most_height: int | None,
) -> OembedJson:
    """Return what oEmbed says of a campaign, within so many CSS pixels; None is no limit."""
    progress = face.progress
    width = min(WIDTH, most_width or WIDTH)
    # WordPress hears of the true height from the frame itself; others keep this one.
    height = frame_height(face, width=width)
    height = min(height, most_height or height)
    told: OembedJson = {
        "type": "rich",
        "version": "1.0",
        "title": progress.title,
        "provider_name": "Goalpost",
        "provider_url": base_url,
        "cache_age": CACHE_SECONDS,
        "width": width,
        "height": height,
        "html": str(
            frame_snippet(
                base_url=base_url,
                slug=progress.campaign,
                title=progress.title,
                width=width,
                height=height,
                options=options,
            )
        ),
    }
    # The limits hold for the thumbnail too. It is told whole or not at all.
    if _fits(THUMBNAIL_WIDTH, most_width) and _fits(THUMBNAIL_HEIGHT, most_height):
        told["thumbnail_url"] = f"{progress.donate_url}.png"
        told["thumbnail_width"] = THUMBNAIL_WIDTH
        told["thumbnail_height"] = THUMBNAIL_HEIGHT
    return told


def _known_options(query: Mapping[str, str]) -> dict[str, str]:
    return {name: query[name][:_MOST_VALUE_CHARACTERS] for name in PASSED_ON if query.get(name)}


def _fits(size: int, limit: int | None) -> bool:
    return limit is None or size <= limit


def _site(parts: SplitResult) -> tuple[str, int | None]:
    """Return host and port, without a port that its scheme implies: http and https are one site."""
    default = _DEFAULT_PORTS.get(parts.scheme)
    if default is None or not parts.hostname:
        raise ValueError("not an address of the web")
    return parts.hostname.rstrip("."), None if parts.port == default else parts.port


def _pixels(name: str) -> int | None:
    """Return a limit that was given; None where it is none.

    The specification knows no answer to a limit that is no number, and no size is the wrong
    answer to an editor: so it is as if it had not been given, as unknown parameters are.
    """
    given = request.args.get(name, "").strip()
    return int(given) if _PIXELS.fullmatch(given) else None


def _as_json(told: Mapping[str, Any]) -> Response:
    return cast("Response", current_app.json.response(dict(told)))


def _as_xml(told: Mapping[str, Any]) -> Response:
    root = ET.Element("oembed")
    for name, value in told.items():
        ET.SubElement(root, name).text = NOT_IN_XML.sub("", str(value))
    head = '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n'
    body = head + ET.tostring(root, encoding="unicode")
    return current_app.response_class(body, mimetype="text/xml")


def _refuse(status: HTTPStatus, message: str) -> tuple[Response, HTTPStatus]:
    # Consumers are programs, whatever they accept.
    code = status.name.lower()
    return _as_json({"error": {"code": code, "message": message, "hint": ""}}), status
