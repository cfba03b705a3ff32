"""The donate form in a real browser: what a script adds to it, and that nothing needs one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy.orm import Session

from campaigns.catalog import CampaignChanges, change_campaign
from campaigns.look import Suggestion
from core.clock import MovableClock
from tests.conftest import MakeCampaign

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def campaign_page(
    site: str, make_campaign: MakeCampaign, session: Session, clock: MovableClock
) -> str:
    make_campaign()
    offers = CampaignChanges(
        suggestions={
            "once": (
                Suggestion(1_000, "an hour in the archive"),
                Suggestion(2_000, "a day in court"),
            ),
            "month": (Suggestion(300, None), Suggestion(700, "a letter a week")),
        }
    )
    change_campaign(session, "support-us", offers, now=clock.now())
    session.commit()
    return f"{site}/c/support-us"


@pytest.fixture
def form(page: Page, campaign_page: str) -> Page:
    page.goto(campaign_page)
    return page


@pytest.fixture
def scriptless(new_context: Callable[..., Any], campaign_page: str) -> Page:
    page: Page = new_context(java_script_enabled=False).new_page()
    page.goto(campaign_page)
    return page


def amounts(page: Page) -> list[str]:
    return page.locator(".chip:visible").all_inner_texts()


def test_the_fees_follow_the_amount_as_it_is_typed(form: Page) -> None:
    label = form.locator("[data-fees]")
    expect(label).to_have_text("Add what the payment costs: 2.9% and 0.30 $.")
    form.get_by_label("Amount").press_sequentially("20")
    expect(label).to_have_text("Add 0.91 $ to cover the fees, so that all of your 20 $ arrives.")
    form.get_by_label("Amount").press_sequentially(".50")
    expect(label).to_have_text("Add 0.93 $ to cover the fees, so that all of your 20.50 $ arrives.")
    form.get_by_label("Amount").fill("abc")
    expect(label).to_have_text("Add what the payment costs: 2.9% and 0.30 $.")
    expect(form.locator("[name=cover_fees]")).not_to_be_checked()


def test_the_fees_follow_in_the_format_of_the_page(form: Page, campaign_page: str) -> None:
    form.goto(f"{campaign_page}?lang=de")
    form.locator("#amount").fill("2.500,50")
    expect(form.locator("[data-fees]")).to_contain_text("2.500,50 $")


def test_no_wrong_sum_stays_where_the_server_does_not_answer(form: Page) -> None:
    form.get_by_label("Amount").fill("20")
    expect(form.locator("[data-fees]")).to_contain_text("0.91 $")
    form.route("**/fees?**", lambda route: route.abort())
    form.get_by_label("Amount").fill("50")
    expect(form.locator("[data-fees]")).to_have_text("Add what the payment costs: 2.9% and 0.30 $.")


def test_a_late_answer_does_not_overwrite_a_newer_one(form: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        if "amount=20" in route.request.url:
            held.append(route)
        else:
            route.continue_()

    form.route("**/fees?**", hold)
    with form.expect_request("**/fees?**amount=20"):
        form.get_by_label("Amount").fill("20")
    form.get_by_label("Amount").fill("50")
    expect(form.locator("[data-fees]")).to_contain_text("50 $")
    for route in held:
        route.continue_()
    form.wait_for_timeout(300)
    expect(form.locator("[data-fees]")).to_contain_text("50 $")


def test_a_suggestion_says_what_it_pays_for(form: Page) -> None:
    note = form.locator(".note:visible")
    expect(note).to_have_count(0)
    form.get_by_role("link", name="20 $").click()
    expect(note).to_have_text("20 $: a day in court")
    assert note.locator("xpath=..").get_attribute("aria-live") == "polite"
    form.get_by_label("Amount").fill("10")
    expect(note).to_have_text("10 $: an hour in the archive")
    form.get_by_label("Amount").fill("11")
    expect(note).to_have_count(0)


def test_amounts_change_with_how_often_and_nothing_that_was_typed_is_lost(form: Page) -> None:
    change_how_often(form)


def test_amounts_change_with_how_often_without_script_too(scriptless: Page) -> None:
    change_how_often(scriptless)


def change_how_often(page: Page) -> None:
    assert amounts(page) == ["10 $", "20 $"]
    page.get_by_label("Amount").fill("42")
    page.locator(".who summary").click()
    page.locator("#name").fill("Ann")
    page.get_by_role("radio", name="Monthly").check()
    assert amounts(page) == ["3 $", "7 $"]
    page.get_by_role("radio", name="Yearly").check()
    assert amounts(page) == ["50 $", "100 $", "200 $", "500 $"]
    expect(page.get_by_label("Amount")).to_have_value("42")
    expect(page.locator("#name")).to_have_value("Ann")


def test_without_script_a_suggestion_keeps_how_often_it_was_for(scriptless: Page) -> None:
    scriptless.get_by_role("radio", name="Monthly").check()
    scriptless.get_by_role("link", name="7 $").click()
    expect(scriptless.get_by_label("Amount")).to_have_value("7")
    expect(scriptless.get_by_role("radio", name="Monthly")).to_be_checked()
    expect(scriptless.locator(".note:visible")).to_have_text("7 $: a letter a week")
    expect(scriptless.locator("[data-fees]")).to_contain_text("so that all of your 7 $ arrives")


def test_nothing_that_needs_a_script_is_shown_without_one(scriptless: Page) -> None:
    assert scriptless.get_by_role("button").all_inner_texts() == ["Continue to payment"]


def test_a_form_is_sent_once_and_can_be_sent_again_by_whoever_comes_back(form: Page) -> None:
    # Playwright can't stand for Stripe here: it lets redirects of a form pass.
    form.route(
        "**/donate?**",
        lambda route: route.fulfill(body="<h1>Stripe</h1>", content_type="text/html"),
    )
    form.get_by_label("Amount").fill("20")
    button = form.locator("#give .button")
    # Held on the page, so that one can look at it.
    form.evaluate("addEventListener('submit', (event) => event.preventDefault(), {once: true})")
    button.click()
    expect(button).to_have_text("One moment…")
    expect(button).to_be_disabled()
    form.evaluate("document.querySelector('#give').submit()")
    expect(form.get_by_role("heading", name="Stripe")).to_be_visible()
    form.go_back()
    expect(button).to_be_enabled()
    expect(button).to_have_text("Continue to payment")
    button.click()
    expect(form.get_by_role("heading", name="Stripe")).to_be_visible()


def test_a_field_that_is_missing_leaves_the_button_as_it_is(form: Page) -> None:
    button = form.locator("#give .button")
    button.click()
    expect(button).to_have_text("Continue to payment")
    expect(button).to_be_enabled()


def test_the_first_mistake_has_the_focus_and_its_sentence(form: Page) -> None:
    form.get_by_label("Amount").fill("0")
    form.get_by_role("button", name="Continue to payment").click()
    expect(form.get_by_label("Amount")).to_be_focused()
    expect(form.get_by_label("Amount")).to_have_accessible_description(
        re.compile(r"The least is 0\.50 \$\.")
    )
    expect(form.get_by_role("alert")).to_contain_text("The least is 0.50 $.")
    form.get_by_role("alert").get_by_role("link").click()
    expect(form.get_by_label("Amount")).to_be_focused()


def test_the_link_can_be_copied(form: Page, campaign_page: str) -> None:
    form.context.grant_permissions(["clipboard-read", "clipboard-write"])
    form.get_by_role("button", name="Copy link").click()
    expect(form.get_by_role("status").filter(has_text="Link copied")).to_be_visible()
    assert form.evaluate("navigator.clipboard.readText()") == campaign_page


def test_a_device_with_a_sheet_of_its_own_is_handed_the_link(
    page: Page, campaign_page: str
) -> None:
    page.add_init_script("navigator.share = async (given) => { window.given = given; }")
    page.goto(campaign_page)
    page.get_by_role("button", name="Share…").click()
    given = page.evaluate("window.given")
    assert given["url"] == campaign_page
    assert given["title"] == "Support us"


@pytest.mark.parametrize("lang", ["en", "ar"])
@pytest.mark.parametrize("width", [320, 375, 768, 1024, 1280, 1920])
def test_the_page_fits_and_speaks_to_nobody_else(
    page: Page, campaign_page: str, width: int, lang: str
) -> None:
    asked: list[str] = []
    troubles: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{campaign_page}?lang={lang}&amount=20")
    page.locator(".who summary").click()
    page.locator(".qr summary").click()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    origin = campaign_page.partition("/c/")[0]
    assert [url for url in asked if not url.startswith(origin)] == []
    assert troubles == []


def test_on_a_wide_screen_the_form_stands_beside_the_text(page: Page, campaign_page: str) -> None:
    for width, beside in ((1280, True), (600, False)):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(campaign_page)
        title, form = page.locator("h1").bounding_box(), page.locator("#give").bounding_box()
        assert title is not None
        assert form is not None
        assert (form["x"] > title["x"] + 200) is beside


def test_on_paper_there_is_no_form_but_its_address(form: Page, campaign_page: str) -> None:
    form.emulate_media(media="print")
    expect(form.locator("#give")).to_be_hidden()
    expect(form.locator(".on-paper")).to_have_text(campaign_page)
    expect(form.locator(".on-paper")).to_be_visible()
