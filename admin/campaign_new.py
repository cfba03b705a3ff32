"""`/admin/campaigns/new`: making a campaign. What is asked for first is what every one needs."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from zoneinfo import available_timezones

from babel import Locale
from flask import Response, redirect, request
from flask.typing import ResponseReturnValue

from admin.access import admin_blueprint, needs
from admin.campaign_fields import attempt, read_number
from admin.campaign_forms import log
from admin.pages import render_admin, say
from admin.roles import Permission
from campaigns.catalog import NewCampaign, create_campaign, suggest_slug
from campaigns.fields import told_creation
from campaigns.models import Campaign
from campaigns.plans import MOST_TIERS, MOST_TITLE_CHARACTERS, checked_text, checked_tiers
from campaigns.timing import Run
from core.cadence import Cadence, Rhythm
from core.clock import now
from core.dates import begin_of, end_of
from core.db import db
from core.errors import DomainError, Invalid
from core.money import known_currency, known_locale, parse_amount
from core.words import SOURCE_LANGUAGE, languages
from core.zones import load_zone

FIELDS = (
    "title", "slug", "currency", "timezone", "locale", "description", "money_format", "every",
    "from_day", "from_month", "from", "until", "state",
)  # fmt: skip
DEFAULTS = {
    "currency": "USD",
    "locale": SOURCE_LANGUAGE,
    "every": Rhythm.MONTH.value,
    "from_day": "1",
    "from_month": "1",
    "state": "open",
}
RHYTHMS = {
    Rhythm.MONTH: "Each month",
    Rhythm.QUARTER: "Each quarter",
    Rhythm.YEAR: "Each year",
    Rhythm.ONCE: "Once, from a day to a day",
}
_SHOWN_TIERS = 3
# What services call these fields, and what the form calls them.
NAMES = {"day": "from_day", "month": "from_month"}

bp = admin_blueprint("campaign_new", __name__)


@bp.get("/campaigns/new")
@needs(Permission.EDIT_CAMPAIGNS)
def new_campaign() -> str:
    """Show the form."""
    return _page(dict.fromkeys(FIELDS, "") | DEFAULTS, [], {})


@bp.post("/campaigns/new")
@needs(Permission.EDIT_CAMPAIGNS)
def create() -> ResponseReturnValue:
    """Make the campaign and its first period."""
    typed = {name: request.form.get(name, "").strip() for name in FIELDS}
    typed["slug"] = typed["slug"] or suggest_slug(typed["title"])
    tiers = [tier.strip() for tier in request.form.getlist("tier") if tier.strip()]
    problems: dict[str, str] = {}
    new = _read(typed, tiers, problems)
    campaign = None
    if new is not None and not problems:
        campaign = _made(new, problems)
    if campaign is None:
        db.session.rollback()
        return _page(typed, tiers, problems), HTTPStatus.UNPROCESSABLE_ENTITY
    return _to(campaign)


def _made(new: NewCampaign, problems: dict[str, str]) -> Campaign | None:
    try:
        campaign = create_campaign(db.session, new, now=now())
    except DomainError as error:
        problems[NAMES.get(error.field or "", error.field or "title")] = error.message
        return None
    log(db.session, "campaign.created", campaign, told_creation(campaign))
    db.session.commit()
    return campaign


def _to(campaign: Campaign) -> Response:
    if campaign.state == "draft":
        say("It is a draft, seen by nobody until you publish it.")
    else:
        say("The campaign is open. Put it into a page: the line is below.")
    return redirect(f"/admin/campaigns/{campaign.slug}", code=303)  # type: ignore[return-value]


def _read(typed: dict[str, str], tiers: list[str], problems: dict[str, str]) -> NewCampaign | None:
    attempt(problems, "title", lambda: checked_text(typed["title"], "title", MOST_TITLE_CHARACTERS))
    currency = attempt(problems, "currency", lambda: known_currency(typed["currency"]))
    locale = attempt(problems, "locale", lambda: known_locale(typed["locale"]))
    zone = attempt(problems, "timezone", lambda: load_zone(typed["timezone"]))
    cadence = read_cadence(typed, problems)
    run = None
    if typed["every"] == Rhythm.ONCE and zone is not None:
        starts_at = attempt(problems, "from", lambda: begin_of(typed["from"], zone, field="from"))
        ends_at = attempt(problems, "until", lambda: end_of(typed["until"], zone, field="until"))
        if starts_at is not None and ends_at is not None:
            run = Run(starts_at=starts_at, ends_at=ends_at)
    if currency is None or locale is None or zone is None or cadence is None:
        return None
    amounts = attempt(
        problems,
        "tier",
        lambda: checked_tiers([parse_amount(tier, currency, locale=locale) for tier in tiers]),
    )
    return NewCampaign(
        slug=typed["slug"],
        title=typed["title"],
        currency=currency,
        timezone=zone.key,
        tiers_minor=tuple(amounts or ()),
        locale=locale,
        money_format=typed["money_format"] or None,
        description=typed["description"],
        draft=typed["state"] == "draft",
        cadence=cadence,
        run=run,
    )


def read_cadence(typed: Mapping[str, str], problems: dict[str, str]) -> Cadence | None:
    """Read how time is cut; None, with its sentence beside a field, where that can't be used."""
    if typed["every"] not in set(Rhythm):
        problems["every"] = "Choose how long a period is."
        return None
    rhythm = Rhythm(typed["every"])
    if rhythm is Rhythm.ONCE:
        return Cadence()
    day = attempt(problems, "from_day", lambda: read_number(typed["from_day"] or "1"))
    month = attempt(problems, "from_month", lambda: read_number(typed["from_month"] or "1"))
    if day is None or month is None:
        return None
    try:
        return Cadence(rhythm, day, month)
    except Invalid as error:
        problems[NAMES[error.field or ""]] = error.message
        return None


def _page(typed: dict[str, str], tiers: list[str], problems: dict[str, str]) -> str:
    shown = max(_SHOWN_TIERS, len(tiers) + 1)
    return render_admin(
        "admin/campaign_new.html",
        section="campaigns",
        typed=typed,
        tiers=[*tiers, *[""] * (shown - len(tiers))][: max(MOST_TIERS, len(tiers))],
        problems=problems,
        zones=sorted(available_timezones()),
        rhythms=RHYTHMS,
        languages=language_names(),
    )


def language_names() -> dict[str, str]:
    """Return the languages that every face speaks, by code; any other is known by its numbers."""
    return {
        code: Locale.parse(code).get_display_name(SOURCE_LANGUAGE) or code for code in languages()
    }
