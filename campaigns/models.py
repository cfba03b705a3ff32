"""The tables of campaigns: what they are, and their periods. The ledger has tables of its own.

Every amount is in minor units of the campaign's currency (see `core.money`); every time is an
aware UTC instant. Ids are given by the database.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.db import Base

# What a partial index of periods holds: those that may have reached a goal nobody was told of.
UNANNOUNCED = "raised_minor >= announce_from_minor"
Slug = Annotated[str, mapped_column(String(64))]
ReferenceName = Annotated[str, mapped_column(String(255))]


class CampaignState(StrEnum):
    """What may be done with a campaign. Stored by value."""

    DRAFT = "draft"  # seen by nobody
    OPEN = "open"  # seen and given to
    PAUSED = "paused"  # seen, takes no gifts for now
    ARCHIVED = "archived"  # seen, has ended for good


class Campaign(Base):
    """Something that a publisher raises money for, month by month."""

    __tablename__ = "campaigns"
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'open', 'paused', 'archived')", name="state"),
        CheckConstraint("length(currency) = 3", name="currency"),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[Slug] = mapped_column(unique=True)
    title: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(String(2000), default="")
    currency: Mapped[str] = mapped_column(String(3))
    # An IANA name: its months begin at this zone's midnight.
    timezone: Mapped[str] = mapped_column(String(64))
    # How its time is cut into periods; `campaigns.calendar` reads these. One that runs once has
    # `runs_from` and `runs_until`, the others the day and the month in which they begin.
    rhythm: Mapped[str] = mapped_column(String(8), default="month", server_default="month")
    first_day: Mapped[int] = mapped_column(default=1, server_default="1")
    first_month: Mapped[int] = mapped_column(default=1, server_default="1")
    runs_from: Mapped[datetime | None]
    runs_until: Mapped[datetime | None]
    # How the tiers are carried into the next period: same, percent, missed (see `campaigns.plans`).
    carry: Mapped[str] = mapped_column(String(8), default="same", server_default="same")
    carry_percent: Mapped[int] = mapped_column(default=0, server_default="0")
    # The language that its labels are printed in, as Babel writes it.
    locale: Mapped[str] = mapped_column(String(16), default="en")
    # `{amount} {symbol}`; where there is none the locale decides.
    money_format: Mapped[str | None] = mapped_column(String(40))
    # Whether the month's label is set in capitals: MAY 2021.
    capitals: Mapped[bool] = mapped_column(default=True)
    # How it looks and what it offers; `campaigns.look` checks and reads these.
    accent: Mapped[str | None] = mapped_column(String(7))
    button: Mapped[str | None] = mapped_column(String(40))
    shows: Mapped[str | None] = mapped_column(String(80))
    frequencies: Mapped[str] = mapped_column(
        String(40), default="once,month,year", server_default="once,month,year"
    )
    # Origins, one a line, that may frame it; where there is none, every page may.
    hosts: Mapped[str | None] = mapped_column(String(2000))
    # What the money is for, at length: Markdown of the publisher's, see `campaigns.story`.
    story: Mapped[str] = mapped_column(String(20_000), default="", server_default=text("''"))
    # What a payment costs, for donors who want to cover it: hundredths of a percent, and minor
    # units on top. Null is what is usual in the currency; 0 and 0 offers nothing.
    fee_rate_bp: Mapped[int | None]
    fee_fixed_minor: Mapped[int | None]
    # Who adds to what readers give in each period, how much of it, up to what sum, and whether it
    # counts on the bar. A period keeps its own copy.
    match_sponsor: Mapped[str | None] = mapped_column(String(120))
    match_percent: Mapped[int | None]
    match_most_minor: Mapped[int | None]
    match_counts: Mapped[bool] = mapped_column(default=False, server_default=false())
    state: Mapped[str] = mapped_column(String(16), default=CampaignState.OPEN)
    created_at: Mapped[datetime]

    tiers: Mapped[list[CampaignTier]] = relationship(
        order_by="CampaignTier.amount_minor", lazy="raise", cascade="all, delete-orphan"
    )
    suggestions: Mapped[list[SuggestedAmount]] = relationship(
        order_by="SuggestedAmount.amount_minor", lazy="raise", cascade="all, delete-orphan"
    )

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which its months begin and end."""
        return ZoneInfo(self.timezone)


class CampaignTier(Base):
    """A goal that every new period of a campaign starts with."""

    __tablename__ = "campaign_tiers"
    __table_args__ = (
        UniqueConstraint("campaign_id", "amount_minor"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    amount_minor: Mapped[int]


class SuggestedAmount(Base):
    """An amount that readers are offered for gifts of one frequency."""

    __tablename__ = "suggested_amounts"
    __table_args__ = (
        UniqueConstraint("campaign_id", "frequency", "amount_minor"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("frequency IN ('once', 'month', 'year')", name="frequency"),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    frequency: Mapped[str] = mapped_column(String(8))
    amount_minor: Mapped[int]
    # What it pays for, in the publisher's words.
    note: Mapped[str | None] = mapped_column(String(200))


class ExpectedGift(Base):
    """A gift that is to come: the next renewal of a subscription. It counts nowhere.

    `due_at` moves on when the renewal is paid; the row goes when the subscription does.
    """

    __tablename__ = "expected_gifts"
    __table_args__ = (
        UniqueConstraint("reference"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        # All that adding up a month's needs, so that the table itself is not read.
        Index(
            "ix_expected_gifts_campaign_id_due_at_amount_minor",
            "campaign_id", "due_at", "amount_minor",
        ),
        {"sqlite_strict": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    # What it will come from: sub_…
    reference: Mapped[ReferenceName]
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    amount_minor: Mapped[int]
    due_at: Mapped[datetime]


class Period(Base):
    """The instants `[starts_at, ends_at)` of one month of a campaign, and what they raised.

    `raised_minor` and the counts follow the ledger within the same transaction, for ever;
    `as_closed_minor` is the sum that was announced when the month was closed, and stays.
    """

    __tablename__ = "periods"
    __table_args__ = (
        UniqueConstraint("campaign_id", "starts_at"),
        UniqueConstraint("campaign_id", "key"),
        CheckConstraint("starts_at < ends_at", name="interval"),
        CheckConstraint("raised_minor >= 0", name="raised_not_negative"),
        CheckConstraint("donation_count >= 0 AND donor_count >= 0", name="counts_not_negative"),
        CheckConstraint(
            "(closed_at IS NULL) = (as_closed_minor IS NULL)", name="closed_with_its_sum"
        ),
        # What the roll looks for: periods that have ended and are not closed.
        Index("ix_periods_closed_at_ends_at", "closed_at", "ends_at"),
        # What the notices look for: see `campaigns.announcing`.
        Index(
            "ix_periods_id_unannounced",
            "id",
            sqlite_where=text(UNANNOUNCED),
            postgresql_where=text(UNANNOUNCED),
        ),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    key: Mapped[str] = mapped_column(String(16))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    raised_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    # Gifts of which something is left after refunds and disputes, and the people behind them.
    donation_count: Mapped[int] = mapped_column(default=0, server_default="0")
    donor_count: Mapped[int] = mapped_column(default=0, server_default="0")
    # What donors added to cover fees: its own kind of entry, in no bar.
    cover_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    # The campaign's matching rule as it was in this period; see Campaign.
    match_sponsor: Mapped[str | None] = mapped_column(String(120))
    match_percent: Mapped[int | None]
    match_most_minor: Mapped[int | None]
    match_counts: Mapped[bool] = mapped_column(default=False, server_default=false())
    # The local date of its last day, as 2021-05-31: what its label says, whatever the zone is now.
    last_day: Mapped[str | None] = mapped_column(String(10))
    # What was planned for it alone; null is the campaign's. Amounts are JSON by frequency.
    title: Mapped[str | None] = mapped_column(String(120))
    description: Mapped[str | None] = mapped_column(String(2000))
    amounts: Mapped[str | None] = mapped_column(String(1000))
    closed_at: Mapped[datetime | None]
    as_closed_minor: Mapped[int | None]
    as_closed_donations: Mapped[int | None]
    as_closed_donors: Mapped[int | None]
    # From which sum on a goal may be reached that nobody was told of; null where all were. At 1,
    # the first gift has it looked up.
    announce_from_minor: Mapped[int | None] = mapped_column(default=1, server_default="1")

    tiers: Mapped[list[PeriodTier]] = relationship(
        order_by="PeriodTier.amount_minor", lazy="raise", cascade="all, delete-orphan"
    )


class PeriodPlan(Base):
    """What a publisher has set ahead for a named period; it is taken over when that one opens.

    Null is what the campaign says and its rule carries over.
    """

    __tablename__ = "period_plans"
    __table_args__ = (UniqueConstraint("campaign_id", "key"), {"sqlite_strict": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    key: Mapped[str] = mapped_column(String(16))
    title: Mapped[str | None] = mapped_column(String(120))
    description: Mapped[str | None] = mapped_column(String(2000))
    # JSON: a list of minor units, and lists by frequency.
    tiers: Mapped[str | None] = mapped_column(String(200))
    amounts: Mapped[str | None] = mapped_column(String(1000))


class PeriodTier(Base):
    """A goal of one period: a snapshot, so that later changes of the template leave it alone."""

    __tablename__ = "period_tiers"
    __table_args__ = (
        UniqueConstraint("period_id", "amount_minor"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    period_id: Mapped[int] = mapped_column(ForeignKey("periods.id"))
    amount_minor: Mapped[int]


class AnnouncedTier(Base):
    """A goal that was told of when it was reached. It is not told again, whatever is refunded."""

    __tablename__ = "announced_tiers"

    period_id: Mapped[int] = mapped_column(
        ForeignKey("periods.id"), primary_key=True, autoincrement=False
    )
    amount_minor: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    announced_at: Mapped[datetime]


class Sighting(Base):
    """A site on whose pages a bar was asked for, by what readers' browsers say of it.

    Anybody can say anything: it tells an editor that a line works, and decides nothing.
    """

    __tablename__ = "sightings"
    __table_args__ = (UniqueConstraint("campaign_id", "host"), {"sqlite_strict": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    host: Mapped[str] = mapped_column(String(253))
    first_seen_at: Mapped[datetime]
    # To the day: it is written once a day, not for each view.
    last_seen_at: Mapped[datetime]
