"""The runs of the jobs: who may begin one, when, and how the last one went.

A row of `job_runs` is the lease of its job. Whoever begins a run claims it by one conditional
UPDATE, so several schedulers do what one does; a run that was killed gives its lease up after a
while. Jobs are safe side by side: a lease spares work, and guards nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from core.db import insert_if_absent
from ops.models import JobRun

# For how long a run that does not end keeps others from beginning one, at the least.
_LEAST_LEASE = timedelta(minutes=1)
# After how long it is said to hang, at the least.
_LEAST_HANG = timedelta(minutes=5)
_MOST_ERROR_CHARACTERS = 500
# A tick that is this late means that no scheduler runs, or that it hangs.
LATE_TICK = timedelta(minutes=5)


def late_after(every: timedelta) -> timedelta:
    """Return how long after its last beginning a job is said to be late."""
    return max(LATE_TICK, 2 * every)


def hangs_after(every: timedelta) -> timedelta:
    """Return how long a run may take before it is said to hang."""
    return max(_LEAST_HANG, 2 * every)


def is_late(run: JobRun | None, every: timedelta, now: datetime) -> bool:
    """Tell whether a job should have been begun again, or ended, long ago; or never ran."""
    if run is None:
        return True
    passed = now - run.started_at
    return passed > late_after(every) or (run.finished_at is None and passed > hangs_after(every))


def claim_run(session: Session, name: str, *, every: timedelta, now: datetime) -> bool:
    """Begin a run, unless one is under way or has just been; tell whether it was begun.

    Half the interval is just: ticks of one scheduler come a little early and late, and two that
    tick in between each other become one. A run that is said to have begun in the future was
    written by a clock that is no more, and holds nobody up. The caller commits.
    """
    lease = max(_LEAST_LEASE, every)
    if insert_if_absent(session, JobRun, {"name": name, "started_at": now}, unique=("name",)):
        return True
    ended = JobRun.finished_at.is_not(None) & (JobRun.started_at <= now - every / 2)
    claimed = session.execute(
        update(JobRun)
        .where(
            JobRun.name == name,
            or_(ended, JobRun.started_at <= now - lease, JobRun.started_at > now + lease),
        )
        .values(started_at=now, finished_at=None)
        .returning(JobRun.name)
    )
    return claimed.first() is not None


def begin_run(session: Session, name: str, *, now: datetime) -> None:
    """Begin a run, whoever else is at it. The caller commits."""
    insert_if_absent(session, JobRun, {"name": name, "started_at": now}, unique=("name",))
    session.execute(
        update(JobRun).where(JobRun.name == name).values(started_at=now, finished_at=None)
    )


def end_run(
    session: Session,
    name: str,
    *,
    begun_at: datetime,
    took_ms: int,
    error: str | None,
    now: datetime,
) -> None:
    """Write down how a run ended, unless another has begun since. The caller commits."""
    session.execute(
        update(JobRun)
        .where(JobRun.name == name, JobRun.started_at == begun_at)
        .values(
            finished_at=now,
            took_ms=took_ms,
            error=error[:_MOST_ERROR_CHARACTERS] if error else None,
            **({} if error else {"succeeded_at": now}),
        )
    )


def last_runs(session: Session) -> dict[str, JobRun]:
    """Return the last run of each job that has run, by name."""
    return {run.name: run for run in session.scalars(select(JobRun))}
