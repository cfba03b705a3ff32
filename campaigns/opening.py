"""Opening periods: the rows of one or of thousands, with what was planned and carried over.

Safe to repeat and to race: the database lets one row in for each campaign and start, and whoever
made it gives it its tiers. What is read is read in a few statements, however many are opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Table, delete, insert, select
from sqlalchemy.orm import Session

from campaigns.calendar import Bounds
from campaigns.matching import matching_columns, matching_of
from campaigns.models import Campaign, CampaignTier, Period, PeriodPlan, PeriodTier
from campaigns.plans import Carry, carried_tiers, plans_of, tiers_of_plan
from core.db import insert_absent


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A period to open. `earlier` is the id and the sum of the one that it follows, if any."""

    campaign: Campaign
    bounds: Bounds
    earlier: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a period begins with: its goals, and its own words and amounts where it has any."""

    tiers_minor: tuple[int, ...]
    title: str | None = None
    description: str | None = None
    amounts: str | None = None


def opening_of(period: Period) -> Opening:
    """Return what a stored period, found with its tiers, has of its own by now."""
    return Opening(
        tiers_minor=tuple(tier.amount_minor for tier in period.tiers),
        title=period.title,
        description=period.description,
        amounts=period.amounts,
    )


def openings(session: Session, wanted: Sequence[Wanted]) -> dict[int, Opening]:
    """Return what each of these periods would begin with, by its campaign's id. Reads only."""
    plans = plans_of(session, {one.campaign.id: one.bounds.key for one in wanted})
    own = _tiers(
        session,
        CampaignTier.campaign_id,
        CampaignTier.amount_minor,
        [one.campaign.id for one in wanted],
    )
    last = _tiers(
        session,
        PeriodTier.period_id,
        PeriodTier.amount_minor,
        [one.earlier[0] for one in wanted if one.earlier and one.campaign.carry != Carry.SAME],
    )
    return {
        one.campaign.id: _opening(one, plans.get(one.campaign.id), own=own, last=last)
        for one in wanted
    }


def open_periods(session: Session, wanted: Sequence[Wanted]) -> None:
    """Make the rows that are missing, at most one a campaign; each keeps what it begins with."""
    if not wanted:
        return
    begin = openings(session, wanted)
    made = insert_absent(
        session,
        Period,
        [_columns(one, begin[one.campaign.id]) for one in wanted],
        unique=("campaign_id", "starts_at"),
        returning=("campaign_id", "id", "key"),
    )
    tiers = [
        {"period_id": row.id, "amount_minor": amount}
        for row in made
        for amount in begin[row.campaign_id].tiers_minor
    ]
    if tiers:
        session.execute(insert(cast("Table", PeriodTier.__table__)), tiers)
    _forget_plans(session, {row.campaign_id: row.key for row in made})
    session.flush()


def _opening(
    one: Wanted,
    plan: PeriodPlan | None,
    *,
    own: dict[int, list[int]],
    last: dict[int, list[int]],
) -> Opening:
    tiers = tiers_of_plan(plan) if plan else None
    if tiers is None:
        period_id, raised_minor = one.earlier or (0, 0)
        tiers = carried_tiers(
            one.campaign,
            own=own.get(one.campaign.id, ()),
            last=last.get(period_id, ()),
            last_raised_minor=raised_minor,
        )
    return Opening(
        tiers_minor=tiers,
        title=plan.title if plan else None,
        description=plan.description if plan else None,
        amounts=plan.amounts if plan else None,
    )


def _columns(one: Wanted, opening: Opening) -> dict[str, Any]:
    bounds = one.bounds
    return {
        "campaign_id": one.campaign.id,
        "key": bounds.key,
        "starts_at": bounds.starts_at,
        "ends_at": bounds.ends_at,
        "last_day": bounds.last_day.isoformat(),
        "title": opening.title,
        "description": opening.description,
        "amounts": opening.amounts,
        **matching_columns(matching_of(one.campaign)),
    }


def _forget_plans(session: Session, keys: dict[int, str]) -> None:
    """Take back the plans that have been taken over."""
    ids = [plan.id for plan in plans_of(session, keys).values()]
    if ids:
        session.execute(delete(PeriodPlan).where(PeriodPlan.id.in_(ids)))


def _tiers(session: Session, owner: Any, amount: Any, ids: Iterable[int]) -> dict[int, list[int]]:
    wanted = list(ids)
    found: dict[int, list[int]] = {}
    if wanted:
        rows = session.execute(select(owner, amount).where(owner.in_(wanted)).order_by(amount))
        for owner_id, amount_minor in rows:
            found.setdefault(owner_id, []).append(amount_minor)
    return found
