"""Answers a second: our ready bytes beside the bare server, and beside what is done usually.

Real servers, each in a process of its own, kept to one core; the load is on the other. All of them
run all the time and are asked in turns.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.filling import fill
from bench.load import ask_once, drive, get_request
from bench.peers import ANSWER, SUMS
from bench.rounds import median_ratio
from bench.servers import CPU_TICK_SECONDS, SERVERS, Server, free_port, on_core, running, serving
from bench.sites import SLUG, Site
from campaigns.rolling import roll_campaign
from core.clock import SystemClock
from payments.donating import OfflineGift, record_offline_gift

PROGRESS = f"/api/v1/campaigns/{SLUG}"
BARE, READY, GZIP, KNOWN = "bare", "ready", "gzip", "known"
FRAME, IMAGE, PLAIN, ASKED, NGINX = "frame", "image", "plain", "asked", "nginx"
SUM_SIZES = (1_000, 100_000)
_OK, _NOT_MODIFIED = 200, 304
_OF_THE_SERVER = frozenset({"date", "server", "connection", "transfer-encoding", "content-length"})
_WARMING_SECONDS = 0.3


@dataclass(slots=True)
class Reading:
    """One thing that was asked for, of one server: a figure of each round."""

    what: str
    server: str
    per_second: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)  # of the server, for one answer
    # The time within which 99 of 100 are answered at half of what it can do.
    p99_seconds: list[float] = field(default_factory=list)

    def ratio_to(self, other: Reading) -> float:
        """Return how many times as many answers it gives in a second."""
        return median_ratio(self.per_second, other.per_second)

    def cpu_ratio_to(self, other: Reading) -> float:
        """Return the same by the CPU time of one answer, which other programs disturb less."""
        return median_ratio(other.cpu_seconds, self.cpu_seconds)


@dataclass(frozen=True, slots=True)
class _Subject:
    reading: Reading
    server: Server
    request: bytes
    status: int


def measure_reading(
    make: Callable[[], Site],
    *,
    rounds: int,
    seconds: float,
    step: Callable[[str], None],
) -> list[Reading]:
    """Measure all of it. Only Linux tells what is needed: of others nothing is measured."""
    if not Path("/proc/self/stat").exists():
        step("reading: left out, it needs Linux")
        return []
    with _subjects(make, step) as subjects, on_core(servers=False):
        for number in range(rounds + 1):
            step(f"reading: round {number} of {rounds}")
            for subject in subjects:
                # The first round warms up.
                _ask(subject, seconds if number else _WARMING_SECONDS, is_kept=number > 0)
        for subject in subjects:
            if subject.reading.what == READY:
                step(f"reading: half load, {subject.reading.server}")
                half = median(subject.reading.per_second) / 2
                for _ in range(rounds):
                    load = drive(
                        subject.server.port,
                        subject.request,
                        status=subject.status,
                        seconds=seconds,
                        per_second=half,
                    )
                    subject.reading.p99_seconds.append(load.percentile(99))
        return [subject.reading for subject in subjects]


def _ask(subject: _Subject, seconds: float, *, is_kept: bool) -> None:
    before = subject.server.cpu_seconds()
    load = drive(subject.server.port, subject.request, status=subject.status, seconds=seconds)
    used = subject.server.cpu_seconds() - before
    if is_kept:
        subject.reading.per_second.append(load.per_second)
        # Linux counts in hundredths of a second: a short round may seem to have cost nothing.
        subject.reading.cpu_seconds.append(max(used, CPU_TICK_SECONDS) / load.requests)


@contextmanager
def _subjects(make: Callable[[], Site], step: Callable[[str], None]) -> Iterator[list[_Subject]]:
    """Start all servers; give what each is to be asked."""
    sums = {}
    for size in SUM_SIZES:
        site = make()
        step(f"reading: filling {size:,} entries")
        fill(site, size)
        sums[f"{size}"] = _url(site)
    environment = _environment(make())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="goalpost-bench-")))
        folder.chmod(0o755)
        answer = folder / "answer.json"
        environment |= {ANSWER: str(answer), SUMS: json.dumps(sums)}
        subjects: list[_Subject] = []
        for kind in SERVERS:
            step(f"reading: starting {kind}")

            def serve(factory: str, kind: str = kind, **changes: str) -> Server:
                return stack.enter_context(serving(kind, factory, environment | changes))

            ours = serve("app:create_app")
            _write_answer(ours, answer)
            bare, peers = serve("bench.peers:make_bare"), serve("bench.peers:make_flask")
            asked = serve("app:create_app", SNAPSHOT_SECONDS="0")
            subjects += [
                _subject(BARE, kind, bare, PROGRESS),
                *_of_ours(kind, ours),
                _subject(PLAIN, kind, peers, "/plain"),
                _subject(ASKED, kind, asked, PROGRESS),
                *(_subject(sum_of(size), kind, peers, f"/sum/{size}") for size in SUM_SIZES),
            ]
        program = shutil.which("nginx")
        if program:
            subjects.append(_nginx(stack, program, folder, answer))
        yield subjects


def sum_of(size: int) -> str:
    """Return the name of the view that adds up so many."""
    return f"sum {size}"


def _of_ours(kind: str, server: Server) -> list[_Subject]:
    _, headers, _ = ask_once(server.port, PROGRESS, {})
    subjects = [
        _subject(READY, kind, server, PROGRESS),
        _subject(GZIP, kind, server, PROGRESS, {"Accept-Encoding": "gzip"}),
        _subject(
            KNOWN, kind, server, PROGRESS, {"If-None-Match": headers["etag"]}, status=_NOT_MODIFIED
        ),
        _subject(FRAME, kind, server, f"/embed/{SLUG}"),
    ]
    image = f"/c/{SLUG}.svg"
    if ask_once(server.port, image, {})[0] == _OK:
        subjects.append(_subject(IMAGE, kind, server, image))
    return subjects


def _subject(
    what: str,
    kind: str,
    server: Server,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    status: int = _OK,
) -> _Subject:
    request = get_request(path, dict(headers or {}))
    return _Subject(Reading(what, kind), server, request, status)


def _url(site: Site) -> str:
    return site.engine.url.render_as_string(hide_password=False)


def _environment(site: Site) -> dict[str, str]:
    """Give the campaign a present month with a gift in it; return how it is served."""
    now = SystemClock().now()
    with site.open_session() as session:
        roll_campaign(session, site.campaign_id, now=now)
        record_offline_gift(session, SLUG, OfflineGift(amount_minor=52_000, paid_at=now), now=now)
        session.commit()
    return {
        "DATABASE_URL": _url(site),
        "SECRET_KEY": "bench",
        "BASE_URL": "https://goal.example.org",
        "LOG_LEVEL": "ERROR",
    }


def _write_answer(server: Server, file: Path) -> None:
    """Write down what our own server says, so that the others say the same to the byte."""
    _, headers, body = ask_once(server.port, PROGRESS, {})
    kept = [(name.title(), value) for name, value in headers.items() if name not in _OF_THE_SERVER]
    kept.append(("Content-Length", str(len(body))))
    file.write_text(json.dumps({"headers": kept, "body": body.decode()}), encoding="utf-8")


def _nginx(stack: ExitStack, program: str, folder: Path, answer: Path) -> _Subject:
    """Serve the same by nginx, from a file."""
    told = json.loads(answer.read_text(encoding="utf-8"))
    (folder / "answer").write_text(told["body"], encoding="utf-8")
    own = {"Content-Length", "Content-Type", "Etag"}
    headers = "\n".join(
        f"add_header {name} {json.dumps(value)};"
        for name, value in told["headers"]
        if name not in own
    )
    places = "\n".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    port = free_port()
    (folder / "nginx.conf").write_text(
        f"""
        daemon off; worker_processes 1; pid {folder}/pid;
        {"user root;" if os.geteuid() == 0 else ""}
        events {{}}
        http {{
            access_log off; keepalive_requests 1000000000; default_type application/json;
            {places}
            server {{ listen 127.0.0.1:{port}; root {folder}; location / {{ {headers} }} }}
        }}
        """,
        encoding="utf-8",
    )
    command = [program, "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    server = stack.enter_context(running(command, port, {}))
    return _subject(NGINX, "nginx", server, "/answer")
