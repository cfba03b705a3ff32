"""The scheduler's jobs: what is done, each in transactions of its own, with its last run on record.

Every job is idempotent and safe when several schedulers run it at once; a job that fails is
simply run again at its next tick.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType

from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from campaigns.announcing import announce_closed, announce_goals, unannounced_period_ids
from campaigns.audit import verify_ledger
from campaigns.rolling import Rolled, due_campaign_ids, roll_campaign
from core.calls import send_due_calls
from core.clock import now
from core.db import insert_if_absent
from core.outbox import send_due
from core.smtp import smtp_server
from core.web import settings
from core.webhooks import client_of
from ops.models import JobRun
from ops.watch import note_return, tell_drift, tell_inbox, tell_return
from payments.edge import current_gateway, current_limits, open_session
from payments.guarding import watch
from payments.inbox import due_event_ids, work_event
from payments.privacy import Retention, tidy
from payments.reconcile import reconcile
from payments.thanking import post_thanks

log = logging.getLogger("goalpost.jobs")

AUDIT_EVERY = timedelta(hours=24)
# Each turn is a short transaction; what is left waits for the next tick.
MOST_TURNS = 50


def roll() -> list[Rolled]:
    """Close every period that has ended and open the next, each campaign in its own transaction."""
    with open_session() as session:
        due = due_campaign_ids(session, now=now())
    rolled: list[Rolled] = []
    for campaign_id in due:
        with open_session() as session:
            closed = roll_campaign(session, campaign_id, now=now())
            for period in closed:
                announce_closed(session, period, base_url=settings().base_url, now=now())
            session.commit()
        for period in closed:
            log.info("closed %s %s at %s minor", period.slug, period.key, period.as_closed_minor)
        rolled += closed
    return rolled


def work_inbox() -> int:
    """Work the events that are due; return how many were tried."""
    gateway = current_gateway()
    if gateway is None:
        return 0
    with open_session() as session:
        due = due_event_ids(session, now=now())
    for event_id in due:
        state = work_event(open_session, gateway, event_id, livemode=settings().livemode, now=now)
        log.info("event %s: %s", event_id, state)
    return len(due)


def ask_stripe() -> None:
    """Go through what happened at Stripe since the last time, in case a webhook was lost."""
    gateway = current_gateway()
    if gateway is not None:
        found = reconcile(open_session, gateway, livemode=settings().livemode, now=now)
        log.info("reconciled %s %s: %s new", found.looked_at, found.by, found.new)


def send_mail() -> int:
    """Post the thanks and send the mails that are due; return how many were sent."""
    chosen = settings()
    if chosen.mail_url is None or chosen.mail_from is None:
        return 0
    with open_session() as session:
        post_thanks(session, site_name=chosen.site_name, base_url=chosen.base_url, now=now())
        session.commit()
    connect = smtp_server(chosen.mail_url.get_secret_value())
    return send_due(open_session, connect, sender=chosen.mail_from, now=now)


def send_calls() -> int:
    """Make the calls to webhooks that are due; return how many were taken."""
    return send_due_calls(open_session, client_of(settings()).post, now=now)


def tell() -> None:
    """Post the notices that nobody's own work posts: goals, a stuck inbox, a scheduler's return."""
    with open_session() as session:
        period_ids = unannounced_period_ids(session)
    for period_id in period_ids:
        with open_session() as session:
            announce_goals(session, period_id, base_url=settings().base_url, now=now())
            session.commit()
    with open_session() as session:
        tell_inbox(session, now=now())
        tell_return(session, now=now())
        session.commit()


def forget() -> int:
    """Take away personal data that is older than it is to be kept; return how many rows."""
    chosen = settings()
    retention = Retention(
        messages=timedelta(days=chosen.keep_messages_days),
        events=timedelta(days=chosen.keep_events_days),
        abandoned=timedelta(days=chosen.keep_abandoned_days),
        mail=timedelta(days=chosen.keep_mail_days),
    )
    total = 0
    for _ in range(MOST_TURNS):
        with open_session() as session:
            count = tidy(session, retention, now=now())
            session.commit()
        total += count
        if not count:
            break
    return total


def watch_guard() -> int:
    """Guard forms with which cards are tested, also where nobody sends one; return how many are."""
    with open_session() as session:
        over = watch(session, current_limits(), now=now())
        session.commit()
    return over


def audit() -> None:
    """Hold all totals against the ledger, once a day; log and tell every difference."""
    with open_session() as session:
        last = session.get(JobRun, "audit-done")
        if last is not None and last.started_at > now() - AUDIT_EVERY:
            return
        found = verify_ledger(session)
        differences = [str(difference) for difference in found.differences]
        tell_drift(session, differences, books="ours", now=now())
        _write_start(session, "audit-done")
        session.commit()
    for difference in found.differences:
        log.error("the books differ: %s", difference)


JOBS: Mapping[str, tuple[Callable[[], object], timedelta]] = MappingProxyType(
    {
        "roll": (roll, timedelta(seconds=10)),
        "inbox": (work_inbox, timedelta(seconds=2)),
        "notices": (tell, timedelta(seconds=10)),
        "mail": (send_mail, timedelta(seconds=5)),
        "calls": (send_calls, timedelta(seconds=5)),
        "guard": (watch_guard, timedelta(seconds=30)),
        "reconcile": (ask_stripe, timedelta(hours=1)),
        "forget": (forget, timedelta(hours=1)),
        "audit": (audit, timedelta(minutes=10)),
    }
)


def note_start(app: Flask) -> None:
    """Write down, before the first tick, for how long no scheduler ran."""
    with app.app_context():
        try:
            with open_session() as session:
                note_return(session, now=now())
                session.commit()
        except SQLAlchemyError:
            log.exception("it could not be written down that the scheduler is back")


def run_job(app: Flask, name: str) -> None:
    """Run one job and write down when it ran and how it ended. Never raises."""
    job, _ = JOBS[name]
    with app.app_context():
        try:
            with open_session() as session:
                _write_start(session, name)
                session.commit()
            job()
        except Exception as error:
            log.exception("job %s failed", name)
            _write_end(name, f"{type(error).__name__}: {error}")
        else:
            _write_end(name, None)


def _write_start(session: Session, name: str) -> None:
    insert_if_absent(session, JobRun, {"name": name, "started_at": now()}, unique=("name",))
    session.execute(
        update(JobRun).where(JobRun.name == name).values(started_at=now(), finished_at=None)
    )


def _write_end(name: str, error: str | None) -> None:
    try:
        with open_session() as session:
            session.execute(
                update(JobRun)
                .where(JobRun.name == name)
                .values(finished_at=now(), error=error[:500] if error else None)
            )
            session.commit()
    except Exception:
        log.exception("the end of job %s could not be written down", name)


def last_runs(session: Session) -> dict[str, JobRun]:
    """Return the last run of each job that has run, by name."""
    return {run.name: run for run in session.scalars(select(JobRun))}
