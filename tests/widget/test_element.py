"""The element in a real browser, on a page of another origin with a strict policy."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.widget.conftest import OpenArticle
from tests.widget.servers import Page, Site, Tracker

pytestmark = pytest.mark.browser

HOSTILE = """
* { color: red !important; font-size: 50px !important; letter-spacing: 9px !important;
    text-transform: uppercase !important; line-height: 5 !important; display: block !important }
div, span, a, label, input { position: fixed !important; border: 9px solid red !important }
.goal, .bar, .tiers, .donate { display: none !important }
"""


def test_shows_tiers_raised_and_month(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet)
    goal = tab.locator("donation-goal")
    assert goal.locator(".tier").all_inner_texts() == ["0 $", "2,500 $", "5,000 $"]
    expect(goal.locator(".raised")).to_have_text("520 $")
    expect(goal.locator(".period")).to_have_text("MAY 2021")
    expect(goal.locator(".donate")).to_have_text("Support us")
    labels = goal.locator(".amount").all_inner_texts()
    assert [label.strip() for label in labels] == ["5 $", "10 $", "20 $", "50 $", "Other"]


def test_says_the_same_to_those_who_do_not_see_it(open_article: OpenArticle, snippet: str) -> None:
    bar = open_article(snippet).get_by_role("progressbar")
    assert bar.get_attribute("aria-label") == "Support us, MAY 2021"
    assert bar.get_attribute("aria-valuenow") == "10"
    assert bar.get_attribute("aria-valuetext") == "520 $ of 5,000 $, 10%"


def test_two_elements_make_one_request(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tab = open_article(snippet + "<p>text</p>" + snippet)
    expect(tab.locator("donation-goal .raised")).to_have_text(["520 $", "520 $"])
    assert tracker.reads == 1


def test_script_loaded_twice_is_harmless(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    again = f'<script src="{tracker.origin}/embed/v1.js?again"></script>'
    tab = open_article(snippet + again + again)
    expect(tab.locator("donation-goal .raised")).to_have_text("520 $")
    assert tracker.reads == 1


def test_works_as_a_module_too(open_article: OpenArticle, tracker: Tracker) -> None:
    tab = open_article(
        f'<script type="module" src="{tracker.origin}/embed/v1.js"></script>'
        '<donation-goal campaign="support-us"></donation-goal>',
        wait=False,
    )
    tracker.pages["/embed/v1.js"].headers = {
        "Content-Type": "text/javascript",
        "Access-Control-Allow-Origin": "*",
    }
    tab.reload()
    expect(tab.locator("donation-goal .raised")).to_have_text("520 $")


def test_link_remains_while_there_is_nothing_better(
    open_article: OpenArticle, snippet: str, tracker: Tracker, page: Tab
) -> None:
    tracker.fail()
    warnings: list[str] = []
    page.on("console", lambda message: warnings.append(message.text))
    tab = open_article(snippet, wait=False)
    tab.wait_for_timeout(300)
    assert tab.locator("donation-goal a img").is_visible()
    assert any(text.startswith("[donation-goal]") for text in warnings)


def test_bad_campaign_leaves_the_link_and_asks_for_nothing(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tab = open_article(snippet.replace('"support-us"', '"../../admin"'), wait=False)
    tab.wait_for_timeout(200)
    assert tab.locator("donation-goal a img").is_visible()
    assert not [path for path in tracker.asked if "admin" in path or "api" in path]


def test_hostile_page_style_stays_outside(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet, css=HOSTILE)
    style = tab.evaluate(
        """() => {
          const of = (name) => getComputedStyle(
            document.querySelector('donation-goal').shadowRoot.querySelector(name));
          const [tier, donate] = [of('.tier'), of('.donate')];
          return [tier.fontSize, tier.letterSpacing, tier.textTransform, tier.position,
                  donate.position, donate.display, of('.tiers').display];
        }"""
    )
    assert style == ["13px", "normal", "none", "absolute", "static", "block", "block"]


def test_nothing_but_the_value_changes_the_page(
    open_article: OpenArticle, snippet: str, tracker: Tracker, page: Tab
) -> None:
    page.clock.install()
    tab = open_article(snippet)
    tab.evaluate(
        """() => {
          window.changes = 0;
          new MutationObserver((found) => { window.changes += found.length }).observe(
            document.querySelector('donation-goal').shadowRoot,
            {subtree: true, childList: true, attributes: true, characterData: true});
        }"""
    )
    tracker.say(as_of="2021-05-12T10:12:00Z")
    tab.clock.fast_forward(60_000)
    tab.wait_for_timeout(200)
    assert tracker.reads == 2
    assert tab.evaluate("window.changes") == 0


def test_focus_stays_on_an_amount_when_a_gift_comes_in(
    open_article: OpenArticle, snippet: str, tracker: Tracker, page: Tab
) -> None:
    page.clock.install()
    tab = open_article(snippet)
    tab.get_by_label("20 $").check()
    tracker.say(raised=540)
    tab.clock.fast_forward(60_000)
    expect(tab.locator("donation-goal .raised")).to_have_text("540 $")
    assert tab.get_by_label("20 $").is_checked()
    assert (
        tab.evaluate("document.querySelector('donation-goal').shadowRoot.activeElement?.value")
        == "20"
    )


def test_past_the_goal_the_bar_is_full_and_marks_it(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tracker.say(raised=6250)
    tab = open_article(snippet)
    drawing = tab.locator("donation-goal .bar")
    assert drawing.locator(".fill").get_attribute("width") == "100%"
    marks = drawing.locator(".mark.reached")
    assert [mark.get_attribute("x") for mark in marks.all()] == ["40%", "80%"]
    assert drawing.get_attribute("aria-valuenow") == "100"
    assert drawing.get_attribute("aria-valuetext") == "6,250 $ of 5,000 $, 125%"


def test_a_month_in_the_red_draws_an_empty_bar(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tracker.say(raised=-30)
    drawing = open_article(snippet).locator("donation-goal .bar")
    assert drawing.locator(".fill").get_attribute("width") == "0%"
    assert drawing.get_attribute("aria-valuenow") == "0"


def test_paused_campaign_offers_nothing(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tracker.say(state="paused")
    tab = open_article(snippet)
    expect(tab.locator("donation-goal .give")).to_be_hidden()


def test_right_to_left_begins_at_the_right(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tracker.say(locale="ar")
    tab = open_article(f'<div dir="rtl">{snippet}</div>')
    boxes = [tier.bounding_box() for tier in tab.locator("donation-goal .tier").all()]
    fill = tab.locator("donation-goal .fill").bounding_box()
    track = tab.locator("donation-goal .track").bounding_box()
    assert boxes[0]
    assert boxes[2]
    assert boxes[0]["x"] > boxes[2]["x"]
    assert fill
    assert track
    assert fill["x"] + fill["width"] == pytest.approx(track["x"] + track["width"], abs=1)


def test_removed_element_asks_no_more_and_returns_with_its_value(
    open_article: OpenArticle, snippet: str, tracker: Tracker, page: Tab
) -> None:
    page.clock.install()
    tab = open_article(snippet)
    tab.evaluate("window.kept = document.querySelector('donation-goal'); kept.remove()")
    tab.clock.fast_forward(120_000)
    tab.evaluate("window.dispatchEvent(new Event('pageshow'))")
    tab.wait_for_timeout(100)
    assert tracker.reads == 1
    tracker.say(raised=700)
    tab.evaluate("document.body.append(kept)")
    tab.clock.run_for(50)
    expect(tab.locator("donation-goal .raised")).to_have_text("700 $")
    assert tracker.reads == 2


def test_attributes_and_properties_are_one(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet)
    found = tab.evaluate(
        """() => {
          const goal = document.querySelector('donation-goal');
          Object.assign(goal, {slotName: 'top', amounts: '3, -1, nine, 7', theme: 'dark'});
          goal.compact = true;
          return [goal.campaign, goal.getAttribute('slot-name'), goal.getAttribute('theme'),
                  goal.compact, goal.hasAttribute('compact')];
        }"""
    )
    assert found == ["support-us", "top", "dark", True, True]
    labels = tab.locator("donation-goal .amount").all_text_contents()
    assert [label.strip() for label in labels] == ["3 $", "7 $", "Other"]


def test_link_survives_without_script(
    browser_link_only: Tab, paper: Site, snippet: str, tracker: Tracker
) -> None:
    paper.pages["/plain"] = Page(f"<!doctype html>{snippet}")
    browser_link_only.goto(f"{paper.origin}/plain")
    link = browser_link_only.locator("donation-goal a")
    assert link.get_attribute("href") == f"{tracker.origin}/c/support-us"
    assert link.locator("img").is_visible()
