"""The periods ahead: where each begins and ends, and what it begins with as things stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.calendar import bounds_at, cadence_of, fitted
from campaigns.errors import InvalidCampaign, PeriodClosed
from campaigns.models import Campaign, CampaignTier, Period
from campaigns.periods import current_period
from campaigns.plans import (
    Amounts,
    Carry,
    Plan,
    amounts_of,
    carried_tiers,
    forget_plan,
    list_plans,
    plan_period,
)
from core.cadence import checked_key

MOST_AHEAD = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """A period, the running one first, and what it begins with as things stand.

    `plan` is what was set for it alone. `tiers_minor` are its goals; where they `follow` the rule
    `missed`, what the period before misses is added once that is known. Amounts and texts are
    those of the period alone; None is what the campaign says.
    """

    key: str
    starts_at: datetime
    ends_at: datetime
    last_day: date | None
    tiers_minor: tuple[int, ...]
    follows: Carry | None  # None where its goals are its own
    plan: Plan | None
    is_running: bool


def look_ahead(
    session: Session, campaign: Campaign, *, now: datetime, count: int
) -> tuple[Ahead, ...]:
    """Return the running period and those that follow, `count` in all. Reads only.

    A campaign that runs once has one. `campaign` was found with its tiers.
    """
    running = _running(session, campaign, now)
    cadence = cadence_of(campaign)
    plans = dict(list_plans(session, campaign))
    if running.plan is None and running.key in plans:
        running = _begin(running, plans[running.key])
    found = [running]
    while cadence is not None and len(found) < min(count, MOST_AHEAD):
        last = found[-1]
        bounds = fitted(cadence, campaign.zone, last.ends_at, earlier=last.ends_at, later=None)
        following = Ahead(
            key=bounds.key,
            starts_at=bounds.starts_at,
            ends_at=bounds.ends_at,
            last_day=bounds.last_day,
            tiers_minor=_carried(campaign, last),
            follows=Carry(campaign.carry),
            plan=None,
            is_running=False,
        )
        found.append(_begin(following, plans.get(bounds.key)))
    return tuple(found)


def plan_anew(session: Session, campaign: Campaign, key: str, plan: Plan, *, now: datetime) -> None:
    """Set all of a period's plan: what is not named is the campaign's and its rule's again.

    Of the running period too, whose goals then are the campaign's own where none are named.
    Raises PeriodClosed for one that is over, and InvalidCampaign, naming the field.
    """
    key = checked_key(key)
    stored = session.scalars(
        select(Period).where(Period.campaign_id == campaign.id, Period.key == key)
    ).one_or_none()
    if stored is None:
        if plan != Plan() and key < _running(session, campaign, now).key:
            raise InvalidCampaign(f"{key} is over, and was never opened.", field="period")
        forget_plan(session, campaign, key)
        if plan != Plan():
            plan_period(session, campaign, key, plan)
        return
    if stored.closed_at is not None or stored.ends_at <= now:
        raise PeriodClosed(f"{key} is over: what it was stays as it is.", field="period")
    named = (
        plan if plan.tiers_minor is not None else replace(plan, tiers_minor=_own(session, campaign))
    )
    plan_period(session, campaign, key, named)
    stored.title = stored.title if plan.title else None
    stored.description = stored.description if plan.description else None
    stored.amounts = stored.amounts if plan.amounts_minor else None
    session.flush()


def plans_beyond(
    session: Session, campaign: Campaign, ahead: Sequence[Ahead]
) -> Sequence[tuple[str, Plan]]:
    """Return the plans for periods that are not among these: later ones, or of another cadence."""
    shown = {period.key for period in ahead}
    return [(key, plan) for key, plan in list_plans(session, campaign) if key not in shown]


def stored_keys(session: Session, campaign: Campaign) -> frozenset[str]:
    """Return the keys of the periods that there have been."""
    return frozenset(session.scalars(select(Period.key).where(Period.campaign_id == campaign.id)))


def _running(session: Session, campaign: Campaign, now: datetime) -> Ahead:
    stored = current_period(session, campaign, now)
    if stored is None:
        bounds = bounds_at(session, campaign, now)
        return Ahead(
            key=bounds.key,
            starts_at=bounds.starts_at,
            ends_at=bounds.ends_at,
            last_day=bounds.last_day,
            tiers_minor=_own(session, campaign),
            follows=Carry(campaign.carry),
            plan=None,
            is_running=True,
        )
    amounts: Amounts = amounts_of(stored.amounts)
    tiers = tuple(tier.amount_minor for tier in stored.tiers)
    is_own = tiers != _own(session, campaign)
    plan = Plan(
        title=stored.title,
        description=stored.description,
        tiers_minor=tiers if is_own else None,
        amounts_minor=amounts,
    )
    return Ahead(
        key=stored.key,
        starts_at=stored.starts_at,
        ends_at=stored.ends_at,
        last_day=date.fromisoformat(stored.last_day) if stored.last_day else None,
        tiers_minor=tiers,
        follows=None if is_own else Carry.SAME,
        plan=None if plan == Plan() else plan,
        is_running=True,
    )


def _begin(period: Ahead, plan: Plan | None) -> Ahead:
    if plan is None:
        return period
    if plan.tiers_minor is None:
        return replace(period, plan=plan)
    return replace(period, plan=plan, tiers_minor=plan.tiers_minor, follows=None)


def _carried(campaign: Campaign, last: Ahead) -> tuple[int, ...]:
    own = tuple(tier.amount_minor for tier in campaign.tiers)
    # What will be missed is not known: as if nothing were.
    raised_minor = max(last.tiers_minor, default=0)
    return carried_tiers(campaign, own=own, last=last.tiers_minor, last_raised_minor=raised_minor)


def _own(session: Session, campaign: Campaign) -> tuple[int, ...]:
    statement = select(CampaignTier.amount_minor).where(CampaignTier.campaign_id == campaign.id)
    return tuple(session.scalars(statement.order_by(CampaignTier.amount_minor)))
