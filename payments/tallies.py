"""Tallies of the payments that forms begin: what is counted of them, by campaign and some minutes.

They are what `payments.guarding` goes by, and no money: guesses, which the books neither need nor
wait for. All processes share them through the database.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, case, cast, delete, func, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from payments.models import CheckoutCount, Donation

BUCKET = timedelta(minutes=5)
WINDOW = timedelta(hours=1)
# How many unfinished payments each paid one makes up for, itself not among them.
UNFINISHED_PER_PAID = 4
_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was counted within the window."""

    begun: int = 0
    paid: int = 0
    agreed: int = 0
    failed: int = 0
    refused: int = 0

    def __add__(self, other: Counts) -> Counts:
        more = asdict(other)
        return Counts(**{name: number + more[name] for name, number in asdict(self).items()})

    @property
    def unfinished(self) -> int:
        """Return how many payments are open or were turned down. Below 0 where old ones ended."""
        return self.begun - self.paid - self.agreed + self.failed

    def is_over(self, most: int) -> bool:
        """Tell whether more is unfinished than `most`, and than honest people leave open."""
        return self.unfinished > most + UNFINISHED_PER_PAID * self.paid


def count_paid(session: Session, donation: Donation, *, now: datetime) -> None:
    """Count a donation that is paid for the first time."""
    _count_outcome(session, donation, Counts(paid=1), now=now)


def count_agreed(session: Session, donation: Donation, *, now: datetime) -> None:
    """Count a donation whose money is on its way for the first time."""
    _count_outcome(session, donation, Counts(agreed=1), now=now)


def count_failed(session: Session, donation_id: str, *, at: datetime, now: datetime) -> None:
    """Count a card that was turned down at `at`; one of long ago tells nothing of today."""
    campaign_id = session.scalars(
        select(Donation.campaign_id).where(Donation.id == donation_id)
    ).one_or_none()
    if campaign_id is not None and now - WINDOW < at <= now + BUCKET:
        count(session, campaign_id, min(at, now), Counts(failed=1))


def forget_old(session: Session, *, now: datetime) -> None:
    """Forget what nobody will look at again."""
    session.execute(delete(CheckoutCount).where(CheckoutCount.bucket_at < now - _KEPT))


def _count_outcome(session: Session, donation: Donation, counts: Counts, *, now: datetime) -> None:
    # Only what a form has begun, and within the hour: renewals come by the thousand on the first,
    # and must not blind the guard.
    if donation.form_key is not None and donation.created_at > now - WINDOW:
        count(session, donation.campaign_id, now, counts)


def count(session: Session, campaign_id: int, at: datetime, counts: Counts) -> None:
    """Add to a campaign's bucket. The row stays locked until the commit: let that be soon."""
    added = asdict(counts)
    insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
    seconds = int(BUCKET.total_seconds())
    bucket_at = datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)
    session.execute(
        insert(CheckoutCount)
        .values(campaign_id=campaign_id, bucket_at=bucket_at, **added)
        .on_conflict_do_update(
            index_elements=["bucket_at", "campaign_id"],
            set_={
                name: getattr(CheckoutCount, name) + number
                for name, number in added.items()
                if number
            },
        )
    )


def read_buckets(
    session: Session, campaign_id: int, *, since: datetime
) -> list[tuple[datetime, Counts, Counts]]:
    """Return the buckets that began after `since`, the oldest first: the campaign's, and all's."""
    columns = [getattr(CheckoutCount, part.name) for part in fields(Counts)]
    is_ours = CheckoutCount.campaign_id == campaign_id
    rows = session.execute(
        select(
            CheckoutCount.bucket_at,
            # PostgreSQL sums integers to a decimal.
            *(cast(func.sum(case((is_ours, column), else_=0)), BigInteger) for column in columns),
            *(cast(func.sum(column), BigInteger) for column in columns),
        )
        .where(CheckoutCount.bucket_at > since)
        .group_by(CheckoutCount.bucket_at)
        .order_by(CheckoutCount.bucket_at)
    )
    names, width = [part.name for part in fields(Counts)], len(columns)
    found = []
    for bucket_at, *numbers in rows:
        own = Counts(**dict(zip(names, numbers[:width], strict=True)))
        every = Counts(**dict(zip(names, numbers[width:], strict=True)))
        found.append((bucket_at, own, every))
    return found


def told(counts: Counts) -> str:
    """Return counts in words, for the log and for admins."""
    return (
        f"in the last hour {counts.begun} payments begun, {counts.paid} paid,"
        f" {counts.agreed} on their way, {counts.failed} cards turned down,"
        f" {counts.refused} forms sent back"
    )
