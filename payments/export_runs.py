"""Exports under way and past: begun, moved on and ended, each step a transaction of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from core.auditlog import Actor, record
from core.errors import TooMany
from payments.export_filters import Export
from payments.export_models import UNDER_WAY, ExportRun, RunState

# Each holds a thread of the server for as long as its reader takes.
MOST_AT_ONCE = 4
# For how long one may not move before it is taken for dead: killed with its process.
DEAD_AFTER = timedelta(minutes=10)
MOST_LISTED = 50


def begin_run(session: Session, export: Export, *, actor: Actor, now: datetime) -> ExportRun:
    """Write down that somebody takes something out, here and in the audit log; the caller commits.

    Raises TooMany where as many as may be are under way. Those that were killed are written off.
    """
    session.execute(
        update(ExportRun)
        .where(text(UNDER_WAY), ExportRun.moved_at < now - DEAD_AFTER)
        .values(state=RunState.CUT_OFF, finished_at=now)
        .execution_options(synchronize_session=False)
    )
    under_way = select(func.count()).select_from(ExportRun).where(text(UNDER_WAY))
    if session.scalars(under_way).one() >= MOST_AT_ONCE:
        raise TooMany(f"{MOST_AT_ONCE} exports are under way. Wait until one of them is done.")
    run = ExportRun(
        what=export.what,
        format=export.format,
        filters=export.filters_json(),
        personal=export.personal,
        actor_id=actor.id,
        actor_name=actor.name[:255],
        state=RunState.RUNNING,
        started_at=now,
        moved_at=now,
    )
    session.add(run)
    session.flush()
    record(
        session,
        actor,
        "export.begun",
        subject=f"export:{run.id}",
        details={
            "what": export.what.value,
            "format": export.format.value,
            "donors_data": export.personal,
            **export.filters(),
        },
        now=now,
    )
    return run


def move_run(
    session: Session, run_id: int, *, rows_done: int, rows_total: int | None, now: datetime
) -> None:
    """Write down how far an export is. The caller commits."""
    session.execute(
        update(ExportRun)
        .where(ExportRun.id == run_id)
        .values(rows_done=rows_done, rows_total=rows_total, moved_at=now)
    )


def end_run(
    session: Session, run_id: int, state: RunState, *, rows_done: int, now: datetime
) -> None:
    """Write down how an export ended; one that was written off and came to its end counts as such.

    The caller commits.
    """
    session.execute(
        update(ExportRun)
        .where(ExportRun.id == run_id)
        .values(state=state, rows_done=rows_done, moved_at=now, finished_at=now)
    )


def list_runs(session: Session, *, limit: int = MOST_LISTED) -> Sequence[ExportRun]:
    """Return the latest exports, the newest first."""
    return session.scalars(select(ExportRun).order_by(ExportRun.id.desc()).limit(limit)).all()


def is_dead(run: ExportRun, *, now: datetime) -> bool:
    """Tell whether an export says that it is under way and has not moved for long."""
    return run.state == RunState.RUNNING and run.moved_at < now - DEAD_AFTER
