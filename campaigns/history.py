"""A campaign's past: each period as it was announced, as it is now, and why the two differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, selectinload

from campaigns.adjustments import Change, Reason, ReasonSum, sums_by_reason, tell_change
from campaigns.catalog import find_campaign
from campaigns.errors import PeriodNotFound
from campaigns.labels import money_label, period_label
from campaigns.matching import matching_of, shown_minor
from campaigns.models import Campaign, Period
from campaigns.progress import (
    MatchingView,
    PeriodView,
    Progress,
    TierView,
    progress_of,
    progress_of_period,
)
from campaigns.shapes import PastPeriodJson, PastTierJson
from core.cadence import checked_key
from core.errors import Invalid
from core.words import N_

MOST_HISTORY = 100
_NO_SUCH = N_("There is no such period, or it has not begun.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTier:
    """A goal of a period: whether it is reached now, and whether it was when that was closed."""

    amount_minor: int
    label: str
    reached: bool
    reached_at_close: bool | None  # None while nobody has closed it

    def to_json(self) -> PastTierJson:
        """Return the tier as the public contract writes it."""
        return {
            "amount_minor": self.amount_minor,
            "label": self.label,
            "reached": self.reached,
            "reached_at_close": self.reached_at_close,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPeriod:
    """A period as it was announced, and as it is now, both as the bar shows them.

    What was announced is None until it is closed; the counts, also where it was closed before
    they were kept. The changes make exactly the difference between the two sums.
    """

    period: PeriodView
    title: str | None  # of its own
    description: str | None
    url: str
    raised_minor: int
    raised_label: str
    percent: float | None
    tiers: tuple[PastTier, ...]
    donations: int
    donors: int
    closed_at: datetime | None = None
    as_closed_minor: int | None = None
    as_closed_label: str | None = None
    as_closed_donations: int | None = None
    as_closed_donors: int | None = None
    changes: tuple[Change, ...] = ()
    matching: MatchingView | None = None

    @property
    def goal(self) -> PastTier | None:
        """The highest tier, where there is one."""
        return self.tiers[-1] if self.tiers[-1].amount_minor else None

    @property
    def has_moved(self) -> bool:
        """Whether there is anything to tell of what came after the close."""
        return bool(self.changes)

    def to_json(self) -> PastPeriodJson:
        """Return the period as the public contract writes it: no word of matching without it."""
        period = self.period.to_json()
        told: PastPeriodJson = {
            "key": period["key"],
            "label": period["label"],
            "starts_at": period["starts_at"],
            "ends_at": period["ends_at"],
            "raised_minor": self.raised_minor,
            "raised_label": self.raised_label,
            "as_closed_minor": self.as_closed_minor,
            "as_closed_label": self.as_closed_label,
            "percent": self.percent,
            "tiers": [tier.to_json() for tier in self.tiers],
            "donations": self.donations,
            "donors": self.donors,
            "as_closed_donations": self.as_closed_donations,
            "as_closed_donors": self.as_closed_donors,
            "adjustments": [change.to_json() for change in self.changes],
            "url": self.url,
        }
        if self.matching is not None:
            told["matching"] = self.matching.to_json()
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodLink:
    """Where another period's page is, and how that period is called."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who reads: when, at which site, and in which language; None is the campaign's own."""

    now: datetime
    base_url: str
    locale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One period, past or present, with those before and after it; `progress` is its bar."""

    past: PastPeriod
    progress: Progress
    is_running: bool
    earlier: PeriodLink | None
    later: PeriodLink | None


def read_history(
    session: Session,
    slug: str,
    *,
    now: datetime,
    base_url: str,
    limit: int = 12,
    before: str | None = None,
    locale: str | None = None,
) -> tuple[PastPeriod, ...]:
    """Return up to `limit` periods that ended by `now`, newest first, before the key `before`.

    `locale` is the reader's language; None is the campaign's own.
    """
    campaign = find_campaign(session, slug)
    statement = (
        select(Period)
        .where(Period.campaign_id == campaign.id, Period.ends_at <= now)
        .order_by(Period.starts_at.desc())
        .limit(min(limit, MOST_HISTORY))
        .options(selectinload(Period.tiers))
    )
    if before is not None:
        named = _stored(session, campaign, before)
        statement = statement.where(
            # Keys of one cadence sort as time does, also those of periods that were never made.
            Period.key < before if named is None else Period.starts_at < named.starts_at
        )
    reader = Reader(now=now, base_url=base_url, locale=locale)
    return _read(session, campaign, session.scalars(statement).all(), reader)


def read_closings(
    session: Session, campaign: Campaign, *, now: datetime, base_url: str, limit: int
) -> tuple[PastPeriod, ...]:
    """Return the periods that were closed last, the latest first, in the campaign's language."""
    statement = (
        select(Period)
        .where(Period.campaign_id == campaign.id, Period.closed_at.is_not(None))
        .order_by(Period.starts_at.desc())
        .limit(limit)
        .options(selectinload(Period.tiers))
    )
    reader = Reader(now=now, base_url=base_url)
    return _read(session, campaign, session.scalars(statement).all(), reader)


def read_chapter(session: Session, campaign: Campaign, key: str, reader: Reader) -> Chapter:
    """Return the period of that key; raise PeriodNotFound where there is none, or not yet."""
    try:
        key = checked_key(key)
    except Invalid:
        raise PeriodNotFound(_NO_SUCH) from None
    stored = _stored(session, campaign, key)
    if stored is not None and stored.starts_at <= reader.now:
        (past,) = _read(session, campaign, [stored], reader)
        progress = _progress(campaign, stored, reader)
    else:
        progress = _present(session, campaign, reader)
        if progress.period.key != key or progress.period.starts_at > reader.now:
            raise PeriodNotFound(_NO_SUCH)
        past = _not_made_yet(campaign, progress, reader)
    starts_at, is_running = past.period.starts_at, past.period.ends_at > reader.now
    begun = select(Period).where(Period.campaign_id == campaign.id, Period.starts_at <= reader.now)
    earlier = begun.where(Period.starts_at < starts_at).order_by(Period.starts_at.desc())
    later = begun.where(Period.starts_at > starts_at).order_by(Period.starts_at)
    following = _link(session, campaign, later, reader)
    if following is None and not is_running:
        following = _link_to_present(session, campaign, reader)
    return Chapter(
        past=past,
        progress=progress,
        is_running=is_running,
        earlier=_link(session, campaign, earlier, reader),
        later=following,
    )


def _stored(session: Session, campaign: Campaign, key: str) -> Period | None:
    return session.scalars(
        select(Period)
        .where(Period.campaign_id == campaign.id, Period.key == key)
        .options(selectinload(Period.tiers))
    ).one_or_none()


def _link(
    session: Session, campaign: Campaign, statement: Select[Period], reader: Reader
) -> PeriodLink | None:
    period = session.scalars(statement.limit(1)).one_or_none()
    if period is None:
        return None
    return PeriodLink(
        label=period_label(campaign, period, locale=reader.locale),
        url=_url(campaign, period.key, reader),
    )


def _link_to_present(session: Session, campaign: Campaign, reader: Reader) -> PeriodLink | None:
    """Return the present period, which nobody has made a row for; None where it has none."""
    present = _present(session, campaign, reader).period
    if not present.starts_at <= reader.now < present.ends_at:
        return None
    return PeriodLink(label=present.label, url=_url(campaign, present.key, reader))


def _present(session: Session, campaign: Campaign, reader: Reader) -> Progress:
    return progress_of(
        session, campaign, now=reader.now, base_url=reader.base_url, locale=reader.locale
    )


def _progress(campaign: Campaign, period: Period, reader: Reader) -> Progress:
    return progress_of_period(
        campaign, period, now=reader.now, base_url=reader.base_url, locale=reader.locale
    )


def _url(campaign: Campaign, key: str, reader: Reader) -> str:
    return f"{reader.base_url}/c/{campaign.slug}/{key}"


def _read(
    session: Session, campaign: Campaign, periods: Sequence[Period], reader: Reader
) -> tuple[PastPeriod, ...]:
    sums = sums_by_reason(session, [row.id for row in periods if row.closed_at is not None])
    return tuple(
        _past(
            campaign,
            period,
            _progress(campaign, period, reader),
            sums.get(period.id, ()),
            url=_url(campaign, period.key, reader),
        )
        for period in periods
    )


def _past(
    campaign: Campaign, period: Period, shown: Progress, sums: Sequence[ReasonSum], *, url: str
) -> PastPeriod:
    closed = period.as_closed_minor
    if closed is not None:
        matching = matching_of(period)
        announced = shown_minor(matching, closed)
        moved = (shown.raised_minor - announced) - (period.raised_minor - closed)
        sums = [*sums, ReasonSum(Reason.MATCHING, moved, 0)] if moved else sums
        closed = announced
    return PastPeriod(
        period=shown.period,
        title=period.title,
        description=period.description,
        url=url,
        raised_minor=shown.raised_minor,
        raised_label=shown.raised_label,
        percent=shown.percent,
        tiers=_tiers(shown.tiers, closed),
        donations=shown.donations,
        donors=shown.donors,
        closed_at=period.closed_at,
        as_closed_minor=closed,
        as_closed_label=(
            None if closed is None else money_label(campaign, closed, locale=shown.locale)
        ),
        as_closed_donations=period.as_closed_donations,
        as_closed_donors=period.as_closed_donors,
        changes=tuple(tell_change(campaign, found, locale=shown.locale) for found in sums),
        matching=shown.matching,
    )


def _not_made_yet(campaign: Campaign, present: Progress, reader: Reader) -> PastPeriod:
    return PastPeriod(
        period=present.period,
        title=None,
        description=None,
        url=_url(campaign, present.period.key, reader),
        raised_minor=present.raised_minor,
        raised_label=present.raised_label,
        percent=present.percent,
        tiers=_tiers(present.tiers, None),
        donations=present.donations,
        donors=present.donors,
        matching=present.matching,
    )


def _tiers(tiers: Sequence[TierView], as_closed_minor: int | None) -> tuple[PastTier, ...]:
    return tuple(
        PastTier(
            amount_minor=tier.amount_minor,
            label=tier.label,
            reached=tier.reached,
            reached_at_close=(
                None if as_closed_minor is None else as_closed_minor >= tier.amount_minor
            ),
        )
        for tier in tiers
    )
