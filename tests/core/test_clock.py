from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from core.clock import DemoClock, MovableClock, SystemClock, clock_of


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


def test_demo_clock_follows_its_file_and_is_the_machines_without_one(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    clock = clock_of(file)
    assert isinstance(clock, DemoClock)
    begun = SystemClock().now()
    assert clock.now() - begun < timedelta(hours=1)
    file.write_text("2592000\n")
    assert timedelta(days=30) <= clock.now() - begun < timedelta(days=30, hours=1)
    file.write_text("nonsense")  # as while it is written: what was said last
    assert clock.now() - begun >= timedelta(days=30)


def test_site_without_such_a_file_goes_by_the_machine() -> None:
    assert type(clock_of(None)) is SystemClock
