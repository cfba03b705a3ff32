"""Monthly totals: what periods raised and of what, read from sums that the ledger keeps.

Nothing here goes through gifts or entries, but for the few entries that came after a close: a
report costs the same at ten gifts and at ten million. Amounts are in minor units of the campaign's
currency; those of two currencies are never added, nor are the donors of two periods, who may be
the same people.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select
from sqlalchemy.orm import Session, selectinload

from campaigns.errors import PeriodNotFound
from campaigns.labels import period_label
from campaigns.ledger_models import (
    EntryKind,
    LedgerEntry,
    PeriodPart,
    Place,
    Reference,
    ReferenceKind,
)
from campaigns.models import Campaign, Period

# Of a key as 2021-05-15 the month; quarters and years are shorter, or as long.
_YEAR_LETTERS, _MONTH_LETTERS = 4, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was raised and of what. Refunds and disputes are zero or less, as entries have them.

    `gifts` are those of which something is left. Offline and regular are what is left of those
    gifts, which is to say after refunds and disputes.
    """

    gross_minor: int = 0
    refunds_minor: int = 0
    disputes_minor: int = 0
    cover_minor: int = 0
    gifts: int = 0
    offline_minor: int = 0
    offline_gifts: int = 0
    regular_minor: int = 0
    regular_gifts: int = 0

    @property
    def raised_minor(self) -> int:
        """What is left of the gifts: the period's sum in the ledger."""
        return self.gross_minor + self.refunds_minor + self.disputes_minor

    @property
    def online_minor(self) -> int:
        """What is left of the gifts that came through Stripe."""
        return self.raised_minor - self.offline_minor

    @property
    def one_off_minor(self) -> int:
        """What is left of the gifts that are nobody's regular gift."""
        return self.raised_minor - self.regular_minor

    @property
    def average_minor(self) -> int | None:
        """What is left of a gift on average, rounded down; None without gifts."""
        return self.raised_minor // self.gifts if self.gifts else None

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            **{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)}
        )

    def __sub__(self, other: Figures) -> Figures:
        return Figures(
            **{one.name: getattr(self, one.name) - getattr(other, one.name) for one in fields(self)}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AsClosed:
    """What was announced when a period was closed; it stays."""

    raised_minor: int
    gifts: int
    donors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A period of a campaign in figures, as it is now; `closed` is None while nobody closed it."""

    period_id: int
    key: str
    label: str
    starts_at: datetime
    ends_at: datetime
    is_running: bool
    figures: Figures
    donors: int
    tiers_minor: tuple[int, ...]
    closed: AsClosed | None
    closed_at: datetime | None

    @property
    def since_close_minor(self) -> int:
        """By how much it raised more, or less, than was announced."""
        return 0 if self.closed is None else self.figures.raised_minor - self.closed.raised_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarMonth:
    """The periods of all campaigns of one currency that began in one month of their calendars.

    `key` is `2021-05`; quarters and years stand under their own keys, `2021-Q2` and `2021`.
    """

    key: str
    figures: Figures
    # What was announced of all of them together; None while one is not closed.
    as_closed_minor: int | None


@dataclass(frozen=True, slots=True)
class Scope:
    """Which periods: those of one campaign, or of all that have that currency.

    `keys` narrows it to those that begin with one of these: `2021` is a year and all its months,
    `2021-05` a month and those that began in it.
    """

    currency: str
    campaign_id: int | None = None
    keys: tuple[str, ...] = ()

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions on Period and Campaign."""
        found: list[ColumnElement[bool]] = [Campaign.currency == self.currency]
        if self.campaign_id is not None:
            found.append(Period.campaign_id == self.campaign_id)
        if self.keys:
            size = len(self.keys[0])
            found.append(func.substr(Period.key, 1, size).in_(self.keys))
        return found

    def period_ids(self) -> Select[int]:
        """Return the query of their numbers."""
        return select(Period.id).join(Campaign).where(*self.conditions())


class Grouping(StrEnum):
    """What places are put together by."""

    SITE = "site"
    ARTICLE = "article"
    SLOT = "slot"


@dataclass(frozen=True, slots=True)
class PlaceShare:
    """What came from one site, article or slot; the name is empty where it is unknown."""

    name: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Shares:
    """Where gifts through Stripe came from: the largest, and the exact rest of so many others."""

    largest: tuple[PlaceShare, ...]
    others: Figures
    others_count: int


_left = PeriodPart.gross_minor + PeriodPart.refunds_minor + PeriodPart.disputes_minor
_raised = func.sum(_left)
# In the order of the fields of Figures.
SUMS = tuple(
    func.coalesce(func.sum(column), 0)
    for column in (
        PeriodPart.gross_minor,
        PeriodPart.refunds_minor,
        PeriodPart.disputes_minor,
        PeriodPart.cover_minor,
        PeriodPart.gift_count,
        case((PeriodPart.is_offline, _left), else_=0),
        case((PeriodPart.is_offline, PeriodPart.gift_count), else_=0),
        case((PeriodPart.is_regular, _left), else_=0),
        case((PeriodPart.is_regular, PeriodPart.gift_count), else_=0),
    )
)
_NAMES = tuple(one.name for one in fields(Figures))


def figures_of(row: Sequence[Any]) -> Figures:
    """Return the figures of a row of their sums."""
    # PostgreSQL adds integers up to a decimal.
    return Figures(**{name: int(value) for name, value in zip(_NAMES, row, strict=True)})


def read_months(
    session: Session, campaign: Campaign, *, now: datetime, limit: int, before: str | None = None
) -> tuple[Month, ...]:
    """Return up to `limit` periods that have begun by `now`, newest first, in four queries.

    `before` is the key of the period to go on behind. One of no period begins at the newest.
    """
    statement = select(Period).where(Period.campaign_id == campaign.id, Period.starts_at <= now)
    if before is not None:
        named = select(Period.starts_at).where(
            Period.campaign_id == campaign.id, Period.key == before
        )
        statement = statement.where(Period.starts_at < func.coalesce(named.scalar_subquery(), now))
    return _read(session, campaign, statement.limit(limit), now=now)


def read_year(
    session: Session, campaign: Campaign, years: Collection[int], *, now: datetime
) -> tuple[Month, ...]:
    """Return the periods that began in these years of the campaign's calendar, newest first."""
    statement = select(Period).where(
        Period.campaign_id == campaign.id,
        Period.starts_at <= now,
        func.substr(Period.key, 1, _YEAR_LETTERS).in_([f"{year:04}" for year in years]),
    )
    return _read(session, campaign, statement, now=now)


def read_month(session: Session, campaign: Campaign, key: str, *, now: datetime) -> Month:
    """Return one period in figures; raise PeriodNotFound where it has no row, or not begun."""
    found = _read(
        session,
        campaign,
        select(Period).where(
            Period.campaign_id == campaign.id, Period.key == key, Period.starts_at <= now
        ),
        now=now,
    )
    if not found:
        raise PeriodNotFound("There is no such month of this campaign.")
    return found[0]


def _read(
    session: Session, campaign: Campaign, statement: Select[Period], *, now: datetime
) -> tuple[Month, ...]:
    ordered = statement.order_by(Period.starts_at.desc()).options(selectinload(Period.tiers))
    periods = session.scalars(ordered).all()
    figures = _by_period(session, [period.id for period in periods])
    return tuple(
        _month(campaign, period, figures.get(period.id, Figures()), now=now) for period in periods
    )


def _by_period(session: Session, period_ids: Collection[int]) -> Mapping[int, Figures]:
    rows = session.execute(
        select(PeriodPart.period_id, *SUMS)
        .where(PeriodPart.period_id.in_(period_ids))
        .group_by(PeriodPart.period_id)
    )
    return {row[0]: figures_of(row[1:]) for row in rows}


def _month(campaign: Campaign, period: Period, figures: Figures, *, now: datetime) -> Month:
    return Month(
        period_id=period.id,
        key=period.key,
        label=period_label(campaign, period, locale="en", capitals=False),
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        is_running=period.ends_at > now,
        figures=figures,
        donors=period.donor_count,
        tiers_minor=tuple(tier.amount_minor for tier in period.tiers),
        closed=(
            None
            if period.as_closed_minor is None
            else AsClosed(
                raised_minor=period.as_closed_minor,
                gifts=period.as_closed_donations or 0,
                donors=period.as_closed_donors or 0,
            )
        ),
        closed_at=period.closed_at,
    )


def read_since_close(session: Session, period_id: int) -> Figures:
    """Return what entries after the close changed in a period's sums, by an index of those alone.

    Of its gifts it can't tell: how many were left is what was announced. Offline and regular are
    not told apart either.
    """
    rows = session.execute(
        select(Reference.kind, LedgerEntry.kind, func.sum(LedgerEntry.amount_minor))
        .join(Reference, Reference.id == LedgerEntry.reference_id)
        .where(LedgerEntry.period_id == period_id, LedgerEntry.after_close)
        .group_by(Reference.kind, LedgerEntry.kind)
    )
    found = Figures()
    for reference_kind, entry_kind, amount in rows:
        found += effect_of(ReferenceKind(reference_kind), EntryKind(entry_kind), int(amount))
    return found


def effect_of(reference: ReferenceKind, entry: EntryKind, amount_minor: int) -> Figures:
    """Return the figure that an entry, or a sum of such entries, adds to."""
    if entry is EntryKind.COVER:
        return Figures(cover_minor=amount_minor)
    if reference is ReferenceKind.REFUND:
        return Figures(refunds_minor=amount_minor)
    if reference is ReferenceKind.DISPUTE:
        return Figures(disputes_minor=amount_minor)
    return Figures(gross_minor=amount_minor)


def read_currencies(session: Session) -> tuple[str, ...]:
    """Return the currencies of the campaigns that are not drafts, by the alphabet."""
    statement = select(Campaign.currency).distinct().order_by(Campaign.currency)
    return tuple(session.scalars(statement.where(Campaign.state != "draft")))


def read_years(session: Session, scope: Scope) -> tuple[int, int] | None:
    """Return the first and the last year in which a period began, None where none ever did."""
    first, last, count = session.execute(
        select(func.min(Period.key), func.max(Period.key), func.count())
        .select_from(Period)
        .join(Campaign, Campaign.id == Period.campaign_id)
        .where(*scope.conditions())
    ).one()
    return (int(first[:_YEAR_LETTERS]), int(last[:_YEAR_LETTERS])) if count else None


def read_calendar(session: Session, scope: Scope, *, now: datetime) -> tuple[CalendarMonth, ...]:
    """Return what these periods raised by the month of their own calendars, newest first.

    Those that have begun by `now`, in two queries.
    """
    conditions = (*scope.conditions(), Period.starts_at <= now)
    month = func.substr(Period.key, 1, _MONTH_LETTERS)
    sums = session.execute(
        select(month, *SUMS)
        .select_from(PeriodPart)
        .join(Period, Period.id == PeriodPart.period_id)
        .join(Campaign, Campaign.id == Period.campaign_id)
        .where(*conditions)
        .group_by(month)
    )
    figures = {row[0]: figures_of(row[1:]) for row in sums}
    periods = session.execute(
        select(
            month,
            func.count(Period.id),
            func.count(Period.as_closed_minor),
            func.sum(Period.as_closed_minor),
        )
        .join(Campaign, Campaign.id == Period.campaign_id)
        .where(*conditions)
        .group_by(month)
        .order_by(func.max(Period.starts_at).desc(), month.desc())
    )
    return tuple(
        CalendarMonth(
            key=key,
            figures=figures.get(key, Figures()),
            as_closed_minor=int(announced) if closed == count else None,
        )
        for key, count, closed, announced in periods
    )


def read_total(session: Session, scope: Scope) -> Figures:
    """Return what these periods raised together."""
    statement = select(*SUMS).where(PeriodPart.period_id.in_(scope.period_ids()))
    return figures_of(session.execute(statement).one())


def read_by_campaign(
    session: Session, scope: Scope, *, limit: int
) -> tuple[tuple[Campaign, Figures], ...]:
    """Return the campaigns that raised most in these periods, and what each of them did."""
    sums = (
        select(Period.campaign_id, _raised.label("raised"), *SUMS)
        .select_from(PeriodPart)
        .join(Period, Period.id == PeriodPart.period_id)
        .join(Campaign, Campaign.id == Period.campaign_id)
        .where(*scope.conditions())
        .group_by(Period.campaign_id)
        .order_by(_raised.desc(), Period.campaign_id)
        .limit(limit)
    )
    rows = session.execute(sums).all()
    named = {
        campaign.id: campaign
        for campaign in session.scalars(
            select(Campaign).where(Campaign.id.in_([row[0] for row in rows]))
        )
    }
    return tuple((named[row[0]], figures_of(row[2:])) for row in rows)


_GROUPED = {Grouping.SITE: Place.site, Grouping.ARTICLE: Place.source, Grouping.SLOT: Place.slot}


def read_shares(session: Session, scope: Scope, grouping: Grouping, *, limit: int) -> Shares:
    """Return where the gifts of these periods came from, in two queries.

    Gifts that came without Stripe came from no page, and are left out.
    """
    name = func.coalesce(_GROUPED[grouping], "")
    online = and_(PeriodPart.period_id.in_(scope.period_ids()), PeriodPart.is_offline.is_(False))
    rows = session.execute(
        select(name, *SUMS)
        .select_from(PeriodPart)
        .outerjoin(Place, Place.id == PeriodPart.place_id)
        .where(online)
        .group_by(name)
        .order_by(_raised.desc(), name)
        .limit(limit)
    ).all()
    largest = tuple(PlaceShare(row[0], figures_of(row[1:])) for row in rows)
    total = session.execute(
        select(func.count(name.distinct()), *SUMS)
        .select_from(PeriodPart)
        .outerjoin(Place, Place.id == PeriodPart.place_id)
        .where(online)
    ).one()
    shown = sum((share.figures for share in largest), Figures())
    return Shares(largest, figures_of(total[1:]) - shown, total[0] - len(largest))
