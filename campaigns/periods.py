"""Periods: finding or making the one that holds an instant, and rolling from one to the next.

Nothing depends on the scheduler. Whoever pays or reads after a boundary gets the right period;
the roll closes what has ended, freezes the sum as it was announced, and opens what comes next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from campaigns.matching import matching_columns, matching_of
from campaigns.models import Campaign, CampaignState, CampaignTier, Period, PeriodTier
from core.db import insert_if_absent
from core.months import Month, month_of

# The most periods that one roll of one campaign closes: ten years of downtime, in one go.
# Whatever is left is closed by the next tick.
MOST_ROLLED_AT_ONCE = 120


@dataclass(frozen=True, slots=True)
class Rolled:
    """A period that a roll closed, or would close."""

    slug: str
    key: str
    as_closed_minor: int
    currency: str
    opened_key: str


def current_period(session: Session, campaign: Campaign, now: datetime) -> Period | None:
    """Return the stored period that holds `now`, or None where nobody has made it yet."""
    statement = (
        select(Period)
        .where(Period.campaign_id == campaign.id, Period.starts_at <= now, Period.ends_at > now)
        .options(selectinload(Period.tiers))
    )
    return session.scalars(statement).one_or_none()


def get_or_create_period(session: Session, campaign: Campaign, instant: datetime) -> Period:
    """Return the period of `campaign` that holds `instant`, making it where it is missing.

    Safe to repeat and to race: the database lets one row in for each start. A new period takes
    the campaign's tiers and matching rule as they are now and keeps them.
    """
    stored = current_period(session, campaign, instant)
    if stored is not None:
        return stored
    return _create_period(session, campaign, month_of(instant, campaign.zone))


def _create_period(session: Session, campaign: Campaign, month: Month) -> Period:
    zone = campaign.zone
    starts_at = month.starts_at(zone)
    values = {
        "campaign_id": campaign.id,
        "key": month.key,
        "starts_at": starts_at,
        "ends_at": month.ends_at(zone),
        **matching_columns(matching_of(campaign)),
    }
    created = insert_if_absent(session, Period, values, unique=("campaign_id", "starts_at"))
    period = session.scalars(
        select(Period).where(Period.campaign_id == campaign.id, Period.starts_at == starts_at)
    ).one()
    if created:
        amounts = session.scalars(
            select(CampaignTier.amount_minor).where(CampaignTier.campaign_id == campaign.id)
        )
        session.add_all(PeriodTier(period_id=period.id, amount_minor=tier) for tier in amounts)
        session.flush()
    return period


def due_campaign_ids(session: Session, *, now: datetime) -> Sequence[int]:
    """Return the ids of the campaigns that have an ended period which is not closed."""
    statement = (
        select(Period.campaign_id)
        .join(Campaign, Campaign.id == Period.campaign_id)
        .where(
            Period.closed_at.is_(None), Period.ends_at <= now, Campaign.state != CampaignState.DRAFT
        )
        .distinct()
        .order_by(Period.campaign_id)
    )
    return session.scalars(statement).all()


def roll_campaign(session: Session, campaign_id: int, *, now: datetime) -> list[Rolled]:
    """Close every ended period of a campaign, in order, and open what follows each.

    One transaction of the caller's. Idempotent: what is closed is not looked at again. Safe
    beside other rolls and beside payments: the campaign's row is locked first, and the sum that
    is frozen is read under the period's own lock.
    """
    campaign = session.scalars(
        select(Campaign)
        .where(Campaign.id == campaign_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    rolled: list[Rolled] = []
    while len(rolled) < MOST_ROLLED_AT_ONCE:
        period = session.scalars(
            select(Period)
            .where(
                Period.campaign_id == campaign.id,
                Period.closed_at.is_(None),
                Period.ends_at <= now,
            )
            .order_by(Period.starts_at)
            .limit(1)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).one_or_none()
        if period is None:
            break
        rolled.append(_close(session, campaign, period, now=now))
    return rolled


def _close(session: Session, campaign: Campaign, period: Period, *, now: datetime) -> Rolled:
    period.closed_at = now
    period.as_closed_minor = period.raised_minor
    # The next period begins where this one ends, whatever the zone has become since.
    following = get_or_create_period(session, campaign, period.ends_at)
    session.flush()
    return Rolled(
        slug=campaign.slug,
        key=period.key,
        as_closed_minor=period.raised_minor,
        currency=campaign.currency,
        opened_key=following.key,
    )
