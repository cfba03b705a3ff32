from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from core.clock import MovableClock, SystemClock


def test_system_clock_tells_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_movable_clock_stands_until_moved() -> None:
    clock = MovableClock(datetime(2021, 5, 1, tzinfo=timezone(timedelta(hours=-4))))
    assert clock.now() == datetime(2021, 5, 1, 4, tzinfo=UTC)
    clock.advance(timedelta(hours=1))
    assert clock.now() == datetime(2021, 5, 1, 5, tzinfo=UTC)


def test_movable_clock_refuses_a_time_without_a_zone() -> None:
    with pytest.raises(ValueError, match="aware"):
        MovableClock(datetime(2021, 5, 1))  # noqa: DTZ001 - that is what is refused
