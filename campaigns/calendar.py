"""A campaign's calendar: where the period that holds an instant begins and ends.

The campaign's cadence and zone say it, as long as both stay as they are. Where an admin has
changed one of them, what is stored stays, and the calendar goes on from there: a new period begins
where the last one ended, without a gap and without an overlap, so that every instant is in exactly
one, whoever asks first and in whatever order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.models import Campaign, CampaignState, Period
from core.cadence import Cadence, Rhythm, Span

# Another zone moves midnight by up to 26 hours. A piece of a period that is shorter than this is
# none of its own: it goes to its neighbour.
SLIVER = timedelta(hours=36)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The instants `[starts_at, ends_at)` of a period that is not stored yet, and its key."""

    key: str
    starts_at: datetime
    ends_at: datetime
    last_day: date  # in the zone of now


def cadence_of(campaign: Campaign) -> Cadence | None:
    """Return how the campaign's time is cut; None where it runs once."""
    rhythm = Rhythm(campaign.rhythm)
    if rhythm is Rhythm.ONCE:
        return None
    return Cadence(rhythm, campaign.first_day, campaign.first_month)


def state_at(campaign: Campaign, now: datetime) -> CampaignState:
    """Return what may be done with a campaign at `now`: one that runs once begins and ends itself.

    No scheduler is needed for that. Before it begins it takes no gifts, as one that is paused.
    """
    state = CampaignState(campaign.state)
    if state is CampaignState.OPEN and has_ended(campaign, now):
        return CampaignState.ARCHIVED
    if state is CampaignState.OPEN and is_ahead(campaign, now):
        return CampaignState.PAUSED
    return state


def is_running(campaign: Campaign, now: datetime) -> bool:
    """Tell whether gifts may be begun: always, but outside the run of a campaign that runs once."""
    return not has_ended(campaign, now) and not is_ahead(campaign, now)


def is_ahead(campaign: Campaign, now: datetime) -> bool:
    """Tell whether the campaign runs once and has not begun."""
    return campaign.runs_from is not None and now < campaign.runs_from


def has_ended(campaign: Campaign, now: datetime) -> bool:
    """Tell whether the campaign ran once and is over."""
    return campaign.runs_until is not None and now >= campaign.runs_until


def bounds_at(session: Session, campaign: Campaign, instant: datetime) -> Bounds:
    """Return the bounds of the period that holds `instant`, of which none is stored yet.

    A campaign that runs once has one period, which takes what is paid before and after it, too.
    """
    cadence = cadence_of(campaign)
    if cadence is None:
        return _run(campaign)
    earlier, later = _neighbours(session, campaign, instant)
    return fitted(cadence, campaign.zone, instant, earlier=earlier, later=later)


def fitted(
    cadence: Cadence,
    zone: ZoneInfo,
    instant: datetime,
    *,
    earlier: datetime | None,
    later: datetime | None,
) -> Bounds:
    """Return the span that holds `instant`, fitted between what is stored on both sides of it.

    `earlier` is where the last stored period before it ends, `later` where the next one begins.
    """
    span = cadence.span_holding(instant, zone)
    starts_at, ends_at = _between(span, zone, earlier, later)
    if ends_at - starts_at < SLIVER and starts_at == earlier and ends_at != later:
        span = cadence.after(span)
        _, ends_at = _between(span, zone, None, later)
    elif ends_at - starts_at < SLIVER and ends_at == later and starts_at != earlier:
        span = cadence.before(span)
        starts_at, _ = _between(span, zone, earlier, None)
    is_whole = abs(starts_at - span.starts_at(zone)) < SLIVER
    return Bounds(
        key=span.key if is_whole else starts_at.astimezone(zone).date().isoformat(),
        starts_at=starts_at,
        ends_at=ends_at,
        last_day=_last_day(ends_at, span, zone),
    )


def _between(
    span: Span, zone: ZoneInfo, earlier: datetime | None, later: datetime | None
) -> tuple[datetime, datetime]:
    """Cut off what belongs to a neighbour, and take over slivers that would belong to nobody."""
    starts_at, ends_at = span.starts_at(zone), span.ends_at(zone)
    if earlier is not None and starts_at - earlier < SLIVER:
        starts_at = earlier
    if later is not None and later - ends_at < SLIVER:
        ends_at = later
    return starts_at, ends_at


def last_day_of(ends_at: datetime, zone: ZoneInfo) -> date:
    """Return the local date of the last instant before `ends_at`."""
    return (ends_at - _MICROSECOND).astimezone(zone).date()


def _last_day(ends_at: datetime, span: Span, zone: ZoneInfo) -> date:
    is_whole = abs(ends_at - span.ends_at(zone)) < SLIVER
    return span.last_day if is_whole else last_day_of(ends_at, zone)


def _run(campaign: Campaign) -> Bounds:
    if campaign.runs_from is None or campaign.runs_until is None:
        raise ValueError("a campaign that runs once has a start and an end")
    return Bounds(
        key=campaign.runs_from.astimezone(campaign.zone).date().isoformat(),
        starts_at=campaign.runs_from,
        ends_at=campaign.runs_until,
        last_day=last_day_of(campaign.runs_until, campaign.zone),
    )


def _neighbours(
    session: Session, campaign: Campaign, instant: datetime
) -> tuple[datetime | None, datetime | None]:
    earlier = session.scalars(
        select(Period.ends_at)
        .where(Period.campaign_id == campaign.id, Period.starts_at <= instant)
        .order_by(Period.starts_at.desc())
        .limit(1)
    ).one_or_none()
    later = session.scalars(
        select(Period.starts_at)
        .where(Period.campaign_id == campaign.id, Period.starts_at > instant)
        .order_by(Period.starts_at)
        .limit(1)
    ).one_or_none()
    return earlier, later
