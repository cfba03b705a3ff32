"""The mixed load: what it writes down is what visitors met, and a short run of it is whole."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.crowd import ADMIN, BAR, EVENT, KINDS
from bench.memory import OWN, Memory, held_by, slope, watching
from bench.mixed import SANDBOX, SCHEDULER, Mixed, measure_mixed
from bench.mixed_paper import draw_mixed, mixed_tables
from bench.rounds import percentile
from bench.sites import open_sites
from bench.visitors import Browser, Failed, Records, Stream, Taken, visiting

SECONDS = 5.0


class _Site(BaseHTTPRequestHandler):
    """Gives a cookie, and finds only what is asked for with it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        known = "seen=yes" in self.headers.get("Cookie", "")
        self.send_response(200 if known or self.path == "/first" else 404)
        self.send_header("Set-Cookie", "seen=yes; Path=/; HttpOnly")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Site) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_browser_brings_its_cookies_and_writes_each_answer_down(port: int) -> None:
    records = Records()
    browser = Browser(port, records)
    browser.ask(BAR, "/first")
    assert browser.ask(BAR, "/second").body == b"ok"
    browser.close()
    assert len(records.answers[BAR]) == 2
    assert not records.errors


def test_answer_that_was_not_expected_is_an_error_of_its_kind(port: int) -> None:
    records = Records()
    browser = Browser(port, records)
    with pytest.raises(Failed):
        browser.ask(ADMIN, "/second")
    browser.close()
    assert records.errors == {ADMIN: 1}
    assert not records.answers[ADMIN]
    assert "404" in records.told[0]


def test_visitors_come_as_often_as_they_are_due_and_what_they_raise_is_an_error() -> None:
    records = Records()
    due: list[float] = []

    def fail(_due: float) -> None:
        raise OSError

    streams = [
        Stream("steady", 50.0, 2, lambda: due.append),
        Stream("failing", 10.0, 1, lambda: fail),
    ]
    with visiting(streams, records, seconds=0.4):
        pass
    assert len(due) == 20
    assert records.errors == {"failing": 4}


def test_percentile_is_the_time_within_which_so_many_are_answered() -> None:
    times = [float(number) for number in range(1, 101)]
    assert [percentile(times, percent) for percent in (50, 99, 100)] == [51.0, 100.0, 100.0]
    assert percentile([3.0], 99) == 3.0


def test_slope_is_of_the_line_that_fits_best() -> None:
    assert slope([(0, 5.0), (10, 25.0), (20, 45.0)]) == pytest.approx(2.0)
    assert slope([(0, 1.0), (1, 3.0), (2, 1.0)]) == 0.0
    assert slope([(7, 9.0)]) == 0.0
    memory = Memory("web", [(0, 900), (10, 100), (20, 120), (30, 140)])
    assert memory.slope(after=5) == pytest.approx(2.0)
    assert (memory.peak, memory.last) == (900, 140)


def test_memory_of_a_process_is_seen_while_it_runs() -> None:
    with watching(lambda: {"us": held_by([os.getpid()], OWN)}, every_seconds=60) as found:
        pass
    assert found["us"].peak > 1 << 20
    assert held_by([2**22 + 1]) == 0


def _mixed(**changes: object) -> Mixed:
    records = Records()
    for number in range(100):
        for place, kind in enumerate(KINDS, 1):
            records.answers[kind].append(Taken(number * 6.0, 0.001 * place))
    memory = {
        name: Memory(name, [(at, (100 << 20) + at) for at in range(0, 601, 2)])
        for name in ("web process 1", "web process 2", SCHEDULER, SANDBOX)
    }
    told: dict[str, object] = {
        "seconds": 600.0, "server": "a server", "database": "a database", "records": records,
        "memory": memory, "ended_at": 300.0, "closed_at": 304.5, "seen_at": 300.0, "gifts": 100,
        "paid_minor": 12_345, "booked_minor": 12_345, "shown_minor": 12_345, **changes,
    }  # fmt: skip
    return Mixed(**told)  # type: ignore[arg-type]


def test_tables_tell_each_kind_and_each_process() -> None:
    tables = mixed_tables(_mixed(), "a machine")
    for kind in (*KINDS, SCHEDULER):
        assert f"\n| {kind} | " in tables
    assert "| bar, JSON | 100 | 0 | 1.0 ms | 1.0 ms | 1.0 ms | 1.0 ms | 1.0 ms |" in tables
    assert "| all | 1,200 | 0 |" in tables
    assert "was closed 4.5 s after its end, 5.0 min into the run" in tables
    assert tables.count("123.45 $") == 3


def test_books_that_are_not_right_are_an_error_of_the_run_and_told() -> None:
    mixed = _mixed(wrong=["a cent is missing"])
    mixed.records.fail(EVENT, "500")
    assert mixed.errors == 2
    assert "a cent is missing" in mixed_tables(mixed, "a machine")


def test_picture_has_a_line_for_each_group_and_process_and_marks_the_roll() -> None:
    picture = draw_mixed(_mixed())
    assert picture.count("the month ends") == 2
    # Four groups and their key; two web processes and the scheduler, and the key of both.
    assert picture.count("<polyline") == 2 * 4 + 3 + 2
    assert "NaN" not in picture


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_short_run_has_no_errors_and_ends_with_the_books_at_what_was_paid(kind: str) -> None:
    steps: list[str] = []
    with open_sites(kind) as make:
        mixed = measure_mixed(make(), seconds=SECONDS, step=steps.append, readers=20.0)
    assert mixed.errors == 0, (mixed.records.told, mixed.wrong)
    assert mixed.gifts >= SECONDS - 1
    assert 0 < mixed.paid_minor == mixed.booked_minor == mixed.shown_minor
    assert mixed.closed_at is not None
    assert mixed.seen_at is not None
    assert {SCHEDULER, SANDBOX} < mixed.memory.keys()
    assert any("errors" in step for step in steps)
