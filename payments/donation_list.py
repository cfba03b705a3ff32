"""Finding donations: those behind entries, and those that an admin looks for."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from payments.models import Donation


def donation_ids(session: Session, references: Collection[str]) -> dict[str, str]:
    """Return the ids of the donations by the references of their gifts."""
    rows = session.execute(
        select(Donation.reference, Donation.id).where(Donation.reference.in_(references))
    )
    return {reference: donation_id for reference, donation_id in rows if reference is not None}
