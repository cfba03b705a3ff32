"""From the widget to the donate page."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.widget.conftest import OpenArticle
from tests.widget.servers import Page, Site, Tracker

pytestmark = pytest.mark.browser


def address(tab: Tab) -> str:
    href: str = tab.locator("donation-goal .donate").evaluate("(link) => link.href")
    return href


def query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def test_amount_article_and_slot_go_along(
    open_article: OpenArticle, snippet: str, tracker: Tracker, paper: Site
) -> None:
    tracker.pages["/c/support-us"] = Page("<!doctype html>the donate page")
    tab = open_article(snippet.replace("<donation-goal", '<donation-goal slot-name="top"'))
    tab.get_by_label("20 $").check()
    tab.locator("donation-goal .donate").click()
    expect(tab.locator("body")).to_have_text("the donate page")
    assert tab.url.startswith(f"{tracker.origin}/c/support-us?")
    assert query(tab.url) == {
        "amount": ["20"],
        "frequency": ["once"],
        "source": [f"{paper.origin}/article"],
        "slot": ["top"],
    }


def test_other_amount_is_left_to_the_donate_page(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet)
    assert "amount" not in query(address(tab))
    tab.get_by_label("20 $").check()
    assert query(address(tab))["amount"] == ["20"]
    tab.get_by_label("Other").check()
    assert "amount" not in query(address(tab))


def test_amount_is_chosen_by_keyboard(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet)
    tab.keyboard.press("Tab")
    tab.keyboard.press("Space")
    tab.keyboard.press("ArrowRight")
    assert query(address(tab))["frequency"] == ["month"]
    tab.keyboard.press("Tab")
    tab.keyboard.press("Space")
    tab.keyboard.press("ArrowRight")
    assert query(address(tab))["amount"] == ["10"]
    tab.keyboard.press("Tab")
    focused = tab.evaluate(
        "document.querySelector('donation-goal').shadowRoot.activeElement.className"
    )
    assert focused == "donate"


def test_foreign_donate_address_is_not_believed(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    for evil in ("https://evil.example/c/support-us", "javascript:alert(1)", "//evil.example/"):
        tracker.say(donate_url=evil)
        tab = open_article(snippet)
        tab.reload()
        tab.locator("donation-goal .raised").wait_for()
        assert address(tab).startswith(f"{tracker.origin}/c/support-us?")


def test_page_hears_of_it_and_may_prevent_it(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet)
    tab.evaluate(
        """() => document.addEventListener('donation-goal:donate', (event) => {
          event.preventDefault();
          window.heard = event.detail.amount;
        })"""
    )
    tab.get_by_label("50 $").check()
    before = tab.url
    tab.locator("donation-goal .donate").click()
    assert tab.evaluate("window.heard") == "50"
    assert tab.url == before


def test_page_hears_of_new_values(open_article: OpenArticle, snippet: str, page: Tab) -> None:
    page.add_init_script(
        "document.addEventListener('donation-goal:updated',"
        " (event) => { window.raised = event.detail.raised_minor })"
    )
    assert open_article(snippet).evaluate("window.raised") == 52000


def test_framed_page_opens_a_tab_of_its_own(page: Tab, paper: Site, snippet: str) -> None:
    paper.pages["/inner"] = Page(f"<!doctype html>{snippet}")
    paper.pages["/outer"] = Page('<!doctype html><iframe src="/inner" width=700 height=300>')
    page.goto(f"{paper.origin}/outer")
    link = page.frame_locator("iframe").locator("donation-goal .donate")
    assert link.get_attribute("target") == "_blank"
    assert link.get_attribute("rel") == "noopener"
