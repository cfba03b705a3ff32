"""A bell that rings on every commit, so that background work sleeps until there is some."""

import threading


class Changes:
    """Count the commits; let others wait for the next."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """How many commits there were: read it before looking, and wait beyond it after."""
        with self._condition:
            return self._count

    def ring(self) -> None:
        """Tell everybody who waits that something was committed, or that it is time to stop."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait_beyond(self, count: int, *, timeout_seconds: float) -> None:
        """Sleep until there are more commits than `count`, or the time is up."""
        with self._condition:
            self._condition.wait_for(lambda: self._count > count, timeout=timeout_seconds)
