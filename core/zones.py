"""Time zones: finding one by its IANA name, and the instant at which its clocks show a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.errors import Invalid

_MICROSECOND = timedelta(microseconds=1)


def load_zone(name: str) -> ZoneInfo:
    """Return the IANA zone called `name`; raise Invalid where tzdata has none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(
            f"“{name}” is not a time zone. Use a name such as America/New_York or Europe/Sofia.",
            field="timezone",
        ) from None


def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first UTC instant at which clocks in `zone` show the naive `wall` or later."""
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # The wall time falls into a gap. Clocks jump over it at one instant: close in on it.
    before, after = instant - timedelta(days=1), instant + timedelta(days=1)
    while after - before > _MICROSECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            after = middle
    return after
