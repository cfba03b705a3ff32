"""Periods beside each other, whatever an admin changes in between and whoever asks first."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.calendar import SLIVER, Bounds, fitted
from core.cadence import Cadence, Rhythm

SOFIA, NEW_YORK, TOKYO = map(ZoneInfo, ("Europe/Sofia", "America/New_York", "Asia/Tokyo"))
MONTHLY = Cadence()
ZONES = [ZoneInfo(name) for name in (
    "UTC", "Pacific/Kiritimati", "Etc/GMT+12", "America/Havana", "Europe/Sofia", "Asia/Kathmandu",
)]  # fmt: skip
CADENCES = [
    Cadence(), Cadence(day=15), Cadence(day=31), Cadence(Rhythm.QUARTER), Cadence(Rhythm.YEAR),
    Cadence(Rhythm.YEAR, day=6, month=4),
]  # fmt: skip
INSTANTS = st.datetimes(
    min_value=datetime(2019, 6, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
    max_value=datetime(2023, 6, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
    timezones=st.just(UTC),
)


def ask(stored: list[Bounds], cadence: Cadence, zone: ZoneInfo, instant: datetime) -> Bounds | None:
    """Store the period that holds `instant`, unless one does; return what is new."""
    if any(bounds.starts_at <= instant < bounds.ends_at for bounds in stored):
        return None
    earlier = max((found.ends_at for found in stored if found.starts_at <= instant), default=None)
    later = min((found.starts_at for found in stored if found.starts_at > instant), default=None)
    bounds = fitted(cadence, zone, instant, earlier=earlier, later=later)
    stored.append(bounds)
    stored.sort(key=lambda found: found.starts_at)
    return bounds


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(CADENCES), st.sampled_from(ZONES), INSTANTS),
        min_size=1,
        max_size=25,
    )
)
@settings(max_examples=400, deadline=None)
def test_no_instant_is_in_no_period_or_in_two_whatever_is_changed(
    steps: list[tuple[Cadence, ZoneInfo, datetime]],
) -> None:
    stored: list[Bounds] = []
    for cadence, zone, instant in steps:
        bounds = ask(stored, cadence, zone, instant)
        assert bounds is None or bounds.starts_at <= instant < bounds.ends_at
    for one, following in itertools.pairwise(stored):
        gap = following.starts_at - one.ends_at
        # What is between them has not been asked for yet, and is long enough to be a period.
        assert gap == timedelta(0) or gap >= SLIVER
    assert len({bounds.key for bounds in stored}) == len(stored)


@pytest.mark.parametrize("asked_first", [0, 1])
@pytest.mark.parametrize("zone", [NEW_YORK, TOKYO])
def test_another_zone_in_mid_month_moves_the_next_boundary_alone(
    zone: ZoneInfo, asked_first: int
) -> None:
    may = fitted(MONTHLY, SOFIA, datetime(2021, 5, 12, tzinfo=UTC), earlier=None, later=None)
    stored = [may]
    instants = [may.ends_at, datetime(2021, 6, 20, tzinfo=UTC)]
    ask(stored, MONTHLY, zone, instants[asked_first])
    ask(stored, MONTHLY, zone, instants[1 - asked_first])
    assert [bounds.key for bounds in stored] == ["2021-05", "2021-06"]
    june = stored[1]
    assert june.starts_at == may.ends_at == datetime(2021, 5, 31, 21, tzinfo=UTC)
    assert june.ends_at == datetime(2021, 7, 1, tzinfo=zone).astimezone(UTC)
    assert june.last_day == date(2021, 6, 30)


def test_month_that_is_made_late_ends_where_the_stored_one_begins() -> None:
    june = fitted(MONTHLY, SOFIA, datetime(2021, 6, 12, tzinfo=UTC), earlier=None, later=None)
    stored = [june]
    ask(stored, MONTHLY, NEW_YORK, datetime(2021, 5, 31, 20, 59, tzinfo=UTC))
    assert [bounds.key for bounds in stored] == ["2021-05", "2021-06"]
    assert stored[0].ends_at == june.starts_at
    assert stored[0].last_day == date(2021, 5, 31)


def test_another_cadence_begins_where_the_last_period_ended() -> None:
    may = fitted(MONTHLY, SOFIA, datetime(2021, 5, 12, tzinfo=UTC), earlier=None, later=None)
    stored = [may]
    ask(stored, Cadence(day=15), SOFIA, may.ends_at)
    ask(stored, Cadence(day=15), SOFIA, datetime(2021, 6, 15, tzinfo=SOFIA))
    assert [(bounds.key, bounds.last_day.isoformat()) for bounds in stored] == [
        ("2021-05", "2021-05-31"),
        ("2021-06-01", "2021-06-14"),  # shorter than the others, and named for its first day
        ("2021-06-15", "2021-07-14"),
    ]


def test_quarter_that_begins_in_its_midst_is_named_for_its_first_day() -> None:
    may = fitted(MONTHLY, SOFIA, datetime(2021, 5, 12, tzinfo=UTC), earlier=None, later=None)
    stored = [may]
    for instant in (may.ends_at, datetime(2021, 7, 1, tzinfo=SOFIA)):
        ask(stored, Cadence(Rhythm.QUARTER), SOFIA, instant)
    assert [bounds.key for bounds in stored] == ["2021-05", "2021-06-01", "2021-Q3"]
