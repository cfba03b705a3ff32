"""A webhook endpoint that remembers what it was sent, and answers as it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import stripe

from tests.sandbox_process import WEBHOOK_SECRET, Json

WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Received:
    raw: bytes
    headers: dict[str, str]
    event: Json
    at: float


class Receiver:
    def __init__(self) -> None:
        self.received: list[Received] = []
        self.status = 200
        self.delay_seconds = 0.0
        self.secret = WEBHOOK_SECRET
        self._arrived = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receiver.take(raw, headers)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                raise AssertionError("a redirect was followed")

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/webhooks/stripe"

    def take(self, raw: bytes, headers: dict[str, str]) -> int:
        time.sleep(self.delay_seconds)
        event = stripe.Webhook.construct_event(raw, headers["stripe-signature"], self.secret)
        with self._arrived:
            self.received.append(Received(raw, headers, event.to_dict(), time.monotonic()))
            self._arrived.notify_all()
            return self.status

    def wait(self, wanted: Callable[[Json], bool], count: int = 1) -> list[Received]:
        def found() -> list[Received]:
            return [received for received in self.received if wanted(received.event)]

        with self._arrived:
            assert self._arrived.wait_for(lambda: len(found()) >= count, WAIT_SECONDS), (
                f"only {[received.event['type'] for received in self.received]} arrived"
            )
            return found()

    def wait_for(self, event_type: str, object_id: str, count: int = 1) -> list[Received]:
        return self.wait(
            lambda event: (
                event["type"] == event_type and event["data"]["object"]["id"] == object_id
            ),
            count,
        )

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
