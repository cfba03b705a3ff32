"""A real HTTP receiver on loopback, which keeps what comes and answers as it is told."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer


@dataclass(frozen=True)
class Heard:
    path: str
    headers: Message
    body: bytes


class Receiver:
    """Answers `statuses` one after the other, and the last one for ever."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.statuses = [200]
        self.answer = b"ok"
        self.location: str | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?a=b"

    @contextmanager
    def serving(self, context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
        server = _Server(("127.0.0.1", 0), _Handler)
        server.receiver = self
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Server(HTTPServer):
    receiver: Receiver

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of one who refused our certificate."""


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, _Server)
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver.heard.append(Heard(self.path, self.headers, body))
        status = receiver.statuses.pop(0) if len(receiver.statuses) > 1 else receiver.statuses[0]
        self.send_response(status)
        if receiver.location is not None:
            self.send_header("Location", receiver.location)
        self.end_headers()
        self.wfile.write(receiver.answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def dripping() -> Iterator[int]:
    """Give the port of one who answers a byte now and then, and never ends."""
    stopped = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            while not stopped.wait(0.05):
                try:
                    connection.sendall(b"H")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        yield server.getsockname()[1]
        stopped.set()
        thread.join()
