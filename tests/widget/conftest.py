from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page as Tab

from tests.widget.servers import Page, Site, Tracker
from widget.script import assemble_script

STATIC = Path(__file__).parents[2] / "static" / "widget"

OpenArticle = Callable[..., Tab]


@pytest.fixture(scope="session")
def base_url() -> None:
    """Stand in for pytest-base-url's fixture, which is written in a way that pytest 9 warns of."""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Prefer the system's Chromium; else Playwright's own."""
    found = shutil.which("chromium")
    return {
        **browser_type_launch_args,
        **({"executable_path": found} if found else {}),
        "args": ["--no-sandbox"],
    }


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
    """EMBED.md's line, as an editor pastes it."""
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

    def open_page(body: str, *, css: str = "", wait: bool = True) -> Tab:
        paper.pages["/paper.css"] = Page(css, {"Content-Type": "text/css"})
        paper.pages["/article"] = Page(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Article</title>'
            f'<link rel="stylesheet" href="/paper.css"><body>{body}',
            {"Content-Security-Policy": policy},
        )
        page.goto(f"{paper.origin}/article?utm=x#top")
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
