"""`/admin/campaigns/<slug>/plan`: the months ahead, and what each of them begins with."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from flask import redirect, request
from flask.typing import ResponseReturnValue

from admin.access import admin_blueprint, needs
from admin.campaign_edit import tier_fields
from admin.campaign_fields import (
    attempt,
    fingerprints,
    moved_since,
    read_suggestions,
    read_tiers,
)
from admin.campaign_forms import log, period_name, render_campaign
from admin.pages import say
from admin.roles import Permission
from campaigns.ahead import MOST_AHEAD, Ahead, look_ahead, plan_anew, plans_beyond, stored_keys
from campaigns.catalog import find_campaign
from campaigns.errors import PeriodNotFound
from campaigns.fields import NO_GOALS, Typed, plan_fields, told_changes, told_rule
from campaigns.labels import money_label
from campaigns.look import FREQUENCIES
from campaigns.models import Campaign
from campaigns.plans import MOST_TIERS, Carry, Plan, forget_plan, plan_like
from campaigns.timing import Timing, change_timing
from core.cadence import checked_key
from core.clock import now
from core.db import db
from core.errors import DomainError
from core.money import typed_amount

MONTHS_SHOWN = 13  # the present one and the twelve after it
_FOLLOWS = {
    Carry.SAME: "the campaign’s own",
    Carry.PERCENT: "carried over by the percentage",
    Carry.MISSED: "the campaign’s own, and what was missed",
}

bp = admin_blueprint("campaign_plan", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A period ahead as the table shows it."""

    period: Ahead
    name: str
    goals: str
    rule: str
    last_year: str | None  # the key of the one to copy


@bp.get("/campaigns/<slug>/plan")
@needs(Permission.SEE_TOTALS)
def plan(slug: str) -> str:
    """Show the periods ahead."""
    return _table(find_campaign(db.session, slug, drafts=True))


@bp.post("/campaigns/<slug>/carry")
@needs(Permission.EDIT_CAMPAIGNS)
def carry(slug: str) -> ResponseReturnValue:
    """Set the rule by which goals go on from one period to the next."""
    campaign = find_campaign(db.session, slug, drafts=True, locked=True)
    rule = request.form.get("carry", "")
    percent = request.form.get("percent", "").strip().removesuffix("%")
    text = f"{percent}%" if rule == Carry.PERCENT else rule
    before = told_rule(campaign)
    if moved_since(request.form.get("base", ""), {"rule": before}):
        told = f"Somebody has set another rule meanwhile: {before}. Choose again."
        return _table(campaign, carry=rule, percent=percent, problem=told), HTTPStatus.CONFLICT
    try:
        change_timing(db.session, campaign, Timing(carry=text), now=now())
    except DomainError as error:
        db.session.rollback()
        campaign = find_campaign(db.session, slug, drafts=True)
        page = _table(campaign, carry=rule, percent=percent, problem=error.message)
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    if told_rule(campaign) != before:
        log(db.session, "campaign.changed", campaign, {"carry": [before, told_rule(campaign)]})
    db.session.commit()
    say(f"Goals go on like this: {told_rule(campaign)}.")
    return redirect(f"/admin/campaigns/{campaign.slug}/plan", code=303)


@bp.get("/campaigns/<slug>/plan/<key>")
@needs(Permission.EDIT_CAMPAIGNS)
def period(slug: str, key: str) -> str:
    """Show the form of one period."""
    campaign = find_campaign(db.session, slug, drafts=True)
    found = _period(campaign, key)
    typed = plan_fields(campaign, found.plan)
    return _form(campaign, found, typed, base=fingerprints(typed))


@bp.post("/campaigns/<slug>/plan/<key>")
@needs(Permission.EDIT_CAMPAIGNS)
def save(slug: str, key: str) -> ResponseReturnValue:
    """Set what a period begins with; what is left empty is the campaign's and its rule's."""
    campaign = find_campaign(db.session, slug, drafts=True, locked=True)
    found = _period(campaign, key)
    stored, typed = plan_fields(campaign, found.plan), _typed_of_form()
    base = request.form.get("base", "")
    if moved_since(base, stored):
        page = _form(
            campaign,
            found,
            typed,
            base=fingerprints(stored),
            clashes={name: stored[name] for name in stored if stored[name] != typed[name]},
            notice="Somebody has changed this plan since you opened this page. Nothing of yours is"
            " stored yet. Look through the form, then save again.",
        )
        db.session.rollback()
        return page, HTTPStatus.CONFLICT
    problems: dict[str, str] = {}
    planned = _read(campaign, typed, problems)
    if not problems:
        try:
            plan_anew(db.session, campaign, found.key, planned, now=now())
        except DomainError as error:
            problems[error.field or "title"] = error.message
    if problems:
        db.session.rollback()
        campaign = find_campaign(db.session, slug, drafts=True)
        page = _form(campaign, _period(campaign, key), typed, base=base, problems=problems)
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    details = told_changes(stored, typed)
    if details:
        log(db.session, "campaign.planned", campaign, {"period": found.key, **details})
    db.session.commit()
    say(f"{period_name(campaign, found)} is planned.")
    return redirect(f"/admin/campaigns/{campaign.slug}/plan", code=303)


@bp.post("/campaigns/<slug>/plan/<key>/copy")
@needs(Permission.EDIT_CAMPAIGNS)
def copy(slug: str, key: str) -> ResponseReturnValue:
    """Plan a period as another one was, such as that of last year."""
    campaign = find_campaign(db.session, slug, drafts=True, locked=True)
    found = _period(campaign, key)
    like = request.form.get("like", "")
    plan_like(db.session, campaign, found.key, like=like)
    log(db.session, "campaign.planned", campaign, {"period": found.key, "like": like})
    db.session.commit()
    say(f"{period_name(campaign, found)} is planned as {like} was.")
    return redirect(f"/admin/campaigns/{campaign.slug}/plan", code=303)


@bp.post("/campaigns/<slug>/plan/<key>/forget")
@needs(Permission.EDIT_CAMPAIGNS)
def forget(slug: str, key: str) -> ResponseReturnValue:
    """Take a plan back; of a running period, give back what the campaign says."""
    campaign = find_campaign(db.session, slug, drafts=True, locked=True)
    ahead = {one.key: one for one in _ahead(campaign)}
    key = checked_key(key)
    if key in ahead and ahead[key].is_running:
        plan_anew(db.session, campaign, key, Plan(), now=now())
    elif not forget_plan(db.session, campaign, key):
        raise PeriodNotFound(f"Nothing is planned for {key}.", field="period")
    log(db.session, "campaign.plan_forgotten", campaign, {"period": key})
    db.session.commit()
    say(f"The plan for {key} is taken back.")
    return redirect(f"/admin/campaigns/{campaign.slug}/plan", code=303)


def _table(campaign: Campaign, *, carry: str = "", percent: str = "", problem: str = "") -> str:
    ahead = _ahead(campaign)
    known = stored_keys(db.session, campaign)
    return render_campaign(
        "admin/campaign_plan.html",
        campaign,
        tab="plan",
        rows=[_row(campaign, one, known) for one in ahead],
        beyond=plans_beyond(db.session, campaign, ahead),
        rule=told_rule(campaign),
        base=fingerprints({"rule": told_rule(campaign)}),
        carry=carry or campaign.carry,
        percent=percent or (f"{campaign.carry_percent:+d}" if campaign.carry_percent else ""),
        problem=problem,
    )


def _ahead(campaign: Campaign) -> tuple[Ahead, ...]:
    return look_ahead(db.session, campaign, now=now(), count=MONTHS_SHOWN)


def _period(campaign: Campaign, key: str) -> Ahead:
    found = look_ahead(db.session, campaign, now=now(), count=MOST_AHEAD)
    wanted = next((one for one in found if one.key == key), None)
    if wanted is None:
        raise PeriodNotFound(f"“{key[:40]}” is none of the periods ahead.", field="period")
    return wanted


def _row(campaign: Campaign, period: Ahead, known: Collection[str]) -> Row:
    goals = ", ".join(money_label(campaign, tier) for tier in period.tiers_minor) or "no goal"
    if period.follows is Carry.MISSED and not period.is_running:
        goals += " and what was missed"
    return Row(
        period=period,
        name=period_name(campaign, period),
        goals=goals,
        rule="set for it alone" if period.follows is None else _FOLLOWS[period.follows],
        last_year=_last_year(period, known),
    )


def _last_year(period: Ahead, known: Collection[str]) -> str | None:
    """Return the key of the period a year before, where there was one: a key begins with a year."""
    key = f"{int(period.key[:4]) - 1:04d}{period.key[4:]}"
    return key if not period.is_running and key in known else None


def _typed_of_form() -> Typed:
    typed = {
        name: request.form.get(name, "").replace("\r\n", "\n").strip()
        for name in ("title", "description", *FREQUENCIES)
    }
    tiers = [tier.strip() for tier in request.form.getlist("tier")]
    typed["tier"] = NO_GOALS if request.form.get("no_goals") else "\n".join(filter(None, tiers))
    return typed


def _read(campaign: Campaign, typed: Typed, problems: dict[str, str]) -> Plan:
    tiers: tuple[int, ...] | None = None
    if typed["tier"] == NO_GOALS:
        tiers = ()
    elif typed["tier"]:
        tiers = attempt(problems, "tier", partial(read_tiers, campaign, typed["tier"]))
    amounts = {}
    for frequency in FREQUENCIES:
        text = typed[frequency]
        if text:
            read = attempt(problems, frequency, partial(read_suggestions, campaign, text))
            amounts[frequency] = tuple(one.amount_minor for one in read or ())
    return Plan(
        title=typed["title"] or None,
        description=typed["description"] or None,
        tiers_minor=tiers,
        amounts_minor=amounts,
    )


def _amount(campaign: Campaign, amount_minor: int) -> str:
    return typed_amount(amount_minor, campaign.currency, locale=campaign.locale)


def _form(
    campaign: Campaign,
    period: Ahead,
    typed: Typed,
    *,
    base: str,
    problems: dict[str, str] | None = None,
    clashes: dict[str, str] | None = None,
    notice: str = "",
) -> str:
    return render_campaign(
        "admin/campaign_plan_edit.html",
        campaign,
        tab="plan",
        period=period,
        name=period_name(campaign, period),
        typed=typed,
        tiers=tier_fields("" if typed["tier"] == NO_GOALS else typed["tier"]),
        no_goals=typed["tier"] == NO_GOALS,
        most_tiers=MOST_TIERS,
        base=base,
        problems=problems or {},
        clashes=clashes or {},
        notice=notice,
        often=FREQUENCIES,
        carried=[] if period.follows is None else period.tiers_minor,
        start=[_amount(campaign, tier) for tier in period.tiers_minor],
        told_rule=told_rule(campaign),
    )
