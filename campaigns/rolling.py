"""The roll: close every period that has ended, and open what comes next.

Closing freezes the sum and the counts as they are announced. One transaction of the caller's does
both for as many campaigns as it is told; a dead or doubled roll changes no total, because whoever
pays or reads after a boundary gets or makes the right period (`campaigns.periods`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, Select, func, select, update
from sqlalchemy.orm import Session, aliased

from campaigns.calendar import cadence_of, fitted
from campaigns.models import Campaign, CampaignState, Period
from campaigns.opening import Wanted, open_periods

# The most periods that one transaction closes: rows are locked for as long as it takes.
MOST_AT_ONCE = 250
# The most periods of one campaign in one go: ten years of downtime. Whatever is left is closed by
# the next tick.
MOST_ROLLED_AT_ONCE = 120


Closed = Sequence[Row[int, int, str, datetime, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """A period that a roll closed, or would close; `opened_key` is empty where none follows."""

    campaign_id: int
    period_id: int
    slug: str
    key: str
    as_closed_minor: int
    currency: str
    opened_key: str


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

    Idempotent: what is closed is not looked at again. Waits for others that roll it.
    """
    rolled: list[Rolled] = []
    while len(rolled) < MOST_ROLLED_AT_ONCE:
        ended = _ended(now).where(Period.campaign_id == campaign_id)
        found = _close(session, ended.with_for_update(of=Period), now=now)
        if not found:
            break
        rolled += found
    return rolled


def roll_due(session: Session, *, now: datetime, limit: int = MOST_AT_ONCE) -> list[Rolled]:
    """Close the ended periods of up to `limit` campaigns, the earliest of each, and open the next.

    Idempotent, and safe beside other rolls and beside payments: what somebody else has locked is
    left to them, or to the next tick. Call it again, in another transaction, while it finds any.
    """
    ended = _due(now).limit(limit)
    return _close(session, ended.with_for_update(of=Period, skip_locked=True), now=now)


def _due(now: datetime) -> Select[int]:
    """Return the question for what is to be closed by the roll."""
    return _ended(now).where(Campaign.state != CampaignState.DRAFT)


def _ended(now: datetime) -> Select[int]:
    """Return the question for ended periods that are open, of each campaign the earliest."""
    before = aliased(Period)
    return (
        select(Period.id)
        .join(Campaign, Campaign.id == Period.campaign_id)
        .where(
            Period.closed_at.is_(None),
            Period.ends_at <= now,
            ~select(before.id)
            .where(
                before.campaign_id == Period.campaign_id,
                before.closed_at.is_(None),
                before.starts_at < Period.starts_at,
            )
            .exists(),
        )
        .order_by(Period.ends_at, Period.id)
    )


def read_overdue(session: Session, *, now: datetime) -> tuple[int, datetime | None]:
    """Return how many campaigns have a period to close, and when the first of these ended."""
    counted = _due(now).with_only_columns(func.count(), func.min(Period.ends_at))
    count, first = session.execute(counted.order_by(None)).one()
    return count, first


def _close(session: Session, ended: Select[int], *, now: datetime) -> list[Rolled]:
    ids = session.scalars(ended).all()
    if not ids:
        return []
    closed = session.execute(
        update(Period)
        .where(Period.id.in_(ids), Period.closed_at.is_(None))
        .values(
            closed_at=now,
            as_closed_minor=Period.raised_minor,
            as_closed_donations=Period.donation_count,
            as_closed_donors=Period.donor_count,
        )
        .returning(Period.id, Period.campaign_id, Period.key, Period.ends_at, Period.raised_minor)
        .execution_options(synchronize_session="fetch")
    ).all()
    campaigns = _campaigns(session, closed)
    _open_next(session, campaigns, closed)
    following = _following(session, [row.id for row in closed])
    return [
        Rolled(
            campaign_id=row.campaign_id,
            period_id=row.id,
            slug=campaigns[row.campaign_id].slug,
            key=row.key,
            as_closed_minor=row.raised_minor,
            currency=campaigns[row.campaign_id].currency,
            opened_key=following.get(row.id, ""),
        )
        for row in sorted(closed, key=lambda row: (row.ends_at, row.id))
    ]


def _campaigns(session: Session, closed: Closed) -> dict[int, Campaign]:
    ids = {row.campaign_id for row in closed}
    found = session.scalars(
        select(Campaign).where(Campaign.id.in_(ids)).execution_options(populate_existing=True)
    )
    return {campaign.id: campaign for campaign in found}


def _open_next(session: Session, campaigns: dict[int, Campaign], closed: Closed) -> None:
    later = _later(session, [row.id for row in closed])
    wanted = []
    for row in closed:
        campaign = campaigns[row.campaign_id]
        cadence = cadence_of(campaign)
        if cadence is None or campaign.state == CampaignState.ARCHIVED:
            continue  # it has run, or has ended for good
        following = later.get(row.id)
        if following == row.ends_at:
            continue  # somebody paid or read before us
        # It begins where this one ends, whatever zone and cadence have become since.
        bounds = fitted(cadence, campaign.zone, row.ends_at, earlier=row.ends_at, later=following)
        earlier = (row.id, row.raised_minor)
        wanted.append(Wanted(campaign=campaign, bounds=bounds, earlier=earlier))
    open_periods(session, wanted)


def _later(session: Session, ids: Sequence[int]) -> dict[int, datetime]:
    """Return where the next stored period begins, for those of these that have one."""
    following = aliased(Period)
    statement = (
        select(Period.id, func.min(following.starts_at))
        .join(
            following,
            (following.campaign_id == Period.campaign_id) & (following.starts_at >= Period.ends_at),
        )
        .where(Period.id.in_(ids))
        .group_by(Period.id)
    )
    return {row[0]: row[1] for row in session.execute(statement)}


def _following(session: Session, ids: Sequence[int]) -> dict[int, str]:
    following = aliased(Period)
    statement = (
        select(Period.id, following.key)
        .join(
            following,
            (following.campaign_id == Period.campaign_id) & (following.starts_at == Period.ends_at),
        )
        .where(Period.id.in_(ids))
    )
    return {row[0]: row[1] for row in session.execute(statement)}
