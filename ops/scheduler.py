"""The scheduler: APScheduler ticks, and what there is to do stands in our tables.

An interval tick in UTC, not a cron trigger: the trigger for "midnight on the first" skips months
around daylight saving time in many zones (docs/adr/0004). It runs in a process of its own, or
inside a web process (`SCHEDULER`); several do what one does (`ops.runs`).
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from datetime import timedelta
from functools import partial

from flask import Flask

from core.settings import Settings
from core.web import EXTENSION
from ops import jobs

log = logging.getLogger("goalpost.scheduler")

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run_scheduler(app: Flask) -> None:
    """Run the jobs until SIGTERM or SIGINT, then let what is running finish.

    Where a job does not end in time, this process ends with status 1, and says which it was.
    """
    from ops.ticking import Ticks  # noqa: PLC0415 - slow to import, and few processes need it

    # Blocked in every thread and waited for below: a handler could come while a lock is held that
    # it needs.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    ticks = Ticks(_intervals(), partial(jobs.tick, app), stop_seconds=_stop_seconds(app))
    jobs.note_start(app)
    ticks.start()
    log.info("scheduler started: %s", ", ".join(jobs.JOBS))
    signal.sigwait(_STOP_SIGNALS)
    hanging = ticks.stop()
    if hanging:
        log.error("scheduler stopped; did not end: %s", ", ".join(hanging))
        _end_at_once()
    log.info("scheduler stopped")


def _end_at_once() -> None:
    """End with status 1: the interpreter would wait for the thread that hangs, for ever."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def init_app(app: Flask) -> None:
    """Have the web process that serves `app` run the scheduler too, where the settings say so.

    It begins with the first request, and so never in a command, nor in a process that only forks
    or reloads those that serve; a process that is forked later begins its own.
    """
    settings: Settings = app.extensions[EXTENSION]
    if settings.scheduler != "inside":
        return
    lock = threading.Lock()
    begun_in = 0

    @app.before_request
    def begin() -> None:
        nonlocal begun_in
        if begun_in == os.getpid():
            return
        with lock:
            if begun_in != os.getpid():
                begun_in = os.getpid()
                threading.Thread(
                    target=_run_inside, args=(app,), name="scheduler", daemon=True
                ).start()


def _run_inside(app: Flask) -> None:
    """Run the jobs until the main thread ends; the interpreter then waits for what still runs.

    What hangs is ended by whoever ends the web server, as a request that hangs is.
    """
    from ops.ticking import Ticks  # noqa: PLC0415 - slow to import, and few processes need it

    ticks = Ticks(_intervals(), partial(jobs.tick, app), stop_seconds=_stop_seconds(app))
    jobs.note_start(app)
    ticks.start()
    log.info("scheduler started inside the web process %s: %s", os.getpid(), ", ".join(jobs.JOBS))
    threading.main_thread().join()
    ticks.stop()


def _intervals() -> dict[str, timedelta]:
    return {name: every for name, (_, every) in jobs.JOBS.items()}


def _stop_seconds(app: Flask) -> float:
    settings: Settings = app.extensions[EXTENSION]
    return settings.scheduler_stop_seconds
