"""Ask a web server as fast as it answers, or at a steady rate, over connections that stay open.

No other program is needed, so that every machine measures alike. It costs less for each request
than any server that is measured here, and is kept on another core.
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections import deque
from dataclasses import dataclass

from bench.rounds import percentile

CONNECTIONS = 16
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\ncontent-length: *(\d+)", re.IGNORECASE)
_MOST_READ = 1 << 16
_TIMEOUT_SECONDS = 30


class BadAnswer(Exception):
    """The server said something else than was asked of it."""


@dataclass(frozen=True, slots=True)
class Load:
    """What came back, and how long each took: ascending, in seconds."""

    requests: int
    seconds: float
    latencies: list[float]

    @property
    def per_second(self) -> float:
        """How many a second were answered."""
        return self.requests / self.seconds

    def percentile(self, percent: float) -> float:
        """Return the time within which so many percent were answered."""
        return percentile(self.latencies, percent)


def get_request(path: str, headers: dict[str, str]) -> bytes:
    """Return the bytes of a GET, as a browser on the same connection sends it."""
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "User-Agent: bench", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def ask_once(port: int, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers (names in lower case) and body of one answer."""
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT_SECONDS) as connection:
        connection.sendall(get_request(path, headers))
        data = b""
        while not _is_whole(data):
            data += _receive(connection)
    head, _, body = data.partition(_HEAD_END)
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in rest)
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, body


def drive(
    port: int,
    request: bytes,
    *,
    status: int,
    seconds: float,
    per_second: float | None = None,
    connections: int = CONNECTIONS,
) -> Load:
    """Ask for so many seconds; as fast as answers come, or so often a second.

    At a rate, a time is counted from when a request was due, not from when it could be sent: a
    server that stops for a moment is not forgiven what nobody could ask meanwhile.
    """
    opened = [_connect(port) for _ in range(connections)]
    try:
        return _drive(opened, request, b"%d" % status, seconds, per_second)
    finally:
        for connection in opened:
            connection.close()


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), _TIMEOUT_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _drive(
    opened: list[socket.socket],
    request: bytes,
    status: bytes,
    seconds: float,
    per_second: float | None,
) -> Load:
    clock = time.perf_counter
    connections = {connection.fileno(): connection for connection in opened}
    poll = select.epoll()
    for number in connections:
        poll.register(number, select.EPOLLIN)
    latencies: list[float] = []
    due: dict[int, float] = {}  # when the request that is on its way was due, by connection
    parts: dict[int, bytes] = {}
    idle = deque(connections)
    begun = clock()
    end = begun + seconds
    step = 1 / per_second if per_second else 0.0
    turn = begun
    while True:
        now = clock()
        while idle and turn <= now < end:
            number = idle.popleft()
            due[number] = turn if step else now
            turn += step
            connections[number].send(request)
        if now >= end and not due:
            break
        wait = max(0.0, turn - now) if idle and now < end else _TIMEOUT_SECONDS
        answers = poll.poll(wait)
        if not answers and wait == _TIMEOUT_SECONDS:
            raise BadAnswer("the server does not answer")
        for number, _ in answers:
            data = parts.pop(number, b"") + _receive(connections[number])
            if not _is_whole(data):
                parts[number] = data
                continue
            if data[9:12] != status:
                raise BadAnswer(f"{data[:60]!r} and not {status.decode()}")
            latencies.append(clock() - due.pop(number))
            idle.append(number)
    poll.close()
    return Load(len(latencies), clock() - begun, sorted(latencies))


def _receive(connection: socket.socket) -> bytes:
    data = connection.recv(_MOST_READ)
    if not data:
        raise BadAnswer("the connection was closed")
    return data


def _is_whole(data: bytes) -> bool:
    end = data.find(_HEAD_END)
    if end < 0:
        return False
    length = _LENGTH.search(data, 0, end)
    return length is None or len(data) - end - len(_HEAD_END) >= int(length[1])
