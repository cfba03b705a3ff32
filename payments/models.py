"""The tables of giving: donations, the people behind them, and the inbox of Stripe's events."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base

# What the partial indices hold. Whoever asks by one of them says it in these very words: SQLite
# can't tell that a bound value means the same.
HAS_WORDS = "(message IS NOT NULL OR dedication IS NOT NULL)"
ABANDONED = (
    "state IN ('pending', 'expired', 'failed')"
    " AND (donor_id IS NOT NULL OR public_name IS NOT NULL OR message IS NOT NULL"
    " OR dedication IS NOT NULL)"
)
HAS_BODY = "length(body) > 0"
UNTHANKED = "thanked_at IS NULL AND state = 'paid' AND donor_id IS NOT NULL"


class DonationState(StrEnum):
    """Where a donation stands, by what Stripe last said of it. Stored by value."""

    PENDING = "pending"  # asked for; the donor is at Stripe, or has left
    PROCESSING = "processing"  # agreed to; the money is on its way (a bank debit)
    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"  # the donor never paid
    QUARANTINED = "quarantined"  # paid, but not as asked: shown, not counted


class InboxState(StrEnum):
    """What became of an event. Stored by value."""

    WAITING = "waiting"
    DONE = "done"
    UNHANDLED = "unhandled"  # kept and shown: nothing of ours follows from this type, or not yet
    FAILED = "failed"  # tried in vain; tried again at `next_attempt_at`


class Donor(Base):
    """A person who gives. Stands apart from the ledger, and can be erased without changing it."""

    __tablename__ = "donors"

    id: Mapped[int] = mapped_column(primary_key=True)
    # In small letters; the same person is known by it from gift to gift.
    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    name: Mapped[str | None] = mapped_column(String(120))
    # Stripe's customer, once there is one: one a donor, however many regular gifts.
    customer_id: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime]


class Donation(Base):
    """One wish to give, and what became of it. Written before Stripe hears of it.

    The id is ours, random, and the idempotency key of its Checkout Session. What the donation
    adds to a campaign is not here but in the ledger.
    """

    __tablename__ = "donations"
    __table_args__ = (
        CheckConstraint(
            "state IN ('pending', 'processing', 'paid', 'failed', 'expired', 'quarantined')",
            name="state",
        ),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("frequency IN ('once', 'month', 'year')", name="frequency"),
        CheckConstraint("(state = 'paid') <= (paid_at IS NOT NULL)", name="paid_has_its_time"),
        # What an admin looks for, the newest first: each holds its list in order to the last term.
        Index("ix_donations_campaign_id_created_at_id", "campaign_id", "created_at", "id"),
        Index("ix_donations_created_at_id", "created_at", "id"),
        Index("ix_donations_state_created_at_id", "state", "created_at", "id"),
        Index("ix_donations_source_created_at_id", "source", "created_at", "id"),
        Index("ix_donations_amount_minor_created_at", "amount_minor", "created_at"),
        Index("ix_donations_subscription_id", "subscription_id"),
        # All gifts of one person: to show them, and to erase the person.
        Index("ix_donations_donor_id", "donor_id"),
        # What is kept for a time: found without going through the rest.
        Index(
            "ix_donations_created_at_words",
            "created_at",
            sqlite_where=text(HAS_WORDS),
            postgresql_where=text(HAS_WORDS),
        ),
        Index(
            "ix_donations_created_at_abandoned",
            "created_at",
            sqlite_where=text(ABANDONED),
            postgresql_where=text(ABANDONED),
        ),
        # Those that are to be thanked for: few, and found without going through the rest.
        Index(
            "ix_donations_paid_at_unthanked",
            "paid_at",
            sqlite_where=text(UNTHANKED),
            postgresql_where=text(UNTHANKED),
        ),
        {"sqlite_strict": True},
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    state: Mapped[str] = mapped_column(String(16))
    # The reference that its money has in the ledger, once there is one.
    reference: Mapped[str | None] = mapped_column(String(255), unique=True)
    amount_minor: Mapped[int]
    # What the donor adds to cover the fees; the card is charged both.
    cover_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    currency: Mapped[str] = mapped_column(String(3))
    # once, month, year: what was asked for. Each later payment of a subscription is a donation
    # of its own, asked for once.
    frequency: Mapped[str] = mapped_column(String(8), default="once")
    subscription_id: Mapped[int | None] = mapped_column(ForeignKey("subscriptions.id"))
    # Stripe's fee and what is left, in minor units of the settlement currency; null is unknown.
    fee_minor: Mapped[int | None]
    net_minor: Mapped[int | None]
    settlement_currency: Mapped[str | None] = mapped_column(String(3))
    # One submitted form is one donation, however often it is sent (see `payments.donating`).
    form_key: Mapped[str | None] = mapped_column(String(64), unique=True)
    checkout_session_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    created_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    # When its thank-you mail was posted, or it was decided that there is none to post.
    thanked_at: Mapped[datetime | None]
    # The article that led here (origin and path) and where on its page the widget stood.
    source: Mapped[str | None] = mapped_column(String(500))
    slot: Mapped[str | None] = mapped_column(String(32))
    # An admin's word on an offline gift.
    note: Mapped[str | None] = mapped_column(String(255))
    # The donor's data, erased with the donor.
    donor_id: Mapped[int | None] = mapped_column(ForeignKey("donors.id"))
    anonymous: Mapped[bool] = mapped_column(default=False)
    # The name that this gift may be shown with; null unless the donor wanted that.
    public_name: Mapped[str | None] = mapped_column(String(120))
    message: Mapped[str | None] = mapped_column(String(500))
    # In whose honour or memory it is given.
    dedication: Mapped[str | None] = mapped_column(String(200))
    # The words that the donor agreed to by ticking a box, and when; null where it was left empty.
    consent_text: Mapped[str | None] = mapped_column(String(300))
    consented_at: Mapped[datetime | None]
    # The language that the donor read the form in, as Babel writes it.
    locale: Mapped[str | None] = mapped_column(String(16))
    # When its donor was erased: nobody is learned from its payments any more.
    erased_at: Mapped[datetime | None]

    @property
    def asked_minor(self) -> int:
        """What the card is to be charged: the gift, and what covers the fees."""
        return self.amount_minor + self.cover_minor

    def parts_minor(self, received_minor: int) -> tuple[int, int]:
        """Return what of a payment is the gift, and what covers the fees.

        More or less than was asked for changes the gift. Where no more came in than the cover,
        nothing covers anything: it is all gift.
        """
        cover_minor = self.cover_minor if received_minor > self.cover_minor else 0
        return received_minor - cover_minor, cover_minor


# Of Stripe's states of a subscription, those from which nothing comes any more.
OVER = frozenset({"canceled", "incomplete_expired"})


class Subscription(Base):
    """A recurring gift: where it stands at Stripe. Its money is in donations, one a payment."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        Index("ix_subscriptions_donor_id", "donor_id"),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    stripe_id: Mapped[str] = mapped_column(String(255), unique=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    donor_id: Mapped[int | None] = mapped_column(ForeignKey("donors.id"))
    customer_id: Mapped[str] = mapped_column(String(255))
    # Stripe's own words: active, past_due, canceled, unpaid, …
    status: Mapped[str] = mapped_column(String(32))
    interval: Mapped[str] = mapped_column(String(8))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    renews_at: Mapped[datetime | None]
    cancel_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class PeriodFee(Base):
    """What Stripe kept of a period's payments, in one currency of settlement.

    Kept in the transaction that learns of a fee; `payments.fee_sums` says how.
    """

    __tablename__ = "period_fees"

    period_id: Mapped[int] = mapped_column(
        ForeignKey("periods.id"), primary_key=True, autoincrement=False
    )
    currency: Mapped[str] = mapped_column(String(3), primary_key=True)
    fee_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    # Of how many payments the fee is known.
    payment_count: Mapped[int] = mapped_column(default=0, server_default="0")


class QuarantineState(StrEnum):
    """What a person decided about money that is not as it should be. Stored by value."""

    HELD = "held"  # not counted until somebody decides
    RELEASED = "released"  # counted, as a gift to a campaign
    REFUSED = "refused"  # never counted


class QuarantinedPayment(Base):
    """Money that came in and is not counted: no donation of ours, or not as it was asked for."""

    __tablename__ = "quarantined_payments"
    __table_args__ = (
        CheckConstraint("state IN ('held', 'released', 'refused')", name="state"),
        CheckConstraint("(state = 'held') = (decided_at IS NULL)", name="decided_has_its_time"),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(String(255), unique=True)
    reason: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(16))
    # The campaign that it was meant for, or was released to.
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"))
    donation_id: Mapped[str | None] = mapped_column(ForeignKey("donations.id"))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    paid_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]


class ReconcileCursor(Base):
    """Up to when Stripe's events have been gone through."""

    __tablename__ = "reconcile_cursors"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    reached_at: Mapped[datetime]


class InboxEvent(Base):
    """An event of Stripe's, kept as it came. Stored before it is acknowledged, worked after."""

    __tablename__ = "inbox_events"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'done', 'unhandled', 'failed')", name="state"),
        Index("ix_inbox_events_state_next_attempt_at", "state", "next_attempt_at"),
        # What Stripe told of one object: for the page of its donation.
        Index("ix_inbox_events_object_id", "object_id"),
        Index(
            "ix_inbox_events_received_at_kept",
            "received_at",
            sqlite_where=text(HAS_BODY),
            postgresql_where=text(HAS_BODY),
        ),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(String(255), unique=True)
    type: Mapped[str] = mapped_column(String(100))
    api_version: Mapped[str | None] = mapped_column(String(64))
    object_id: Mapped[str | None] = mapped_column(String(255))
    # Empty once it is no longer kept: what it told of is in the books.
    body: Mapped[bytes] = mapped_column(LargeBinary)
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    # Not to be tried before; while somebody works on it, the end of their lease.
    next_attempt_at: Mapped[datetime]
    worked_at: Mapped[datetime | None]
    # What came of it, or the last error, in words for the admin.
    outcome: Mapped[str | None] = mapped_column(String(500))


class CheckoutCount(Base):
    """How payments by a campaign's form went within some minutes: what the guard goes by.

    A guess at what is afoot, and no book of money. `payments.guarding` says what it follows from.
    """

    __tablename__ = "checkout_counts"

    # When these minutes began. First in the key: all that is asked for is what is recent.
    bucket_at: Mapped[datetime] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    begun: Mapped[int] = mapped_column(default=0)
    paid: Mapped[int] = mapped_column(default=0)
    # Agreed to, with the money on its way for days: a bank debit.
    agreed: Mapped[int] = mapped_column(default=0)
    # Cards that Stripe or their bank turned down.
    failed: Mapped[int] = mapped_column(default=0)
    # Forms that the guard sent back.
    refused: Mapped[int] = mapped_column(default=0)


class Breaker(Base):
    """When a form came under guard, and when there was last reason for it."""

    __tablename__ = "breakers"
    __table_args__ = (
        CheckConstraint("last_over_at >= tripped_at", name="order"),
        {"sqlite_strict": True},
    )

    # `site`, or `campaign:<id>`.
    scope: Mapped[str] = mapped_column(String(32), primary_key=True)
    tripped_at: Mapped[datetime]
    last_over_at: Mapped[datetime]
