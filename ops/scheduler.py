"""APScheduler, used as a clock only: it ticks, and what there is to do stands in our tables.

An interval tick in UTC, not a cron trigger: the trigger for "midnight on the first" skips months
around daylight saving time in many zones (docs/adr/0004).
"""

from __future__ import annotations

import logging
import signal
import threading
from datetime import UTC

from flask import Flask

from ops.jobs import JOBS, note_start, run_job


def run_scheduler(app: Flask) -> None:
    """Run the jobs until SIGTERM or SIGINT, then let what is running finish."""
    from apscheduler.schedulers.background import BackgroundScheduler  # noqa: PLC0415 - slow to import, and only this process needs it

    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    # A tick that did nothing is not news, and there are many.
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    scheduler = BackgroundScheduler(timezone=UTC)
    for name, (_, every) in JOBS.items():
        scheduler.add_job(
            run_job,
            "interval",
            args=(app, name),
            seconds=every.total_seconds(),
            id=name,
            # However late a tick is, it is run, once: the default drops it after a second.
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
        )
        # And once at the start: what was missed while nobody ran should not wait for a tick.
        scheduler.add_job(run_job, args=(app, name), misfire_grace_time=None)
    note_start(app)
    scheduler.start()
    app.logger.info("scheduler started: %s", ", ".join(JOBS))
    stopped.wait()
    scheduler.shutdown(wait=True)
    app.logger.info("scheduler stopped")
