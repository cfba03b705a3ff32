"""Sites for the browser: one in this process, whose clock can be moved, and the real thing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from flask import Flask
from playwright.sync_api import Page
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from admin.access import SESSION_KEY
from admin.roles import Role
from admin.sessions import begin_session
from admin.users import add_user
from core.auditlog import COMMAND_LINE
from core.clock import MovableClock
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


class Enter(Protocol):
    """Signs a user of that role in to a browser; makes the user."""

    def __call__(self, page: Page, role: Role = Role.OWNER) -> None: ...


@pytest.fixture
def enter(app: Flask, site: str, session: Session, clock: MovableClock) -> Enter:
    # No form: tests/admin/test_walk.py goes through it.
    def sign_in(page: Page, role: Role = Role.OWNER) -> None:
        user = add_user(
            session, f"{role}@courier.example", role, actor=COMMAND_LINE, now=clock.now()
        )
        token = begin_session(session, user, browser="Chromium", now=clock.now())
        session.commit()
        serializer: Any = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
        cookie = {SESSION_KEY: token, "_user_id": user.fs_uniquifier, "_fresh": True}
        value = serializer.dumps({**cookie, "fs_paa": time.time()})
        page.context.add_cookies([{"name": "goalpost", "value": value, "url": site}])

    return sign_in
