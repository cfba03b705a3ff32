"""Plans: what the next periods begin with, set ahead for a named one or carried over by a rule.

A plan is taken over when its period opens; from then on the period has its own goals and words,
and later changes of the campaign leave it alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as default
from enum import StrEnum
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns import look
from campaigns.calendar import cadence_of
from campaigns.errors import InvalidCampaign, PeriodClosed, PeriodNotFound
from campaigns.models import Campaign, Period, PeriodPlan, PeriodTier
from core.cadence import checked_key
from core.db import insert_if_absent
from core.money import MOST_MINOR, exponent

MOST_TIERS = 8
MOST_TITLE_CHARACTERS = 120
MOST_DESCRIPTION_CHARACTERS = 2000
LEAST_CARRY_PERCENT, MOST_CARRY_PERCENT = -99, 1000
Amounts = Mapping[look.Frequency, tuple[int, ...]]


class Carry(StrEnum):
    """How the tiers of one period become those of the next. Stored by value."""

    SAME = "same"  # the campaign's own
    PERCENT = "percent"  # those of the last period, and a percentage more, or less
    MISSED = "missed"  # the campaign's own, and what the last period missed of its goal


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a period is to begin with. None is what the campaign says and its rule carries over."""

    title: str | None = None
    description: str | None = None
    tiers_minor: tuple[int, ...] | None = None
    amounts_minor: Amounts = default(default_factory=dict)


def plan_period(session: Session, campaign: Campaign, key: str, plan: Plan) -> None:
    """Set what is named for one period and leave the rest; one that is open follows at once.

    Raises PeriodClosed for one that is over, and InvalidCampaign, naming the field.
    """
    key = checked_key(key)
    values = {
        "title": checked_text(plan.title or "", "title", MOST_TITLE_CHARACTERS, required=False)
        or None,
        "description": checked_text(
            plan.description or "", "description", MOST_DESCRIPTION_CHARACTERS, required=False
        )
        or None,
        "tiers": None if plan.tiers_minor is None else json.dumps(checked_tiers(plan.tiers_minor)),
        "amounts": _written(plan.amounts_minor),
    }
    named = {name: value for name, value in values.items() if value is not None}
    period = _stored(session, campaign, key)
    if period is not None:
        if period.closed_at is not None:
            raise PeriodClosed(f"{key} is over: what it was stays as it is.", field="period")
        _apply(session, period, plan, named)
        return
    cadence = cadence_of(campaign)
    if cadence is None or not cadence.has(key):
        raise InvalidCampaign(
            f"No period of this campaign will be called {key}. See `campaigns list` for the present"
            " one's name.",
            field="period",
        )
    new = {"campaign_id": campaign.id, "key": key}
    insert_if_absent(session, PeriodPlan, new, unique=("campaign_id", "key"))
    row = _plan(session, campaign, key)
    for name, value in named.items():
        setattr(row, name, value)
    session.flush()


def plan_like(session: Session, campaign: Campaign, key: str, *, like: str) -> None:
    """Plan a period like another one: last year's, as it was. Raises PeriodNotFound."""
    model = _stored(session, campaign, checked_key(like))
    if model is None:
        raise PeriodNotFound(f"There is no period “{like[:40]}”.", field="period")
    plan = Plan(
        title=model.title,
        description=model.description,
        tiers_minor=_tiers_of(session, model),
        amounts_minor=amounts_of(model.amounts),
    )
    plan_period(session, campaign, key, plan)


def forget_plan(session: Session, campaign: Campaign, key: str) -> bool:
    """Take a plan back that has not been taken over; tell whether there was one."""
    row = _find(session, campaign, checked_key(key))
    if row is not None:
        session.delete(row)
        session.flush()
    return row is not None


def list_plans(session: Session, campaign: Campaign) -> Sequence[tuple[str, Plan]]:
    """Return the plans that have not been taken over, by key."""
    statement = (
        select(PeriodPlan).where(PeriodPlan.campaign_id == campaign.id).order_by(PeriodPlan.key)
    )
    return [(row.key, _read(row)) for row in session.scalars(statement)]


def plans_of(session: Session, keys: Mapping[int, str]) -> dict[int, PeriodPlan]:
    """Return the plans of these campaigns for these keys, each by its campaign's id."""
    rows = session.scalars(select(PeriodPlan).where(PeriodPlan.campaign_id.in_(keys)))
    return {row.campaign_id: row for row in rows if row.key == keys[row.campaign_id]}


def carried_tiers(
    campaign: Campaign, *, own: Sequence[int], last: Sequence[int], last_raised_minor: int
) -> tuple[int, ...]:
    """Return the tiers that the campaign's rule carries over, least first, in minor units.

    `own` are the campaign's, `last` those of the period that ends, empty where there is none.
    """
    rule = Carry(campaign.carry)
    if rule is Carry.SAME or not last:
        return tuple(own)
    if rule is Carry.PERCENT:
        scaled = {_scaled(tier, campaign.carry_percent, campaign.currency) for tier in last}
        return tuple(sorted(scaled))
    missed = max(0, max(last) - last_raised_minor)
    return tuple(sorted({min(tier + missed, MOST_MINOR) for tier in own}))


def checked_text(text: str, field: str, most: int, *, required: bool = True) -> str:
    """Return a text without space around it; raise InvalidCampaign where it is too long."""
    cleaned = text.strip()
    if "\0" in cleaned or len(cleaned) > most or (required and not cleaned):
        raise InvalidCampaign(f"The {field} needs 1 to {most} characters.", field=field)
    return cleaned


def checked_tiers(tiers_minor: Sequence[int]) -> list[int]:
    """Return the tiers, least first; raise InvalidCampaign where they are none."""
    if len(tiers_minor) > MOST_TIERS:
        raise InvalidCampaign(f"A campaign has at most {MOST_TIERS} tiers.", field="tier")
    if len(set(tiers_minor)) != len(tiers_minor):
        raise InvalidCampaign("Two tiers have the same amount.", field="tier")
    if any(not 0 < tier <= MOST_MINOR for tier in tiers_minor):
        raise InvalidCampaign("A tier must be more than zero.", field="tier")
    return sorted(tiers_minor)


def checked_carry(text: str) -> tuple[Carry, int]:
    """Read a rule: `same`, `missed`, `+5%`, `-10%`; raise InvalidCampaign for anything else."""
    rule = text.strip().lower()
    if rule in {Carry.SAME, Carry.MISSED}:
        return Carry(rule), 0
    number = rule.removesuffix("%").strip()
    if rule.endswith("%") and number.lstrip("+-").isdecimal() and number.isascii():
        percent = int(number)
        if LEAST_CARRY_PERCENT <= percent <= MOST_CARRY_PERCENT:
            return Carry.PERCENT, percent
    raise InvalidCampaign(
        f"“{text[:40]}” is no rule. Write same, missed, or a percentage such as +5%.",
        field="carry",
    )


def amounts_of(written: str | None) -> dict[look.Frequency, tuple[int, ...]]:
    """Return the amounts to suggest that a period has of its own, by frequency."""
    read: dict[str, list[int]] = json.loads(written) if written else {}
    return {cast("look.Frequency", name): tuple(amounts) for name, amounts in read.items()}


def _scaled(tier_minor: int, percent: int, currency: str) -> int:
    """Return a tier and a percentage of it, to the nearest whole unit of the currency."""
    unit: int = 10 ** exponent(currency)
    scaled = (tier_minor * (100 + percent) + 50 * unit) // (100 * unit) * unit
    return min(max(unit, scaled), MOST_MINOR)


def _apply(session: Session, period: Period, plan: Plan, named: Mapping[str, str]) -> None:
    """Give an open period what is planned for it now."""
    for name in ("title", "description", "amounts"):
        if name in named:
            setattr(period, name, named[name])
    if plan.tiers_minor is not None:
        loaded = session.scalars(select(PeriodTier).where(PeriodTier.period_id == period.id)).all()
        wanted = set(plan.tiers_minor)
        for tier in loaded:
            if tier.amount_minor not in wanted:
                session.delete(tier)
        there = {tier.amount_minor for tier in loaded}
        session.add_all(
            PeriodTier(period_id=period.id, amount_minor=amount) for amount in wanted - there
        )
        # A new goal may be one that is reached already: have the notices look.
        period.announce_from_minor = 1
    session.flush()
    session.expire(period)


def _stored(session: Session, campaign: Campaign, key: str) -> Period | None:
    return session.scalars(
        select(Period).where(Period.campaign_id == campaign.id, Period.key == key)
    ).one_or_none()


def _find(session: Session, campaign: Campaign, key: str) -> PeriodPlan | None:
    return session.scalars(
        select(PeriodPlan).where(PeriodPlan.campaign_id == campaign.id, PeriodPlan.key == key)
    ).one_or_none()


def _plan(session: Session, campaign: Campaign, key: str) -> PeriodPlan:
    return session.scalars(
        select(PeriodPlan).where(PeriodPlan.campaign_id == campaign.id, PeriodPlan.key == key)
    ).one()


def _tiers_of(session: Session, period: Period) -> tuple[int, ...]:
    statement = select(PeriodTier.amount_minor).where(PeriodTier.period_id == period.id)
    return tuple(session.scalars(statement.order_by(PeriodTier.amount_minor)))


def tiers_of_plan(row: PeriodPlan) -> tuple[int, ...] | None:
    """Return the tiers that a plan names, None where the rule carries them over."""
    return None if row.tiers is None else tuple(json.loads(row.tiers))


def _read(row: PeriodPlan) -> Plan:
    return Plan(
        title=row.title,
        description=row.description,
        tiers_minor=tiers_of_plan(row),
        amounts_minor=amounts_of(row.amounts),
    )


def _text(text: str | None, field: str, most: int) -> str | None:
    return checked_text(text or "", field, most, required=False) or None


def _written(amounts_minor: Amounts) -> str | None:
    checked = {
        name: [
            suggestion.amount_minor
            for suggestion in look.checked_suggestions(look.Suggestion(amount) for amount in found)
        ]
        for name, found in amounts_minor.items()
    }
    return json.dumps(checked) if checked else None
