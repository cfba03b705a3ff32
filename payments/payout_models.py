"""The tables of Stripe's payouts: what went to the bank, and what it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base

# What the partial index holds; whoever asks by it says it in these very words.
UNMATCHED = "donation_id IS NULL AND payment_id IS NOT NULL"


class LineKind(StrEnum):
    """What a line of a payout is, by Stripe's reporting category. Stored by value."""

    GIFT = "gift"
    REFUND = "refund"
    DISPUTE = "dispute"
    FEE = "fee"  # Stripe's own, beside what it keeps of each payment
    OTHER = "other"  # a payout that came back, a top-up, a reserve, …


# https://docs.stripe.com/reports/reporting-categories; what is not here is OTHER.
KINDS: Mapping[str, LineKind] = MappingProxyType(
    {
        "charge": LineKind.GIFT,
        "charge_failure": LineKind.GIFT,
        "partial_capture_reversal": LineKind.GIFT,
        "refund": LineKind.REFUND,
        "refund_failure": LineKind.REFUND,
        "dispute": LineKind.DISPUTE,
        "dispute_reversal": LineKind.DISPUTE,
        "fee": LineKind.FEE,
        "network_cost": LineKind.FEE,
        "tax": LineKind.FEE,
    }
)


class BankPayout(Base):
    """A payout of Stripe's, as it was last told, and what its lines come to.

    The sums are made from the lines, in the transaction that has all of them or matches one anew.
    Each has the sign with which it is part of the amount: fees and refunds are under zero.
    """

    __tablename__ = "payouts"
    __table_args__ = (
        # The list's order, and its key.
        Index("ix_payouts_arrives_on_id", "arrives_on", "id"),
        Index("ix_payouts_created_at", "created_at"),
        {"sqlite_strict": True},
    )

    id: Mapped[str] = mapped_column(String(255), primary_key=True)  # Stripe's
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    # Stripe's own words: pending, in_transit, paid, failed, canceled.
    status: Mapped[str] = mapped_column(String(32))
    # The bank's day, as Stripe tells it: 2021-05-14.
    arrives_on: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]
    # By the schedule. Of one that was made by hand Stripe never tells the lines.
    automatic: Mapped[bool]
    failure: Mapped[str | None] = mapped_column(String(255))
    # When all its lines were here; null until then, and always of one that was made by hand.
    complete_at: Mapped[datetime | None]
    line_count: Mapped[int] = mapped_column(default=0)
    gifts_minor: Mapped[int] = mapped_column(default=0)
    refunds_minor: Mapped[int] = mapped_column(default=0)
    disputes_minor: Mapped[int] = mapped_column(default=0)
    fees_minor: Mapped[int] = mapped_column(default=0)
    # Payments, refunds and disputes that are of no donation of ours, before Stripe's fees.
    foreign_minor: Mapped[int] = mapped_column(default=0)
    foreign_count: Mapped[int] = mapped_column(default=0)
    other_minor: Mapped[int] = mapped_column(default=0)

    @property
    def lines_minor(self) -> int:
        """What its lines come to, net of fees."""
        return (
            self.gifts_minor
            + self.refunds_minor
            + self.disputes_minor
            + self.fees_minor
            + self.foreign_minor
            + self.other_minor
        )

    @property
    def difference_minor(self) -> int | None:
        """By how much the amount is over the sum of its lines; None while these are not known."""
        return None if self.complete_at is None else self.amount_minor - self.lines_minor


class PayoutLine(Base):
    """A balance transaction that a payout is made of. Written once; only its match may come later.

    The id is ours and rises within a payout: what pages go by.
    """

    __tablename__ = "payout_lines"
    __table_args__ = (
        CheckConstraint("kind IN ('gift', 'refund', 'dispute', 'fee', 'other')", name="kind"),
        CheckConstraint("net_minor = amount_minor - fee_minor", name="net"),
        Index("ix_payout_lines_payout_id_id", "payout_id", "id"),
        Index("ix_payout_lines_donation_id", "donation_id"),
        Index(
            "ix_payout_lines_payment_id_unmatched",
            "payment_id",
            sqlite_where=text(UNMATCHED),
            postgresql_where=text(UNMATCHED),
        ),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    payout_id: Mapped[str] = mapped_column(ForeignKey("payouts.id"))
    transaction_id: Mapped[str] = mapped_column(String(255), unique=True)  # Stripe's
    kind: Mapped[str] = mapped_column(String(8))
    category: Mapped[str] = mapped_column(String(64))  # Stripe's
    amount_minor: Mapped[int]
    fee_minor: Mapped[int]
    net_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    occurred_at: Mapped[datetime]
    # The charge, refund, dispute or payout that it comes from, and the payment that this is of.
    source_id: Mapped[str | None] = mapped_column(String(255))
    payment_id: Mapped[str | None] = mapped_column(String(255))
    # Null where the payment is of no donation of ours, or of none yet.
    donation_id: Mapped[str | None] = mapped_column(ForeignKey("donations.id"))
    description: Mapped[str | None] = mapped_column(String(255))
