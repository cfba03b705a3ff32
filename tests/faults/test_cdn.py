"""The shipped configuration, by a real nginx: many readers cost the site a handful of asks."""

from __future__ import annotations

import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from core.clock import MovableClock
from core.settings import Settings
from tests.conftest import Give, MakeCampaign, make_settings
from tests.live_site import free_port
from tests.log_lines import caught
from tests.programs import find_program

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf"
VIEWS, READERS = 2_000, 16
JSON = "/api/v1/campaigns/support-us"
PATIENCE_SECONDS = 60.0


class Origin:
    """The application, and how often each of its addresses was asked for."""

    def __init__(self, app: Flask) -> None:
        self._app = app.wsgi_app
        self.port = 0
        self.asked: Counter[str] = Counter()
        self.seen: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        with self._lock:
            self.asked[environ["PATH_INFO"]] += 1
            self.seen.append(environ)
        return self._app(environ, start_response)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return make_settings(database_url=database_url, snapshot_seconds=1, trusted_proxies=1)


@pytest.fixture
def origin(app: Flask) -> Iterator[Origin]:
    origin = Origin(app)
    server = make_server("127.0.0.1", 0, origin, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    origin.port = server.server_port
    yield origin
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def front(origin: Origin, tmp_path: Path) -> Iterator[str]:
    """The address of an nginx with the shipped configuration, before the origin."""
    program, port = find_program("nginx"), free_port()
    shipped = SHIPPED.read_text(encoding="utf-8")
    # The names of a machine are this one's, and there is no TLS here; the rest is as it is shipped.
    for before, after in (
        (r"server \{\s+listen 80;.*?\n\}\n", ""),
        (r"listen 443 ssl http2;", f"listen 127.0.0.1:{port};"),
        (r"ssl_certificate\w*\s+\S+;", ""),
        (r"/var/cache/nginx/goalpost", f"{tmp_path}/cache"),
        (r"/var/log/nginx", str(tmp_path)),
        (r"127\.0\.0\.1:8000", f"127.0.0.1:{origin.port}"),
    ):
        shipped, count = re.subn(before, after, shipped, flags=re.DOTALL)
        assert count, before
    folders = "".join(
        f"{name}_temp_path {tmp_path}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log; worker_processes 1;"
        f" user root; events {{}} http {{ access_log off; {folders}\n{shipped}\n}}",
        encoding="utf-8",
    )
    process = subprocess.Popen([program, "-e", f"{tmp_path}/error.log", "-c", str(configuration)])
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            assert process.poll() is None, (tmp_path / "error.log").read_text()
            assert time.monotonic() < until
            try:
                ask(f"http://127.0.0.1:{port}/livez")
            except OSError:
                time.sleep(0.02)
            else:
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def ask(address: str, **headers: str) -> tuple[str, Any]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - our own address
    with opener.open(request, timeout=20) as answer:
        return answer.read().decode(), answer.headers


def read_log(folder: Path, last: str) -> str:
    """Return nginx's log once `last` is in it: a line is written when its answer is sent."""
    until = time.monotonic() + PATIENCE_SECONDS
    while last not in (log := (folder / "goalpost.log").read_text()):
        assert time.monotonic() < until, log
        time.sleep(0.02)
    return log


def test_an_article_that_everybody_reads_costs_a_handful_of_asks(
    front: str, origin: Origin, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    campaign = make_campaign()
    with ThreadPoolExecutor(READERS) as pool:
        views = [
            pool.submit(ask, front + JSON, Cookie=f"reader={number}") for number in range(VIEWS)
        ]
        told = [view.result() for view in views]
    assert len({body for body, _ in told}) == 1
    assert all('"raised_minor":0' in body for body, _ in told)
    assert all("Set-Cookie" not in headers for _, headers in told)
    assert origin.asked[JSON] < 10
    assert all("HTTP_COOKIE" not in one for one in origin.seen if one["PATH_INFO"] == JSON)

    give(campaign, 52_000)
    clock.advance(timedelta(seconds=1))  # the site's; nginx goes by the real one
    until = time.monotonic() + PATIENCE_SECONDS
    while '"raised_minor":52000' not in ask(front + JSON)[0]:
        assert time.monotonic() < until, "the gift stays hidden"
        time.sleep(0.2)
    assert origin.asked[JSON] < 20


def test_what_is_one_reader_s_is_kept_by_nobody(
    front: str, origin: Origin, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    pages = [ask(f"{front}/c/support-us") for _ in range(3)]
    assert origin.asked["/c/support-us"] == 3
    assert len({headers["Set-Cookie"] for _, headers in pages}) == 3
    forms = {re.findall(r'name="form_token" value="([^"]+)"', page)[0] for page, _ in pages}
    assert len(forms) == 3


def test_the_reader_s_own_address_reaches_the_site_whatever_they_claim(
    front: str, origin: Origin, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    ask(f"{front}/c/support-us", **{"X-Forwarded-For": "10.9.8.7"})
    assert origin.seen[-1]["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"


def test_its_log_names_nobody_and_has_the_id_that_ours_has(
    front: str, origin: Origin, tmp_path: Path
) -> None:
    _, headers = ask(f"{front}/manage?email=jane@example.org")
    with pytest.raises(urllib.error.HTTPError), caught() as lines:
        ask(f"{front}/manage/janes-own-link")
    asked = origin.seen[-2]
    assert headers["X-Request-Id"] == asked["HTTP_X_REQUEST_ID"]
    log = read_log(tmp_path, "/manage/-")
    (open_page, link) = (line for line in log.splitlines() if " /manage" in line)
    assert open_page.endswith(headers["X-Request-Id"])
    assert " GET /manage/- 404 " in link
    (ours,) = lines.told("goalpost.requests")
    assert link.endswith(ours["request_id"])
    assert not re.search(r"jane|127\.0\.0\.1", log)
    # What it may keep has the id too, and not the one that a reader claims.
    with pytest.raises(urllib.error.HTTPError):
        ask(f"{front}/static/nothing", **{"X-Request-Id": "claimed-by-a-reader"})
    (kept,) = (line for line in read_log(tmp_path, "/static/").splitlines() if "/static/" in line)
    assert kept.endswith(origin.seen[-1]["HTTP_X_REQUEST_ID"])
