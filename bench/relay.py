"""A relay between Stripe and the site, which takes the time of each event."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bench.crowd import AGAIN, EVENT
from bench.visitors import ANSWER_SECONDS, Records

# Of the events, so many in a hundred are delivered twice.
TWICE_PERCENT = 15


class Relay(ThreadingHTTPServer):
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
    server: Relay

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
def relaying(port: int) -> Iterator[Relay]:
    """Relay to the site at this port until the block ends."""
    with Relay(port) as relay:
        thread = threading.Thread(target=relay.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            relay.shutdown()
            thread.join()
