"""`/admin/campaigns/<slug>/edit`: a campaign's texts, looks, goals and hosts, and how they look."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response, current_app, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from admin.access import admin_blueprint, needs
from admin.campaign_fields import (
    LABELS,
    Reading,
    fingerprints,
    moved_since,
    read_fields,
    touched,
    typed_of,
)
from admin.campaign_forms import log, render_campaign
from admin.campaign_new import language_names
from admin.faces import faces
from admin.pages import say
from admin.roles import Permission
from campaigns import look
from campaigns.as_if import Standing, changed_copy, face_as_if
from campaigns.catalog import CampaignChanges, change_campaign, find_campaign
from campaigns.fields import Typed, stored_of, subject_of, told_changes
from campaigns.models import Campaign
from campaigns.periods import current_period
from campaigns.plans import MOST_TIERS
from campaigns.story import story_html
from campaigns.timing import set_goals
from core.auditlog import AuditFilter, list_records
from core.clock import now
from core.db import db
from core.errors import DomainError
from core.web import PAGE_POLICY, settings

_NOTES = {
    look.Shown.DONORS: "How many people gave",
    look.Shown.DAYS: "How many days are left",
    look.Shown.EXPECTED: "Renewals that are still to come, drawn apart",
    look.Shown.RECENT: "The latest gifts; by name only where the donor wants it",
}

bp = admin_blueprint("campaign_edit", __name__)


@bp.after_request
def _may_frame_itself(response: Response) -> Response:
    """Let the form hold a frame with the preview, which has a policy of its own."""
    if request.endpoint != f"{bp.name}.preview":
        response.headers["Content-Security-Policy"] = f"{PAGE_POLICY}; frame-src 'self'"
    return response


@bp.get("/campaigns/<slug>/edit")
@needs(Permission.EDIT_CAMPAIGNS)
def edit(slug: str) -> str:
    """Show the form with what is stored."""
    campaign = find_campaign(db.session, slug, drafts=True)
    stored = stored_of(campaign)
    return _page(campaign, stored, base=fingerprints(stored))


@bp.post("/campaigns/<slug>/edit")
@needs(Permission.EDIT_CAMPAIGNS)
def save(slug: str) -> ResponseReturnValue:
    """Store what was typed, unless somebody else was quicker or it can't be used."""
    campaign = find_campaign(db.session, slug, drafts=True, locked=True)
    stored, typed = stored_of(campaign), typed_of(request.form)
    base = request.form.get("base", "")
    moved = moved_since(base, stored)
    if moved:
        return _told_of_others(campaign, stored, typed, moved), HTTPStatus.CONFLICT
    reading = read_fields(campaign, typed)
    problems = dict(reading.problems)
    if not problems:
        problems = _store(campaign, reading)
    if problems:
        db.session.rollback()
        campaign = find_campaign(db.session, slug, drafts=True)
        page = _page(campaign, typed, base=base, problems=problems)
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    changes = told_changes(stored, stored_of(find_campaign(db.session, slug, drafts=True)))
    if changes:
        if "tier" in changes:
            changes["tier"].append("at once" if _at_once() else "from the next period on")
        log(db.session, "campaign.changed", campaign, changes)
    db.session.commit()
    told = ", ".join(LABELS[name] for name in LABELS if name in changes)
    say(f"Saved: {told}." if changes else "Nothing was changed.")
    return redirect(f"/admin/campaigns/{campaign.slug}/edit", code=303)


@bp.post("/campaigns/<slug>/preview")
@needs(Permission.EDIT_CAMPAIGNS)
def preview(slug: str) -> Response:
    """Draw every face with what the form holds now; what can't be used is as it is stored."""
    campaign = find_campaign(db.session, slug, drafts=True)
    typed, stored = typed_of(request.form), stored_of(campaign)
    reading = read_fields(campaign, typed)
    changes, tiers, problems = _usable(campaign, typed, stored, reading)
    if tiers is None:
        tiers = _present_tiers(campaign)
    asked = request.form.get("standing", "")
    copy = changed_copy(campaign, changes)
    face = face_as_if(
        db.session,
        copy,
        tiers,
        standing=Standing(asked) if asked in set(Standing) else Standing.NOW,
        now=now(),
        base_url=settings().base_url,
    )
    db.session.rollback()  # drawing takes a while, in which nobody has to wait for us
    drawn = faces().draw_preview(
        face,
        theme=request.form.get("preview_theme", ""),
        width=request.form.get("preview_width", ""),
        story=story_html(copy),
        notes=" ".join(f"{sentence} Shown as it is stored." for sentence in problems.values()),
    )
    response = current_app.make_response(drawn.html)
    response.headers["Content-Security-Policy"] = drawn.policy
    return response


@bp.get("/contrast")
@needs(Permission.EDIT_CAMPAIGNS)
def contrast() -> Response:
    """Say how a colour reads on light and on dark paper, by the very sum that refuses it."""
    return jsonify(told_contrast(request.args.get("accent", "")))


def told_contrast(accent: str) -> dict[str, object]:
    """Return the contrast of a colour, in words, and what is wrong with it, if anything."""
    try:
        colour = look.checked_accent(accent) or look.DEFAULT_ACCENT
    except DomainError as error:
        return {"ok": False, "told": error.message, "light": "", "dark": ""}
    dark = look.lightened(colour)
    light_ratio = look.contrast(colour, look.LIGHT_PAPER)
    dark_ratio = look.contrast(dark, look.DARK_PAPER)
    told = f"Contrast {light_ratio:.1f} on light paper; {dark_ratio:.1f} on dark"
    told += f", where {dark} stands in for it." if dark != colour else "."
    return {"ok": True, "told": told, "light": colour, "dark": dark}


def _store(campaign: Campaign, reading: Reading) -> dict[str, str]:
    """Store what was read; return what a service has to say against it."""
    try:
        if reading.tiers_minor is not None:
            set_goals(db.session, campaign, reading.tiers_minor, running=_at_once(), now=now())
        change_campaign(db.session, campaign.slug, reading.changes, now=now())
    except DomainError as error:
        return {error.field or "title": error.message}
    return {}


def _at_once() -> bool:
    return bool(request.form.get("running"))


def _usable(
    campaign: Campaign, typed: Typed, stored: Typed, reading: Reading
) -> tuple[CampaignChanges, tuple[int, ...] | None, dict[str, str]]:
    """Return what can be shown of a form: with fields that are wrong, the rest is read without."""
    problems = reading.problems
    if problems:
        matching = ("match", "match_up_to", "match_percent", "match_counts")
        wrong = set(problems) | (set(matching) if problems.keys() & set(matching) else set())
        reading = read_fields(
            campaign, {name: stored[name] if name in wrong else typed[name] for name in typed}
        )
    return reading.changes, reading.tiers_minor, problems


def _present_tiers(campaign: Campaign) -> tuple[int, ...]:
    period = current_period(db.session, campaign, now())
    rows = campaign.tiers if period is None else period.tiers
    return tuple(tier.amount_minor for tier in rows)


def _told_of_others(campaign: Campaign, stored: Typed, typed: Typed, moved: set[str]) -> str:
    """Show the form again: what the other editor changed, and beside it what was typed here."""
    base = request.form.get("base", "")
    clashes = {}
    for name in moved:
        if not touched(base, typed, name):
            typed[name] = stored[name]
        elif typed[name] != stored[name]:
            clashes[name] = stored[name]
    last = list_records(db.session, AuditFilter(subject=subject_of(campaign)), limit=1)
    who = last[0].actor_name if last else "Somebody"
    names = ", ".join(LABELS[name] for name in LABELS if name in moved)
    page = _page(
        campaign,
        typed,
        base=fingerprints(stored),
        clashes=clashes,
        notice=f"{who} has changed this campaign since you opened this page: {names}. Nothing of"
        " yours is stored yet. Look through the form, then save again.",
    )
    db.session.rollback()
    return page


def _page(
    campaign: Campaign,
    typed: Typed,
    *,
    base: str,
    problems: dict[str, str] | None = None,
    clashes: dict[str, str] | None = None,
    notice: str = "",
) -> str:
    period = current_period(db.session, campaign, now())
    return render_campaign(
        "admin/campaign_edit.html",
        campaign,
        tab="edit",
        typed=typed,
        tiers=tier_fields(typed["tier"]),
        base=base,
        problems=problems or {},
        clashes=clashes or {},
        labels=LABELS,
        notice=notice,
        shown=[(one.value, _NOTES[one]) for one in look.Shown],
        often=look.FREQUENCIES,
        languages=language_names(),
        contrast=told_contrast(typed["accent"]),
        default_accent=look.DEFAULT_ACCENT,
        period=period,
        raised_minor=period.raised_minor if period else 0,
        most_tiers=MOST_TIERS,
    )


def tier_fields(text: str) -> list[str]:
    """Return the goals as fields hold them, with empty ones to add more in."""
    found = [line for line in text.split("\n") if line]
    return [*found, *[""] * max(0, min(2, MOST_TIERS - len(found)))]
