"""Visitors of a site: each does something at a steady rate, and every answer is written down.

A time is counted from when a visitor was due, as in `bench.load`: who has to wait because the one
before was kept waiting is counted too.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookies import SimpleCookie
from typing import NamedTuple
from urllib.parse import urlencode

ANSWER_SECONDS = 30.0
_MOST_ERRORS_KEPT = 20


class Taken(NamedTuple):
    """One answer: when it was due, in seconds since the run began, and how long it took."""

    at: float
    seconds: float


class Answer(NamedTuple):
    """What a browser got; the names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Failed(Exception):
    """Something was not answered as it should; it is on record already."""


@dataclass(slots=True)
class Records:
    """What all visitors met. Many threads write to it."""

    begun: float = field(default_factory=time.perf_counter)
    answers: dict[str, list[Taken]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def elapsed(self) -> float:
        """Return the seconds since the run began."""
        return time.perf_counter() - self.begun

    def note(self, kind: str, *, due: float) -> None:
        """Write down that what was due then, by `time.perf_counter`, is answered now."""
        taken = Taken(due - self.begun, time.perf_counter() - due)
        with self._lock:
            self.answers[kind].append(taken)

    def fail(self, kind: str, why: object) -> None:
        """Write down an error."""
        with self._lock:
            self.errors[kind] += 1
            if len(self.told) < _MOST_ERRORS_KEPT:
                self.told.append(f"{self.elapsed():.1f} s: {kind}: {why}"[:400])

    def since(self, seconds: float) -> list[Taken]:
        """Return all that was due from then on."""
        with self._lock:
            every = [list(taken) for taken in self.answers.values()]
        return [one for taken in every for one in taken if one.at >= seconds]


class Browser:
    """A browser: one connection that stays open, and its cookies."""

    def __init__(
        self, port: int, records: Records, cookies: Mapping[str, str] | None = None
    ) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
        self._records = records
        self._cookies = dict(cookies or {})

    def ask(
        self,
        kind: str,
        path: str,
        *,
        expected: Sequence[int] = (HTTPStatus.OK,),
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        due: float | None = None,
    ) -> Answer:
        """Ask for a page, or send a form; raise Failed where it is not answered as expected."""
        due = time.perf_counter() if due is None else due
        sent = {"Accept-Encoding": "gzip", "User-Agent": "bench", **(headers or {})}
        if self._cookies:
            sent["Cookie"] = "; ".join(f"{name}={text}" for name, text in self._cookies.items())
        body = None
        if form is not None:
            body = urlencode(form)
            sent |= {"Content-Type": "application/x-www-form-urlencoded", "Accept-Encoding": ""}
        try:
            self._connection.request("GET" if form is None else "POST", path, body, sent)
            response = self._connection.getresponse()
            answer = Answer(
                response.status,
                {name.lower(): text for name, text in response.getheaders()},
                response.read(),
            )
            for name, text in response.getheaders():
                if name.lower() == "set-cookie":
                    self._keep(text)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            self._records.fail(kind, f"{path}: {error!r}")
            raise Failed from error
        if answer.status not in expected:
            self._records.fail(kind, f"{path}: {answer.status} {answer.body[:200]!r}")
            raise Failed
        self._records.note(kind, due=due)
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _keep(self, cookie: str) -> None:
        for name, morsel in SimpleCookie(cookie).items():
            self._cookies[name] = morsel.value


# What one visitor does, told when it was due.
Act = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Stream:
    """Visitors of one kind: so many a second together, `count` of them, each at its own thing."""

    kind: str
    per_second: float
    count: int
    make: Callable[[], Act]


@contextmanager
def visiting(streams: Sequence[Stream], records: Records, *, seconds: float) -> Iterator[None]:
    """Have them come for so long, beside the block, and wait for the last of them."""
    threads = [
        threading.Thread(
            target=_come, args=(stream, place, records, seconds), name=stream.kind, daemon=True
        )
        for stream in streams
        for place in range(stream.count)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()


def _come(stream: Stream, place: int, records: Records, seconds: float) -> None:
    act = stream.make()
    step = stream.count / stream.per_second
    due = records.begun + (place + 0.5) * step / stream.count
    while due < records.begun + seconds:
        time.sleep(max(0.0, due - time.perf_counter()))
        try:
            act(due)
        except Failed:
            pass  # it is on record
        except Exception as error:  # noqa: BLE001 - whatever it was, it is an error of the run
            records.fail(stream.kind, repr(error))
        due += step
