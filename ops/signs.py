"""How the installation fares, in a few words each: for the line on the admin's first page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from babel.dates import format_timedelta
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.calls import OutboxCall
from core.outbox import OutboxMail
from core.sending import Sendable, read_unsent
from core.web import settings
from ops.jobs import JOBS
from ops.models import JobRun
from ops.runs import last_runs
from ops.watch import AUDITED, COMPARED, is_late, newest
from payments.inbox import OLD_BACKLOG, read_backlog
from payments.models import InboxEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One thing that was looked at: how it is, and, where that is not well, what to do."""

    name: str
    told: str
    todo: str = ""

    @property
    def ok(self) -> bool:
        """Whether all is well with it."""
        return not self.todo


def read_signs(session: Session, *, now: datetime) -> tuple[Sign, ...]:
    """Look at webhooks, the inbox, the scheduler, the books and the outboxes, in six queries."""
    runs = last_runs(session)
    return (
        _webhook(session, now),
        _inbox(session, now),
        _scheduler(runs, now),
        _books(runs, now),
        _outbox(session, OutboxMail, "Mail", now),
        _outbox(session, OutboxCall, "Calls", now),
    )


def _webhook(session: Session, now: datetime) -> Sign:
    received_at = session.scalar(
        select(InboxEvent.received_at).order_by(InboxEvent.id.desc()).limit(1)
    )
    told = "none yet" if received_at is None else _ago(received_at, now)
    todo = ""
    if settings().stripe_secret_key is None:
        told = "Stripe is not connected"
    elif not settings().stripe_webhook_secret:
        todo = "Set STRIPE_WEBHOOK_SECRET: `flask --app app stripe connect` gives you one."
    return Sign(name="Last webhook", told=told, todo=todo)


def _inbox(session: Session, now: datetime) -> Sign:
    backlog = read_backlog(session)
    told = f"{backlog.waiting} waiting, {backlog.failed} failed"
    if not backlog.waiting and not backlog.failed:
        told = "empty"
    todo = ""
    if backlog.is_old(now):
        todo = (
            "Gifts may be missing on the bar: `flask --app app inbox list` shows what keeps them."
        )
    return Sign(name="Inbox", told=told, todo=todo)


def _scheduler(runs: Mapping[str, JobRun], now: datetime) -> Sign:
    tick = newest(runs.values())
    start = "Start it with `flask --app app scheduler run`: without it no month is closed"
    start += " and no mail is sent."
    if tick is None:
        return Sign(name="Scheduler", told="has never run", todo=start)
    told = _ago(tick, now)
    if is_late(tick, now):
        return Sign(name="Scheduler", told=told, todo=start)
    failed = sorted(name for name in JOBS if name in runs and runs[name].error)
    if failed:
        told += f", {', '.join(failed)} failed"
        return Sign(
            name="Scheduler",
            told=told,
            todo="`flask --app app doctor` tells why. It is tried again by itself.",
        )
    return Sign(name="Scheduler", told=told)


def _books(runs: Mapping[str, JobRun], now: datetime) -> Sign:
    """Tell what the last looks found: at our own entries, nightly, and at Stripe's, by command."""
    looks = [
        (AUDITED, "agree", "`flask --app app ledger verify` names each difference."),
        (
            COMPARED,
            "agree with Stripe’s",
            "`flask --app app stripe reconcile` brings the books along.",
        ),
    ]
    well = []
    for name, agree, todo in looks:
        run = runs.get(name)
        if run is not None and run.error:
            return Sign(name="Books", told=f"{run.error}, {_ago(run.started_at, now)}", todo=todo)
        if run is not None:
            well.append(f"{agree}, {_ago(run.started_at, now)}")
    return Sign(name="Books", told="; ".join(well) or "not looked at yet")


def _outbox(session: Session, kind: type[Sendable], name: str, now: datetime) -> Sign:
    unsent = read_unsent(session, kind)
    told = f"{unsent.waiting} waiting" if unsent.waiting else "all sent"
    oldest = unsent.oldest_posted_at
    todo = ""
    if unsent.failed:
        told = f"{unsent.failed} given up" + (
            f", {unsent.waiting} waiting" if unsent.waiting else ""
        )
        todo = "`flask --app app outbox list` shows them, `outbox retry` sends them again."
    elif oldest is not None and now - oldest > OLD_BACKLOG:
        todo = "They wait too long: look at the scheduler, and at MAIL_URL."
    return Sign(name=name, told=told, todo=todo)


def _ago(instant: datetime, now: datetime) -> str:
    passed = now - instant
    if passed < timedelta(minutes=1):
        return "just now"
    return f"{format_timedelta(passed, threshold=1.5, locale='en')} ago"
