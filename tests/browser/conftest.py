"""Sites for the browser: one in this process, whose clock can be moved, and the real thing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from core.settings import Settings
from tests.conftest import make_settings
from tests.live_site import LiveSite, free_port


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def settings(database_url: str, port: int) -> Settings:
    return make_settings(database_url=database_url, base_url=f"http://localhost:{port}")


@pytest.fixture
def site(app: Flask, settings: Settings, port: int) -> Iterator[str]:
    """The address of the application in this process, with the test's own clock."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield settings.base_url
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def live_site(database_url: str, tmp_path: Path) -> Iterator[LiveSite]:
    """The whole site as `make run` runs it: web server, scheduler and sandbox."""
    with LiveSite(tmp_path, DATABASE_URL=database_url) as site:
        yield site.start()
