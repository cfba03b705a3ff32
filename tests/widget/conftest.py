from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask_sqlalchemy_lite import _extension
from playwright.sync_api import Page as Tab
from werkzeug.serving import make_server

from app import create_app
from campaigns.catalog import NewCampaign, create_campaign
from core.clock import MovableClock
from core.db import db
from payments.donating import OfflineGift, record_offline_gift
from tests.conftest import make_settings
from tests.fake_gateway import FakeGateway
from tests.live_site import free_port
from tests.widget.servers import Page, Site, Tracker
from widget.script import assemble_script

# Playwright keeps an event loop in this thread, in which Flask-SQLAlchemy-Lite can't end an
# application context: it waits for async sessions, although we never open one.
_extension._close_async_sessions = lambda _error: None  # type: ignore[assignment, return-value] # noqa: SLF001

STATIC = Path(__file__).parents[2] / "static" / "widget"

OpenArticle = Callable[..., Tab]


@pytest.fixture(scope="session")
def base_url() -> None:
    """Stand in for pytest-base-url's fixture, which is written in a way that pytest 9 warns of."""


@pytest.fixture
def tracker() -> Iterator[Tracker]:
    with Tracker() as site:
        site.serve_script(assemble_script(STATIC, base_url=site.origin).body)
        site.serve_image()
        site.say()
        yield site


@pytest.fixture
def paper() -> Iterator[Site]:
    with Site() as site:
        yield site


@pytest.fixture
def snippet(tracker: Tracker) -> str:
    """The documented line, as an editor pastes it."""
    return (
        f'<script async src="{tracker.origin}/embed/v1.js"></script>'
        '<donation-goal campaign="support-us">'
        f'<a href="{tracker.origin}/c/support-us">'
        f'<img src="{tracker.origin}/c/support-us.png" width="600" height="160" loading="lazy"'
        ' alt="Support us"></a></donation-goal>'
    )


@pytest.fixture
def open_article(page: Tab, tracker: Tracker, paper: Site) -> Iterator[OpenArticle]:
    """Open an article of a paper with a strict policy; nothing may break it or throw on it."""
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "console",
        lambda message: (
            troubles.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    policy = (
        f"default-src 'none'; script-src {tracker.origin}; connect-src {tracker.origin};"
        f" img-src {tracker.origin}; style-src 'self'; require-trusted-types-for 'script'"
    )

    def open_page(body: str, *, css: str = "", wait: bool = True, path: str = "/article") -> Tab:
        paper.pages[f"{path}.css"] = Page(css, {"Content-Type": "text/css"})
        paper.pages[path] = Page(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Article</title>'
            f'<link rel="stylesheet" href="{path}.css"><body>{body}',
            {"Content-Security-Policy": policy},
        )
        page.goto(f"{paper.origin}{path}?utm=x#top")
        if wait:
            page.locator("donation-goal .raised").first.wait_for()
        return page

    yield open_page
    assert troubles == []


@pytest.fixture
def browser_link_only(new_context: Callable[..., Any]) -> Tab:
    """A reader without script."""
    tab: Tab = new_context(java_script_enabled=False).new_page()
    return tab


@dataclass(frozen=True)
class Goalpost:
    """The whole application on loopback, with the example's campaign and 520 $ in it."""

    address: str


@pytest.fixture
def live(database_url: str, clock: MovableClock) -> Iterator[Goalpost]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    settings = make_settings(database_url=database_url, base_url=address)
    app = create_app(settings, clock=clock, gateway=FakeGateway(settings, clock))
    with app.app_context(), db.sessionmaker() as session:
        campaign = NewCampaign(
            slug="support-us",
            title="Support us",
            currency="USD",
            timezone="America/New_York",
            tiers_minor=(250_000, 500_000),
            money_format="{amount} {symbol}",
        )
        create_campaign(session, campaign, now=clock.now())
        gift = OfflineGift(amount_minor=52_000, paid_at=clock.now())
        record_offline_gift(session, "support-us", gift, now=clock.now())
        session.commit()
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield Goalpost(address)
    server.shutdown()
    thread.join()
    server.server_close()
    with app.app_context():
        db.engine.dispose()
