from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.months import Month, load_zone, month_of

MICROSECOND = timedelta(microseconds=1)
# UTC+14 to UTC−12, half hours, and the zones whose clocks jump at midnight on a first.
ZONES = (
    "Pacific/Kiritimati",
    "Etc/GMT+12",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "America/New_York",
    "America/Asuncion",
    "America/Havana",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Europe/Sofia",
    "UTC",
)


def test_may_in_new_york_begins_and_ends_at_four_utc() -> None:
    zone = ZoneInfo("America/New_York")
    assert Month(2021, 5).starts_at(zone) == datetime(2021, 5, 1, 4, tzinfo=UTC)
    assert Month(2021, 5).ends_at(zone) == datetime(2021, 6, 1, 4, tzinfo=UTC)


def test_month_whose_midnight_does_not_exist_begins_at_the_jump() -> None:
    # On 1 October 2023 clocks in Asunción went from 23:59:59 to 01:00.
    starts_at = Month(2023, 10).starts_at(ZoneInfo("America/Asuncion"))
    assert starts_at == datetime(2023, 10, 1, 4, tzinfo=UTC)
    assert starts_at.astimezone(ZoneInfo("America/Asuncion")).hour == 1


def test_month_whose_midnight_comes_twice_begins_at_the_first() -> None:
    # On 1 November 2026 clocks in Havana go from 00:59:59 back to 00:00.
    starts_at = Month(2026, 11).starts_at(ZoneInfo("America/Havana"))
    assert starts_at == datetime(2026, 11, 1, 4, tzinfo=UTC)
    again = starts_at + timedelta(hours=1)
    assert again.astimezone(ZoneInfo("America/Havana")).hour == 0
    assert month_of(again, ZoneInfo("America/Havana")) == Month(2026, 11)


@pytest.mark.parametrize("name", ZONES)
def test_every_boundary_belongs_to_exactly_one_month(name: str) -> None:
    zone = ZoneInfo(name)
    month = Month(2019, 12)
    while month < Month(2031, 1):
        boundary = month.ends_at(zone)
        assert boundary == month.next().starts_at(zone)
        assert month_of(boundary - MICROSECOND, zone) == month
        assert month_of(boundary, zone) == month.next()
        assert month_of(boundary + MICROSECOND, zone) == month.next()
        month = month.next()


@given(
    instant=st.datetimes(
        min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
        max_value=datetime(2037, 12, 31),  # noqa: DTZ001 - hypothesis wants naive bounds
        timezones=st.just(UTC),
    ),
    name=st.sampled_from(ZONES),
)
def test_every_instant_lies_in_the_month_that_is_found_for_it(instant: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    month = month_of(instant, zone)
    assert month.starts_at(zone) <= instant < month.ends_at(zone)


def test_year_turns_both_ways() -> None:
    assert Month(2021, 12).next() == Month(2022, 1)
    assert Month(2022, 1).previous() == Month(2021, 12)


@pytest.mark.parametrize("key", ["2021-13", "2021-00", "21-05", "2021-5", "٢٠٢١-٠٥", "", "0000-01"])
def test_key_that_is_no_month_is_refused(key: str) -> None:
    with pytest.raises(Invalid):
        Month.parse(key)


def test_key_reads_back() -> None:
    assert Month.parse(Month(2021, 5).key) == Month(2021, 5)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "America", "\0"])
def test_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        load_zone(name)


def test_evening_that_comes_again_after_midnight_is_in_the_new_month() -> None:
    # On 1 November 2009 clocks in St. John's went from 00:00:59 back to 23:01 of 31 October.
    zone = ZoneInfo("America/St_Johns")
    starts_at = Month(2009, 11).starts_at(zone)
    again = starts_at + timedelta(minutes=30)
    assert again.astimezone(zone).date().month == 10
    assert month_of(again, zone) == Month(2009, 11)
    assert month_of(starts_at - MICROSECOND, zone) == Month(2009, 10)
