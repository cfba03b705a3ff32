"""`/admin/campaigns/<slug>/schedule`: when periods begin. A change is looked at, then made."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from zoneinfo import available_timezones

from flask import redirect, request
from flask.typing import ResponseReturnValue

from admin.access import admin_blueprint, needs
from admin.campaign_fields import attempt, fingerprints, moved_since
from admin.campaign_forms import local_text, log, render_campaign
from admin.campaign_new import NAMES, RHYTHMS, read_cadence
from admin.pages import say
from admin.roles import Permission
from campaigns.ahead import look_ahead
from campaigns.calendar import cadence_of
from campaigns.catalog import find_campaign
from campaigns.fields import schedule_of, told_changes
from campaigns.models import Campaign
from campaigns.timing import Timing, change_timing
from core.cadence import Rhythm
from core.clock import now
from core.dates import end_of
from core.db import db
from core.errors import DomainError

FIELDS = ("timezone", "every", "from_day", "from_month", "until")
_SHOWN = 4

bp = admin_blueprint("campaign_schedule", __name__)


@bp.get("/campaigns/<slug>/schedule")
@needs(Permission.EDIT_CAMPAIGNS)
def schedule(slug: str) -> str:
    """Show how a campaign's time is cut."""
    campaign = find_campaign(db.session, slug, drafts=True)
    typed = schedule_of(campaign)
    return _page(campaign, typed, {}, base=fingerprints(typed))


@bp.post("/campaigns/<slug>/schedule")
@needs(Permission.EDIT_CAMPAIGNS)
def reschedule(slug: str) -> ResponseReturnValue:
    """Say what a change would do and from when on; do it where that was confirmed."""
    campaign = find_campaign(db.session, slug, drafts=True, locked=True)
    stored = schedule_of(campaign)
    typed = {name: request.form.get(name, stored[name]).strip() for name in FIELDS}
    base = request.form.get("base", "")
    problems: dict[str, str] = {}
    if moved_since(base, stored):
        page = _page(campaign, typed, {}, base=fingerprints(stored), stored=stored)
        return page, HTTPStatus.CONFLICT
    timing = _read(campaign, typed, stored, problems)
    if timing is not None and not problems:
        try:
            holds_from = change_timing(db.session, campaign, timing, now=now())
        except DomainError as error:
            problems[NAMES.get(error.field or "", error.field or "every")] = error.message
    if timing is None or problems:
        db.session.rollback()
        campaign = find_campaign(db.session, slug, drafts=True)
        page = _page(campaign, typed, problems, base=base)
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    if timing == Timing():
        say("Nothing was changed.")
    elif not request.form.get("confirmed"):
        return _look(campaign, typed, holds_from, base=base)
    else:
        log(db.session, "campaign.rescheduled", campaign, told_changes(stored, typed))
        db.session.commit()
        if holds_from is None:
            say("Changed.")
        else:
            say(f"Changed: holds from {local_text(campaign, holds_from)} on.")
    return redirect(f"/admin/campaigns/{campaign.slug}/schedule", code=303)


def _look(
    campaign: Campaign, typed: dict[str, str], holds_from: datetime | None, *, base: str
) -> str:
    """Show what the periods would be: the change is made, looked at, and taken back."""
    page = render_campaign(
        "admin/campaign_schedule_look.html",
        campaign,
        tab="schedule",
        typed=typed,
        base=base,
        holds_from=holds_from,
        ahead=look_ahead(db.session, campaign, now=now(), count=_SHOWN),
    )
    db.session.rollback()
    return page


def _read(
    campaign: Campaign, typed: dict[str, str], stored: dict[str, str], problems: dict[str, str]
) -> Timing | None:
    changed = {name for name in FIELDS if typed[name] != stored[name]}
    cadence = None
    if changed & {"every", "from_day", "from_month"} and cadence_of(campaign) is not None:
        cadence = read_cadence(typed, problems)
        if typed["every"] == Rhythm.ONCE:
            problems["every"] = "A campaign that goes on does not become one that runs once."
    ends_at = None
    if "until" in changed:
        zone = campaign.zone
        ends_at = attempt(problems, "until", lambda: end_of(typed["until"], zone, field="until"))
    return Timing(
        timezone=typed["timezone"] if "timezone" in changed else None,
        cadence=cadence,
        ends_at=ends_at,
    )


def _page(
    campaign: Campaign,
    typed: dict[str, str],
    problems: dict[str, str],
    *,
    base: str,
    stored: dict[str, str] | None = None,
) -> str:
    """Show the form; with what is `stored` beside it where somebody else was quicker."""
    clashes = {name: text for name, text in (stored or {}).items() if text != typed[name]}
    return render_campaign(
        "admin/campaign_schedule.html",
        campaign,
        tab="schedule",
        typed=typed,
        problems=problems,
        base=base,
        clashes=clashes,
        is_moved=stored is not None,
        zones=sorted(available_timezones()),
        rhythms={rhythm: name for rhythm, name in RHYTHMS.items() if rhythm is not Rhythm.ONCE},
        is_once=cadence_of(campaign) is None,
        ahead=look_ahead(db.session, campaign, now=now(), count=2),
    )
