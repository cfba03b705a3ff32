"""A campaign's fields as text, as its form holds them, and as the log tells of their changes."""

from __future__ import annotations

from collections.abc import Mapping

from campaigns.calendar import last_day_of
from campaigns.fees import typed_fees
from campaigns.look import FREQUENCIES
from campaigns.matching import matching_of
from campaigns.models import Campaign
from campaigns.plans import Carry, Plan
from core.money import typed_amount

Typed = dict[str, str]
# What stands in a plan that wants no goals, whatever the campaign has.
NO_GOALS = "none"
_MOST_LOGGED = 120


def subject_of(campaign: Campaign) -> str:
    """Return the campaign as the log names it."""
    return f"campaign:{campaign.slug}"


def told_creation(campaign: Campaign) -> dict[str, str | list[int]]:
    """Return what the log says of a campaign that was made."""
    return {
        "title": campaign.title,
        "currency": campaign.currency,
        "timezone": campaign.timezone,
        "state": campaign.state,
        "tiers_minor": [tier.amount_minor for tier in campaign.tiers],
    }


def stored_of(campaign: Campaign) -> Typed:
    """Return a campaign, found with its tiers and suggestions, as its form has it."""
    rule = matching_of(campaign)
    typed = {
        "title": campaign.title,
        "description": campaign.description,
        "story": campaign.story,
        "locale": campaign.locale,
        "capitals": "1" if campaign.capitals else "",
        "money_format": campaign.money_format or "",
        "accent": campaign.accent or "",
        "button": campaign.button or "",
        "fees": typed_fees(campaign),
        "match": rule.sponsor if rule else "",
        "match_up_to": _amount(campaign, rule.most_minor) if rule else "",
        "match_percent": str(rule.percent) if rule else "",
        "match_counts": "1" if rule and rule.counts else "",
        "hosts": campaign.hosts or "",
        "tier": "\n".join(_amount(campaign, tier.amount_minor) for tier in campaign.tiers),
        "shows": (campaign.shows or "").replace(",", "\n"),
        "frequencies": campaign.frequencies.replace(",", "\n"),
    }
    for frequency in FREQUENCIES:
        typed[frequency] = "\n".join(
            _amount(campaign, one.amount_minor) + (f": {one.note}" if one.note else "")
            for one in campaign.suggestions
            if one.frequency == frequency
        )
    return {name: plain(text) for name, text in typed.items()}


def schedule_of(campaign: Campaign) -> Typed:
    """Return how a campaign's time is cut, as its form has it."""
    until = ""
    if campaign.runs_until is not None:
        until = last_day_of(campaign.runs_until, campaign.zone).isoformat()
    return {
        "timezone": campaign.timezone,
        "every": campaign.rhythm,
        "from_day": str(campaign.first_day),
        "from_month": str(campaign.first_month),
        "until": until,
    }


def plan_fields(campaign: Campaign, plan: Plan | None) -> Typed:
    """Return what is planned for a period, None for nothing, as its form has it."""
    planned = plan or Plan()
    typed = {"title": planned.title or "", "description": planned.description or ""}
    tiers = planned.tiers_minor
    written = [] if tiers is None else [_amount(campaign, tier) for tier in tiers] or [NO_GOALS]
    typed["tier"] = "\n".join(written)
    for frequency in FREQUENCIES:
        amounts = planned.amounts_minor.get(frequency, ())
        typed[frequency] = "\n".join(_amount(campaign, amount) for amount in amounts)
    return typed


def told_rule(campaign: Campaign) -> str:
    """Say how goals go on."""
    rule = Carry(campaign.carry)
    if rule is Carry.PERCENT:
        return f"{campaign.carry_percent:+d}% each time"
    if rule is Carry.MISSED:
        return "the same, and what the period before missed"
    return "the same each time"


def told_changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what the log says of a change: by field the old text and the new one, cut short."""
    return {
        name: [shortened(before[name]), shortened(after[name])]
        for name in before
        if before[name] != after[name]
    }


def shortened(text: str) -> str:
    """Return a text as the log has it: whole where it is short."""
    if len(text) <= _MOST_LOGGED:
        return text
    return f"{text[:_MOST_LOGGED]}… ({len(text)} characters)"


def _amount(campaign: Campaign, amount_minor: int) -> str:
    return typed_amount(amount_minor, campaign.currency, locale=campaign.locale)


def plain(text: str) -> str:
    """Return a text as it is compared: one kind of line end, and no space around."""
    return text.replace("\r\n", "\n").strip()
