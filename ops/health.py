"""Whether this process lives, and whether the whole is ready: for probes, `doctor` and people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Literal

from flask import Blueprint, Flask, Response, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from typing_extensions import TypedDict

from core.calls import OutboxCall
from core.clock import now
from core.db import read_session
from core.openapi import described
from core.outbox import OutboxMail
from core.revisions import what_to_do
from core.sending import Sendable, read_unsent
from core.web import settings
from ops import lookout, metrics
from ops.jobs import JOBS
from ops.models import JobRun
from ops.runs import hangs_after, last_runs, late_after
from payments.edge import current_limits
from payments.guarding import read_standings
from payments.inbox import OLD_BACKLOG, read_backlog
from payments.refund_view import read_unanswered
from payments.tallies import told

bp = Blueprint("health", __name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `needed` says whether the site can serve without it."""

    name: str
    ok: bool
    message: str
    needed: bool = False
    # For whoever runs the site, and nobody else: what went wrong, in the words of the error.
    detail: str = ""


def init_app(app: Flask) -> None:
    """Register the probes, the metrics, and the look at the scheduler."""
    app.register_blueprint(bp)
    metrics.init_app(app)
    lookout.init_app(app)


class LiveJson(TypedDict):
    """Says that the process answers."""

    status: Literal["ok"]


class CheckJson(TypedDict):
    """One thing that was looked at."""

    ok: bool
    message: str


class ReadyJson(TypedDict):
    """Whether readers can be served, and all that was looked at, by name."""

    status: Literal["ready", "not ready"]
    checks: dict[str, CheckJson]


@bp.get("/livez")
@described(LiveJson)
def livez() -> LiveJson:
    """Tell that this process answers."""
    return {"status": "ok"}


@bp.get("/readyz")
@described(ReadyJson, also=((HTTPStatus.SERVICE_UNAVAILABLE, ReadyJson),))
def readyz() -> tuple[Response, int]:
    """Tell whether readers can be served: 503 where something needed is missing.

    A late scheduler or a backlog is shown and does not take the site down: no total depends on
    them (docs/adr/0003).
    """
    findings = list(examine())
    ready = all(finding.ok for finding in findings if finding.needed)
    body: ReadyJson = {
        "status": "ready" if ready else "not ready",
        "checks": {one.name: {"ok": one.ok, "message": one.message} for one in findings},
    }
    return jsonify(body), HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE


def examine() -> Iterator[Finding]:
    """Look at the database, its migrations, the jobs, the inbox and the outboxes."""
    try:
        session = read_session()
        session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        yield Finding("database", ok=False, message="does not answer", needed=True)
        return
    yield Finding("database", ok=True, message="answers", needed=True)
    migrations = _migrations(session)
    yield migrations
    if not migrations.ok:
        return
    yield from _jobs(session, now())
    yield _inbox(session, now())
    yield _refunds(session)
    yield _outbox(session, OutboxMail, "mail", now())
    yield _outbox(session, OutboxCall, "calls", now())
    yield _guard(session, now())


def _migrations(session: Session) -> Finding:
    told = what_to_do(session.connection())
    return Finding("migrations", ok=told is None, message=told or "up to date", needed=True)


def _jobs(session: Session, instant: datetime) -> Iterator[Finding]:
    runs = last_runs(session)
    for name, (_, every) in JOBS.items():
        yield _job(f"job {name}", runs.get(name), every, instant)


def _job(name: str, run: JobRun | None, every: timedelta, instant: datetime) -> Finding:
    if run is None:
        return Finding(
            name, ok=False, message="has never run: start `flask --app app scheduler run`"
        )
    begun = f"{run.started_at:%F %T} UTC"
    is_running = run.finished_at is None
    if is_running and instant - run.started_at > hangs_after(every):
        # Nobody can tell from here which of the two it is.
        return Finding(name, ok=False, message=f"hangs, or was killed: begun {begun}, not ended")
    told = f"last begun {begun}, " + ("is running" if is_running else f"took {run.took_ms or 0} ms")
    if instant - run.started_at > late_after(every):
        return Finding(name, ok=False, message=f"is late: {told}", detail=run.error or "")
    if run.error is not None:
        message = f"failed the last time: {told}; see the log"
        return Finding(name, ok=False, message=message, detail=run.error)
    return Finding(name, ok=True, message=told)


def _inbox(session: Session, instant: datetime) -> Finding:
    backlog = read_backlog(session)
    count = backlog.waiting + backlog.failed
    message = f"{backlog.waiting} waiting, {backlog.failed} failed"
    old = backlog.is_old(instant)
    if count and old:
        message += f", the oldest since {backlog.oldest_received_at:%F %T} UTC"
    return Finding("inbox", ok=not old, message=message)


def _refunds(session: Session) -> Finding:
    unanswered = read_unanswered(session)
    message = f"{unanswered.waiting} waiting, {unanswered.given_up} given up"
    if unanswered.given_up:
        message += ": see `flask --app app stripe refunds`"
    return Finding("refunds", ok=not unanswered.given_up, message=message)


def _outbox(session: Session, kind: type[Sendable], name: str, instant: datetime) -> Finding:
    unsent = read_unsent(session, kind)
    message = f"{unsent.waiting} waiting, {unsent.failed} given up"
    oldest = unsent.oldest_posted_at
    old = oldest is not None and instant - oldest > OLD_BACKLOG
    if oldest is not None and old:
        message += f", the oldest since {oldest:%F %T} UTC"
    if unsent.failed:
        message += ": see `flask --app app outbox list`"
    return Finding(name, ok=not old and not unsent.failed, message=message)


def _guard(session: Session, instant: datetime) -> Finding:
    limits = current_limits()
    if limits is None:
        return Finding("guard", ok=not settings().livemode, message="is off: RATELIMIT_ENABLED")
    guarded = [
        f"{standing.scope} is guarded: {told(standing.counts)}"
        for standing in read_standings(session, limits, now=instant)
        if standing.is_guarded
    ]
    message = "; ".join(guarded) or "nothing is guarded"
    return Finding("guard", ok=not guarded, message=message)
