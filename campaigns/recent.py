"""The latest gifts of a month, for those who show them; by name only where the donor wants it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, aliased

from campaigns.ledger_models import PublicName, Reference
from campaigns.models import Period
from core.db import insert_if_absent

MOST_RECENT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentGift:
    """What is left of a gift after refunds, in minor units; `name` is None for most."""

    amount_minor: int
    name: str | None


def name_gift(session: Session, reference: str, name: str | None) -> None:
    """Set the name that may be shown with a gift; None takes it away. Safe to repeat."""
    found = session.scalars(select(Reference.id).where(Reference.name == reference)).one_or_none()
    if found is None:
        return
    if not name:
        session.execute(delete(PublicName).where(PublicName.reference_id == found))
        return
    new = {"reference_id": found, "name": name}
    if not insert_if_absent(session, PublicName, new, unique=("reference_id",)):
        session.get_one(PublicName, found).name = name
        session.flush()


def recent_gifts(
    session: Session, campaign_id: int, *, starts_at: datetime
) -> Sequence[RecentGift]:
    """Return the latest gifts of the period that begins at `starts_at`, newest first.

    A gift of which nothing is left is not among them.
    """
    taken = aliased(Reference)
    taken_minor = (
        select(func.coalesce(func.sum(taken.posted_minor), 0))
        .where(taken.gift_id == Reference.id)
        .scalar_subquery()
    )
    statement = (
        select(Reference.posted_minor, taken_minor, PublicName.name)
        .join(Period, Period.id == Reference.period_id)
        .outerjoin(PublicName, PublicName.reference_id == Reference.id)
        .where(
            Period.campaign_id == campaign_id,
            Period.starts_at == starts_at,
            Reference.gift_id.is_(None),
            Reference.posted_minor + taken_minor > 0,
        )
        .order_by(Reference.paid_at.desc(), Reference.id.desc())
        .limit(MOST_RECENT)
    )
    return [
        RecentGift(amount_minor=posted + int(less), name=name)
        for posted, less, name in session.execute(statement)
    ]
