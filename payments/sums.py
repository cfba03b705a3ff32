"""What became of a gift's money, by the ledger: the figures of the thanks and of the statements."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.ledger_models import GIFT_KINDS, Reference, ReferenceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftSums:
    """The sums of one gift, or of several of one currency, in its minor units.

    What takes from a gift is zero or less, so the sum of all four is what is left.
    """

    gift_minor: int = 0
    cover_minor: int = 0
    refunded_minor: int = 0
    disputed_minor: int = 0

    @property
    def reduced_minor(self) -> int:
        """What refunds and disputes took, zero or less."""
        return self.refunded_minor + self.disputed_minor

    @property
    def left_minor(self) -> int:
        """What is left of the gift and of what was added for the fees."""
        return self.gift_minor + self.cover_minor + self.reduced_minor

    def __add__(self, other: GiftSums) -> GiftSums:
        return GiftSums(
            gift_minor=self.gift_minor + other.gift_minor,
            cover_minor=self.cover_minor + other.cover_minor,
            refunded_minor=self.refunded_minor + other.refunded_minor,
            disputed_minor=self.disputed_minor + other.disputed_minor,
        )


def read_sums(session: Session, references: Collection[str]) -> dict[str, GiftSums]:
    """Return the sums of these gifts by reference; one that the ledger has not got is left out."""
    gifts = session.scalars(
        select(Reference).where(Reference.name.in_(references), Reference.kind.in_(GIFT_KINDS))
    ).all()
    reductions: dict[int, list[Reference]] = {row.id: [] for row in gifts}
    for row in session.scalars(select(Reference).where(Reference.gift_id.in_(reductions))):
        if row.gift_id is not None:
            reductions[row.gift_id].append(row)
    return {row.name: _sums_of(row, reductions[row.id]) for row in gifts}


def _sums_of(gift: Reference, reductions: Sequence[Reference]) -> GiftSums:
    """Say of one gift what the donor paid and what went back.

    The ledger lowers the cover itself where reductions take more than the gift, refunds before
    disputes. Here the cover is what was paid, and what was taken from it went back by these.
    """
    refunds = [row for row in reductions if row.kind == ReferenceKind.REFUND]
    from_cover = gift.cover_stated_minor - gift.cover_posted_minor
    over_minor = -sum(row.stated_minor for row in refunds) - gift.stated_minor
    by_refunds = min(from_cover, max(0, over_minor))
    refunded = sum(row.posted_minor for row in refunds)
    reduced = sum(row.posted_minor for row in reductions)
    return GiftSums(
        gift_minor=gift.posted_minor,
        cover_minor=gift.cover_stated_minor,
        refunded_minor=refunded - by_refunds,
        disputed_minor=reduced - refunded - (from_cover - by_refunds),
    )
