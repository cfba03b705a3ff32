"""The tables of the ledger: what moves money, and the entries that it posted.

Every amount is in minor units of the campaign's currency (see `core.money`); every time is an
aware UTC instant. Ids are given by the database.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base

ReferenceName = Annotated[str, mapped_column(String(255))]


class ReferenceKind(StrEnum):
    """What a reference of the ledger is: a gift, or something that takes from one."""

    PAYMENT = "payment"  # pi_…
    OFFLINE = "offline"  # offline:<donation id>
    REFUND = "refund"  # re_…
    DISPUTE = "dispute"  # dp_…

    @property
    def is_gift(self) -> bool:
        """Whether money comes in by it."""
        return self in {ReferenceKind.PAYMENT, ReferenceKind.OFFLINE}


GIFT_KINDS = tuple(kind for kind in ReferenceKind if kind.is_gift)


class EntryKind(StrEnum):
    """What an entry of the ledger adds to. Stored by value."""

    GIFT = "gift"  # the bar
    COVER = "cover"  # what donors added to cover the fees; no bar shows it


class Reference(Base):
    """One thing that moves money (payment, offline gift, refund or dispute), as it stands.

    `stated_minor` is the effect that its source says it has: over zero for a gift, under zero
    for what takes from one. `posted_minor` is the sum of its entries. The two differ only where
    refunds and disputes together would take more than the gift. What they ask for beyond it is
    taken from the cover, which stands on the gift's reference beside it.
    """

    __tablename__ = "ledger_references"
    __table_args__ = (
        UniqueConstraint("name"),
        CheckConstraint("kind IN ('payment', 'offline', 'refund', 'dispute')", name="kind"),
        CheckConstraint(
            "(kind IN ('payment', 'offline')) = (gift_id IS NULL)", name="gift_or_of_a_gift"
        ),
        CheckConstraint(
            "CASE WHEN gift_id IS NULL THEN stated_minor >= 0 AND posted_minor >= 0"
            " ELSE stated_minor <= 0 AND posted_minor <= 0 END",
            name="sign",
        ),
        Index("ix_ledger_references_gift_id", "gift_id"),
        # A month's latest gifts, and what it had raised at an instant, without reading the table.
        Index(
            "ix_ledger_references_period_id_paid_at_posted_minor",
            "period_id", "paid_at", "posted_minor",
        ),
        # Refunds and disputes: few among gifts.
        Index(
            "ix_ledger_references_kind_id_reductions",
            "kind",
            "id",
            sqlite_where=text("gift_id IS NOT NULL"),
            postgresql_where=text("gift_id IS NOT NULL"),
        ),
        {"sqlite_strict": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[ReferenceName]
    kind: Mapped[str] = mapped_column(String(16))
    # The gift that a refund or dispute takes from; null for a gift itself.
    gift_id: Mapped[int | None] = mapped_column(ForeignKey("ledger_references.id"))
    period_id: Mapped[int] = mapped_column(ForeignKey("periods.id"))
    # When the gift was paid.
    paid_at: Mapped[datetime]
    # Whoever gave, opaque (see PeriodDonor); a gift without a known donor is its own.
    donor_key: Mapped[str] = mapped_column(String(255))
    stated_minor: Mapped[int] = mapped_column(default=0)
    posted_minor: Mapped[int] = mapped_column(default=0)
    # Of a gift: what its donor added to cover the fees, as stated and as posted.
    cover_stated_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    cover_posted_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    entry_count: Mapped[int] = mapped_column(default=0)
    # Where the gift was asked for (see Place; 0 is nowhere that we know of), and whether it is one
    # of a regular gift's. A reduction has those of its gift.
    place_id: Mapped[int] = mapped_column(default=0, server_default="0")
    is_regular: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Of a gift: how often it was stated. Tells whoever read it before asking Stripe whether
    # somebody who asked later was quicker.
    version: Mapped[int] = mapped_column(default=0)


class LedgerEntry(Base):
    """A line of the ledger. Append-only: a trigger refuses UPDATE and DELETE."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        # Two writers that read the same standing of a reference can't both post.
        UniqueConstraint("reference_id", "sequence"),
        CheckConstraint("amount_minor <> 0", name="amount_not_zero"),
        Index("ix_ledger_entries_period_id_id", "period_id", "id"),
        # Why a closed month raised something else than was announced: few entries among many.
        Index(
            "ix_ledger_entries_period_id_after_close",
            "period_id",
            sqlite_where=text("after_close = 1"),
            postgresql_where=text("after_close"),
        ),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reference_id: Mapped[int] = mapped_column(ForeignKey("ledger_references.id"))
    # 1 for the reference's first entry, and so on without a gap.
    sequence: Mapped[int]
    period_id: Mapped[int] = mapped_column(ForeignKey("periods.id"))
    # Signed: what the entry adds to its period.
    amount_minor: Mapped[int]
    kind: Mapped[str] = mapped_column(
        String(8), default=EntryKind.GIFT, server_default=EntryKind.GIFT
    )
    # When the gift was paid: decides the period. When we wrote it down: decides nothing.
    paid_at: Mapped[datetime]
    posted_at: Mapped[datetime]
    # Whether the period had been closed by then: such entries explain why what it raised is no
    # longer what was announced.
    after_close: Mapped[bool] = mapped_column(default=False)
    # What brought it: an event's id, a command.
    cause: Mapped[str] = mapped_column(String(255))


class Place(Base):
    """Where gifts were asked for: the article that led to them, and where in it the bar stood.

    `source` is the article's address, origin and path; `site` its host. Empty is unknown.
    """

    __tablename__ = "places"
    __table_args__ = (UniqueConstraint("source", "slot"), {"sqlite_strict": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(500))
    slot: Mapped[str] = mapped_column(String(32))
    site: Mapped[str] = mapped_column(String(255))


class PeriodPart(Base):
    """What a period raised from one place, in one way: the figures that its sum is made of.

    Kept in the transaction of the entries, as the sum itself is: to read a month costs the same
    at ten gifts and at ten million. Reductions count where their gift does.
    """

    __tablename__ = "period_parts"
    __table_args__ = (
        CheckConstraint("gross_minor >= 0 AND cover_minor >= 0", name="comes_in"),
        CheckConstraint("refunds_minor <= 0 AND disputes_minor <= 0", name="goes_out"),
        CheckConstraint("gross_minor + refunds_minor + disputes_minor >= 0", name="raised"),
        CheckConstraint("gift_count >= 0", name="count_not_negative"),
        {"sqlite_strict": True},
    )

    period_id: Mapped[int] = mapped_column(
        ForeignKey("periods.id"), primary_key=True, autoincrement=False
    )
    # 0 where there is none.
    place_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    is_offline: Mapped[bool] = mapped_column(primary_key=True)
    is_regular: Mapped[bool] = mapped_column(primary_key=True)
    gross_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    refunds_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    disputes_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    cover_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    # Gifts of which something is left.
    gift_count: Mapped[int] = mapped_column(default=0, server_default="0")


class PeriodDonor(Base):
    """How many counted gifts one donor made in one period: what makes donors countable.

    `donor_key` is opaque: it stays when the person behind it is erased, so that counts stay.
    """

    __tablename__ = "period_donors"
    __table_args__ = (
        UniqueConstraint("period_id", "donor_key"),
        CheckConstraint("donation_count >= 0", name="count_not_negative"),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    period_id: Mapped[int] = mapped_column(ForeignKey("periods.id"))
    donor_key: Mapped[str] = mapped_column(String(255))
    donation_count: Mapped[int] = mapped_column(default=0)


class PublicName(Base):
    """The name that a donor wants shown with a gift. Apart from the ledger, and erased alone."""

    __tablename__ = "public_names"

    reference_id: Mapped[int] = mapped_column(
        ForeignKey("ledger_references.id"), primary_key=True, autoincrement=False
    )
    name: Mapped[str] = mapped_column(String(120))
