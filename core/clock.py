"""The one place that reads the time. Everything else is handed a `now` or a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, cast

from flask import current_app

EXTENSION = "goalpost.clock"


class Clock(Protocol):
    """Whatever tells the time."""

    def now(self) -> datetime:
        """Return the present instant as an aware datetime in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present instant as an aware datetime in UTC."""
        return datetime.now(UTC)


class MovableClock:
    """A clock that stands still until it is moved: for the tests and the demo."""

    def __init__(self, instant: datetime) -> None:
        self.set(instant)

    def now(self) -> datetime:
        """Return the instant that the clock was last moved to."""
        return self._instant

    def set(self, instant: datetime) -> None:
        """Move the clock to `instant`, which must be aware."""
        if instant.tzinfo is None:
            raise ValueError("a clock is set to an aware datetime")
        self._instant = instant.astimezone(UTC)

    def advance(self, step: timedelta) -> None:
        """Move the clock by `step`, either way."""
        self._instant += step


class DemoClock(SystemClock):
    """The machine's clock, ahead by as many seconds as a file says: for watching months turn.

    The file is the sandbox's, which moves its own clock by as much.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """Return the present instant, as far ahead as the file says or last said."""
        with suppress(OSError, ValueError, OverflowError):
            self._ahead = timedelta(seconds=int(self._file.read_text(encoding="ascii")))
        return super().now() + self._ahead


def clock_of(file: Path | None) -> Clock:
    """Return the machine's clock, or that of a demo which a file moves."""
    return SystemClock() if file is None else DemoClock(file)


def seconds_of(clock: Clock) -> Callable[[], float]:
    """Return what tells the time of `clock` in seconds since 1970.

    For where a datetime each time would be dear: to make one takes as long as to answer a reader.
    """
    if type(clock) is SystemClock:
        return time.time
    return lambda: clock.now().timestamp()


def stopwatch() -> Callable[[], int]:
    """Return what tells how many milliseconds have passed since, however clocks are moved."""
    begun = time.monotonic()
    return lambda: round((time.monotonic() - begun) * 1000)


def current_clock() -> Clock:
    """Return the current application's clock, for what goes on when its request is over."""
    return cast("Clock", current_app.extensions[EXTENSION])


def is_moved_on_purpose() -> bool:
    """Tell whether the current application's clock is a demo's, which somebody moves."""
    return isinstance(current_app.extensions[EXTENSION], DemoClock)


def now() -> datetime:
    """Return the present instant in UTC by the current application's clock."""
    return current_clock().now()
