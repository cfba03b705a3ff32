"""An article of a paper that does not exist, to see the widget where it belongs."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Flask, Response, current_app, render_template, request
from markupsafe import Markup

from campaigns.catalog import list_campaigns
from campaigns.models import Campaign
from core.clock import now
from core.db import read_session
from core.web import PAGE_POLICY, settings
from widget.snippet import element_snippet

MOST_NAME_CHARACTERS = 60
MOST_COMMENT_CHARACTERS = 1000
_PREFERRED_SLUG = "support-us"

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


def _page(*, name: str = "", text: str = "", error: str | None = None) -> Response:
    base_url = settings().base_url
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
    status = HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK
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
        base_url=settings().base_url, slug=campaign.slug, title=campaign.title, slot=slot
    )
