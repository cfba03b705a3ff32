"""The benchmark of reading asks what it says; how long that takes is no test's business."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench import reading, reading_paper, servers
from bench.load import BadAnswer, Load, ask_once, drive, get_request
from bench.reading import BARE, NGINX, READY, Reading, measure_reading, sum_of
from bench.sites import open_sites

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="the benchmark of reading needs Linux"
)


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        known = "If-None-Match" in self.headers
        self.send_response(304 if known else 200)
        if not known:
            self.send_header("Content-Length", "70000")  # more than comes at once
        self.end_headers()
        if not known:
            self.wfile.write(b"x" * 70_000)

    def log_message(self, *_args: object) -> None:
        """Keep the test's output clean."""


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_args: object) -> None:
        """The load hangs up when its time is over, which is its right."""


@pytest.fixture
def port() -> Iterator[int]:
    Answers.asked = 0
    server = QuietServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def test_every_answer_is_counted_once_and_whole(port: int) -> None:
    load = drive(port, get_request("/", {}), status=200, seconds=0.2, connections=3)
    assert load.requests == len(load.latencies) == Answers.asked > 0
    assert load.latencies == sorted(load.latencies)
    assert load.percentile(0) == load.latencies[0]
    assert load.percentile(100) == load.latencies[-1]


def test_answer_without_a_body_is_whole(port: int) -> None:
    request = get_request("/", {"If-None-Match": "x"})
    load = drive(port, request, status=304, seconds=0.1, connections=2)
    assert load.requests == Answers.asked > 0


def test_load_keeps_to_its_rate(port: int) -> None:
    load = drive(port, get_request("/", {}), status=200, seconds=0.5, per_second=40)
    assert load.requests <= 21


def test_wrong_answer_ends_the_measurement(port: int) -> None:
    with pytest.raises(BadAnswer, match="not 304"):
        drive(port, get_request("/", {}), status=304, seconds=0.1)


def test_server_that_hangs_up_is_noticed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(100)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(BadAnswer, match="closed"):
            ask_once(listener.getsockname()[1], "/", {})
        thread.join()


def test_load_and_servers_are_on_different_cores() -> None:
    before = os.sched_getaffinity(0)
    with servers.on_core(servers=True):
        theirs = os.sched_getaffinity(0)
    with servers.on_core(servers=False):
        ours = os.sched_getaffinity(0)
    assert os.sched_getaffinity(0) == before
    if len(before) > 1:
        assert len(theirs) == len(ours) == 1
        assert theirs.isdisjoint(ours)


def test_everything_is_asked_of_real_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SUM_SIZES", (10,))
    monkeypatch.setattr(reading, "_WARMING_SECONDS", 0.02)
    with open_sites("sqlite") as make:
        readings = measure_reading(make, rounds=1, seconds=0.05, step=lambda _: None)
    for server in servers.SERVERS:
        found = {one.what: one for one in readings if one.server == server}
        assert {BARE, READY, reading.GZIP, reading.KNOWN, reading.FRAME} <= found.keys()
        assert {reading.PLAIN, reading.ASKED, sum_of(10)} <= found.keys()
        assert all(len(one.per_second) == len(one.cpu_seconds) == 1 for one in found.values())
        assert len(found[READY].p99_seconds) == 1


def _reading(what: str, server: str, per_second: float) -> Reading:
    return Reading(what, server, [per_second] * 3, [1 / per_second] * 3, [0.002] * 3)


def _readings() -> list[Reading]:
    rates = {what: 1000.0 for what in reading_paper.NAMES if what != NGINX} | {READY: 950.0}
    return [
        _reading(what, server, rate) for server in servers.SERVERS for what, rate in rates.items()
    ]


def test_tables_show_each_figure_beside_its_limit_and_goal() -> None:
    text = reading_paper.reading_tables(_readings(), "a machine", rounds=3)
    assert (
        "| **progress, ready bytes** | 950/s | 1,053 µs | 0.95 | 950/s | 1,053 µs | 0.95 |" in text
    )
    assert "| progress ≥ 0.95 × bare, granian | 0.95 | 0.95 |" in text
    assert "| p99 under 5 ms at half load, in the quietest round, granian | 2.0 ms | |" in text
    assert "no nginx on this machine" in text
    assert "≥ 0.55 × nginx, static file | – | – |" in text


def test_tables_show_nginx_where_there_is_one_and_no_image_where_there_is_none() -> None:
    some = [one for one in _readings() if one.what != reading.IMAGE]
    some.append(_reading(NGINX, "nginx", 1900.0))
    text = reading_paper.reading_tables(some, "a machine", rounds=3)
    assert "≥ 0.55 × nginx, static file | 0.50 | 0.50 |" in text
    assert "| image ≥ 0.8 × progress, granian | – | – |" in text


def test_picture_draws_every_reading_once() -> None:
    readings = [*_readings(), _reading(NGINX, "nginx", 1900.0)]
    picture = reading_paper.draw_reading(readings)
    keys = 3
    assert picture.count("<rect") == len(readings) + keys
    assert "nan" not in picture.lower()


def test_percentile_of_few_is_one_of_them() -> None:
    load = Load(2, 1.0, [0.1, 0.2])
    assert (load.percentile(50), load.percentile(99)) == (0.2, 0.2)
    assert load.per_second == 2
