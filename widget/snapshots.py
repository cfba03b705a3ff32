"""Ready bytes before Flask: what all readers get alike is made once a second, not once for each.

A plain WSGI layer around the application. It asks the application itself, as nobody in particular,
and holds the answer for `SNAPSHOT_SECONDS`; docs/adr/0010-ready-bytes-before-flask.md says why.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode
from weakref import WeakSet

from flask import Flask

from core import clock as clocks
from core.settings import Settings
from widget import sightings
from widget.asking import Application, Environ, StartResponse, ask_as_nobody
from widget.ready import PLAIN, choose_coding, is_for_all, is_known, make_ready
from widget.shelf import Held, Key, Shelf

EXTENSION = "goalpost.snapshots"
MOST_ANSWER_BYTES = 256 << 10
MOST_QUERY_CHARACTERS = 512
MOST_WORKERS = 4
# How long a reader waits for books that may be down; and how long while another waits in vain.
PATIENCE_SECONDS = 1.0
SHORT_PATIENCE_SECONDS = 0.05
# All that the faces read of a query. The rest is left out: what a mailing adds to an address, or a
# flood makes up, is no address of its own.
PARAMETERS = frozenset(
    "before format lang limit maxheight maxwidth slot source theme url with".split(),
)

_FACES = re.compile(
    r"/(?:api/v1/campaigns|embed)/[\w./-]{1,100}|/c/[\w.-]{1,100}\.(?:svg|png)"
    r"|/c/[\w-]{1,100}/(?:card\.png|qr\.svg|qr\.png|closings\.atom)|/oembed",
    re.ASCII,
)
_READING = frozenset({"GET", "HEAD"})
_SERVER_ERROR = "5"
_QUARTER_SECONDS = 15 * 60
# Readers make a renewal rarer the later it begins, but it has to be done before the limit.
_RENEW_FROM = 0.8
_log = logging.getLogger("goalpost.snapshots")


class _Failed(Exception):
    """The application could not say."""


class _Flight:
    """A question that is on its way: the application is asked once, however many wait."""

    __slots__ = ("done", "is_late")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.is_late = False


def init_app(app: Flask) -> None:
    """Put the layer around all that stands around `app` already, unless the settings say none."""
    settings: Settings = app.extensions["goalpost.settings"]
    spotter = sightings.init_app(app)
    if not settings.snapshot_seconds:
        app.wsgi_app = sightings.watched(  # type: ignore[method-assign, assignment]
            app.wsgi_app, spotter.note
        )
    else:
        clock: clocks.Clock = app.extensions[clocks.EXTENSION]
        layer = Snapshots(
            app.wsgi_app,
            base_url=settings.base_url,
            limit_seconds=settings.snapshot_seconds,
            now=clocks.seconds_of(clock),
            note=spotter.note,
        )
        app.extensions[EXTENSION] = layer
        app.wsgi_app = layer.entrance()  # type: ignore[method-assign, assignment]


@lru_cache(maxsize=1024)
def known_query(query: str) -> str | None:
    """Return the part of a query that the faces read, in one spelling; None where it is too long.

    Of a name that comes twice they read the first.
    """
    if not query:
        return ""
    if len(query) > MOST_QUERY_CHARACTERS or not query.isascii():
        return None
    known: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in PARAMETERS:
            known.setdefault(name, value)
    return urlencode(sorted(known.items()))


def next_turn(now: float) -> float:
    """Return when a month may begin next, in whatever zone: at a quarter of an hour of UTC's.

    Nothing is held beyond that, so that months turn to the second.
    """
    return now + _QUARTER_SECONDS - now % _QUARTER_SECONDS


class Snapshots:
    """Answers from what it holds, and asks `inner` for the rest."""

    def __init__(
        self,
        inner: Application,
        *,
        base_url: str,
        limit_seconds: float,
        now: Callable[[], float],
        patience_seconds: float = PATIENCE_SECONDS,
        note: Callable[[Environ], None] = lambda _: None,
    ) -> None:
        self._inner = inner
        self._base_url = base_url
        self._limit_seconds = limit_seconds
        self._now = now
        self._patience_seconds = patience_seconds
        self._note = note
        self.shelf = Shelf()
        self._look_up = self.shelf.entries.get
        self.start_over()
        _layers.add(self)

    def start_over(self) -> None:
        """Begin with no question on its way. What is held is only bytes, and stays."""
        self._lock = threading.Lock()
        self._flights: dict[Key, _Flight] = {}
        self._stuck: set[_Flight] = set()
        self._queue: deque[tuple[Key, _Flight]] = deque()
        self._workers = 0

    def entrance(self) -> Application:
        """Return the WSGI function. A hit takes no lock and makes nothing but two lists.

        What it needs stands in local names: beside what the server itself takes, looking an
        attribute up can be measured.
        """
        look_up, now, find, inner = self._look_up, self._now, self._find, self._inner
        note = self._note

        def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            path = environ["PATH_INFO"]
            query = environ.get("QUERY_STRING")
            method = environ["REQUEST_METHOD"]
            held = look_up((path, query) if query else path)
            if held is None or method != "GET" or not held.made_at <= now() < held.renew_at:
                note(environ)
                held = find(path, query or "") if method in _READING else None
                if held is None:
                    return inner(environ, start_response)
            ready = held.ready
            if "HTTP_IF_NONE_MATCH" in environ:
                known = environ["HTTP_IF_NONE_MATCH"]
                if known == ready.etag or is_known(known, ready.etag):
                    start_response("304 Not Modified", ready.unchanged.copy())
                    return []
            coding = PLAIN
            if "HTTP_ACCEPT_ENCODING" in environ:
                coding = choose_coding(environ["HTTP_ACCEPT_ENCODING"])
            headers, body = ready.variants[coding]
            # A copy, for the server may change it (PEP 3333).
            start_response("200 OK", headers.copy())
            return [body] if method == "GET" else []

        return answer

    def _find(self, path: str, query: str) -> Held | None:
        """Return what is held for an address, made or made anew where that is due."""
        known = known_query(query)
        if known is None or not _FACES.fullmatch(path):
            return None
        key = (path, known) if known else path
        held = self._look_up(key)
        if held is None:
            return self._first(key)
        held.was_used = True
        now = self._now()
        return held if held.made_at <= now < held.renew_at else self._renewed(key, held, now)

    def _first(self, key: Key) -> Held | None:
        """Ask for what is not held, in this reader's own time; others wait for it."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                mine = self._flights[key] = _Flight()
        if flight is None:
            self._ask(key, mine)
        else:
            self._wait(flight)
        return self._look_up(key)

    def _renewed(self, key: Key, held: Held, now: float) -> Held | None:
        """Have it made anew off the reader's path; wait for that where the limit is reached."""
        starts = False
        with self._lock:
            if self._look_up(key) is not held:  # it was made anew in this very moment
                return self._look_up(key)
            flight = self._flights.get(key)
            if flight is None and held.may_try(now):
                flight = self._flights[key] = _Flight()
                self._queue.append((key, flight))
                starts = self._workers < MOST_WORKERS
                self._workers += starts
        if starts:
            self._start_worker()
        if flight is None or held.is_within(now) or held.covers(now):
            return held
        self._wait(flight)
        return self._look_up(key)

    def _wait(self, flight: _Flight) -> None:
        # Books that don't answer cost a reader a second, but not one reader after the other.
        if flight.is_late:
            return
        is_short = bool(self._stuck)
        if not flight.done.wait(SHORT_PATIENCE_SECONDS if is_short else self._patience_seconds):
            with self._lock:
                flight.is_late = True
                if not is_short and not flight.done.is_set():
                    self._stuck.add(flight)

    def _start_worker(self) -> None:
        # A thread that ends when there is nothing to do: none is left to a fork or an exit.
        try:
            threading.Thread(target=self._work, name="snapshots", daemon=True).start()
        except RuntimeError:  # there can be no more threads
            self._work()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._workers -= 1
                    return
                key, flight = self._queue.popleft()
            self._ask(key, flight)

    def _ask(self, key: Key, flight: _Flight) -> None:
        """Ask the application and hold its answer; where it fails, what is held stays."""
        held, has_failed = None, True
        try:
            held = self._answer(key)
            has_failed = False
        except _Failed:
            _log.debug("no answer to %s", _path(key))  # the application has told why
        except Exception:  # noqa: BLE001 - the edge of a job
            # Whatever went wrong, readers keep the last value.
            _log.exception("asking for %s failed", _path(key))
        finally:
            with self._lock:
                old = self._look_up(key)
                if held is not None:
                    self.shelf.put(key, held)
                elif not has_failed:
                    self.shelf.drop(key)  # it is gone, or is not for all any more
                elif old is not None:
                    old.failed_at = self._now()
                self._flights.pop(key, None)
                self._stuck.discard(flight)
                flight.done.set()

    def _answer(self, key: Key) -> Held | None:
        """Return the application's answer, or None where it is none to hold."""
        path, query = key if isinstance(key, tuple) else (key, "")
        made_at = self._now()
        answer = ask_as_nobody(self._inner, base_url=self._base_url, path=path, query=query)
        if answer.status.startswith(_SERVER_ERROR):
            raise _Failed
        if not is_for_all(answer.status, answer.headers) or len(answer.body) > MOST_ANSWER_BYTES:
            return None
        old = self._look_up(key)
        turn = next_turn(made_at)
        return Held(
            make_ready(answer.headers, answer.body, previous=old.ready if old else None),
            made_at=made_at,
            renew_at=min(made_at + self._limit_seconds * _RENEW_FROM, turn),
            until=min(made_at + self._limit_seconds, turn),
            was_used=old is not None,
        )


def _path(key: Key) -> str:
    """Return an address without its query, which holds the addresses of other sites."""
    return key if isinstance(key, str) else key[0]


_layers: WeakSet[Snapshots] = WeakSet()


def _start_over() -> None:
    # A lock that another thread held at the fork stays locked in the child for ever, and whatever
    # was on its way is the parent's.
    for layer in _layers:
        layer.start_over()


os.register_at_fork(after_in_child=_start_over)
