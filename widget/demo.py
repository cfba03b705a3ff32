"""What shows the widget: an article of a made-up paper, and the gallery of the bar's states."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Flask, Response, current_app, render_template, request
from markupsafe import Markup

from campaigns.catalog import list_campaigns
from campaigns.models import Campaign
from core.clock import now
from core.db import read_session
from core.web import PAGE_POLICY, settings
from widget.gallery import EXAMPLES, make_face
from widget.snippet import Options, element_snippet

MOST_NAME_CHARACTERS = 60
MOST_COMMENT_CHARACTERS = 1000
_PREFERRED_SLUG = "support-us"
# What may be picked in the gallery; the first of each is what it opens with.
_CHOICES = {
    "width": ("320", "240", "280", "600", "1200"),
    "theme": ("auto", "light", "dark"),
    "colours": ("own", "courier", "lemon"),
}

bp = Blueprint("demo", __name__, url_prefix="/demo")


def init_app(app: Flask) -> None:
    """Serve the demo where the settings ask for it; elsewhere its addresses do not exist."""
    if app.extensions["goalpost.settings"].demo:
        app.register_blueprint(bp)


@bp.get("/article")
def article() -> Response:
    """Show the article, with the widget above and below its text."""
    return _page()


@bp.post("/article/comments")
def comment() -> Response:
    """Show a comment under the article, as a real paper would. It is kept nowhere."""
    name = request.form.get("name", "").strip()
    text = request.form.get("comment", "").strip()
    error = None
    if not text:
        error = "Please write something first."
    elif len(text) > MOST_COMMENT_CHARACTERS:
        error = f"Please use at most {MOST_COMMENT_CHARACTERS} characters."
    elif len(name) > MOST_NAME_CHARACTERS:
        error = f"Please use at most {MOST_NAME_CHARACTERS} characters for the name."
    return _page(
        name=name[:MOST_NAME_CHARACTERS], text=text[: 2 * MOST_COMMENT_CHARACTERS], error=error
    )


@bp.get("/gallery")
def gallery() -> Response:
    """Show every state of the bar, in the width, theme and colours that are picked."""
    picked = {
        name: request.args[name] if request.args.get(name) in values else values[0]
        for name, values in _CHOICES.items()
    }
    base_url = settings().base_url
    faces = [(one, make_face(one, now=now(), base_url=base_url)) for one in EXAMPLES]
    return _strict(
        render_template(
            "widget/gallery.html",
            base_url=base_url,
            choices=_CHOICES,
            picked=picked,
            faces=faces,
        )
    )


def _page(*, name: str = "", text: str = "", error: str | None = None) -> Response:
    campaign = _shown_campaign()
    page = render_template(
        "widget/demo.html",
        above=_snippet(campaign, slot="top"),
        below=_snippet(campaign, slot="bottom"),
        today=now(),
        name=name,
        text=text,
        error=error,
        most_name=MOST_NAME_CHARACTERS,
        most_comment=MOST_COMMENT_CHARACTERS,
    )
    return _strict(page, HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK)


def _strict(page: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    base_url = settings().base_url
    response = current_app.make_response((page, status))
    # What a paper with a strict policy has to allow for the widget, by its name and nothing inline.
    policy = PAGE_POLICY.replace("img-src 'self'", f"img-src 'self' {base_url}")
    for directive in ("script-src", "connect-src"):
        policy = policy.replace(f"{directive} 'self'", f"{directive} {base_url}")
    response.headers["Content-Security-Policy"] = f"{policy}; require-trusted-types-for 'script'"
    return response


def _shown_campaign() -> Campaign | None:
    """Return the demo's own campaign, or the first that there is."""
    campaigns = list_campaigns(read_session())
    preferred = (found for found in campaigns if found.slug == _PREFERRED_SLUG)
    return next(preferred, campaigns[0] if campaigns else None)


def _snippet(campaign: Campaign | None, *, slot: str) -> Markup | None:
    if campaign is None:
        return None
    return element_snippet(
        base_url=settings().base_url,
        slug=campaign.slug,
        title=campaign.title,
        options=Options(slot=slot),
    )
