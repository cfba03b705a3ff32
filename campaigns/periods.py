"""Periods: finding or making the one that holds an instant.

Nothing depends on the scheduler. Whoever pays or reads after a boundary gets the right period;
`campaigns.rolling` closes what has ended.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from campaigns.calendar import Bounds, bounds_at, cadence_of
from campaigns.models import Campaign, Period
from campaigns.opening import Opening, Wanted, open_periods, openings
from core.cadence import Rhythm


def current_period(session: Session, campaign: Campaign, now: datetime) -> Period | None:
    """Return the stored period that holds `now`, or None where nobody has made it yet.

    A campaign that runs once has one period, also before it begins and after it has ended.
    """
    statement = (
        select(Period).where(Period.campaign_id == campaign.id).options(selectinload(Period.tiers))
    )
    if cadence_of(campaign) is not None:
        statement = statement.where(Period.starts_at <= now, Period.ends_at > now)
    return session.scalars(statement).one_or_none()


def current_periods(
    session: Session, campaign_ids: Collection[int], now: datetime
) -> dict[int, Period]:
    """Return the stored periods, with their tiers, that hold `now`, by campaign.

    In two statements, for a page of campaigns. One that runs once is always in its only period.
    """
    is_present = (Period.starts_at <= now) & (Period.ends_at > now)
    statement = (
        select(Period)
        .join(Campaign, Campaign.id == Period.campaign_id)
        .where(Period.campaign_id.in_(campaign_ids))
        .where(is_present | (Campaign.rhythm == Rhythm.ONCE))
        .options(selectinload(Period.tiers))
    )
    return {period.campaign_id: period for period in session.scalars(statement)}


def get_or_create_period(session: Session, campaign: Campaign, instant: datetime) -> Period:
    """Return the period of `campaign` that holds `instant`, making it where it is missing.

    Safe to repeat and to race: the database lets one row in for each start. A new period takes
    what was planned for it, else the tiers that the campaign's rule carries over, and its matching
    rule, and keeps them.
    """
    stored = current_period(session, campaign, instant)
    if stored is not None:
        return stored
    wanted = _wanted(session, campaign, instant)
    open_periods(session, [wanted])
    return session.scalars(
        select(Period).where(
            Period.campaign_id == campaign.id, Period.starts_at == wanted.bounds.starts_at
        )
    ).one()


def preview_period(
    session: Session, campaign: Campaign, instant: datetime
) -> tuple[Bounds, Opening]:
    """Return what the period that holds `instant` would be, of which none is stored. Reads only."""
    wanted = _wanted(session, campaign, instant)
    return wanted.bounds, openings(session, [wanted])[campaign.id]


def _wanted(session: Session, campaign: Campaign, instant: datetime) -> Wanted:
    bounds = bounds_at(session, campaign, instant)
    return Wanted(campaign=campaign, bounds=bounds, earlier=_ending_at(session, campaign, bounds))


def _ending_at(session: Session, campaign: Campaign, bounds: Bounds) -> tuple[int, int] | None:
    row = session.execute(
        select(Period.id, Period.raised_minor).where(
            Period.campaign_id == campaign.id, Period.ends_at == bounds.starts_at
        )
    ).one_or_none()
    return None if row is None else (row.id, row.raised_minor)
