"""Opening periods: the rows of one or of thousands, with what was planned and carried over.

Safe to repeat and to race: the database lets one row in for each campaign and start, and whoever
made it gives it its tiers. What is read is read in a few statements, however many are opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
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


def open_periods(session: Session, wanted: Sequence[Wanted]) -> None:
    """Make the rows that are missing, at most one a campaign; each keeps what it begins with."""
    if not wanted:
        return
    keys = {one.campaign.id: one.bounds.key for one in wanted}
    plans = plans_of(session, keys)
    rows = [_columns(one, plans.get(one.campaign.id)) for one in wanted]
    made = {
        row.campaign_id: row.id
        for row in insert_absent(
            session,
            Period,
            rows,
            unique=("campaign_id", "starts_at"),
            returning=("campaign_id", "id"),
        )
    }
    new = [one for one in wanted if one.campaign.id in made]
    _give_tiers(session, new, made, plans)
    session.flush()


def _columns(one: Wanted, plan: PeriodPlan | None) -> dict[str, Any]:
    bounds = one.bounds
    return {
        "campaign_id": one.campaign.id,
        "key": bounds.key,
        "starts_at": bounds.starts_at,
        "ends_at": bounds.ends_at,
        "last_day": bounds.last_day.isoformat(),
        "title": plan.title if plan else None,
        "description": plan.description if plan else None,
        "amounts": plan.amounts if plan else None,
        **matching_columns(matching_of(one.campaign)),
    }


def _give_tiers(
    session: Session, new: Sequence[Wanted], made: dict[int, int], plans: dict[int, PeriodPlan]
) -> None:
    own = _tiers(session, CampaignTier.campaign_id, CampaignTier.amount_minor, made)
    carrying = [one.earlier[0] for one in new if one.earlier and one.campaign.carry != Carry.SAME]
    last = _tiers(session, PeriodTier.period_id, PeriodTier.amount_minor, carrying)
    rows = []
    for one in new:
        plan = plans.get(one.campaign.id)
        tiers = tiers_of_plan(plan) if plan else None
        if tiers is None:
            period_id, raised_minor = one.earlier or (0, 0)
            tiers = carried_tiers(
                one.campaign,
                own=own.get(one.campaign.id, ()),
                last=last.get(period_id, ()),
                last_raised_minor=raised_minor,
            )
        period_id = made[one.campaign.id]
        rows += [{"period_id": period_id, "amount_minor": amount} for amount in tiers]
        if plan is not None:
            session.delete(plan)  # taken over
    if rows:
        session.execute(insert(PeriodTier), rows)


def _tiers(session: Session, owner: Any, amount: Any, ids: Iterable[int]) -> dict[int, list[int]]:
    wanted = list(ids)
    found: dict[int, list[int]] = {}
    if wanted:
        rows = session.execute(select(owner, amount).where(owner.in_(wanted)).order_by(amount))
        for owner_id, amount_minor in rows:
            found.setdefault(owner_id, []).append(amount_minor)
    return found
