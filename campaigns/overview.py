"""Where all campaigns stand at a glance: the busiest in their periods, and the months behind them.

Read from the sums that the ledger keeps, in a number of queries that neither gifts nor campaigns
raise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ScalarSelect, Select, case, func, literal, null, or_, select
from sqlalchemy.orm import Session, aliased, selectinload

from campaigns.calendar import last_day_of
from campaigns.expected import expected_by_period
from campaigns.face import Face, compose_face
from campaigns.ledger_models import Reference
from campaigns.models import Campaign, CampaignState, Period
from campaigns.periods import current_periods
from campaigns.progress import progress_of, progress_of_period
from core.cadence import Rhythm, a_month_before
from core.db import UtcDateTime

MONTHS = 12
# A key of a calendar month: quarters, years and odd spans have others.
_MONTH = "____-__"
# More than the months shown are long, in whatever zone: what is older is not looked at.
_AT_MOST = timedelta(days=MONTHS * 31 + 31)
# Zones that were changed make a month longer by a day at most.
_MORE_THAN_A_MONTH = timedelta(days=33)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An open campaign in its present period.

    `coming_minor` is what regular gifts are still to bring in it, `before` the period that it
    follows, None where there is none. `before_so_far_minor` is what is left now of the gifts that
    were paid in `before` up to this day and time of its month; None where the two are not months.
    `days_left` counts today.
    """

    campaign: Campaign
    face: Face
    coming_minor: int
    days_left: int
    before: Period | None
    before_so_far_minor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthSum:
    """What all campaigns of a currency raised in one month of their own calendars."""

    key: str
    raised_minor: int


def read_standings(
    session: Session, *, now: datetime, base_url: str, limit: int
) -> tuple[tuple[Standing, ...], int]:
    """Return the open campaigns with most gifts in their present period, and how many are open.

    Sums of two currencies can't be compared, numbers of gifts can.
    """
    present = (Period.starts_at <= now) & (Period.ends_at > now)
    rows = session.execute(
        # How many there are is counted before the limit.
        select(Campaign, func.count().over())
        .outerjoin(
            Period,
            (Period.campaign_id == Campaign.id) & (present | (Campaign.rhythm == Rhythm.ONCE)),
        )
        .where(
            Campaign.state == CampaignState.OPEN,
            or_(Campaign.runs_until.is_(None), Campaign.runs_until > now),
        )
        .order_by(func.coalesce(Period.donation_count, 0).desc(), Campaign.slug)
        .limit(limit)
        .options(selectinload(Campaign.tiers), selectinload(Campaign.suggestions))
    ).all()
    campaigns, count = [row[0] for row in rows], rows[0][1] if rows else 0
    periods = current_periods(session, [campaign.id for campaign in campaigns], now)
    ids = [period.id for period in periods.values()]
    coming = expected_by_period(session, ids)
    before = _before(session, ids, _month_befores(campaigns, now=now))
    standings = []
    for campaign in campaigns:
        period = periods.get(campaign.id)
        if period is None:
            # Nobody has asked for this period yet: it is opened within seconds, by the roll.
            progress = progress_of(session, campaign, now=now, base_url=base_url)
        else:
            progress = progress_of_period(campaign, period, now=now, base_url=base_url)
        coming_minor = coming.get(period.id, 0) if period else 0
        earlier, so_far_minor = before.get(period.id, (None, None)) if period else (None, None)
        last_day = last_day_of(progress.period.ends_at, campaign.zone)
        standings.append(
            Standing(
                campaign=campaign,
                face=compose_face(campaign, progress, coming_minor=coming_minor),
                coming_minor=coming_minor,
                days_left=(last_day - now.astimezone(campaign.zone).date()).days + 1,
                before=earlier,
                before_so_far_minor=so_far_minor,
            )
        )
    return tuple(standings), count


def _month_befores(campaigns: Sequence[Campaign], *, now: datetime) -> Mapping[int, datetime]:
    """Return when it was this day and time a month before, by campaign; of those by the month."""
    return {
        campaign.id: a_month_before(now, campaign.zone)
        for campaign in campaigns
        if campaign.rhythm == Rhythm.MONTH
    }


def _before(
    session: Session, period_ids: Sequence[int], until: Mapping[int, datetime]
) -> Mapping[int, tuple[Period, int | None]]:
    """Return the periods that these follow, and what each had raised `until` then, in one query.

    By the gifts' own times, as all that counts in a month: what was paid until then and is not
    given back since, whenever it was written down.
    """
    following = aliased(Period)
    rows: Select[int, Period, int | None] = (
        select(following.id, Period, _raised_until(until) if until else null())
        .join(
            Period,
            (Period.campaign_id == following.campaign_id) & (Period.ends_at == following.starts_at),
        )
        .where(following.id.in_(period_ids))
    )
    found = {}
    for following_id, period, raised in session.execute(rows):
        then = until.get(period.campaign_id)
        # Before its cadence or zone was changed a period may have been a year, or another month.
        is_its_month = then is not None and period.starts_at <= then < period.ends_at
        is_a_month = period.ends_at - period.starts_at < _MORE_THAN_A_MONTH
        # PostgreSQL adds integers up to a decimal; nothing at all is null.
        found[following_id] = (period, int(raised or 0) if is_its_month and is_a_month else None)
    return found


def _raised_until(until: Mapping[int, datetime]) -> ScalarSelect[int]:
    then = case(
        {campaign_id: literal(instant, UtcDateTime()) for campaign_id, instant in until.items()},
        value=Period.campaign_id,
    )
    return (
        select(func.sum(Reference.posted_minor))
        .where(Reference.period_id == Period.id, Reference.paid_at <= then)
        .correlate(Period)
        .scalar_subquery()
    )


def read_last_months(session: Session, *, now: datetime) -> Mapping[str, Sequence[MonthSum]]:
    """Return the last twelve months of each currency, the oldest first, in one query.

    Of months alone, and of all campaigns that are not drafts. Where nothing was raised before a
    month, it is left out; one between others stands with nothing.
    """
    rows = session.execute(
        select(Campaign.currency, Period.key, func.sum(Period.raised_minor))
        .join(Campaign, Campaign.id == Period.campaign_id)
        .where(
            Campaign.state != CampaignState.DRAFT,
            Period.starts_at <= now,
            Period.starts_at > now - _AT_MOST,
            Period.key.like(_MONTH),
            # Of `2021-Q2` the last two are no digits.
            Period.key.not_like("____-Q_"),
        )
        .group_by(Campaign.currency, Period.key)
        .order_by(Campaign.currency, Period.key)
    )
    found: dict[str, dict[str, int]] = {}
    for currency, key, raised in rows:
        # PostgreSQL adds integers up to a decimal.
        found.setdefault(currency, {})[key] = int(raised)
    return {currency: _in_a_row(sums) for currency, sums in found.items()}


def _in_a_row(sums: Mapping[str, int]) -> Sequence[MonthSum]:
    """Return the months up to the last one, from the first that raised anything."""
    year, month = (int(part) for part in max(sums).split("-"))
    keys = []
    for _ in range(MONTHS):
        keys.append(f"{year:04}-{month:02}")
        year, month = (year, month - 1) if month > 1 else (year - 1, MONTHS)
    months = [MonthSum(key=key, raised_minor=sums.get(key, 0)) for key in reversed(keys)]
    while months and not months[0].raised_minor:
        del months[0]
    return months
