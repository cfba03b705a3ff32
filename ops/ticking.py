"""Ticks: APScheduler as a clock, which is not thrown by the machine's own.

Its interval trigger makes up a list of every tick that a clock's leap ahead has missed, which takes
minutes and gigabytes for a year; after a leap back it waits until the old time comes again. So the
trigger is ours, and somebody looks after the ticks. Slow to import: for whoever runs a scheduler.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Thread

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from core.clock import SystemClock

_SLACK = timedelta(seconds=5)
_LOOK_EVERY_SECONDS = 5.0


class _Every(BaseTrigger):  # type: ignore[misc] # APScheduler carries no types
    """Each so often; what was missed is one tick, and not a list of them."""

    def __init__(self, step: timedelta) -> None:
        self.step = step

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Return the next tick: the first one at once, and after a gap counted from now."""
        if previous is None:
            return now
        following = previous + self.step
        return following if following > now else now + self.step


class Ticks:
    """Calls each of its jobs at once and each so often, in threads; never one beside itself."""

    def __init__(
        self, jobs: Mapping[str, timedelta], tick: Callable[[str], None], *, stop_seconds: float
    ) -> None:
        # A tick that did nothing is not news, and there are many. One that finds its job still at
        # work is a warning of APScheduler's; of one that hangs we tell by ourselves.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._tick = tick
        self._stop_seconds = stop_seconds
        self._stopping = Event()
        self._lock = Lock()
        self._running: set[str] = set()
        self._idle = Event()
        self._idle.set()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            # One for each: a job that hangs keeps its own place, and no other's.
            executors={"default": ThreadPoolExecutor(len(jobs))},
        )
        for name, every in jobs.items():
            self._scheduler.add_job(
                self._run,
                _Every(every),
                args=(name,),
                id=name,
                # However late a tick is, it is run, once: the default drops it after a second.
                misfire_grace_time=None,
                coalesce=True,
                max_instances=1,
            )

    def start(self) -> None:
        """Begin to tick."""
        self._scheduler.start()
        Thread(target=self._keep_looking, name="ticks", daemon=True).start()

    def look_after(self) -> None:
        """Bring back the ticks that lie further ahead than they can: the clock has gone back."""
        now = SystemClock().now()
        for job in self._scheduler.get_jobs():
            if job.next_run_time and job.next_run_time - now > job.trigger.step + _SLACK:
                job.modify(next_run_time=now)

    def stop(self) -> list[str]:
        """Begin nothing any more, and wait for what runs; return what did not end in time."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._scheduler.shutdown(wait=False)
        self._idle.wait(self._stop_seconds)
        with self._lock:
            return sorted(self._running)

    def _keep_looking(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY_SECONDS):
            self.look_after()

    def _run(self, name: str) -> None:
        with self._lock:
            if self._stopping.is_set():
                return
            self._running.add(name)
            self._idle.clear()
        try:
            self._tick(name)
        finally:
            with self._lock:
                self._running.discard(name)
                if not self._running:
                    self._idle.set()
