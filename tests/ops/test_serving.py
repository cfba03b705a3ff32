"""`serve` as a real process: it answers, lets go of nobody, and does not start on old tables."""

from __future__ import annotations

import http.client
import json
import resource
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest
from sqlalchemy import make_url

from ops.commands.serving import HEAD_MILLISECONDS
from tests.fake_events import WEBHOOK_SECRET
from tests.live_site import ROOT, free_port
from tests.ops.conftest import Start

START_SECONDS = 60.0
ANSWER_SECONDS = 20.0
IDLE = 1_000
MOST_A_MINUTE = 5  # payments/manage_routes.py
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def serve(start: Start, port: int) -> Start:
    """Start the server, with these options and settings."""

    def serve(*options: str, **settings: str) -> subprocess.Popen[str]:
        told = {
            "WEB_PORT": str(port),
            "STRIPE_SECRET_KEY": "sk_test_fake",
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        }
        return start("flask", "--app", f"{ROOT}/app.py", "serve", *options, **(told | settings))

    return serve


def ask(port: int, path: str = "/livez", method: str = "GET") -> int:
    return read(port, path, method)[0]


def read(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def children_of(pid: int) -> set[int]:
    return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()}


def wait_until_open(process: subprocess.Popen[str], port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until, "it does not answer"
        try:
            assert ask(port) == 200
        except OSError:
            time.sleep(0.05)
        else:
            return


@only_sqlite
def test_a_webhook_gets_through_a_thousand_idle_connections(serve: Start, port: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * IDLE)), hard))
    process = serve()
    wait_until_open(process, port)
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(IDLE)]
    try:
        for connection in idle[::2]:
            connection.send(b"POST /webhooks/stripe HTTP/1.1\r\nHost: goal")
        # It was looked at, and not believed: the database answered, too.
        assert ask(port, "/webhooks/stripe", "POST") == 400
        assert ask(port, "/readyz") == 200
    finally:
        for connection in idle:
            connection.close()


@pytest.mark.slow
@only_sqlite
def test_who_does_not_end_the_head_of_a_request_is_let_go(serve: Start, port: int) -> None:
    process = serve()
    wait_until_open(process, port)
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.send(b"GET /livez HTTP/1.1\r\nHost: goal")
        slow.settimeout(6 * HEAD_MILLISECONDS / 1000)
        assert b" 200 " not in slow.recv(4096)
        assert slow.recv(4096) == b""


@only_sqlite
def test_a_request_that_runs_ends_before_the_server_does(
    serve: Start, port: int, database_url: str
) -> None:
    process = serve()
    wait_until_open(process, port)
    found: list[int] = []
    database = make_url(database_url).database
    assert database is not None
    books = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    books.execute("BEGIN EXCLUSIVE")
    asking = threading.Thread(target=lambda: found.append(ask(port, "/readyz")))
    asking.start()
    time.sleep(0.5)
    assert found == []  # it waits for the books
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    books.execute("ROLLBACK")
    books.close()
    asking.join()
    assert found == [200]
    assert process.wait(START_SECONDS) == 0


def test_processes_of_a_site_answer_and_end_together(
    serve: Start, port: int, database_url: str
) -> None:
    count = 1 if database_url.startswith("sqlite") else 2
    process = serve("--processes", str(count), "--threads", "4")
    wait_until_open(process, port)
    assert all(ask(port, "/readyz") == 200 for _ in range(8))
    process.terminate()
    assert process.wait(START_SECONDS) == 0
    with pytest.raises(OSError, match="refused"):
        ask(port)


@only_sqlite
def test_processes_are_made_anew_and_no_request_is_lost(
    serve: Start, port: int, tmp_path: Path
) -> None:
    process = serve()
    wait_until_open(process, port)
    before = children_of(process.pid)
    assert before
    assert "The Evening Courier" not in read(port, "/")[1]
    (tmp_path / ".env").write_text("SITE_NAME=The Evening Courier\n")
    found: list[int] = []
    is_over = threading.Event()

    def ask_on() -> None:
        while not is_over.is_set():
            try:
                found.append(ask(port, "/readyz"))
            except ConnectionResetError:  # its process ended before it had taken it: see ADR 24
                found.append(ask(port, "/readyz"))

    asking = [threading.Thread(target=ask_on) for _ in range(2)]
    for one in asking:
        one.start()
    process.send_signal(signal.SIGHUP)
    until = time.monotonic() + START_SECONDS
    while before & children_of(process.pid):
        assert time.monotonic() < until, "its processes are the old ones"
        time.sleep(0.05)
    since = len(found)
    while len(found) < since + 10:
        assert time.monotonic() < until, "the new ones do not answer"
        time.sleep(0.05)
    is_over.set()
    for one in asking:
        one.join()
    assert set(found) == {200}
    assert children_of(process.pid)
    assert "The Evening Courier" in read(port, "/")[1]


@only_sqlite
@pytest.mark.parametrize("proxies", ["0", "1"])
def test_address_that_a_reader_claims_counts_nothing(serve: Start, port: int, proxies: str) -> None:
    process = serve(TRUSTED_PROXIES=proxies, MAIL_URL="smtp://127.0.0.1:9", MAIL_FROM="a@b.example")
    wait_until_open(process, port)
    reader = build_opener(HTTPCookieProcessor())
    address = f"http://127.0.0.1:{port}/manage"
    page = reader.open(address).read().decode()
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"csrf_token": token, "email": "x"}

    def send(forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded}
        with pytest.raises(HTTPError) as refused:
            reader.open(Request(address, urlencode(form).encode(), headers))
        refused.value.close()
        return refused.value.code

    # What the one proxy adds comes last; where there is none, all of it is claimed.
    last = ", 198.51.100.7" if proxies == "1" else ""
    found = [send(f"203.0.113.{number}{last}") for number in range(MOST_A_MINUTE + 1)]
    assert found == [422] * MOST_A_MINUTE + [429]
    assert send("198.51.100.7, 198.51.100.8") == (422 if proxies == "1" else 429)


@only_sqlite
@pytest.mark.parametrize(
    ("options", "environment", "said"),
    [
        (["--processes", "2"], {}, "On SQLite one process serves the site"),
        ([], {"DATABASE_URL": "sqlite:///empty.sqlite"}, "run `flask --app app db upgrade`"),
        ([], {"SECRET_KEY": ""}, "SECRET_KEY is missing"),
    ],
)
def test_what_can_not_be_served_is_refused_with_what_to_do(
    serve: Start, options: list[str], environment: dict[str, str], said: str
) -> None:
    process = serve(*options, **environment)
    _, told = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 1
    assert said in told
    assert "Traceback" not in told


@only_sqlite
def test_every_line_of_the_server_s_log_is_an_object(serve: Start, port: int) -> None:
    process = serve(LOG_FORMAT="json", LOG_LEVEL="DEBUG")
    wait_until_open(process, port)
    assert ask(port, "/nowhere") == 404
    process.send_signal(signal.SIGTERM)
    lines = process.communicate(timeout=START_SECONDS)[1].splitlines()
    told = [json.loads(line) for line in lines]
    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(one) for one in told))
    assert "GET (not found) 404" in [one["message"] for one in told]
