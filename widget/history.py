"""The public past of a campaign: all its periods, a page for each, and a feed of the closings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from urllib.parse import urlencode

from babel.dates import format_date
from babel.numbers import format_decimal, format_percent
from flask import Blueprint, Flask, Response, current_app, request
from sqlalchemy.orm import Session
from werkzeug.routing import BaseConverter, ValidationError

from campaigns.catalog import find_campaign
from campaigns.face import Face, compose_face, face_of
from campaigns.history import Chapter, PastPeriod, Reader, read_chapter, read_closings, read_history
from campaigns.matching import DOUBLED_PERCENT
from campaigns.models import Campaign
from campaigns.progress import MatchingView, read_progress
from core.cadence import checked_key
from core.clock import now
from core.db import read_session
from core.errors import Invalid
from core.web import reader_locale, render_page, settings
from core.words import Words, direction_of, language_tag, words_of
from widget import timeline
from widget.feed import Site, announced_title, write_feed
from widget.routes import conditional
from widget.script import digest_of

PAGE_PERIODS = 24
FEED_PERIODS = 24
_CACHED = "public, max-age=30, stale-while-revalidate=60"
_MICROSECOND = timedelta(microseconds=1)

bp = Blueprint("history", __name__)


class PeriodConverter(BaseConverter):
    """Takes what may be the key of a period, so that no other address is taken for one."""

    def to_python(self, value: str) -> str:
        """Return the key as it is stored."""
        try:
            return checked_key(value)
        except Invalid:
            raise ValidationError from None


def init_app(app: Flask) -> None:
    """Give `app` the pages of the past and the feed."""
    app.url_map.converters["period"] = PeriodConverter
    timeline.init_app(app)
    app.register_blueprint(bp)


@bp.get("/c/<slug>/months")
def months(slug: str) -> Response:
    """Show the periods that are over, newest first, and a picture of them; `before` is a key."""
    session, instant, base_url = read_session(), now(), settings().base_url
    campaign = find_campaign(session, slug)
    locale = reader_locale(campaign.locale)
    before = request.args.get("before")
    # One more than is shown tells whether there are older ones.
    found = read_history(
        session,
        slug,
        now=instant,
        base_url=base_url,
        limit=PAGE_PERIODS + 1,
        before=None if before is None else checked_key(before),
        locale=locale,
    )
    shown = found[:PAGE_PERIODS]
    older = None
    if len(found) > PAGE_PERIODS:
        older = _here(slug, before=shown[-1].period.key)
    page = render_page(
        "history.html",
        locale=locale,
        history=shown,
        present=read_progress(session, slug, now=instant, base_url=base_url, locale=locale),
        older=older,
        newest=None if before is None else _here(slug),
        **_said(campaign, locale),
    )
    return _cached(page, slug)


@bp.get("/c/<slug>/<period:key>")
def month(slug: str, key: str) -> Response:
    """Show one period, past or present, at the address that it keeps."""
    session = read_session()
    campaign = find_campaign(session, slug)
    locale = reader_locale(campaign.locale)
    reader = Reader(now=now(), base_url=settings().base_url, locale=locale)
    chapter = read_chapter(session, campaign, key, reader)
    words = words_of(locale)
    last_day = (chapter.past.period.ends_at - _MICROSECOND).astimezone(campaign.zone).date()
    face = _face(session, campaign, chapter)
    page = render_page(
        "month.html",
        locale=locale,
        chapter=chapter,
        past=chapter.past,
        face=face,
        headline=announced_title(words, chapter.past),
        matching=face.matching if chapter.is_running else _matched(words, chapter.past, locale),
        last_day=format_date(last_day, format="long", locale=locale),
        **_said(campaign, locale),
    )
    return _cached(page, slug)


@bp.get("/c/<slug>/closings.atom")
def closings(slug: str) -> Response:
    """Serve the feed of the latest closings, in the campaign's language."""
    session, base_url = read_session(), settings().base_url
    campaign = find_campaign(session, slug)
    found = read_closings(session, campaign, now=now(), base_url=base_url, limit=FEED_PERIODS)
    feed = write_feed(campaign, found, Site(base_url=base_url, name=settings().site_name))
    response = current_app.response_class(feed, mimetype="application/atom+xml")
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return _kept(response, feed, slug)


def _said(campaign: Campaign, locale: str) -> dict[str, object]:
    """Return what both pages fill in."""
    return {
        "campaign": campaign,
        "campaign_url": f"{settings().base_url}/c/{campaign.slug}",
        # The publisher's own words stay in the campaign's language, and say so where it differs.
        "own_lang": language_tag(campaign.locale),
        "own_direction": direction_of(campaign.locale),
        "number": partial(format_decimal, locale=locale),
        "percent": partial(_percent, locale=locale),
    }


def _here(slug: str, **query: str) -> str:
    """Return an address of the list; the language that was asked for goes along."""
    if "lang" in request.args:
        query["lang"] = request.args["lang"]
    return f"/c/{slug}/months" + (f"?{urlencode(query)}" if query else "")


def _percent(past: PastPeriod, *, locale: str) -> str:
    """Print a share of the goal in whole percent, never rounded up to one not reached."""
    label: str = format_percent(Decimal(int(past.percent or 0)) / 100, locale=locale)
    return label


def _face(session: Session, campaign: Campaign, chapter: Chapter) -> Face:
    """Return the bar of a period. One that is over has no next goal, and nothing is yet to come."""
    if chapter.is_running:
        return face_of(session, campaign, chapter.progress)
    face = compose_face(campaign, chapter.progress)
    marks = tuple(replace(mark, is_next=False) for mark in face.marks)
    return replace(face, marks=marks, status="", notes=(), recent=())


def _matched(words: Words, past: PastPeriod, locale: str) -> str:
    """Say who added to the gifts of a period that is over."""
    matching = past.matching
    if matching is None:
        return ""
    return _matching_text(words, matching).format(
        sponsor=matching.rule.sponsor,
        most=matching.most_label,
        matched=matching.matched_label,
        percent=format_percent(Decimal(matching.rule.percent) / 100, locale=locale),
    )


def _matching_text(words: Words, matching: MatchingView) -> str:
    if matching.rule.percent == DOUBLED_PERCENT:
        if matching.rule.counts:
            return words.gettext(
                "{sponsor} doubled every gift, up to {most}: {matched}, counted here."
            )
        return words.gettext(
            "{sponsor} doubled every gift, up to {most}: {matched}, on top of this."
        )
    if matching.rule.counts:
        return words.gettext(
            "{sponsor} added {percent} to every gift, up to {most}: {matched}, counted here."
        )
    return words.gettext(
        "{sponsor} added {percent} to every gift, up to {most}: {matched}, on top of this."
    )


def _cached(page: str, slug: str) -> Response:
    response = current_app.make_response(page)
    response.vary.add("Accept-Language")
    return _kept(response, page, slug)


def _kept(response: Response, body: str, slug: str) -> Response:
    response.headers["Cache-Control"] = _CACHED
    response.headers["Surrogate-Key"] = f"campaign-{slug}"
    return conditional(response, tag=digest_of(body.encode()), weak=True)
