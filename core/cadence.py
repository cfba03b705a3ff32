"""Cadences: how time is cut into periods, each a half-open interval of instants in a named zone.

A period is computed from the calendar of its zone and then converted: nothing here adds 30 days
and nothing ends at 23:59:59. It begins on a day of the calendar; where a month is too short for
that day, on the month's last, and the next one again on the day itself: nothing drifts. Where
midnight does not exist (Asunción, October 2023) it starts at the instant of the jump; where
midnight comes twice (Havana, November 2026) at the first of the two. Consecutive spans share their
boundary, so every instant is in exactly one.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from core.errors import Invalid
from core.words import N_
from core.zones import first_instant

MONTHS_A_YEAR = 12
_KEYS = re.compile(r"\d{4}|\d{4}-\d{2}|\d{4}-Q[1-4]|\d{4}-\d{2}-\d{2}", re.ASCII)
_QUARTER = re.compile(r"(\d{4})-Q([1-4])", re.ASCII)
_MOST_DAYS = 31


def a_month_before(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant at which clocks in `zone` showed this day and time a month before.

    Where the month before had no such day, its last moment; where clocks jumped over the time, the
    jump; where they showed it twice, the first.
    """
    wall = instant.astimezone(zone).replace(tzinfo=None)
    first_day = wall.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    last_day = first_day - timedelta(days=1)
    if wall.day > last_day.day:
        return first_instant(first_day, zone) - timedelta.resolution
    return first_instant(wall.replace(year=last_day.year, month=last_day.month), zone)


class Rhythm(StrEnum):
    """How long a period is. Stored by value."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    ONCE = "once"  # one period, from a start to an end that are given


_MONTHS = {Rhythm.MONTH: 1, Rhythm.QUARTER: 3, Rhythm.YEAR: MONTHS_A_YEAR}


@dataclass(frozen=True, slots=True)
class Span:
    """A period of the calendar, without a zone: from `first_day` to the day before `end_day`.

    Its key is `2021-05` for a month, `2021-Q2` for a quarter and `2021` for a year; one that begins
    on another day has that day, `2021-05-15`. Keys of one cadence sort as time does.
    """

    key: str
    first_day: date
    end_day: date

    @property
    def last_day(self) -> date:
        """The last day that belongs to it."""
        return self.end_day - timedelta(days=1)

    def starts_at(self, zone: ZoneInfo) -> datetime:
        """Return the UTC instant at which it begins in `zone`."""
        return _midnight(self.first_day, zone)

    def ends_at(self, zone: ZoneInfo) -> datetime:
        """Return the UTC instant at which the next one begins in `zone`."""
        return _midnight(self.end_day, zone)


@dataclass(frozen=True, slots=True)
class Cadence:
    """A rhythm and where it begins: on `day` of each month, or of the year's `month` and on."""

    rhythm: Rhythm = Rhythm.MONTH
    day: int = 1
    month: int = 1

    def __post_init__(self) -> None:
        if self.rhythm not in _MONTHS:
            raise ValueError("a campaign that runs once has no cadence")
        if not 1 <= self.day <= _MOST_DAYS:
            raise Invalid("A period begins on a day from 1 to 31.", field="day")
        if not 1 <= self.month <= MONTHS_A_YEAR:
            raise Invalid("A year begins in a month from 1 to 12.", field="month")

    def span_on(self, day: date) -> Span:
        """Return the span that a day of the calendar belongs to."""
        months = _MONTHS[self.rhythm]
        at = day.year * MONTHS_A_YEAR + day.month - 1
        at -= (at - (self.month - 1)) % months
        if day < self._begin(at):
            at -= months
        elif day >= self._begin(at + months):
            at += months  # the last days of a month that is too short for `self.day`
        return self._span(at)

    def has(self, key: str) -> bool:
        """Tell whether a span of this cadence is called so; any day may begin one that is cut."""
        try:
            if quarter := _QUARTER.fullmatch(key):
                day = date(int(quarter[1]), int(quarter[2]) * _MONTHS[Rhythm.QUARTER], 1)
            elif len(key) == len("2021-05-15"):
                return bool(date.fromisoformat(key))
            else:
                day = date.fromisoformat(f"{key}-01" if "-" in key else f"{key}-01-01")
            return self.span_on(day).key == key
        except ValueError:  # no such day, or the calendar's last, after which none begins
            return False

    def after(self, span: Span) -> Span:
        """Return the span that follows."""
        return self.span_on(span.end_day)

    def before(self, span: Span) -> Span:
        """Return the span that this one follows."""
        return self.span_on(span.first_day - timedelta(days=1))

    def span_holding(self, instant: datetime, zone: ZoneInfo) -> Span:
        """Return the span whose interval in `zone` holds `instant`.

        The local date alone does not decide: where clocks go back over midnight, the last hour of
        the old span comes again after the new one has begun.
        """
        span = self.span_on(instant.astimezone(zone).date())
        if instant >= span.ends_at(zone):
            return self.after(span)
        if instant < span.starts_at(zone):
            return self.before(span)
        return span

    def _span(self, at: int) -> Span:
        first_day = self._begin(at)
        return Span(self._key(first_day), first_day, self._begin(at + _MONTHS[self.rhythm]))

    def _begin(self, at: int) -> date:
        """Return the day on which the span begins that month `at` (counted from year 0) begins."""
        year, month = divmod(at, MONTHS_A_YEAR)
        return date(year, month + 1, min(self.day, monthrange(year, month + 1)[1]))

    def _key(self, first_day: date) -> str:
        if self.day != 1 or (self.month != 1 and self.rhythm is not Rhythm.MONTH):
            return first_day.isoformat()
        if self.rhythm is Rhythm.MONTH:
            return f"{first_day:%Y-%m}"
        if self.rhythm is Rhythm.QUARTER:
            return f"{first_day.year:04d}-Q{(first_day.month + 2) // 3}"
        return f"{first_day.year:04d}"


MONTHLY = Cadence()


def checked_key(text: str) -> str:
    """Return the key of a period as people write it; raise Invalid for what can't be one."""
    key = text.strip().upper()
    if not _KEYS.fullmatch(key):
        raise Invalid(
            N_("“{typed}” is no period. Write it as 2021-05, 2021-Q2, 2021 or 2021-05-15."),
            field="period",
            typed=text[:40],
        )
    return key


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return first_instant(datetime(day.year, day.month, day.day), zone).astimezone(UTC)  # noqa: DTZ001 - a wall time on purpose
