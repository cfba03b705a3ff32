from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cadence import MONTHLY, Cadence, Rhythm, Span, a_month_before, checked_key
from core.errors import Invalid
from core.zones import load_zone

MICROSECOND = timedelta(microseconds=1)
FROM_THE_15TH = Cadence(day=15)
FROM_THE_31ST = Cadence(day=31)
QUARTERLY = Cadence(Rhythm.QUARTER)
YEARLY = Cadence(Rhythm.YEAR)
# The tax year of the United Kingdom.
FROM_APRIL_6 = Cadence(Rhythm.YEAR, day=6, month=4)
CADENCES = (MONTHLY, FROM_THE_15TH, FROM_THE_31ST, QUARTERLY, YEARLY, FROM_APRIL_6,
            Cadence(Rhythm.QUARTER, day=30, month=2))  # fmt: skip
ZONES = sorted(available_timezones())


def spans(cadence: Cadence, first: date, end: date) -> list[Span]:
    found = [cadence.span_on(first)]
    while found[-1].end_day < end:
        found.append(cadence.after(found[-1]))
    return found


@pytest.mark.parametrize(
    ("zone", "instant", "before"),
    [
        ("UTC", "2021-05-12T10:11:12Z", "2021-04-12T10:11:12Z"),
        ("UTC", "2021-01-05T00:00:00Z", "2020-12-05T00:00:00Z"),
        # Its own day, in the zone: the 1st, while UTC has the 2nd.
        ("America/New_York", "2021-05-02T03:00:00Z", "2021-04-02T03:00:00Z"),
        # The same time by the clocks, which were changed between.
        ("America/New_York", "2021-04-01T16:00:00Z", "2021-03-01T17:00:00Z"),
        # Clocks jumped from 2 to 3 on the day before: at the jump.
        ("America/New_York", "2021-04-14T06:30:00Z", "2021-03-14T07:00:00Z"),
        # At 1:30 twice: the first.
        ("America/New_York", "2021-12-07T06:30:00Z", "2021-11-07T05:30:00Z"),
        # No such day: the last moment.
        ("UTC", "2021-03-29T08:00:00Z", "2021-02-28T23:59:59.999999Z"),
        ("UTC", "2021-05-31T00:00:00Z", "2021-04-30T23:59:59.999999Z"),
        ("UTC", "2020-03-29T08:00:00Z", "2020-02-29T08:00:00Z"),
        ("Europe/Sofia", "2021-03-31T12:00:00Z", "2021-02-28T21:59:59.999999Z"),
    ],
)
def test_a_month_before_it_was_the_same_day_and_time_by_the_clocks(
    zone: str, instant: str, before: str
) -> None:
    found = a_month_before(datetime.fromisoformat(instant), ZoneInfo(zone))
    assert found == datetime.fromisoformat(before)


@pytest.mark.parametrize("name", ZONES)
def test_no_instant_is_in_no_month_or_in_two(name: str) -> None:
    zone = ZoneInfo(name)
    for span in spans(MONTHLY, date(2000, 1, 1), date(2038, 1, 1)):
        boundary = span.ends_at(zone)
        assert span.starts_at(zone) < boundary
        assert MONTHLY.span_holding(boundary - MICROSECOND, zone) == span
        assert MONTHLY.span_holding(boundary, zone).first_day == span.end_day


@pytest.mark.parametrize("cadence", CADENCES)
@pytest.mark.parametrize(
    "name", ["Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kathmandu", "America/Asuncion",
             "America/Havana", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"],
)  # fmt: skip
def test_every_boundary_belongs_to_exactly_one_span(cadence: Cadence, name: str) -> None:
    zone = ZoneInfo(name)
    for span in spans(cadence, date(2000, 1, 1), date(2038, 1, 1)):
        boundary = span.ends_at(zone)
        following = cadence.after(span)
        assert following.starts_at(zone) == boundary
        assert cadence.before(following) == span
        assert cadence.span_holding(boundary - MICROSECOND, zone) == span
        assert cadence.span_holding(boundary, zone) == following
        assert cadence.span_holding(boundary + MICROSECOND, zone) == following


@given(
    instant=st.datetimes(
        min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
        max_value=datetime(2037, 12, 31),  # noqa: DTZ001 - hypothesis wants naive bounds
        timezones=st.just(UTC),
    ),
    name=st.sampled_from(ZONES),
    rhythm=st.sampled_from([Rhythm.MONTH, Rhythm.QUARTER, Rhythm.YEAR]),
    day=st.integers(1, 31),
    month=st.integers(1, 12),
)
def test_every_instant_lies_in_the_span_that_is_found_for_it(
    instant: datetime, name: str, rhythm: Rhythm, day: int, month: int
) -> None:
    zone, cadence = ZoneInfo(name), Cadence(rhythm, day, month)
    span = cadence.span_holding(instant, zone)
    assert span.starts_at(zone) <= instant < span.ends_at(zone)
    assert cadence.before(cadence.after(span)) == span


def test_day_that_a_month_lacks_is_its_last_and_nothing_drifts() -> None:
    found = spans(FROM_THE_31ST, date(2023, 12, 31), date(2024, 6, 1))
    assert [span.first_day.isoformat() for span in found] == [
        "2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31",
    ]  # fmt: skip
    assert found[2].last_day == date(2024, 3, 30)


@pytest.mark.parametrize(
    ("cadence", "day", "key", "last_day"),
    [
        (MONTHLY, date(2021, 5, 31), "2021-05", date(2021, 5, 31)),
        (FROM_THE_15TH, date(2021, 5, 14), "2021-04-15", date(2021, 5, 14)),
        (FROM_THE_15TH, date(2021, 5, 15), "2021-05-15", date(2021, 6, 14)),
        (FROM_THE_31ST, date(2021, 2, 28), "2021-02-28", date(2021, 3, 30)),
        (FROM_THE_31ST, date(2021, 3, 30), "2021-02-28", date(2021, 3, 30)),
        (QUARTERLY, date(2021, 6, 30), "2021-Q2", date(2021, 6, 30)),
        (YEARLY, date(2021, 12, 31), "2021", date(2021, 12, 31)),
        (FROM_APRIL_6, date(2021, 4, 5), "2020-04-06", date(2021, 4, 5)),
    ],
)
def test_key_tells_which_one_it_is(cadence: Cadence, day: date, key: str, last_day: date) -> None:
    span = cadence.span_on(day)
    assert (span.key, span.last_day) == (key, last_day)
    assert checked_key(key) == key


def test_span_whose_midnight_does_not_exist_begins_at_the_jump() -> None:
    # On 1 October 2023 clocks in Asunción went from 23:59:59 to 01:00.
    starts_at = MONTHLY.span_on(date(2023, 10, 1)).starts_at(ZoneInfo("America/Asuncion"))
    assert starts_at == datetime(2023, 10, 1, 4, tzinfo=UTC)


def test_day_that_a_zone_skipped_is_no_gap() -> None:
    # Samoa had no 30 December 2011: it went from the 29th to the 31st.
    zone, cadence = ZoneInfo("Pacific/Apia"), Cadence(day=30)
    span = cadence.span_on(date(2011, 12, 30))
    assert span.starts_at(zone) == datetime(2011, 12, 30, 10, tzinfo=UTC)
    assert cadence.span_holding(span.starts_at(zone) - MICROSECOND, zone) == cadence.before(span)
    assert cadence.span_holding(span.starts_at(zone), zone) == span


@pytest.mark.parametrize("text", ["2021-13x", "2021-Q5", "", "21", "٢٠٢١", "2021-5", "../etc"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        checked_key(text)


@pytest.mark.parametrize(("day", "month"), [(0, 1), (32, 1), (1, 0), (1, 13)])
def test_cadence_begins_on_a_day_of_the_calendar(day: int, month: int) -> None:
    with pytest.raises(Invalid):
        Cadence(Rhythm.YEAR, day, month)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "America", "\0"])
def test_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        load_zone(name)


def test_may_in_new_york_begins_and_ends_at_four_utc() -> None:
    zone, may = ZoneInfo("America/New_York"), MONTHLY.span_on(date(2021, 5, 1))
    assert may.starts_at(zone) == datetime(2021, 5, 1, 4, tzinfo=UTC)
    assert may.ends_at(zone) == datetime(2021, 6, 1, 4, tzinfo=UTC)


def test_month_whose_midnight_comes_twice_begins_at_the_first() -> None:
    # On 1 November 2026 clocks in Havana go from 00:59:59 back to 00:00.
    zone, november = ZoneInfo("America/Havana"), MONTHLY.span_on(date(2026, 11, 1))
    starts_at = november.starts_at(zone)
    assert starts_at == datetime(2026, 11, 1, 4, tzinfo=UTC)
    again = starts_at + timedelta(hours=1)
    assert again.astimezone(zone).hour == 0
    assert MONTHLY.span_holding(again, zone) == november


def test_evening_that_comes_again_after_midnight_is_in_the_new_month() -> None:
    # On 1 November 2009 clocks in St. John's went from 00:00:59 back to 23:01 of 31 October.
    zone, november = ZoneInfo("America/St_Johns"), MONTHLY.span_on(date(2009, 11, 1))
    starts_at = november.starts_at(zone)
    again = starts_at + timedelta(minutes=30)
    assert again.astimezone(zone).date().month == 10
    assert MONTHLY.span_holding(again, zone) == november
    assert MONTHLY.span_holding(starts_at - MICROSECOND, zone).key == "2009-10"


@pytest.mark.parametrize(
    ("cadence", "key", "expected"),
    [
        (MONTHLY, "2021-12", True),
        (MONTHLY, "2021-13", False),
        (MONTHLY, "0000-01", False),
        (MONTHLY, "2021-Q4", False),
        (MONTHLY, "2021", False),
        (QUARTERLY, "2021-Q4", True),
        (QUARTERLY, "2021-10", False),
        (YEARLY, "2021", True),
        (FROM_APRIL_6, "2021", False),
        (FROM_APRIL_6, "2021-04-06", True),
        (MONTHLY, "2021-06-31", False),
    ],
)
def test_cadence_knows_the_names_of_its_spans(
    cadence: Cadence, key: str, *, expected: bool
) -> None:
    assert cadence.has(key) is expected
