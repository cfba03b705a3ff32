"""When a campaign's periods begin, and what they begin with: set at its start, changed with care.

A period that has begun keeps its bounds and its goals. So a change of zone or cadence holds from
its end on; what a campaign gives in never changes, because its books are in that currency.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from campaigns.calendar import cadence_of, last_day_of
from campaigns.errors import InvalidCampaign
from campaigns.models import Campaign, CampaignTier, Period
from campaigns.periods import get_or_create_period
from campaigns.plans import Plan, checked_carry, checked_tiers, plan_period
from core.cadence import Cadence, Rhythm
from core.money import known_currency
from core.zones import load_zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The instants `[starts_at, ends_at)` of a campaign that runs once."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What is to be changed; None stays as it is. `carry` is `same`, `missed`, or as in `+5%`."""

    timezone: str | None = None
    cadence: Cadence | None = None
    ends_at: datetime | None = None  # of a campaign that runs once
    currency: str | None = None
    tiers_minor: tuple[int, ...] | None = None
    carry: str | None = None


def timing_columns(cadence: Cadence, run: Run | None) -> dict[str, Any]:
    """Return how a new campaign's time is cut, as its row keeps it; raise InvalidCampaign."""
    if run is None:
        return _cadence_columns(cadence) | {"runs_from": None, "runs_until": None}
    if run.ends_at <= run.starts_at:
        raise InvalidCampaign("A campaign ends after it begins.", field="until")
    return {
        "rhythm": Rhythm.ONCE,
        "first_day": 1,
        "first_month": 1,
        "runs_from": run.starts_at,
        "runs_until": run.ends_at,
    }


def change_timing(
    session: Session, campaign: Campaign, timing: Timing, *, now: datetime
) -> datetime | None:
    """Change what is named; return the instant from which on it holds, None for at once.

    `campaign` is locked until the caller commits. Raises InvalidCampaign or Invalid, naming the
    field, before anything is changed.
    """
    session.refresh(campaign, with_for_update=True)
    zone = None if timing.timezone is None else load_zone(timing.timezone).key
    tiers = None if timing.tiers_minor is None else checked_tiers(timing.tiers_minor)
    carry = None if timing.carry is None else checked_carry(timing.carry)
    _refuse(campaign, timing, now=now)
    # What runs now keeps its bounds: they are written down before anything is changed.
    period = get_or_create_period(session, campaign, now)
    if zone is not None:
        campaign.timezone = zone
    if timing.cadence is not None:
        for name, value in _cadence_columns(timing.cadence).items():
            setattr(campaign, name, value)
    if tiers is not None:
        session.execute(delete(CampaignTier).where(CampaignTier.campaign_id == campaign.id))
        session.add_all(CampaignTier(campaign_id=campaign.id, amount_minor=tier) for tier in tiers)
    if carry is not None:
        campaign.carry, campaign.carry_percent = carry
    if timing.ends_at is not None:
        _extend(session, campaign, period, timing.ends_at)
    session.flush()
    waits = timing.timezone or timing.cadence or timing.tiers_minor is not None or timing.carry
    return period.ends_at if waits else None


def set_goals(
    session: Session,
    campaign: Campaign,
    tiers_minor: tuple[int, ...],
    *,
    running: bool,
    now: datetime,
) -> None:
    """Set what new periods begin with, and, where `running`, what the present one aims at, too.

    Raises InvalidCampaign before anything is changed.
    """
    change_timing(session, campaign, Timing(tiers_minor=tiers_minor), now=now)
    if running:
        period = get_or_create_period(session, campaign, now)
        plan_period(session, campaign, period.key, Plan(tiers_minor=tiers_minor))


def _refuse(campaign: Campaign, timing: Timing, *, now: datetime) -> None:
    once = cadence_of(campaign) is None
    if timing.currency is not None and known_currency(timing.currency) != campaign.currency:
        raise InvalidCampaign(
            f"A campaign keeps its currency, because its books are in {campaign.currency}. Make"
            " another campaign, and archive this one.",
            field="currency",
        )
    if once and timing.cadence is not None:
        raise InvalidCampaign(
            "This campaign runs once. Make another one for gifts month by month.", field="every"
        )
    if timing.ends_at is None:
        return
    if not once or campaign.runs_from is None or campaign.runs_until is None:
        raise InvalidCampaign(
            "This campaign has no end: its periods follow each other. Archive it to end it.",
            field="until",
        )
    if campaign.runs_until <= now:
        raise InvalidCampaign("This campaign is over. Make another one.", field="until")
    if timing.ends_at <= max(now, campaign.runs_from):
        raise InvalidCampaign("The end lies in the future, and after the start.", field="until")


def _extend(session: Session, campaign: Campaign, period: Period, ends_at: datetime) -> None:
    campaign.runs_until = ends_at
    last_day = last_day_of(ends_at, campaign.zone)
    session.execute(
        update(Period)
        .where(Period.id == period.id, Period.closed_at.is_(None))
        .values(ends_at=ends_at, last_day=last_day.isoformat())
    )


def _cadence_columns(cadence: Cadence) -> dict[str, Any]:
    return {
        "rhythm": cadence.rhythm,
        "first_day": cadence.day,
        "first_month": cadence.month,
    }
