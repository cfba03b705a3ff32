"""Days as they are typed: `2021-05-10`, in the campaign's zone."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from core.errors import Invalid
from core.zones import first_instant


def day_of(text: str, *, field: str) -> date:
    """Read a day; raise Invalid, naming the field."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise Invalid(f"“{text[:40]}” is not a day. Write it as 2021-05-10.", field=field) from None


def begin_of(text: str, zone: ZoneInfo, *, field: str) -> datetime:
    """Return the UTC instant at which a day begins in `zone`."""
    return first_instant(datetime.combine(day_of(text, field=field), time()), zone)


def end_of(text: str, zone: ZoneInfo, *, field: str) -> datetime:
    """Return the UTC instant at which a day is over in `zone`."""
    following = day_of(text, field=field) + timedelta(days=1)
    return first_instant(datetime.combine(following, time()), zone)
