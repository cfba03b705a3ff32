"""On which sites a campaign's bar was seen: a hundred each at most, and no page, no reader."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from campaigns.models import Campaign, CampaignState, Sighting
from core.db import insert_if_absent

MOST_HOSTS = 100
# A site that was not seen for so long makes room for another.
STALE = timedelta(days=2)
KEPT = timedelta(days=365)


def note_sightings(session: Session, seen: Collection[tuple[str, str]], *, now: datetime) -> None:
    """Write down on which hosts which campaigns (by slug) were seen, drafts and unknown ones not.

    Where a campaign has a hundred, the one that was seen longest ago makes room, unless all are
    fresh: made-up hosts push out no site that is read every day.
    """
    slugs = {slug for slug, _ in seen}
    is_seen = Campaign.slug.in_(slugs) & (Campaign.state != CampaignState.DRAFT)
    ids = dict(session.execute(select(Campaign.slug, Campaign.id).where(is_seen)).all())
    for slug, host in sorted(seen):  # in one order for all, so that no two wait for each other
        if slug in ids and not _touch(session, ids[slug], host, now):
            _add(session, ids[slug], host, now)


def list_sightings(session: Session, campaign: Campaign) -> Sequence[Sighting]:
    """Return where a campaign was seen, what was seen last first."""
    return session.scalars(
        select(Sighting)
        .where(Sighting.campaign_id == campaign.id)
        .order_by(Sighting.last_seen_at.desc(), Sighting.host)
    ).all()


def forget_sightings(session: Session, now: datetime) -> int:
    """Take away the sites that were not seen for a year; return how many."""
    old = delete(Sighting).where(Sighting.last_seen_at < now - KEPT).returning(Sighting.id)
    return len(session.execute(old).all())


def _touch(session: Session, campaign_id: int, host: str, now: datetime) -> bool:
    known = update(Sighting).where(Sighting.campaign_id == campaign_id, Sighting.host == host)
    found = session.execute(known.values(last_seen_at=now).returning(Sighting.id))
    return found.first() is not None


def _add(session: Session, campaign_id: int, host: str, now: datetime) -> None:
    ours = Sighting.campaign_id == campaign_id
    if session.scalars(select(func.count()).where(ours)).one() >= MOST_HOSTS:
        oldest = select(Sighting.id).where(ours, Sighting.last_seen_at < now - STALE)
        first = session.scalars(oldest.order_by(Sighting.last_seen_at).limit(1)).first()
        if first is None:
            return
        session.execute(delete(Sighting).where(Sighting.id == first))
    insert_if_absent(
        session,
        Sighting,
        {"campaign_id": campaign_id, "host": host, "first_seen_at": now, "last_seen_at": now},
        unique=("campaign_id", "host"),
    )
