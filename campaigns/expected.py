"""Gifts that are to come: renewals of subscriptions. They are shown apart and count nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from campaigns.models import ExpectedGift, Period
from core.db import insert_if_absent


def expect_gift(
    session: Session,
    reference: str,
    *,
    campaign_id: int,
    amount_minor: int | None,
    due_at: datetime | None,
) -> None:
    """Set what will come from `reference` and when; None for either: nothing more will.

    Safe to repeat: the row is brought to what is said, not added to.
    """
    if amount_minor is None or amount_minor <= 0 or due_at is None:
        session.execute(delete(ExpectedGift).where(ExpectedGift.reference == reference))
        return
    values = {"amount_minor": amount_minor, "due_at": due_at}
    new = {"reference": reference, "campaign_id": campaign_id, **values}
    if insert_if_absent(session, ExpectedGift, new, unique=("reference",)):
        return
    row = session.scalars(select(ExpectedGift).where(ExpectedGift.reference == reference)).one()
    row.amount_minor, row.due_at = amount_minor, due_at
    session.flush()


def expected_minor(
    session: Session, campaign_id: int, *, starts_at: datetime, ends_at: datetime
) -> int:
    """Return what is still to come in `[starts_at, ends_at)`, in minor units.

    What was due and has not come counts, too: a card may be tried again for days. Once it is
    paid its row has moved on to the next renewal.
    """
    statement = select(func.coalesce(func.sum(ExpectedGift.amount_minor), 0)).where(
        ExpectedGift.campaign_id == campaign_id,
        ExpectedGift.due_at >= starts_at,
        ExpectedGift.due_at < ends_at,
    )
    return int(session.scalars(statement).one())


def expected_by_period(session: Session, period_ids: Sequence[int]) -> Mapping[int, int]:
    """Return the same for several stored periods by their numbers, in one query."""
    statement = (
        select(Period.id, func.sum(ExpectedGift.amount_minor))
        .join(
            ExpectedGift,
            (ExpectedGift.campaign_id == Period.campaign_id)
            & (ExpectedGift.due_at >= Period.starts_at)
            & (ExpectedGift.due_at < Period.ends_at),
        )
        .where(Period.id.in_(period_ids))
        .group_by(Period.id)
    )
    return {row[0]: int(row[1]) for row in session.execute(statement)}
