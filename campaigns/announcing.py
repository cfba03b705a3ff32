"""What admins are told of campaigns: a goal that was reached, a month that was closed.

Neither is told from the ledger's own path. The sum of a period moves with its entries, and a
partial index holds the periods whose sum has come to `announce_from_minor`: those that may have
reached a goal nobody was told of. So the look for them costs the same with ten campaigns and with
ten thousand, and misses nothing, however long nobody looked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, aliased, selectinload

from campaigns.catalog import campaign_by_id, campaigns_by_id
from campaigns.labels import money_label, period_label
from campaigns.matching import Matching, matching_of, shown_minor
from campaigns.models import (
    UNANNOUNCED,
    AnnouncedTier,
    Campaign,
    CampaignState,
    Period,
)
from campaigns.rolling import Rolled
from core.db import insert_if_absent
from core.notices import Notice, is_wanted, notify
from core.subscribers import Topic

# What admins read is English, whatever language the campaign speaks.
_LOCALE = "en"


def unannounced_period_ids(session: Session, *, limit: int = 50) -> Sequence[int]:
    """Return the ids of periods that may have reached a goal nobody was told of."""
    statement = (
        select(Period.id)
        .join(Campaign, Campaign.id == Period.campaign_id)
        .where(text(UNANNOUNCED), Campaign.state != CampaignState.DRAFT)
        .order_by(Period.id)
        .limit(limit)
    )
    return session.scalars(statement).all()


def announce_goals(session: Session, period_id: int, *, base_url: str, now: datetime) -> int:
    """Tell of each goal of a period that is reached and was not told of; return how many.

    Safe to repeat and to race: each goal is written down as told under the period's lock. What is
    refunded later and given again is not told again. The caller commits.
    """
    period = _locked(session, period_id)
    campaign = campaign_by_id(session, period.campaign_id)
    matching = matching_of(period)
    sum_minor = shown_minor(matching, period.raised_minor)
    goals = [tier.amount_minor for tier in period.tiers]
    told = 0
    for goal in goals:
        values = {"period_id": period.id, "amount_minor": goal, "announced_at": now}
        key = ("period_id", "amount_minor")
        if goal <= sum_minor and insert_if_absent(session, AnnouncedTier, values, unique=key):
            notify(session, _goal(campaign, period, goal, goals, base_url=base_url), now=now)
            told += 1
    announced = set(
        session.scalars(
            select(AnnouncedTier.amount_minor).where(AnnouncedTier.period_id == period.id)
        )
    )
    left = [goal for goal in goals if goal not in announced]
    period.announce_from_minor = raised_for(matching, min(left)) if left else None
    session.flush()
    return told


def announce_closed(
    session: Session, rolled: Sequence[Rolled], *, base_url: str, now: datetime
) -> int:
    """Tell of the periods that a roll closed, each once; return of how many. The caller commits.

    Where nobody wants to know, that is one statement, however many were closed. A campaign that
    has ended for good goes on having months; those that raised nothing are no news.
    """
    if not rolled or not is_wanted(session, Topic.MONTH):
        return 0
    ids = [closed.period_id for closed in rolled]
    periods = {
        period.id: period
        for period in session.scalars(
            select(Period)
            .where(Period.id.in_(ids))
            .options(selectinload(Period.tiers))
            .execution_options(populate_existing=True)
        )
    }
    campaigns = campaigns_by_id(session, {one.campaign_id for one in rolled})
    earlier = _earlier(session, ids)
    told = 0
    for closed in rolled:
        campaign, period = campaigns[closed.campaign_id], periods[closed.period_id]
        if campaign.state == CampaignState.ARCHIVED and not period.raised_minor:
            continue
        notice = _closed(campaign, period, earlier.get(period.id), base_url=base_url)
        told += notify(session, notice, now=now) > 0
    return told


def _earlier(session: Session, ids: Sequence[int]) -> dict[int, Period]:
    """Return the period before each of these, of those that have one."""
    following = aliased(Period)
    latest = (
        select(following.id, func.max(Period.starts_at).label("starts_at"))
        .select_from(following)
        .join(
            Period,
            (Period.campaign_id == following.campaign_id)
            & (Period.starts_at < following.starts_at),
        )
        .where(following.id.in_(ids))
        .group_by(following.id)
        .subquery()
    )
    statement = (
        select(following.id, Period)
        .select_from(following)
        .join(latest, latest.c.id == following.id)
        .join(
            Period,
            (Period.campaign_id == following.campaign_id)
            & (Period.starts_at == latest.c.starts_at),
        )
    )
    return {row[0]: row[1] for row in session.execute(statement)}


def raised_for(matching: Matching | None, sum_minor: int) -> int:
    """Return the least that readers have to give for the bar to show so much."""
    return bisect_left(
        range(sum_minor + 1), sum_minor, key=lambda raised: shown_minor(matching, raised)
    )


def _locked(session: Session, period_id: int) -> Period:
    return session.scalars(
        select(Period)
        .where(Period.id == period_id)
        .options(selectinload(Period.tiers))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _goal(
    campaign: Campaign, period: Period, goal: int, goals: Sequence[int], *, base_url: str
) -> Notice:
    label = period_label(campaign, period, locale=_LOCALE)
    following = min((amount for amount in goals if amount > goal), default=None)
    sum_minor = shown_minor(matching_of(period), period.raised_minor)
    lines = [
        f"“{campaign.title}” has reached its goal of {_money(campaign, goal)} for {label}.",
        f"It stands at {_money(campaign, sum_minor)}: {_people(period)}.",
        "It was the highest goal."
        if following is None
        else f"The next goal is {_money(campaign, following)}.",
        f"{base_url}/c/{campaign.slug}",
    ]
    return Notice(
        topic=Topic.GOAL,
        key=f"goal:{period.id}:{goal}",
        subject=f"{campaign.title}: {_money(campaign, goal)} reached ({label})",
        text="\n".join(lines),
        data={**_numbers(campaign, period), "goal_minor": goal, "next_goal_minor": following},
        campaign=campaign.slug,
    )


def _closed(campaign: Campaign, period: Period, earlier: Period | None, *, base_url: str) -> Notice:
    label = period_label(campaign, period, locale=_LOCALE)
    sum_minor = shown_minor(matching_of(period), period.raised_minor)
    goals = [tier.amount_minor for tier in period.tiers]
    reached = [goal for goal in goals if goal <= sum_minor]
    raised = _money(campaign, sum_minor)
    lines = [
        # Rounded down, as on the bar: no goal looks reached before it is.
        f"Raised: {raised} of {_money(campaign, max(goals))} ({sum_minor * 100 // max(goals)}%)."
        if goals
        else f"Raised: {raised}.",
        f"Goals reached: {', '.join(_money(campaign, goal) for goal in reached) or 'none'}.",
        f"It was {_people(period)}.",
    ]
    before_minor = None
    if earlier is not None:
        before_minor = shown_minor(matching_of(earlier), earlier.raised_minor)
        lines.append(
            f"Before, {period_label(campaign, earlier, locale=_LOCALE)}:"
            f" {_money(campaign, before_minor)}, {_compared(campaign, sum_minor, before_minor)}."
        )
    lines.append(f"{base_url}/c/{campaign.slug}")
    return Notice(
        topic=Topic.MONTH,
        key=f"month:{period.id}",
        subject=f"{campaign.title}: {label} closed at {raised}",
        text="\n".join(lines),
        data={
            **_numbers(campaign, period),
            "goals_minor": goals,
            "reached_minor": reached,
            "before_minor": before_minor,
        },
        campaign=campaign.slug,
    )


def _numbers(campaign: Campaign, period: Period) -> dict[str, Any]:
    return {
        "period": period.key,
        "raised_minor": period.raised_minor,
        "shown_minor": shown_minor(matching_of(period), period.raised_minor),
        "currency": campaign.currency,
        "donations": period.donation_count,
        "donors": period.donor_count,
    }


def _money(campaign: Campaign, amount_minor: int) -> str:
    return money_label(campaign, amount_minor, locale=_LOCALE)


def _people(period: Period) -> str:
    gifts, donors = period.donation_count, period.donor_count
    return (
        f"{gifts} {'gift' if gifts == 1 else 'gifts'}"
        f" by {donors} {'donor' if donors == 1 else 'donors'}"
    )


def _compared(campaign: Campaign, sum_minor: int, before_minor: int) -> str:
    difference = sum_minor - before_minor
    if not difference:
        return "the same"
    return f"{_money(campaign, abs(difference))} {'more' if difference > 0 else 'less'} now"
