"""Notice on which sites the bar stands, beside the path that readers wait on.

A browser names the page's site when it asks for the numbers (`Origin`) or for the frame
(`Referer`). What is held ready is served without a look at either: they are read where an answer is
made anew, about once a second, kept in memory, and written by a thread at most once a minute.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Collection, Iterable
from urllib.parse import urlsplit
from weakref import WeakSet

from flask import Flask

from campaigns.sightings import forget_sightings, note_sightings
from core import clock as clocks
from core.db import db, in_transaction
from core.settings import Settings
from core.upkeep import forget_too
from widget.asking import Application, Environ, StartResponse

Sight = tuple[str, str]  # the campaign's slug and the site's host
# What is remembered and not written yet, and what was written today: floods of made-up sites end
# here.
MOST_PENDING = 500
MOST_KNOWN = 10_000
WRITTEN_EVERY_SECONDS = 60.0
_DAY_SECONDS = 86_400
_MOST_ADDRESS_CHARACTERS = 2000
_FACE = re.compile(r"/(?:api/v1/campaigns|embed)/([a-z0-9-]{1,64})", re.ASCII)
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_log = logging.getLogger("goalpost.sightings")


def init_app(app: Flask) -> Spotter:
    """Have what a spotter of `app` sees written into the books' database, and forgotten in time."""
    settings: Settings = app.extensions["goalpost.settings"]
    clock: clocks.Clock = app.extensions[clocks.EXTENSION]

    def save(seen: Collection[Sight]) -> None:
        with app.app_context():
            in_transaction(
                db.sessionmaker, lambda session: note_sightings(session, seen, now=clock.now())
            )

    forget_too(app, forget_sightings)
    return Spotter(
        save,
        own_host=urlsplit(settings.base_url).hostname or "",
        now=clocks.seconds_of(clock),
    )


def read_sight(environ: Environ) -> Sight | None:
    """Return which campaign was asked for from which site; None where no site is named."""
    face = _FACE.fullmatch(environ["PATH_INFO"])
    if face is None:
        return None
    told = environ.get("HTTP_ORIGIN", "null")
    if told == "null":  # nobody says where, as in a sandboxed frame
        told = environ.get("HTTP_REFERER", "")
    try:
        parts = urlsplit(told[:_MOST_ADDRESS_CHARACTERS])
        host = parts.hostname or ""
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(host):
        return None
    return face[1], host


class Spotter:
    """Remembers what it saw for a while, and hands it to `save` all at once."""

    def __init__(
        self, save: Callable[[Collection[Sight]], None], *, own_host: str, now: Callable[[], float]
    ) -> None:
        self._save = save
        self._own_host = own_host
        self._now = now
        self._known: dict[Sight, int] = {}  # and on which day it was written
        self._pending: set[Sight] = set()
        self._write_from = 0.0
        self.start_over()
        _spotters.add(self)

    def start_over(self) -> None:
        """Begin with no thread at work, as in the child of a fork."""
        self._lock = threading.Lock()
        self._is_writing = False

    def note(self, environ: Environ) -> None:
        """Look at a request. It never waits for the database, and never fails."""
        sight = read_sight(environ)
        if sight is None or sight[1] == self._own_host:
            return
        now = self._now()
        if self._known.get(sight) == now // _DAY_SECONDS:
            return
        with self._lock:
            if len(self._pending) < MOST_PENDING:
                self._pending.add(sight)
            rests = self._write_from - WRITTEN_EVERY_SECONDS <= now < self._write_from
            starts = not self._is_writing and not rests
            self._is_writing |= starts
        if starts:
            try:
                threading.Thread(target=self._write, name="sightings", daemon=True).start()
            except RuntimeError:  # there can be no more threads: another time, then
                self._is_writing = False

    def _write(self) -> None:
        now = self._now()
        with self._lock:
            seen, self._pending = self._pending, set()
        try:
            self._save(seen)
        except Exception:  # noqa: BLE001 - the edge of a thread
            _log.warning("on which sites the bar was seen could not be written", exc_info=True)
            seen = set()  # they are seen again
        with self._lock:
            if len(self._known) + len(seen) > MOST_KNOWN:
                self._known.clear()
            self._known.update(dict.fromkeys(seen, int(now // _DAY_SECONDS)))
            self._write_from = now + WRITTEN_EVERY_SECONDS
            self._is_writing = False


def watched(inner: Application, note: Callable[[Environ], None]) -> Application:
    """Return an application that notes each request: for a site that holds nothing ready."""

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        note(environ)
        return inner(environ, start_response)

    return answer


_spotters: WeakSet[Spotter] = WeakSet()


def _start_over() -> None:
    for spotter in _spotters:
        spotter.start_over()


os.register_at_fork(after_in_child=_start_over)
