"""The faces that stand on other people's pages, and the numbers behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, abort, current_app, render_template, request
from flask.typing import ResponseReturnValue
from typing_extensions import TypedDict

from campaigns.catalog import find_campaign
from campaigns.face import Face, read_face
from campaigns.history import PastPeriod, Reader, read_chapter, read_history
from campaigns.progress import read_progress
from campaigns.shapes import ChapterJson, PeriodsJson, ProgressJson
from core.cadence import checked_key
from core.clock import now
from core.db import read_session
from core.errors import Invalid
from core.money import known_locale
from core.openapi import Parameter, described
from core.web import settings
from widget import placing
from widget.script import (
    Asset,
    assemble_script,
    assemble_style,
    digest_of,
    make_asset,
    minified_script,
)
from widget.snippet import SLOT, pinned_script

EXTENSION = "goalpost.embed"
MOST_PERIODS = 50
MOST_SOURCE_CHARACTERS = 500
_DEFAULT_PERIODS = 12

# Long enough to carry a front page's readers, short enough that a gift shows within seconds.
_LIVE = "public, max-age=10, s-maxage=10, stale-while-revalidate=60"
_VERSIONED = "public, max-age=31536000, immutable"
_SCRIPT = "public, max-age=3600, stale-while-revalidate=86400"

bp = Blueprint("widget", __name__)


@dataclass(frozen=True, slots=True)
class Embed:
    """What is put together once, at the start: the scripts, and the iframe face's style."""

    script: Asset
    frame_script: Asset
    frame_style: Asset


def init_app(app: Flask) -> None:
    """Give `app` the faces."""
    static = Path(app.root_path) / "static" / "widget"
    base_url = app.extensions["goalpost.settings"].base_url
    app.extensions[EXTENSION] = Embed(
        script=assemble_script(static, base_url=base_url),
        frame_script=minified_script(static / "frame.js"),
        frame_style=assemble_style(
            static / "donation-goal.css", static / "drawn.css", static / "frame.css"
        ),
    )
    placing.init_app(app)
    app.register_blueprint(bp)


def embed() -> Embed:
    """Return what the current application serves to other pages."""
    return cast("Embed", current_app.extensions[EXTENSION])


@bp.after_request
def _open_to_all(response: Response) -> Response:
    # These are public numbers for other origins' pages; nothing here depends on who asks.
    response.headers["Access-Control-Allow-Origin"] = "*"
    # The element tells the time to the month's end by the server's clock.
    response.headers["Access-Control-Expose-Headers"] = "Date, ETag"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "GET, HEAD, OPTIONS"
        response.headers["Access-Control-Allow-Headers"] = "If-None-Match"
        response.headers["Access-Control-Max-Age"] = "86400"
    return response


@bp.get("/embed/v1.js")
def element_script() -> Response:
    """Serve the element, in the version that is current."""
    return _script_response(embed().script, cache_control=_SCRIPT)


@bp.get("/embed/v1.<digest>.js")
def versioned_script(digest: str) -> Response:
    """Serve the element under the name of its content, for pages that pin it by `integrity`."""
    script = embed().script
    if digest != script.digest:
        abort(HTTPStatus.NOT_FOUND)
    return _script_response(script, cache_control=_VERSIONED)


class PinJson(TypedDict):
    """How a page pins the element to the version of today."""

    integrity: str
    html: str


_NOT_FOUND = (HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)
_REFUSED = (*_NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
_SLUG = Parameter("slug", "The campaign's name in addresses.", where="path")
_LANG = Parameter("lang", "Labels in this language, where it is spoken here, as in `de`.")


@bp.get("/embed/v1.json")
@described(PinJson)
def pin() -> Response:
    """Tell how a page pins the element: by the address and the hash of what is served today."""
    base_url, script = settings().base_url, embed().script
    line = pinned_script(base_url=base_url, digest=script.digest, integrity=script.integrity)
    response = _json({"integrity": script.integrity, "html": line})
    response.headers["Cache-Control"] = _LIVE
    return response


@bp.get("/embed/frame.<digest>.js")
def frame_script(digest: str) -> Response:
    """Serve what the iframe face needs beside the element, under the name of its content."""
    script = embed().frame_script
    if digest != script.digest:
        abort(HTTPStatus.NOT_FOUND)
    return _script_response(script, cache_control=_VERSIONED)


@bp.get("/embed/<slug>")
def frame(slug: str) -> ResponseReturnValue:
    """Serve the iframe face: whole without script, kept current where there is one."""
    face = _face(slug)
    base_url, script, style = settings().base_url, embed().frame_script, frame_style(face)
    slot = request.args.get("slot", "")
    theme = request.args.get("theme", "")
    source = request.args.get("source", "")[:MOST_SOURCE_CHARACTERS]
    page = render_template(
        "widget/frame.html",
        face=face,
        base_url=base_url,
        style=style.body.decode(),
        script=f"{base_url}/embed/frame.{script.digest}.js",
        slot=slot if SLOT.fullmatch(slot) else "frame",
        # Out of a sandbox browsers send no referrer: without script, the link itself has to tell.
        source=source if source.startswith(("https://", "http://")) else "",
        lang=face.lang if asked_locale() else "",
        theme=theme if theme in {"light", "dark"} else "auto",
    )
    response = current_app.make_response(page)
    # A sandboxed frame has an opaque origin, in which 'self' means nothing: all is named in full.
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src {base_url}/embed/; connect-src {base_url}/api/;"
        f" style-src '{style.integrity}'; base-uri 'none'; form-action 'none';"
        f" frame-ancestors {' '.join(face.hosts) or '*'}; require-trusted-types-for 'script'"
    )
    return _cached(response, tag=digest_of(page.encode()), slug=slug)


def frame_style(face: Face) -> Asset:
    """Return the style of the iframe face, in the campaign's own colour."""
    accent = f":root{{--_accent:light-dark({face.accent},{face.accent_dark})}}"
    return make_asset(embed().frame_style.body.decode() + accent)


@bp.get("/api/v1/campaigns/<slug>")
@described(
    ProgressJson,
    _SLUG,
    _LANG,
    Parameter("with", "`face` adds what our own element draws from."),
    errors=_NOT_FOUND,
    has_tag=True,
)
def campaign_progress(slug: str) -> ResponseReturnValue:
    """Serve the progress, in the language that `lang` asks for where we know it.

    `with=face` adds what the element draws from, so that it computes and words nothing itself.
    """
    if request.args.get("with") == "face":
        face = _face(slug)
        progress = face.progress.to_json()
        progress["face"] = face.to_json()
    else:
        progress = read_progress(
            read_session(),
            slug,
            now=now(),
            base_url=settings().base_url,
            locale=asked_locale(),
        ).to_json()
    # The tag leaves the time of reading out: unchanged books answer 304 however late it is.
    told = {name: value for name, value in progress.items() if name != "as_of"}
    return _cached(_json(progress), tag=digest_of(current_app.json.dumps(told).encode()), slug=slug)


@bp.get("/api/v1/campaigns/<slug>/periods")
@described(
    PeriodsJson,
    _SLUG,
    _LANG,
    Parameter(
        "limit",
        "How many periods at most.",
        {"type": "integer", "minimum": 1, "maximum": MOST_PERIODS, "default": _DEFAULT_PERIODS},
    ),
    Parameter("before", "Begin before this period, as in 2021-05."),
    errors=_REFUSED,
    has_tag=True,
)
def campaign_periods(slug: str) -> ResponseReturnValue:
    """Serve the periods that are over, newest first; `next` leads to older ones."""
    limit = request.args.get("limit", _DEFAULT_PERIODS, type=int)
    before = request.args.get("before")
    if not 1 <= limit <= MOST_PERIODS:
        raise Invalid(f"`limit` is a number from 1 to {MOST_PERIODS}.", field="limit")
    # One more than is shown tells whether there are older ones.
    found = read_history(
        read_session(),
        slug,
        now=now(),
        base_url=settings().base_url,
        limit=limit + 1,
        before=None if before is None else checked_key(before),
        locale=asked_locale(),
    )
    body = _periods_json(slug, found[:limit], limit=limit, is_last=len(found) <= limit)
    return _cached(_json(body), tag=digest_of(current_app.json.dumps(body).encode()), slug=slug)


@bp.get("/api/v1/campaigns/<slug>/periods/<key>")
@described(
    ChapterJson,
    _SLUG,
    Parameter("key", "The period, as in 2021-05.", where="path"),
    _LANG,
    errors=_REFUSED,
    has_tag=True,
)
def campaign_period(slug: str, key: str) -> ResponseReturnValue:
    """Serve one period, past or present."""
    session = read_session()
    reader = Reader(now=now(), base_url=settings().base_url, locale=asked_locale())
    chapter = read_chapter(session, find_campaign(session, slug), key, reader)
    body: ChapterJson = {"campaign": slug, **chapter.past.to_json()}
    return _cached(_json(body), tag=digest_of(current_app.json.dumps(body).encode()), slug=slug)


def _periods_json(
    slug: str, periods: tuple[PastPeriod, ...], *, limit: int, is_last: bool
) -> PeriodsJson:
    following = None
    if periods and not is_last:
        query = {"limit": str(limit), "before": periods[-1].period.key}
        if asked_locale() is not None:
            query["lang"] = request.args["lang"]
        following = f"{settings().base_url}/api/v1/campaigns/{slug}/periods?{urlencode(query)}"
    return {
        "campaign": slug,
        "periods": [period.to_json() for period in periods],
        "next": following,
    }


def _face(slug: str) -> Face:
    return read_face(
        read_session(), slug, now=now(), base_url=settings().base_url, locale=asked_locale()
    )


def asked_locale() -> str | None:
    """Return the language that the request asks for; None is the campaign's own."""
    return spoken_locale(request.args.get("lang", ""))


def spoken_locale(asked: str) -> str | None:
    """Return the language asked for; None, the campaign's own, where it is none that we know.

    It comes from the `lang` attributes of other people's pages, so a strange one is no error.
    """
    if not asked:
        return None
    try:
        return known_locale(asked[:40])
    except Invalid:
        return None


def _json(body: Mapping[str, Any]) -> Response:
    return cast("Response", current_app.json.response(dict(body)))


def _cached(response: Response, *, tag: str, slug: str) -> Response:
    response.headers["Cache-Control"] = _LIVE
    response.headers["Surrogate-Key"] = f"campaign-{slug}"
    # Weak: answers that differ only in the time of reading, or in how they are packed, share one.
    return conditional(response, tag=tag, weak=True)


def conditional(response: Response, *, tag: str, weak: bool = False) -> Response:
    """Name the answer, and leave its body out for those who have it."""
    response.set_etag(tag, weak=weak)
    response.make_conditional(request)
    # Werkzeug writes a Date here and the server another; read by a script, two are no date at all.
    response.headers.pop("Date", None)
    return response


def _script_response(script: Asset, *, cache_control: str) -> Response:
    gzipped = request.accept_encodings.quality("gzip") > 0
    response = current_app.response_class(
        script.gzipped if gzipped else script.body, mimetype="text/javascript"
    )
    if gzipped:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = cache_control
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["X-Content-Type-Options"] = "nosniff"
    # A strong tag names bytes, and the compressed ones are others.
    return conditional(response, tag=f"{script.digest}-gzip" if gzipped else script.digest)
