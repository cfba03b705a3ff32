"""Everything at once: readers, donors, Stripe's events, refunds, an admin, and a month that ends.

The real thing: `flask --app app serve` with two processes on PostgreSQL, a scheduler beside it,
and the sandbox as Stripe. Clocks are moved once, before it begins, so that the month ends in the
middle of the run. Stripe's events pass through a relay of ours, which takes their time and delivers
some of them twice. In the end the books are held against what the sandbox says was paid.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from itertools import count, cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select, text

from bench.admin import signed_in
from bench.memory import OWN, Memory, held_by, watching
from bench.reading import PROGRESS
from bench.rounds import percentile
from bench.servers import Server, family, free_port, running, started
from bench.sites import SLUG, Site
from bench.visitors import ANSWER_SECONDS, Act, Browser, Failed, Records, Stream, visiting
from campaigns.models import Period
from campaigns.rolling import roll_campaign
from core import web
from core.clock import DemoClock
from tests.crash.books import ZONE, Books, check_after_reconciliation, read_books
from tests.crash.truth import read_truth
from tests.sandbox_process import API_KEY, WEBHOOK_SECRET, SandboxProcess, running_sandbox

FULL_SECONDS, QUICK_SECONDS = 600.0, 40.0
PROCESSES, THREADS = 2, 8
# So many a second, at so many visitors.
READERS = 100.0
GIFTS, REFUNDS, PAGES = 1.0, 0.1, 1.0
SETTLE_SECONDS = 90.0
PUBLIC_SECONDS = 5.0
# Of the events, so many in a hundred are delivered twice.
TWICE_PERCENT = 15
# What is not yet steady: caches fill, pools open.
WARM_SHARE = 0.2
BAR, KNOWN, FRAME, IMAGE = "bar, JSON", "bar, known (304)", "frame", "image"
SCRIPT, MONTHS = "element script", "past months, JSON"
FORM, SENDING, THANKS = "give page", "donation sent", "thanks"
EVENT, AGAIN, ADMIN = "webhook", "webhook, again", "admin page"
KINDS = (BAR, KNOWN, FRAME, IMAGE, SCRIPT, MONTHS, FORM, SENDING, THANKS, EVENT, AGAIN, ADMIN)
WEB, SCHEDULER, SANDBOX, DATABASE = "web process", "scheduler", "sandbox", "PostgreSQL"
_ADMIN_PAGES = (
    *("/admin/", "/admin/live", "/admin/months", "/admin/donations", "/admin/entries"),
    f"/admin/campaigns/{SLUG}/months",
)
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
_PLAIN = {"Accept-Encoding": ""}
_SESSION = re.compile(r"cs_test_\w+")
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
    relay: _Relay
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
        visitors = _Visitors(live, records, cookies)
        with watching(lambda: _held(live), every_seconds=min(_LOOK_SECONDS, seconds / 5)) as memory:
            with (
                closing(visitors),
                visiting(visitors.streams(readers), records, seconds=seconds),
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
                refunds=visitors.refunds,
                not_modified=visitors.not_modified,
                seen_at=visitors.seen_at,
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
        relay = stack.enter_context(_relaying(port))
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


class _Relay(ThreadingHTTPServer):
    """Passes Stripe's events on, byte by byte with their signature, and some of them twice."""

    daemon_threads = True
    records: Records

    def __init__(self, port: int) -> None:
        self.records = Records()
        self._port = port
        self._chance = random.Random(2021)  # noqa: S311 - no secret
        super().__init__(("127.0.0.1", 0), _Passing)

    def pass_on(self, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Deliver an event; return the site's answer to its first delivery."""
        status = self._post(EVENT, path, body, headers)
        if status == HTTPStatus.OK and self._chance.randrange(100) < TWICE_PERCENT:
            self._post(AGAIN, path, body, headers)
        return status

    def _post(self, kind: str, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        begun = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_SECONDS)
        try:
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            told = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.records.fail(kind, repr(error))
            return HTTPStatus.BAD_GATEWAY
        finally:
            connection.close()
        if answer.status == HTTPStatus.OK:
            self.records.note(kind, due=begun)
        else:
            self.records.fail(kind, f"{answer.status} {told[:200]!r}")
        return answer.status


class _Passing(BaseHTTPRequestHandler):
    server: _Relay

    def do_POST(self) -> None:
        """Pass it on."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kept = {name: self.headers[name] for name in ("Content-Type", "Stripe-Signature")}
        status = self.server.pass_on(self.path, body, kept)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def _relaying(port: int) -> Iterator[_Relay]:
    with _Relay(port) as relay:
        thread = threading.Thread(target=relay.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            relay.shutdown()
            thread.join()


@dataclass(slots=True)
class _Visitors:
    """What each kind of visitor does, and what they tell each other, and us."""

    live: _Live
    records: Records
    cookies: Mapping[str, str]
    chance: random.Random = field(default_factory=lambda: random.Random(2021))  # noqa: S311 - no secret
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    refundable: list[str] = field(default_factory=list)
    refunds: int = 0
    not_modified: int = 0
    month: str | None = None
    seen_at: float | None = None
    browsers: list[Browser] = field(default_factory=list)

    def close(self) -> None:
        """Close the browsers that stay open for the whole run."""
        for browser in self.browsers:
            browser.close()

    def streams(self, readers: float) -> list[Stream]:
        """Return all of them, of whom so many a second read."""
        return [
            Stream(BAR, readers * 0.3, 3, self.look),
            Stream(KNOWN, readers * 0.4, 4, self.come_again),
            Stream(FRAME, readers * 0.1, 1, lambda: self.read(FRAME, f"/embed/{SLUG}")),
            Stream(IMAGE, readers * 0.1, 1, lambda: self.read(IMAGE, f"/c/{SLUG}.svg")),
            Stream(SCRIPT, readers * 0.09, 1, lambda: self.read(SCRIPT, "/embed/v1.js")),
            Stream(MONTHS, readers * 0.01, 1, lambda: self.read(MONTHS, f"{PROGRESS}/periods")),
            Stream(FORM, GIFTS, 6, lambda: self.give),
            Stream("refund", REFUNDS, 1, lambda: self.refund),
            Stream(ADMIN, PAGES, 2, self.administer),
        ]

    def read(self, kind: str, path: str) -> Act:
        """Look at one thing again and again."""
        browser = self._browser()
        return lambda due: _see(browser.ask(kind, path, due=due).body)

    def look(self) -> Act:
        """Look at the bar, and note when it shows the next month."""
        browser = self._browser()

        def act(due: float) -> None:
            answer = browser.ask(BAR, PROGRESS, headers=_PLAIN, due=due)
            month = json.loads(answer.body)["period"]["key"]
            if self.month is not None and month > self.month and self.seen_at is None:
                self.seen_at = due - self.records.begun
            self.month = max(month, self.month or month)

        return act

    def come_again(self) -> Act:
        """Ask for the bar with the tag of the last one."""
        browser, known = self._browser(), [""]

        def act(due: float) -> None:
            headers = {"If-None-Match": known[0]} if known[0] else {}
            expected = (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED)
            answer = browser.ask(KNOWN, PROGRESS, headers=headers, expected=expected, due=due)
            known[0] = answer.headers["etag"]
            self.not_modified += answer.status == HTTPStatus.NOT_MODIFIED

        return act

    def give(self, due: float) -> None:
        """Give as a donor does: the form, Stripe's page, the thanks."""
        with closing(Browser(self.live.server.port, self.records)) as browser:
            page = browser.ask(FORM, f"/c/{SLUG}", headers=_PLAIN, due=due)
            form = dict(_HIDDEN.findall(page.body.decode())) | {
                "amount": f"{self.chance.randint(1, 50)}.{self.chance.randint(0, 99):02}",
                "frequency": "once",
                "email": f"donor{next(self.numbers) // 2}@example.org",  # each of them gives twice
            }
            expected = (HTTPStatus.SEE_OTHER,)
            sent = browser.ask(SENDING, f"/c/{SLUG}/donate", form=form, expected=expected)
            session = _SESSION.search(sent.headers["location"])
            if session is None:
                raise ValueError(f"the donor is sent to {sent.headers['location']}")
            paid = self.live.sandbox.pay(session[0])
            if paid["outcome"] != "paid":
                raise ValueError(f"a payment is {paid['outcome']}")
            address = urlsplit(paid["success_url"])
            browser.ask(THANKS, f"{address.path}?{address.query}")
        self.refundable.append(str(paid["payment_intent"]))

    def refund(self, _due: float) -> None:
        """Give a gift back at Stripe, or a part of it."""
        if self.refundable:
            payment = self.refundable.pop(self.chance.randrange(len(self.refundable)))
            self.live.sandbox.refund(payment, self.chance.choice([None, 50]))
            self.refunds += 1

    def administer(self) -> Act:
        """Go through pages of the admin."""
        browser, pages = self._browser(self.cookies), cycle(_ADMIN_PAGES)
        return lambda due: _see(browser.ask(ADMIN, next(pages), due=due).body)

    def _browser(self, cookies: Mapping[str, str] | None = None) -> Browser:
        browser = Browser(self.live.server.port, self.records, cookies)
        self.browsers.append(browser)
        return browser


def _see(body: bytes) -> None:
    if not body:
        raise ValueError("the answer is empty")


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
        now = json.loads(browser.ask(BAR, PROGRESS, headers=_PLAIN).body)
        past = json.loads(browser.ask(MONTHS, f"{PROGRESS}/periods", headers=_PLAIN).body)
    return int(now["raised_minor"]) + sum(int(one["raised_minor"]) for one in past["periods"])
