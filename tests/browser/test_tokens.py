"""The page of tokens in a browser: one is made, seen, copied away and revoked."""

from __future__ import annotations

import pytest
from flask import Flask
from playwright.sync_api import Browser, expect
from sqlalchemy.orm import Session

from admin.roles import Role
from admin.users import add_user
from core.auditlog import COMMAND_LINE
from core.clock import MovableClock
from tests.admin.conftest import sign_in_as
from tests.admin.pages import look_at
from tests.conftest import START


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_token_is_made_and_revoked(
    app: Flask, site: str, browser: Browser, session: Session, clock: MovableClock
) -> None:
    user = add_user(session, "a@courier.example", Role.OWNER, actor=COMMAND_LINE, now=START)
    session.commit()
    client = app.test_client()
    sign_in_as(client, session, user, clock)
    cookie = client.get_cookie("goalpost")
    assert cookie is not None
    context = browser.new_context()
    context.add_cookies([{"name": "goalpost", "value": cookie.value, "url": site}])
    tab = context.new_page()
    tab.goto(f"{site}/admin/tokens")
    look_at(tab, "tokens-none")
    tab.get_by_label("What will use it").fill("The newsroom’s spreadsheet")
    for scope in ("totals:read", "donations:read", "donors:read"):
        tab.get_by_label(scope).check()
    tab.get_by_label("How long it works").select_option("A year")
    tab.get_by_role("button", name="Make it").click()
    expect(tab.locator("#made")).to_contain_text("gp_")
    look_at(tab, "tokens-made")
    tab.get_by_role("link", name="Revoke").click()
    look_at(tab, "tokens-revoke")
    tab.get_by_role("button", name="Revoke it").click()
    expect(tab.get_by_text("lets nobody in any more")).to_be_visible()
    look_at(tab, "tokens-revoked")
    context.close()
