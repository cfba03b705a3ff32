"""Why a closed period no longer raised what was announced: the entries that came after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.catalog import find_campaign
from campaigns.models import EntryKind, LedgerEntry, Period, Reference

MOST_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One entry that a closed period got, dated by its posting."""

    period_key: str
    posted_at: datetime
    reference: str
    amount_minor: int
    cause: str


def list_adjustments(
    session: Session, slug: str, *, period_key: str | None = None, limit: int = MOST_LISTED
) -> Sequence[Adjustment]:
    """Return a campaign's adjustments, the newest first; their sum is the whole difference."""
    campaign = find_campaign(session, slug, drafts=True)
    statement = (
        select(
            Period.key,
            LedgerEntry.posted_at,
            Reference.name,
            LedgerEntry.amount_minor,
            LedgerEntry.cause,
        )
        .join(Period, Period.id == LedgerEntry.period_id)
        .join(Reference, Reference.id == LedgerEntry.reference_id)
        .where(
            Period.campaign_id == campaign.id,
            LedgerEntry.after_close.is_(True),
            # What covers fees was never announced.
            LedgerEntry.kind == EntryKind.GIFT,
        )
        .order_by(LedgerEntry.id.desc())
        .limit(limit)
    )
    if period_key is not None:
        statement = statement.where(Period.key == period_key)
    return [Adjustment(*row) for row in session.execute(statement)]
