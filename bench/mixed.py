"""Everything at once: readers, donors, Stripe's events, refunds, an admin, and a month that ends.

The real thing: `flask --app app serve` with two processes on PostgreSQL, a scheduler beside it,
and the sandbox as Stripe. Clocks are moved once, before it begins, so that the month ends in the
middle of the run. Stripe's events pass through a relay of ours, which takes their time and delivers
some of them twice. In the end the books are held against what the sandbox says was paid.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import select, text

from bench.admin import signed_in
from bench.crowd import BAR, MONTHS, PLAIN, SENDING, Crowd
from bench.memory import OWN, Memory, held_by, watching
from bench.reading import PROGRESS
from bench.relay import Relay, relaying
from bench.rounds import percentile
from bench.servers import Server, family, free_port, running, started
from bench.sites import Site
from bench.visitors import Browser, Failed, Records, visiting
from campaigns.models import Period
from campaigns.rolling import roll_campaign
from core import web
from core.clock import DemoClock
from tests.crash.books import ZONE, Books, check_after_reconciliation, read_books
from tests.crash.truth import read_truth
from tests.sandbox_process import API_KEY, WEBHOOK_SECRET, SandboxProcess, running_sandbox

FULL_SECONDS, QUICK_SECONDS = 600.0, 40.0
PROCESSES, THREADS = 2, 8
# Readers a second.
READERS = 100.0
SETTLE_SECONDS = 90.0
PUBLIC_SECONDS = 5.0
# Stripe tells a second late that a charge's fee is known, and the sandbox does so too.
LATE_SECONDS = 3.0
# What is not yet steady: caches fill, pools open.
WARM_SHARE = 0.2
WEB, SCHEDULER, SANDBOX, DATABASE = "web process", "scheduler", "sandbox", "PostgreSQL"
_LOOK_SECONDS, _TELL_SECONDS = 2.0, 10.0
_MEBI = 1 << 20


@dataclass(slots=True)
class Mixed:
    """What a run met."""

    seconds: float
    server: str
    database: str
    records: Records
    memory: Mapping[str, Memory]
    # In seconds since the run began: when the month ended, when it was closed, and when a reader
    # first saw the next.
    ended_at: float
    closed_at: float | None = None
    seen_at: float | None = None
    gifts: int = 0
    refunds: int = 0
    not_modified: int = 0
    entries: int = 0
    paid_minor: int = 0
    booked_minor: int = 0
    shown_minor: int = 0
    # What is wrong with the books, in words.
    wrong: list[str] = field(default_factory=list)

    @property
    def errors(self) -> int:
        """How many answers were not as they should be, and what is wrong with the books."""
        return self.records.errors.total() + len(self.wrong)

    @property
    def warm_at(self) -> float:
        """From when on memory is looked at, in seconds since the run began."""
        return self.seconds * WARM_SHARE


@dataclass(frozen=True, slots=True)
class _Live:
    """What runs."""

    site: Site
    server: Server
    scheduler_pid: int
    sandbox: SandboxProcess
    relay: Relay
    clock: DemoClock


def measure_mixed(
    site: Site, *, seconds: float, step: Callable[[str], None], readers: float = READERS
) -> Mixed:
    """Run it for so long. What went wrong is in what it returns; it raises where nothing starts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="goalpost-bench-")))
        step("mixed: starting the site, its scheduler and the sandbox")
        live = stack.enter_context(_living(site, folder))
        ends_at = _move_to_the_months_end(live, ahead_seconds=seconds / 2)
        cookies = _admin_cookies(live)
        records = live.relay.records = Records()
        begun_at = live.clock.now()
        crowd = Crowd(live.server.port, live.sandbox, records, cookies)
        with watching(lambda: _held(live), every_seconds=min(_LOOK_SECONDS, seconds / 5)) as memory:
            with (
                closing(crowd),
                visiting(crowd.streams(readers), records, seconds=seconds),
            ):
                _tell(records, memory, seconds=seconds, step=step)
            result = Mixed(
                seconds=seconds,
                server=f"granian {version('granian')}, {_processes(site)} × {THREADS} threads",
                database=site.database,
                records=records,
                memory=memory,
                ended_at=(ends_at - begun_at).total_seconds(),
                gifts=len(records.answers[SENDING]),
                refunds=crowd.refunds,
                not_modified=crowd.not_modified,
                seen_at=crowd.seen_at,
            )
        step("mixed: waiting for the last events, and for the month to be closed")
        _settle(live, result, ends_at=ends_at, begun_at=begun_at)
        step("mixed: holding the books against what was paid")
        _check(live, result)
        return result


@contextmanager
def _living(site: Site, folder: Path) -> Iterator[_Live]:
    """Start all of it."""
    port, clock_file = free_port(), folder / "clock"
    clock_file.write_text("0")
    folder.chmod(0o755)
    with ExitStack() as stack:
        relay = stack.enter_context(relaying(port))
        sandbox = stack.enter_context(
            running_sandbox(
                folder / "sandbox.sqlite",
                f"http://127.0.0.1:{relay.server_port}/webhooks/stripe",
                clock_file=clock_file,
            )
        )
        environment = {
            "DATABASE_URL": site.engine.url.render_as_string(hide_password=False),
            "SECRET_KEY": "bench",
            "BASE_URL": f"http://127.0.0.1:{port}",
            "STRIPE_SECRET_KEY": API_KEY,
            "STRIPE_API_BASE": sandbox.url,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "CLOCK_FILE": str(clock_file),
            "RATELIMIT_ENABLED": "false",  # all of them come from one address
            "LOG_LEVEL": "ERROR",
        }
        clock = DemoClock(clock_file)
        with site.open_session() as session:
            roll_campaign(session, site.campaign_id, now=clock.now())
            session.commit()
        flask = [sys.executable, "-m", "flask", "--app", "app"]
        options = ["--processes", str(_processes(site)), "--threads", str(THREADS)]
        serve = [*flask, "serve", "--port", str(port), *options]
        server = stack.enter_context(running(serve, port, environment, pinned=False))
        complaints = stack.enter_context(tempfile.TemporaryFile())
        scheduler = stack.enter_context(
            started([*flask, "scheduler", "run"], environment, complaints)
        )
        yield _Live(site, server, scheduler.pid, sandbox, relay, clock)
        if scheduler.poll() is not None:
            complaints.seek(0)
            raise RuntimeError(f"the scheduler ended: {complaints.read()!r}")


def _processes(site: Site) -> int:
    return 1 if site.kind == "sqlite" else PROCESSES


def _move_to_the_months_end(live: _Live, *, ahead_seconds: float) -> datetime:
    """Move the clocks to so many seconds before the present month's end; return when that is."""
    with live.site.open_session() as session:
        ends_at = session.scalars(
            select(Period.ends_at).where(Period.ends_at > live.clock.now()).limit(1)
        ).one()
    left = (ends_at - live.clock.now()).total_seconds() - ahead_seconds
    if left > 0:
        live.sandbox.advance(int(left))
    return ends_at


def _admin_cookies(live: _Live) -> dict[str, str]:
    """Sign an owner in; return the cookies of their browser."""
    with live.site.app.app_context():
        name = live.site.app.config["SESSION_COOKIE_NAME"]
    client = signed_in(live.site, now=live.clock.now())
    cookie = client.get_cookie(name)
    assert cookie is not None  # noqa: S101 - it was just signed in
    return {name: cookie.value}


def _held(live: _Live) -> dict[str, int]:
    """Return what each process holds in memory, in bytes; of the database's what is their own."""
    master, *workers = family(live.server.pid)
    held = {"web, its master": held_by([master])}
    for number, pid in enumerate(sorted(_large(workers)), 1):
        held[f"{WEB} {number}"] = held_by([pid])
    held[SCHEDULER] = held_by([live.scheduler_pid])
    held[SANDBOX] = held_by([live.sandbox.pid])
    if live.site.kind == "postgresql":
        with live.site.engine.connect() as connection:
            pids = connection.scalars(
                text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
            ).all()
        if backends := held_by(list(pids), OWN):
            held[DATABASE] = backends
    return held


def _large(pids: Sequence[int]) -> list[int]:
    """Return those that serve: Python's own tracker of resources, beside them, is small."""
    return [pid for pid in pids if held_by([pid]) > 32 * _MEBI]


def _tell(
    records: Records,
    memory: Mapping[str, Memory],
    *,
    seconds: float,
    step: Callable[[str], None],
) -> None:
    """Say how it goes until it is over."""
    every = min(_TELL_SECONDS, seconds / 4)
    while (now := records.elapsed()) < seconds:
        time.sleep(min(every, seconds - now))
        late = sorted(one.seconds for one in records.since(records.elapsed() - every))
        p99 = f"{percentile(late, 99) * 1000:,.0f} ms" if late else "none"
        held = sum(one.last for name, one in list(memory.items()) if name != SANDBOX) / _MEBI
        step(
            f"mixed: {records.elapsed():,.0f} of {seconds:,.0f} s, {len(late) / every:,.0f}"
            f" answers/s, p99 {p99}, {records.errors.total()} errors, {held:,.0f} MiB"
        )


def _settle(live: _Live, result: Mixed, *, ends_at: datetime, begun_at: datetime) -> None:
    """Wait until Stripe has told all, all of it is worked, and the month is closed."""
    settings = live.site.app.extensions[web.EXTENSION]
    time.sleep(LATE_SECONDS)
    until = time.monotonic() + SETTLE_SECONDS
    closed_at: datetime | None = None
    while time.monotonic() < until:
        with live.site.open_session() as session:
            closed_at = session.scalars(
                select(Period.closed_at).where(Period.ends_at == ends_at)
            ).one()
        on_the_way = {one["state"] for one in live.sandbox.deliveries()} & {"waiting", "sending"}
        if closed_at and not on_the_way and _is_worked(read_books(settings)):
            break
        time.sleep(0.5)
    else:
        result.wrong.append(f"not all was done after {SETTLE_SECONDS:.0f} s")
    if closed_at is not None:
        result.closed_at = (closed_at - begun_at).total_seconds()


def _is_worked(books: Books) -> bool:
    return set(books.events.values()) <= {"done", "unhandled"}


def _check(live: _Live, result: Mixed) -> None:
    """Hold the books, and what readers see, against what the sandbox says was paid."""
    books = read_books(live.site.app.extensions[web.EXTENSION])
    truth = read_truth(live.sandbox, ZONE)
    result.entries = len(books.posted)
    result.paid_minor = sum(truth.posted.values())
    result.booked_minor = sum(books.months.values())
    try:
        check_after_reconciliation(books, live.sandbox)
    except AssertionError as wrong:
        result.wrong.append(f"books and Stripe differ: {str(wrong)[:2000]}")
    result.wrong += [f"`ledger verify` finds {one}" for one in books.differences]
    # What was worked last may be public a moment later.
    until = time.monotonic() + PUBLIC_SECONDS
    records = Records()
    with suppress(Failed):
        result.shown_minor = _shown_minor(live, records)
        while result.shown_minor != result.booked_minor and time.monotonic() < until:
            time.sleep(0.1)
            result.shown_minor = _shown_minor(live, records)
    result.wrong += records.told
    if not result.paid_minor == result.booked_minor == result.shown_minor:
        result.wrong.append(
            f"paid {result.paid_minor}, booked {result.booked_minor}, shown {result.shown_minor}"
        )


def _shown_minor(live: _Live, records: Records) -> int:
    """Return what the bars of all months show together."""
    with closing(Browser(live.server.port, records)) as browser:
        now = json.loads(browser.ask(BAR, PROGRESS, headers=PLAIN).body)
        past = json.loads(browser.ask(MONTHS, f"{PROGRESS}/periods", headers=PLAIN).body)
    return int(now["raised_minor"]) + sum(int(one["raised_minor"]) for one in past["periods"])
