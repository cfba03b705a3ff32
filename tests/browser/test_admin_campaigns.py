"""Campaigns in the admin, in a browser: goals by hand and by key, the preview, colours, copying."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Frame, Page, expect
from sqlalchemy.orm import Session

from admin.access import SESSION_KEY
from admin.roles import Role
from admin.sessions import begin_session
from admin.users import add_user
from campaigns.catalog import find_campaign
from core.auditlog import COMMAND_LINE
from core.clock import MovableClock
from tests.conftest import Give, MakeCampaign

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PAGE = "/admin/campaigns/support-us"
SignInBrowser = Callable[[Page], str]


@pytest.fixture
def sign_in(
    app: Flask,
    site: str,
    session: Session,
    clock: MovableClock,
    make_campaign: MakeCampaign,
    give: Give,
) -> SignInBrowser:
    """Sign an editor in to a browser; return the address of the site."""
    give(make_campaign(), 52_000)
    user = add_user(
        session, "editor@courier.example", Role.EDITOR, actor=COMMAND_LINE, now=clock.now()
    )
    token = begin_session(session, user, browser="Chromium", now=clock.now())
    session.commit()
    serializer: Any = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]

    def sign(page: Page) -> str:
        cookie = {SESSION_KEY: token, "_user_id": user.fs_uniquifier, "_fresh": True}
        value = serializer.dumps(cookie)
        page.context.add_cookies([{"name": "goalpost", "value": value, "url": site}])
        return site

    return sign


@pytest.fixture
def edit(page: Page, sign_in: SignInBrowser) -> Page:
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(sign_in(page) + f"{PAGE}/edit")
    return page


def goals(page: Page) -> list[str]:
    return [field.input_value() for field in page.locator(".goal-fields input").all()]


def preview(page: Page) -> Frame:
    frame = page.locator("iframe[name^=preview]:visible").element_handle().content_frame()
    assert frame is not None
    return frame


def previewed(page: Page, text: str, *, place: str = ".headline") -> None:
    frame = page.frame_locator("iframe[name^=preview]:visible")
    expect(frame.locator(place).first).to_contain_text(text, timeout=15_000)


def test_goals_are_moved_by_dragging_and_the_fields_and_the_preview_follow(
    edit: Page, session: Session
) -> None:
    previewed(edit, "2,500 $", place=".page .goal")
    handle = edit.get_by_role("slider", name="Goal 1")
    box, bar = handle.bounding_box(), edit.locator(".goal-bar").bounding_box()
    assert box is not None
    assert bar is not None
    middle = box["y"] + box["height"] / 2
    edit.mouse.move(box["x"] + box["width"] / 2, middle)
    edit.mouse.down()
    edit.mouse.move(bar["x"] + bar["width"] * 0.6, middle, steps=6)
    expect(handle).to_have_attribute("aria-valuetext", re.compile(r"^37\d\d USD$"))
    # Past the other one: the two change places in the fields.
    edit.mouse.move(bar["x"] + bar["width"] * 0.96, middle, steps=6)
    edit.mouse.up()
    first, second = goals(edit)
    assert first == "5000"
    assert second in {"5900", "6000", "6100"}
    expect(edit.get_by_role("slider", name="Goal 2")).to_be_focused()
    previewed(edit, f"{int(second):,} $", place=".page .goal")
    edit.get_by_role("button", name="Save").click()
    expect(edit.get_by_role("status")).to_contain_text("Saved: goals")
    tiers = find_campaign(session, "support-us").tiers
    assert [tier.amount_minor for tier in tiers] == [500_000, int(second) * 100]


def test_goals_are_moved_by_keys_added_and_removed(edit: Page) -> None:
    handle = edit.get_by_role("slider", name="Goal 1")
    handle.focus()
    for key, amount in (
        ("ArrowRight", "2600"),
        ("ArrowLeft", "2500"),
        ("PageDown", "1500"),
        ("ArrowUp", "1600"),
        ("Home", "100"),
        ("End", "6200"),
    ):
        edit.keyboard.press(key)
        expect(handle).to_have_attribute("aria-valuetext", f"{amount} USD")
        assert goals(edit)[0] == amount
    edit.get_by_role("button", name="Add a goal").click()
    assert goals(edit) == ["6200", "5000", "12400"]
    edit.keyboard.type("7500,5")  # no amount: its handle goes, and its field stays
    expect(edit.get_by_role("slider")).to_have_count(2)
    edit.get_by_role("textbox", name="Goal 3").fill("7500.50")
    edit.keyboard.press("Tab")
    expect(edit.get_by_role("slider", name="Goal 3")).to_have_attribute(
        "aria-valuetext", "7500.50 USD"
    )
    edit.get_by_role("slider", name="Goal 1").focus()
    edit.keyboard.press("Delete")
    assert goals(edit) == ["5000", "7500.50"]
    # A month ahead begins with the goals that it would have anyway.
    edit.goto(edit.url.replace("/edit", "/plan/2021-06"))
    assert goals(edit) == []
    edit.get_by_role("button", name="Add a goal").click()
    assert goals(edit) == ["2500", "5000"]


def test_the_preview_follows_and_leaves_no_step_in_the_history(edit: Page) -> None:
    previewed(edit, "Support us")
    steps = edit.evaluate("history.length")
    edit.get_by_label("Title", exact=True).fill("Keep the ferry")
    previewed(edit, "Keep the ferry")
    element = edit.frame_locator("iframe[name^=preview]:visible").locator("donation-goal").first
    expect(element.locator(".title")).to_have_text("Keep the ferry")
    edit.get_by_label("Raised").select_option("over")
    previewed(edit, "Goal reached", place=".page .goal")
    assert edit.evaluate("history.length") == steps
    # It is an origin of its own: it can't reach the page that holds it.
    assert preview(edit).evaluate("self.origin") == "null"


def test_a_colour_is_judged_while_it_is_chosen(edit: Page) -> None:
    edit.get_by_text("Looks: colour, button, notes").click()
    field, told = edit.get_by_label("Colour of the bar"), edit.locator("#accent-hint")
    expect(told).to_have_text("Contrast 4.8 on light paper; 3.7 on dark.")
    field.fill("#ffd84d")
    expect(told).to_contain_text("has a contrast of 1.4 on white")
    expect(field).to_have_attribute("aria-invalid", "true")
    edit.get_by_label("Pick a colour").fill("#8a1f11")
    expect(field).to_have_value("#8a1f11")
    expect(told).to_contain_text(re.compile(r"Contrast 9\.\d on light paper; .* stands in for it"))


def test_a_line_is_copied(page: Page, sign_in: SignInBrowser) -> None:
    site = sign_in(page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{site}{PAGE}/embed?slot=top")
    page.get_by_role("button", name="Copy: WordPress").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == f"{site}/c/support-us?slot=top"


def test_a_new_campaign_has_its_name_from_its_title_and_its_zone_from_the_browser(
    new_context: Callable[..., Any], sign_in: SignInBrowser
) -> None:
    page = new_context(timezone_id="Europe/Sofia").new_page()
    page.goto(sign_in(page) + "/admin/campaigns/new")
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Sofia")
    page.get_by_label("Title", exact=True).fill("Für die Fähre")
    expect(page.get_by_label("Name in addresses")).to_have_value("fur-die-fahre")
    page.get_by_label("Name in addresses").fill("ferry")
    page.get_by_label("Title", exact=True).fill("For the ferry")
    expect(page.get_by_label("Name in addresses")).to_have_value("ferry")


def test_all_of_it_works_without_script(
    new_context: Callable[..., Any], sign_in: SignInBrowser
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(sign_in(page) + f"{PAGE}/edit")
    page.get_by_label("Title", exact=True).fill("Keep the ferry")
    page.get_by_role("button", name="Preview").click()
    inside = page.frame_locator("iframe[name=preview]")
    expect(inside.locator(".headline").first).to_have_text("Keep the ferry")
    page.get_by_role("textbox", name="Goal 3").fill("900")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved: title, goals")
    assert goals(page)[:3] == ["900", "2500", "5000"]


def test_the_list_is_filtered_in_place(page: Page, sign_in: SignInBrowser) -> None:
    page.goto(sign_in(page) + "/admin/campaigns")
    page.evaluate("window.same = true")
    page.get_by_label("State").select_option("paused")
    expect(page.get_by_text("No campaign is paused.")).to_be_visible()
    assert page.url.endswith("?state=paused")
    assert page.evaluate("window.same")
    page.get_by_label("State").select_option("open")
    expect(page.get_by_role("cell", name="520 $")).to_be_visible()


@pytest.mark.parametrize(("scheme", "read"), [("light", 320), ("dark", 1280)])
def test_every_page_fits_and_axe_finds_nothing(
    page: Page, sign_in: SignInBrowser, scheme: str, read: int
) -> None:
    site = sign_in(page)
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "console",
        lambda message: troubles.append(message.text) if message.type == "error" else None,
    )
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    paths = ["", "/edit", "/plan", "/plan/2021-06", "/schedule", "/embed"]
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        for path in ("/admin/campaigns", "/admin/campaigns/new", *(PAGE + one for one in paths)):
            page.goto(site + path)
            if path.endswith("/edit") and width == read:
                previewed(page, "Support us")
            for summary in page.locator("summary").all():
                summary.click()
            page.wait_for_load_state("networkidle")
            where = f"{path} at {width}, {scheme}"
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where
            if width != read:
                continue
            found = Axe().run(page, options={"resultTypes": ["violations"]}).response
            complaints = [
                f"{where}: {rule['id']} {node['target']} {node.get('failureSummary', '')}"
                for rule in found["violations"]
                for node in rule["nodes"]
            ]
            assert complaints == []
    assert troubles == []
