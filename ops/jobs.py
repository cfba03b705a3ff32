"""The scheduler's jobs: what is done, each in transactions of its own, with its last run on record.

Every job is idempotent and safe when several schedulers run it at once; a job that fails is
simply run again at its next tick.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from campaigns.announcing import announce_closed, announce_goals, unannounced_period_ids
from campaigns.rolling import Rolled, roll_due
from core.auditlog import Actor, record
from core.calls import send_due_calls
from core.clock import now, stopwatch
from core.db import in_transaction
from core.logs import bind, new_id
from core.outbox import send_due
from core.revisions import what_to_do
from core.smtp import smtp_server
from core.upkeep import all_to_forget
from core.web import settings
from core.webhooks import client_of
from ops.leaps import clock_is_believed
from ops.models import JobRun
from ops.runs import begin_run, claim_run, end_run
from ops.watch import AUDITED, note_look, note_return, tell_drift, tell_inbox, tell_return
from payments.edge import current_gateway, current_limits, open_session
from payments.fee_sums import verify_books
from payments.guarding import watch
from payments.inbox import due_event_ids, work_event
from payments.payouts import MOST_AT_ONCE, bring_payouts
from payments.privacy import Retention, tidy
from payments.reconcile import reconcile
from payments.refunding import ask_for_refund, due_refund_ids
from payments.thanking import post_thanks

log = logging.getLogger("goalpost.jobs")

AUDIT_EVERY = timedelta(hours=24)
# Each turn is a short transaction; what is left waits for the next tick.
MOST_TURNS = 50
MOST_BATCHES = 40
# A batch that closed more is one line in the log.
MOST_LINES = 20


def roll(
    told: Callable[[Sequence[Rolled]], None] | None = None, *, actor: Actor | None = None
) -> list[Rolled]:
    """Close every period that has ended and open the next; return what was closed.

    In batches, each with its notices in a transaction of its own, of which `told` hears when it is
    committed. What is left after so many batches waits for the next tick. Where an `actor` does it
    by hand, the log has a line for each period; what happens by itself has none.
    """
    rolled: list[Rolled] = []
    for _ in range(MOST_BATCHES):
        closed = in_transaction(open_session, partial(_roll_batch, actor=actor))
        if not closed:
            break
        rolled += closed
        if told:
            told(closed)
        if len(closed) <= MOST_LINES:
            for period in closed:
                log.info(
                    "closed %s %s at %s minor", period.slug, period.key, period.as_closed_minor
                )
        else:
            log.info("closed %s periods, %s so far", len(closed), len(rolled))
    return rolled


def _roll_batch(session: Session, *, actor: Actor | None) -> list[Rolled]:
    instant = now()
    closed = roll_due(session, now=instant)
    announce_closed(session, closed, base_url=settings().base_url, now=instant)
    if actor is not None:
        for period in closed:
            record(
                session,
                actor,
                "campaign.rolled",
                subject=f"campaign:{period.slug}",
                details={"closed": period.key, "opened": period.opened_key},
                now=instant,
            )
    return closed


def roll_when_sure() -> list[Rolled]:
    """Roll, unless the clock has just leapt ahead: see `ops.leaps`."""
    with open_session() as session:
        is_sure = clock_is_believed(session, now=now())
        session.commit()
    return roll() if is_sure else []


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


def ask_refunds() -> int:
    """Ask Stripe for the refunds that wait for an answer; return how many were asked for."""
    gateway = current_gateway()
    if gateway is None:
        return 0
    with open_session() as session:
        due = due_refund_ids(session, now=now())
    for request_id in due:
        asked = ask_for_refund(
            open_session, gateway, request_id, livemode=settings().livemode, now=now
        )
        log.info("refund %s: %s", request_id, asked.state)
    return len(due)


def ask_stripe() -> None:
    """Go through what happened at Stripe since the last time, in case a webhook was lost."""
    gateway = current_gateway()
    if gateway is not None:
        found = reconcile(open_session, gateway, livemode=settings().livemode, now=now)
        log.info("reconciled %s %s: %s new", found.looked_at, found.by, found.new)


def ask_payouts() -> None:
    """Bring in what Stripe paid out to the bank since the last time."""
    gateway = current_gateway()
    if gateway is not None:
        found = bring_payouts(
            open_session, gateway, livemode=settings().livemode, now=now, most=MOST_AT_ONCE
        )
        log.info("payouts: %s of %s with their lines", found.completed, found.seen)


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
            instant = now()
            count = tidy(session, retention, now=instant)
            count += sum(forget_more(session, instant) for forget_more in all_to_forget())
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
        last = session.get(JobRun, AUDITED)
        # One that lies ahead was written by a clock that was wrong.
        if last is not None and now() - AUDIT_EVERY < last.started_at <= now():
            return
        found = verify_books(session)
        differences = [str(difference) for difference in found.differences]
        tell_drift(session, differences, books="ours", now=now())
        note_look(session, AUDITED, differences, now=now())
        session.commit()
    for difference in found.differences:
        log.error("the books differ: %s", difference)


JOBS: Mapping[str, tuple[Callable[[], object], timedelta]] = MappingProxyType(
    {
        "roll": (roll_when_sure, timedelta(seconds=10)),
        "inbox": (work_inbox, timedelta(seconds=2)),
        "notices": (tell, timedelta(seconds=10)),
        "mail": (send_mail, timedelta(seconds=5)),
        "calls": (send_calls, timedelta(seconds=5)),
        "guard": (watch_guard, timedelta(seconds=30)),
        "refunds": (ask_refunds, timedelta(seconds=5)),
        "reconcile": (ask_stripe, timedelta(hours=1)),
        "payouts": (ask_payouts, timedelta(hours=1)),
        "forget": (forget, timedelta(hours=1)),
        "audit": (audit, timedelta(minutes=10)),
    }
)


def note_start(app: Flask) -> None:
    """Write down, before the first tick, for how long no scheduler ran."""
    with app.app_context():
        try:
            with open_session() as session:
                if what_to_do(session.connection()) is None:
                    note_return(session, now=now())
                    session.commit()
        except SQLAlchemyError:
            log.exception("it could not be written down that the scheduler is back")


def run_job(app: Flask, name: str) -> None:
    """Run one job and write down when it ran, for how long and how it ended. Never raises."""
    with app.app_context():
        begun_at = now()
        if _begin(name, lambda session: begin_run(session, name, now=begun_at)):
            _run(name, begun_at)


def tick(app: Flask, name: str) -> None:
    """Run one job, unless another scheduler is at it or has just been. Never raises."""
    with app.app_context():
        begun_at = now()
        every = JOBS[name][1]
        if _begin(name, lambda session: claim_run(session, name, every=every, now=begun_at)):
            _run(name, begun_at)


def _begin(name: str, claim: Callable[[Session], bool | None]) -> bool:
    """Claim a run, unless the tables are not this code's: then nothing is done until they are."""

    def claim_if_ours(session: Session) -> bool | None:
        told = what_to_do(session.connection())
        if told is not None:
            log.error("job %s is not run: the database's tables are %s", name, told)
            return False
        return claim(session)

    return _write(name, claim_if_ours)


def _run(name: str, begun_at: datetime) -> None:
    job, _ = JOBS[name]
    bind(run_id=new_id(), job=name)
    took_ms = stopwatch()
    error = None
    try:
        job()
    except Exception as failure:
        log.exception("job %s failed", name)
        error = f"{type(failure).__name__}: {failure}"
    end = partial(end_run, name=name, begun_at=begun_at, took_ms=took_ms(), error=error, now=now())
    _write(name, end)


def _write(name: str, write: Callable[[Session], bool | None]) -> bool:
    """Write about a run in a transaction of its own; tell whether that was done, and not in vain.

    Where the database does not answer there is nothing to run on: the next tick looks again.
    """
    try:
        return in_transaction(open_session, write) is not False
    except Exception:
        log.exception("job %s could not be written down", name)
        return False
