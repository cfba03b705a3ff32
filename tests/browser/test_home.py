"""The dashboard in a browser: it follows the books while it is seen, and is looked at."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy.orm import Session

from admin.roles import Role
from admin.users import add_user
from core.auditlog import COMMAND_LINE
from core.clock import MovableClock
from tests.admin.conftest import sign_in_as
from tests.admin.pages import look_at
from tests.conftest import START, Give, MakeCampaign


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_follows_while_it_is_seen_and_axe_finds_nothing(
    app: Flask,
    site: str,
    browser: Browser,
    session: Session,
    make_campaign: MakeCampaign,
    give: Give,
    clock: MovableClock,
) -> None:
    user = add_user(session, "o@courier.example", Role.OWNER, actor=COMMAND_LINE, now=START)
    session.commit()
    client = app.test_client()
    sign_in_as(client, session, user, clock)
    cookie = client.get_cookie("goalpost")
    assert cookie is not None
    context = browser.new_context()
    context.add_cookies([{"name": "goalpost", "value": cookie.value, "url": site}])
    tab = context.new_page()
    tab.goto(f"{site}/admin/")
    look_at(tab, "home-empty")
    campaign = make_campaign()
    make_campaign("ferry", title="Keep the ferry", currency="EUR", timezone="Europe/Berlin")
    for month in range(1, 9):
        give(campaign, 90_000 + month * 41_000 % 170_000, START - timedelta(days=30 * month))
    tab.goto(f"{site}/admin/")
    give(campaign, 52_000)
    expect(tab.get_by_text("520 $", exact=True).first).to_be_visible(timeout=15_000)
    look_at(tab, "home")
    drawn = look_of_the_bar(tab)
    tab.goto(f"{site}/c/support-us")
    assert drawn == look_of_the_bar(tab)
    context.close()


def look_of_the_bar(tab: Page) -> dict[str, str]:
    """Return what a rule of the page around it would change."""
    look: dict[str, str] = tab.locator(".goal .bar").first.evaluate(
        """bar => Object.fromEntries(
            ["display", "height", "padding", "borderTop", "borderBottom", "background"]
                .map(name => [name, getComputedStyle(bar)[name]]))"""
    )
    return look
