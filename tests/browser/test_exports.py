"""Taking data out in a browser: the file is saved, and the list follows on the page that stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, expect
from sqlalchemy.orm import Session

from admin.roles import Role
from admin.users import add_user
from core.auditlog import COMMAND_LINE
from core.clock import MovableClock
from tests.admin.conftest import sign_in_as
from tests.conftest import START, Give, MakeCampaign
from tests.payments.exported import read_csv


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("script", [True, False])
def test_file_is_saved_and_its_end_is_seen_on_the_page(
    app: Flask,
    site: str,
    browser: Browser,
    session: Session,
    make_campaign: MakeCampaign,
    give: Give,
    clock: MovableClock,
    tmp_path: Path,
    *,
    script: bool,
) -> None:
    give(make_campaign(), 52_000)
    user = add_user(session, "a@courier.example", Role.ACCOUNTANT, actor=COMMAND_LINE, now=START)
    session.commit()
    client = app.test_client()
    sign_in_as(client, session, user, clock)
    cookie = client.get_cookie("goalpost")
    assert cookie is not None
    context = browser.new_context(java_script_enabled=script)
    context.add_cookies([{"name": "goalpost", "value": cookie.value, "url": site}])
    page = context.new_page()
    page.goto(f"{site}/admin/exports")
    expect(page.get_by_label("State of donations")).to_be_visible()
    page.get_by_label("Entries", exact=True).check()
    # What is for donations alone goes, by style sheet.
    expect(page.get_by_label("State of donations")).to_be_hidden()
    page.get_by_label("CSV", exact=True).check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Take it out").click()
    assert download.value.suggested_filename == "entries-until-2021-05-12.csv"
    file = tmp_path / "entries.csv"
    download.value.save_as(file)
    assert [row["amount"] for row in read_csv([file.read_bytes()])] == ["520.00"]
    if not script:
        page.reload()
    expect(page.get_by_role("cell", name="done")).to_be_visible()
    context.close()
