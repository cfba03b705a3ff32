"""What a monitor is told: numbers, each read from the database, and so the same by every process.

Nothing is counted in a process: which of several answers is chance, and what each had counted would
go up and down. A process's own snapshots are no number for the same reason; none is older than
SNAPSHOT_SECONDS while the database answers, which is one.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from campaigns.models import Campaign, Period
from campaigns.rolling import read_overdue
from core.calls import OutboxCall
from core.money import exponent
from core.notices import NoticeEpisode
from core.outbox import OutboxMail
from core.release import RELEASE
from core.revisions import current_revisions, newest_revisions
from core.sending import Sendable, SendState, read_unsent
from ops.jobs import JOBS
from ops.models import JobRun
from ops.runs import is_late, last_runs
from ops.watch import AUDITED, BACKED_UP, COMPARED, differences_of, newest
from payments.edge import current_limits
from payments.guarding import read_standings
from payments.inbox import read_backlog
from payments.models import InboxEvent, QuarantinedPayment, QuarantineState, ReconcileCursor
from payments.refund_view import read_unanswered

_CLOCK = "clock"  # the episode of ops.leaps


@dataclass(frozen=True, slots=True)
class Sample:
    """One number; `labels` are the values of its gauge's."""

    value: float
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gauge:
    """Something that is measured. Its name says the unit: `_minor`, `_seconds`, `_timestamp_…`."""

    name: str
    told: str
    samples: Sequence[Sample]
    labels: tuple[str, ...] = ()


def measure(open_session: Callable[[], Session], *, now: datetime) -> list[Gauge]:
    """Measure everything; where the database does not answer, that alone. Never raises for it.

    Some twenty queries, of which one takes longer with the
    years: the sums of all periods, a row for each campaign and month.
    """
    told = [
        Gauge(
            "build_info",
            "Which release this is, and the revision of the tables that it wants.",
            [
                Sample(
                    1, (RELEASE, ", ".join(sorted(newest_revisions())), platform.python_version())
                )
            ],
            ("release", "revision", "python"),
        ),
        _one("measured_timestamp_seconds", "When these numbers were read.", now.timestamp()),
    ]
    try:
        return [*told, *_of_database(open_session(), now)]
    except SQLAlchemyError:
        return [*told, _up(value=False)]


def _of_database(session: Session, now: datetime) -> Iterator[Gauge]:
    is_current = current_revisions(session.connection()) == newest_revisions()
    yield _up(value=True)
    yield _one(
        "schema_current", "1 where the tables are those that this release wants.", is_current
    )
    if not is_current:
        return
    runs = last_runs(session)
    yield from _jobs(runs, now)
    yield from _books(session, runs)
    yield from _months(session, now)
    yield from _inbox(session, now)
    yield from _outboxes(session, now)
    yield from _payments(session, now)
    yield from _clock(session, now)
    yield from _money(session)


def _jobs(runs: dict[str, JobRun], now: datetime) -> Iterator[Gauge]:
    of = [(name, every, runs.get(name)) for name, (_, every) in JOBS.items()]
    # Not `job`: that is what Prometheus calls the whole site.
    label = ("name",)
    yield _one(
        "scheduler_tick_timestamp_seconds",
        "When a scheduler last began anything; 0 where none ever ran.",
        _seconds(newest(runs.values())),
    )
    yield Gauge(
        "job_started_timestamp_seconds",
        "When a job last began; 0 where it never has.",
        [Sample(_seconds(run.started_at if run else None), (name,)) for name, _, run in of],
        label,
    )
    yield Gauge(
        "job_succeeded_timestamp_seconds",
        "When a job last ended well; 0 where it never has.",
        [Sample(_seconds(run.succeeded_at if run else None), (name,)) for name, _, run in of],
        label,
    )
    yield Gauge(
        "job_duration_seconds",
        "How long the last run took that came to its end.",
        [Sample((run.took_ms or 0) / 1000, (name,)) for name, _, run in of if run],
        label,
    )
    yield Gauge(
        "job_failed",
        "1 where the last run that ended failed.",
        [Sample(bool(run and run.error), (name,)) for name, _, run in of],
        label,
    )
    yield Gauge(
        "job_late",
        "1 where a job should have been begun again, or ended, long ago, or never ran.",
        [Sample(is_late(run, every, now), (name,)) for name, every, run in of],
        label,
    )


def _books(session: Session, runs: dict[str, JobRun]) -> Iterator[Gauge]:
    looks = [
        (runs.get(name), (books,)) for name, books in ((AUDITED, "ours"), (COMPARED, "stripe"))
    ]
    yield Gauge(
        "books_differences",
        "Differences that the last look found: between our totals and entries, or from Stripe's.",
        [Sample(differences_of(run), labels) for run, labels in looks if run],
        ("books",),
    )
    yield Gauge(
        "books_looked_at_timestamp_seconds",
        "When that was: ours nightly, Stripe's by `stripe reconcile`; 0 where never.",
        [Sample(_seconds(run.started_at if run else None), labels) for run, labels in looks],
        ("books",),
    )
    reached = session.scalar(select(func.min(ReconcileCursor.reached_at)))
    yield _one(
        "reconciled_timestamp_seconds",
        "Up to when all that happened at Stripe is in the books; 0 where that was never asked.",
        _seconds(reached),
    )
    copied = runs.get(BACKED_UP)
    yield _one(
        "backup_timestamp_seconds",
        "When `backup` last wrote a copy that is whole; 0 where it never has.",
        _seconds(copied.succeeded_at if copied else None),
    )


def _months(session: Session, now: datetime) -> Iterator[Gauge]:
    count, first = read_overdue(session, now=now)
    yield _one(
        "periods_overdue",
        "Periods that have ended and are not closed, of each campaign the first.",
        count,
    )
    yield _one(
        "periods_overdue_seconds", "For how long the first of them has been over.", _age(first, now)
    )


def _inbox(session: Session, now: datetime) -> Iterator[Gauge]:
    backlog = read_backlog(session)
    yield Gauge(
        "inbox_events",
        "Stripe's events that are not worked: waiting for their first try, or failed.",
        [Sample(backlog.waiting, ("waiting",)), Sample(backlog.failed, ("failed",))],
        ("state",),
    )
    yield _one(
        "inbox_oldest_seconds",
        "For how long the oldest of them has waited; 0 where none does.",
        _age(backlog.oldest_received_at, now),
    )
    last = select(InboxEvent.received_at).order_by(InboxEvent.id.desc()).limit(1)
    yield _one(
        "inbox_received_timestamp_seconds",
        "When the last event came; 0 where none ever did.",
        _seconds(session.scalar(last)),
    )


def _outboxes(session: Session, now: datetime) -> Iterator[Gauge]:
    rows: list[Sample] = []
    oldest: list[Sample] = []
    kinds: tuple[tuple[str, type[Sendable]], ...] = (("mail", OutboxMail), ("calls", OutboxCall))
    for name, kind in kinds:
        unsent = read_unsent(session, kind)
        tried = select(func.count()).where(
            kind.state == SendState.WAITING, kind.recipient != "", kind.error.is_not(None)
        )
        failing = session.scalar(tried) or 0
        rows += [
            Sample(unsent.waiting - failing, (name, "waiting")),
            Sample(failing, (name, "failing")),
            Sample(unsent.failed, (name, "given_up")),
        ]
        oldest.append(Sample(_age(unsent.oldest_posted_at, now), (name,)))
    yield Gauge(
        "outbox",
        "Mails, and calls to webhooks and chats: waiting, failing (tried in vain), given up.",
        rows,
        ("kind", "state"),
    )
    yield Gauge(
        "outbox_oldest_seconds",
        "For how long the oldest has waited that is not given up; 0 where none does.",
        oldest,
        ("kind",),
    )


def _payments(session: Session, now: datetime) -> Iterator[Gauge]:
    refunds = read_unanswered(session)
    yield Gauge(
        "refunds",
        "Refunds that Stripe was asked for, without an answer: waiting, or given up.",
        [Sample(refunds.waiting, ("waiting",)), Sample(refunds.given_up, ("given_up",))],
        ("state",),
    )
    held = select(func.count()).where(QuarantinedPayment.state == QuarantineState.HELD)
    yield _one(
        "quarantine_held",
        "Payments that came in and are not counted until somebody decides.",
        session.scalar(held) or 0,
    )
    limits = current_limits()
    standings = read_standings(session, limits, now=now) if limits else ()
    yield _one(
        "forms_guarded",
        "Forms that are guarded, as cards are being tested; the site as a whole is one.",
        sum(standing.is_guarded for standing in standings),
    )


def _clock(session: Session, now: datetime) -> Iterator[Gauge]:
    doubted = session.get(NoticeEpisode, _CLOCK) is not None
    yield _one(
        "clock_doubted", "1 while the clock has just leapt ahead, and no month is closed.", doubted
    )
    skews = []
    if session.get_bind().dialect.name == "postgresql":
        # Its time decides nothing here; it is only compared.
        theirs = session.scalar(text("SELECT extract(epoch FROM clock_timestamp())"))
        skews = [Sample(now.timestamp() - float(theirs or 0))]
    yield Gauge(
        "clock_ahead_seconds",
        "By how much this machine's clock is ahead of PostgreSQL's; nothing on SQLite.",
        skews,
    )


def _money(session: Session) -> Iterator[Gauge]:
    sums = session.execute(
        select(
            Campaign.currency,
            func.sum(Period.donation_count),
            func.sum(Period.raised_minor),
            func.sum(Period.cover_minor),
        )
        .join(Campaign, Campaign.id == Period.campaign_id)
        .group_by(Campaign.currency)
        .order_by(Campaign.currency)
    ).all()
    units = [Sample(10 ** exponent(row[0]), (row[0],)) for row in sums]
    yield Gauge("minor_per_unit", "How many of its smallest unit make one.", units, ("currency",))
    told = (
        ("donations", "Gifts of which something is left, of all periods."),
        ("raised_minor", "What all periods raised, net, in the currency's smallest unit."),
        ("cover_minor", "What donors added to cover the fees, in the same unit."),
    )
    for number, (name, about) in enumerate(told, start=1):
        samples = [Sample(int(row[number]), (row[0],)) for row in sums]
        yield Gauge(name, about, samples, ("currency",))


def _up(*, value: bool) -> Gauge:
    return _one("database_up", "1 where the database answers.", value)


def _one(name: str, told: str, value: float) -> Gauge:
    return Gauge(name, told, [Sample(value)])


def _seconds(instant: datetime | None) -> float:
    return instant.timestamp() if instant else 0


def _age(since: datetime | None, now: datetime) -> float:
    return max((now - since).total_seconds(), 0) if since else 0
