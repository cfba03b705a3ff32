"""The layer by itself, around an application of the test's own, on a clock moved by hand."""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from core.clock import MovableClock, seconds_of
from tests.conftest import START
from widget import shelf
from widget.ready import BROTLI, GZIP, PLAIN, choose_coding, is_known
from widget.snapshots import Snapshots, known_query, next_turn

ADDRESS = "/api/v1/campaigns/support-us"
SECOND = timedelta(seconds=1)
WAIT_SECONDS = 30


class Inner:
    """An application that counts how often it is asked, and says what it is told to."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.status = "200 OK"
        self.body = b"some words, some words, some words, some words, some words, some words"
        self.headers = [
            ("Content-Type", "application/json"),
            ("Cache-Control", "public, max-age=10"),
            ("ETag", '"tag"'),
            ("X-Own", "kept"),
        ]
        self.error: Exception | None = None
        self.open = threading.Event()
        self.open.set()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.asked.append(environ)
        assert self.open.wait(WAIT_SECONDS)
        if self.error is not None:
            raise self.error
        start_response(self.status, [*self.headers, ("Content-Length", str(len(self.body)))])
        return [self.body]


class Answer:
    def __init__(self, body: bytes, status: str, headers: Headers) -> None:
        self.body, self.status, self.headers = body, status, headers


Ask = Callable[..., Answer]


@pytest.fixture
def inner() -> Inner:
    return Inner()


@pytest.fixture
def layer(inner: Inner, clock: MovableClock) -> Snapshots:
    return Snapshots(
        inner,
        base_url="https://goal.example.org",
        limit_seconds=1,
        now=seconds_of(clock),
        patience_seconds=0.2,
    )


@pytest.fixture
def ask(layer: Snapshots) -> Ask:
    def ask(path: str = ADDRESS, *, method: str = "GET", query: str = "", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        environ = EnvironBuilder(
            path, method=method, query_string=query, headers=Headers(named)
        ).get_environ()
        parts, status, told = run_wsgi_app(layer.entrance(), environ, buffered=True)
        return Answer(b"".join(parts), status, told)

    return ask


def settle(layer: Snapshots) -> None:
    """Wait until no question is on its way."""
    for flight in list(layer._flights.values()):  # noqa: SLF001
        assert flight.done.wait(WAIT_SECONDS)


def test_application_is_asked_once_for_most_of_a_second(
    ask: Ask, inner: Inner, clock: MovableClock
) -> None:
    for _ in range(5):
        assert ask().body == inner.body
        clock.advance(SECOND * 0.15)
    assert len(inner.asked) == 1


def test_answer_is_made_anew_ahead_of_the_limit_while_readers_get_the_old_one(
    ask: Ask, layer: Snapshots, inner: Inner, clock: MovableClock
) -> None:
    old = ask().body
    inner.body = b"new"
    inner.open.clear()
    clock.advance(SECOND * 0.9)
    assert ask().body == old
    assert ask().body == old
    inner.open.set()
    settle(layer)
    assert ask().body == b"new"
    assert len(inner.asked) == 2


def test_nothing_older_than_the_limit_is_served_while_the_books_can_be_read(
    ask: Ask, inner: Inner, clock: MovableClock
) -> None:
    ask()
    for number in range(20):
        inner.body = f"body {number}".encode()
        clock.advance(SECOND)
        assert ask().body == inner.body


@pytest.mark.parametrize("jump", [-timedelta(seconds=0.1), -timedelta(days=1), timedelta(days=1)])
def test_clock_that_jumps_either_way_means_asking_again(
    ask: Ask, inner: Inner, clock: MovableClock, jump: timedelta
) -> None:
    ask()
    inner.body = b"new"
    clock.advance(jump)
    assert ask().body == b"new"
    assert ask().body == b"new"
    assert len(inner.asked) == 2


def test_nothing_is_held_beyond_the_instant_at_which_a_month_may_begin(
    ask: Ask, inner: Inner, clock: MovableClock
) -> None:
    clock.set(START.replace(minute=29, second=59, microsecond=700_000))
    ask()
    inner.body = b"the new month"
    clock.set(START.replace(minute=30, second=0))
    assert ask().body == b"the new month"
    assert next_turn(seconds_of(clock)()) == START.replace(minute=45, second=0).timestamp()


def test_many_readers_at_once_make_one_question(
    ask: Ask, inner: Inner, clock: MovableClock
) -> None:
    for expected in (1, 2):
        inner.open.clear()
        with ThreadPoolExecutor(16) as pool:
            answers = [pool.submit(ask) for _ in range(16)]
            inner.open.set()
            assert {answer.result(WAIT_SECONDS).body for answer in answers} == {inner.body}
        assert len(inner.asked) == expected
        inner.body = b"new"
        clock.advance(SECOND)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip", "gzip"), ("br", "br"), ("gzip, deflate, br", "br"), ("", None), ("zstd", None)],
)
def test_compressed_bodies_are_the_plain_one(
    ask: Ask, inner: Inner, clock: MovableClock, accepted: str, coding: str | None
) -> None:
    unpack = {"gzip": gzip.decompress, "br": brotli.decompress, None: bytes}[coding]
    for _ in range(3):  # once quickly compressed, then as well as can be, then as it was
        answer = ask(Accept_Encoding=accepted)
        assert answer.headers.get("Content-Encoding") == coding
        assert unpack(answer.body) == inner.body
        assert answer.headers["Content-Length"] == str(len(answer.body))
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.headers["ETag"] == 'W/"tag"'
        assert answer.headers["X-Own"] == "kept"
        clock.advance(SECOND)


def test_what_stays_the_same_is_compressed_no_third_time(
    ask: Ask, layer: Snapshots, inner: Inner, clock: MovableClock
) -> None:
    bodies = []
    for _ in range(4):
        ask()
        bodies.append(layer.shelf.entries[ADDRESS].ready.variants[BROTLI][1])
        clock.advance(SECOND)
    assert bodies[2] is bodies[1]
    assert bodies[3] is bodies[1]
    inner.body += b"!"
    ask()
    assert brotli.decompress(layer.shelf.entries[ADDRESS].ready.variants[BROTLI][1]) == inner.body


def test_small_and_packed_bodies_are_not_compressed(ask: Ask, inner: Inner) -> None:
    inner.body = b"{}"
    answer = ask(Accept_Encoding="br, gzip")
    assert (answer.body, "Content-Encoding" in answer.headers) == (b"{}", False)
    inner.body = b"p" * 1000
    inner.headers[0] = ("Content-Type", "image/png")
    picture = ask("/c/support-us.png", Accept_Encoding="br, gzip")
    assert picture.body == inner.body
    assert "Content-Encoding" not in picture.headers
    assert "Vary" not in picture.headers


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip;q=0", PLAIN),
        ("br;q=0, gzip", GZIP),
        ("gzip;q=1.0, br;q=0.5", GZIP),
        ("GZIP ; q=0.2", GZIP),
        ("identity, gzip;q=0.5", PLAIN),
        ("*", GZIP),
        ("*;q=0, br", BROTLI),
        ("gzip;q=nonsense", PLAIN),
        (",;,=;q", PLAIN),
    ],
)
def test_coding_is_chosen_by_what_the_reader_takes(accepted: str, coding: int) -> None:
    assert choose_coding(accepted) == coding


@pytest.mark.parametrize(
    "asked", ['W/"tag"', '"tag"', "*", '"other", W/"tag"', ' "tag" ,"x"', 'W/"other","tag"']
)
@pytest.mark.parametrize("accepted", ["", "gzip", "br"])
def test_known_answer_is_not_sent_again(ask: Ask, inner: Inner, asked: str, accepted: str) -> None:
    ask()
    answer = ask(If_None_Match=asked, Accept_Encoding=accepted)
    assert answer.status == "304 Not Modified"
    assert answer.body == b""
    assert answer.headers["ETag"] == 'W/"tag"'
    assert answer.headers["Cache-Control"] == "public, max-age=10"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert not {"Content-Length", "Content-Type", "Content-Encoding"} & set(answer.headers.keys())
    assert len(inner.asked) == 1


@pytest.mark.parametrize("asked", ['"other"', "tag", "", 'W/"tag2"', '"ta", "g"'])
def test_other_answer_is_sent(ask: Ask, asked: str) -> None:
    assert ask(If_None_Match=asked).status == "200 OK"
    assert not is_known(asked, 'W/"tag"')


def test_answer_without_a_tag_gets_one(ask: Ask, inner: Inner) -> None:
    inner.headers = [header for header in inner.headers if header[0] != "ETag"]
    tag = ask().headers["ETag"]
    assert tag.startswith('W/"')
    assert ask(If_None_Match=tag).status == "304 Not Modified"


def test_head_is_a_get_without_its_body(ask: Ask, inner: Inner) -> None:
    full = ask(Accept_Encoding="gzip")
    head = ask(method="HEAD", Accept_Encoding="gzip")
    assert head.body == b""
    assert head.headers == full.headers
    assert head.headers["Content-Length"] == str(len(full.body))
    assert len(inner.asked) == 1


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "PUT", "DELETE"])
def test_other_methods_go_through(ask: Ask, inner: Inner, method: str) -> None:
    ask()
    ask(method=method)
    assert inner.asked[-1]["REQUEST_METHOD"] == method
    assert len(inner.asked) == 2


@pytest.mark.parametrize(
    "path",
    ["/", "/c/support-us", "/c/support-us/thanks", "/readyz", "/static/x.svg", "/admin/c/x.svg"],
)
def test_other_addresses_go_through(ask: Ask, layer: Snapshots, inner: Inner, path: str) -> None:
    for number in (1, 2):
        ask(path, Cookie="session=1")
        assert inner.asked[-1]["HTTP_COOKIE"] == "session=1"
        assert len(inner.asked) == number
    assert not layer.shelf.entries


@pytest.mark.parametrize(
    "path",
    [
        ADDRESS, f"{ADDRESS}/periods", "/embed/support-us", "/embed/v1.js", "/embed/v1.0a.js",
        "/c/support-us.svg", "/c/support-us.png", "/c/support-us/closings.atom", "/oembed",
    ],
)  # fmt: skip
def test_faces_are_held(ask: Ask, inner: Inner, path: str) -> None:
    for _ in range(3):
        ask(path)
    assert len(inner.asked) == 1


def test_question_is_nobodys_so_the_answer_is_everybodys(ask: Ask, inner: Inner) -> None:
    ask(
        Cookie="session=1", Host="evil.example", Accept_Language="de", User_Agent="x",
        X_Forwarded_For="1.2.3.4", Accept_Encoding="gzip", Authorization="Basic eDp4",
        If_None_Match="*", Origin="https://evil.example",
    )  # fmt: skip
    (asked,) = inner.asked
    told = {name for name in asked if name.startswith("HTTP_")}
    assert told == {"HTTP_HOST"}
    assert asked["HTTP_HOST"] == "goal.example.org"
    assert asked["wsgi.url_scheme"] == "https"
    assert "REMOTE_ADDR" not in asked


@pytest.mark.parametrize(
    "change",
    [
        ("Set-Cookie", "session=1"),
        ("Vary", "Cookie"),
        ("Vary", "Accept-Encoding, Cookie"),
        ("Cache-Control", "private, max-age=10"),
        ("Cache-Control", "no-store"),
        ("Content-Encoding", "gzip"),
    ],
)
def test_answer_that_is_not_for_all_is_not_held(
    ask: Ask, layer: Snapshots, inner: Inner, change: tuple[str, str]
) -> None:
    inner.headers = [header for header in inner.headers if header[0] != change[0]] + [change]
    ask(Cookie="session=1")
    assert inner.asked[-1]["HTTP_COOKIE"] == "session=1"
    assert not layer.shelf.entries


def test_answer_that_stops_being_for_all_is_let_go(
    ask: Ask, layer: Snapshots, inner: Inner, clock: MovableClock
) -> None:
    ask()
    inner.status = "404 Not Found"
    clock.advance(SECOND)
    assert ask().status == "404 Not Found"
    assert not layer.shelf.entries
    assert layer.shelf.size_bytes == 0


@pytest.mark.parametrize("status", ["404 Not Found", "301 Moved", "503 Unavailable", "204 Empty"])
def test_unknown_addresses_are_not_held(
    ask: Ask, layer: Snapshots, inner: Inner, status: str
) -> None:
    inner.status = status
    for number in range(3):
        assert ask(f"{ADDRESS}-{number}").status == status
    assert not layer.shelf.entries
    assert not layer._flights  # noqa: SLF001


def test_too_large_an_answer_goes_through(ask: Ask, layer: Snapshots, inner: Inner) -> None:
    inner.body = b"x" * (1 << 20)
    assert ask().body == inner.body
    assert not layer.shelf.entries


def test_query_that_no_face_reads_is_no_address_of_its_own(ask: Ask, inner: Inner) -> None:
    for number in range(50):
        ask(query=f"utm_source=letter-{number}&lang=de&lang=fr")
    assert len(inner.asked) == 1
    assert inner.asked[0]["QUERY_STRING"] == "lang=de"
    ask(query="lang=fr")
    ask()
    assert [asked["QUERY_STRING"] for asked in inner.asked] == ["lang=de", "lang=fr", ""]


def test_path_with_a_query_in_it_is_another_address(ask: Ask, inner: Inner) -> None:
    ask(query="lang=de")
    ask(f"{ADDRESS}%3Flang=de")
    assert inner.asked[-1]["PATH_INFO"] == f"{ADDRESS}?lang=de"
    assert len(inner.asked) == 2


@pytest.mark.parametrize("query", ["lang=" + "x" * 600, "lang=d\xe4"])
def test_long_and_strange_queries_go_through(layer: Snapshots, inner: Inner, query: str) -> None:
    assert known_query(query) is None
    environ = EnvironBuilder(ADDRESS).get_environ() | {"QUERY_STRING": query}
    assert run_wsgi_app(layer.entrance(), environ)[1] == "200 OK"
    assert [asked["QUERY_STRING"] for asked in inner.asked] == [query]
    assert not layer.shelf.entries


def test_flood_of_addresses_is_bounded_and_leaves_the_hot_one(
    ask: Ask,
    layer: Snapshots,
    inner: Inner,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shelf, "MOST_ENTRIES", 50)
    ask()
    for number in range(500):
        ask(query=f"lang={number}")
        if number % 20 == 0:
            clock.advance(SECOND)
            ask()
            assert ADDRESS in layer.shelf.entries
    assert len(layer.shelf.entries) == 50
    assert sum(not asked["QUERY_STRING"] for asked in inner.asked) == 1 + 25


def test_what_nobody_asks_for_any_more_makes_room(
    ask: Ask, layer: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "MOST_ENTRIES", 10)
    ask()
    for number in range(30):
        ask(query=f"lang={number}")
    assert ADDRESS not in layer.shelf.entries


def test_bytes_are_bounded_too(
    ask: Ask, layer: Snapshots, inner: Inner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "MOST_BYTES", 1 << 20)
    inner.headers[0] = ("Content-Type", "image/png")
    inner.body = b"x" * 100_000
    for number in range(30):
        assert ask(query=f"lang={number}").body == inner.body
    held = layer.shelf.entries.values()
    assert layer.shelf.size_bytes == sum(one.ready.size_bytes for one in held) <= 1 << 20
    assert len(held) >= 3


@pytest.mark.parametrize("trouble", ["status", "error"])
def test_last_value_stays_while_asking_fails_and_is_asked_for_once_a_second(
    ask: Ask, layer: Snapshots, inner: Inner, clock: MovableClock, trouble: str
) -> None:
    old = ask().body
    inner.body = b"new"
    if trouble == "status":
        inner.status = "503 Service Unavailable"
    else:
        inner.error = RuntimeError("no books")
    for _ in range(40):
        clock.advance(SECOND * 0.25)
        assert ask().body == old
        settle(layer)
    assert 9 <= len(inner.asked) - 1 <= 12
    inner.status, inner.error = "200 OK", None
    clock.advance(SECOND)
    ask()  # it stands in a last time, while the books are asked
    settle(layer)
    assert ask().body == b"new"


def test_books_that_are_back_are_asked_before_an_old_value_is_served(
    ask: Ask, layer: Snapshots, inner: Inner, clock: MovableClock
) -> None:
    ask()
    inner.status = "503 Service Unavailable"
    clock.advance(SECOND)
    ask()
    settle(layer)
    inner.status, inner.body = "200 OK", b"new"
    clock.advance(SECOND * 60)
    assert ask().body == b"new"


def test_failure_ahead_of_the_limit_does_not_excuse_an_old_value(
    ask: Ask, layer: Snapshots, inner: Inner, clock: MovableClock
) -> None:
    ask()
    inner.status = "503 Service Unavailable"
    clock.advance(SECOND * 0.9)
    ask()
    settle(layer)
    ask()
    assert len(inner.asked) == 2  # not at once again
    inner.status, inner.body = "200 OK", b"new"
    clock.advance(SECOND * 0.2)
    assert ask().body == b"new"


def test_books_that_hang_cost_one_wait_and_not_one_each(
    ask: Ask, layer: Snapshots, inner: Inner, clock: MovableClock
) -> None:
    old = ask().body
    ask("/embed/support-us")
    inner.open.clear()
    inner.body = b"new"
    clock.advance(SECOND * 5)
    waits: list[float] = []
    flight_wait = threading.Event.wait

    def counted(self: threading.Event, timeout: float | None = None) -> bool:
        if self is not inner.open:
            waits.append(timeout or 0)
        return flight_wait(self, timeout)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Event, "wait", counted)
        for _ in range(5):
            assert ask().body == old
            assert ask("/embed/support-us").body == old
    # Once as long as patience lasts, shortly for the other face, and not again.
    assert [wait for wait in waits if 0 < wait < 1] == [0.2, 0.05]
    assert len(inner.asked) == 4
    inner.open.set()
    settle(layer)
    assert ask().body == b"new"
    assert ask("/embed/support-us").body == b"new"
    assert not layer._stuck  # noqa: SLF001


def test_without_a_last_value_failure_is_the_applications_own(ask: Ask, inner: Inner) -> None:
    inner.status = "503 Service Unavailable"
    assert ask().status == "503 Service Unavailable"
    inner.error = RuntimeError("no books")
    with pytest.raises(RuntimeError):
        ask()


def test_no_thread_is_left_when_there_is_nothing_to_do(
    ask: Ask, layer: Snapshots, clock: MovableClock
) -> None:
    ask()
    clock.advance(SECOND)
    ask()
    for thread in threading.enumerate():
        if thread.name == "snapshots":
            thread.join(WAIT_SECONDS)
    assert layer._workers == 0  # noqa: SLF001


def test_reader_asks_himself_where_there_can_be_no_more_threads(
    ask: Ask, inner: Inner, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    ask()
    inner.body = b"new"
    clock.advance(SECOND)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert ask().body == b"new"


def test_child_of_a_fork_asks_for_itself(
    ask: Ask, layer: Snapshots, inner: Inner, clock: MovableClock
) -> None:
    ask()
    clock.advance(SECOND * 0.9)
    inner.open.clear()
    ask()  # a question of the parent's is on its way
    reader, writer = os.pipe()
    with layer._lock:  # noqa: SLF001 - and another thread holds the lock
        child = os.fork()
    if child == 0:
        try:
            inner.open.set()
            inner.body = b"the child's"
            clock.advance(SECOND)
            os.write(writer, ask().body)
        finally:
            os._exit(0)
    os.close(writer)
    assert os.read(reader, 100) == b"the child's"
    os.close(reader)
    os.waitpid(child, 0)
    inner.open.set()
    settle(layer)


def test_server_may_change_the_headers_that_it_gets(layer: Snapshots) -> None:
    def answer(headers: dict[str, str]) -> list[tuple[str, str]]:
        kept: list[list[tuple[str, str]]] = []
        environ = EnvironBuilder(ADDRESS, headers=Headers(headers)).get_environ()
        list(layer.entrance()(environ, lambda _status, headers: kept.append(headers)))
        return kept[0]

    for headers in ({}, {"If-None-Match": "*"}):
        first = answer(headers)
        first.append(("X-Added", "by the server"))
        assert ("X-Added", "by the server") not in answer(headers)
