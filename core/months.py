"""Calendar months as half-open intervals of instants: `[starts_at, ends_at)` in a named zone.

A month is computed from the calendar of its zone and then converted: nothing here adds 30 days
and nothing ends at 23:59:59. Where midnight on the first does not exist (Asunción, October
2023) the month starts at the instant of the jump; where it comes twice (Havana, November 2026)
it starts at the first of the two. Consecutive months share their boundary, so every instant is
in exactly one month.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from core.errors import Invalid
from core.zones import first_instant, load_zone

__all__ = ["Month", "first_instant", "load_zone", "month_of"]

MONTHS_A_YEAR = 12
_KEY = re.compile(r"(\d{4})-(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of the calendar, without a zone."""

    year: int
    number: int

    @classmethod
    def parse(cls, key: str) -> Month:
        """Read a key such as `2021-05`; raise Invalid for anything else."""
        match = _KEY.fullmatch(key)
        if match and 1 <= int(match[2]) <= MONTHS_A_YEAR and int(match[1]) > 0:
            return cls(int(match[1]), int(match[2]))
        raise Invalid(f"“{key}” is not a month. Write it as 2021-05.", field="period")

    @property
    def key(self) -> str:
        """The month as `2021-05`, which sorts as time does."""
        return f"{self.year:04d}-{self.number:02d}"

    def next(self) -> Month:
        """Return the month after this one."""
        if self.number == MONTHS_A_YEAR:
            return Month(self.year + 1, 1)
        return Month(self.year, self.number + 1)

    def previous(self) -> Month:
        """Return the month before this one."""
        if self.number == 1:
            return Month(self.year - 1, MONTHS_A_YEAR)
        return Month(self.year, self.number - 1)

    def starts_at(self, zone: ZoneInfo) -> datetime:
        """Return the UTC instant at which the month begins in `zone`."""
        return first_instant(datetime(self.year, self.number, 1), zone)  # noqa: DTZ001 - a wall time on purpose

    def ends_at(self, zone: ZoneInfo) -> datetime:
        """Return the UTC instant at which the next month begins in `zone`."""
        return self.next().starts_at(zone)


def month_of(instant: datetime, zone: ZoneInfo) -> Month:
    """Return the month of `zone` whose interval holds `instant`.

    The local date alone does not decide: where clocks go back over midnight, the last hour of
    the old month comes again after the new one has begun.
    """
    local = instant.astimezone(zone)
    month = Month(local.year, local.month)
    if instant >= month.ends_at(zone):
        return month.next()
    if instant < month.starts_at(zone):
        return month.previous()
    return month
