"""From the widget to the donate page."""

from __future__ import annotations

from typing import Any
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
          window.heard = event.detail;
        })"""
    )
    tab.get_by_label("50 $").check()
    before = tab.url
    tab.locator("donation-goal .donate").click()
    heard = tab.evaluate("window.heard")
    assert heard == {"url": address(tab), "amount": "50", "frequency": "once"}
    assert tab.url == before


def test_page_that_does_not_prevent_it_lets_it_happen(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tracker.pages["/c/support-us"] = Page("<!doctype html>the donate page")
    tab = open_article(snippet)
    tab.evaluate("document.addEventListener('donation-goal:donate', () => {})")
    tab.locator("donation-goal .donate").click()
    expect(tab.locator("body")).to_have_text("the donate page")


def test_monthly_gift_takes_two_more_taps_and_has_amounts_of_its_own(
    open_article: OpenArticle, snippet: str
) -> None:
    tab = open_article(snippet)
    amounts = tab.locator("donation-goal .amount")
    assert amounts.all_inner_texts() == ["10 $", "20 $", "50 $", "100 $", "Other"]
    tab.get_by_label("Monthly").check()
    assert amounts.all_inner_texts() == ["5 $", "10 $", "20 $", "50 $", "Other"]
    tab.get_by_label("5 $", exact=True).check()
    asked = query(address(tab))
    assert (asked["amount"], asked["frequency"]) == (["5"], ["month"])


def test_amount_that_both_offer_stays_chosen(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet)
    tab.get_by_label("50 $").check()
    tab.get_by_label("Monthly").check()
    assert query(address(tab))["amount"] == ["50"]
    tab.get_by_label("Once").check()
    tab.get_by_label("100 $").check()
    tab.get_by_label("Monthly").check()
    assert "amount" not in query(address(tab))


def test_no_amount_is_chosen_for_the_reader(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet)
    expect(tab.locator("donation-goal .amounts :checked")).to_have_count(0)
    assert query(address(tab)).keys() == {"frequency", "source"}


@pytest.mark.parametrize(("frequencies", "asked"), [("once", "once"), ("month", "month")])
def test_single_frequency_is_no_choice(
    open_article: OpenArticle, snippet: str, tracker: Tracker, frequencies: str, asked: str
) -> None:
    tracker.say(frequencies=frequencies)
    tab = open_article(snippet)
    expect(tab.locator("donation-goal .often")).to_be_hidden()
    assert query(address(tab))["frequency"] == [asked]


@pytest.mark.parametrize(
    ("said", "amounts", "labels"),
    [
        ({}, "3,2500,7.5", ["3 $", "2,500 $", "7.5 $"]),
        ({"locale": "de", "money_format": None}, "3,2500", ["3 $", "2.500 $"]),
        ({"tiers": ()}, "3,2500", ["3 $", "2,500 $"]),
        ({"tiers": (), "money_format": None}, "3,2500", ["$3", "$2,500"]),
        ({"locale": "ar"}, "1500", ["1,500 US$\u200e\u200f"]),
        ({}, "1,2,3,4,5,6,7,8", ["1 $", "2 $", "3 $", "4 $", "5 $", "6 $"]),
        ({}, "nine, -3, 0, ,1e400", ["10 $", "20 $", "50 $", "100 $"]),
    ],
)
def test_page_offers_amounts_of_its_own_as_the_campaign_prints_money(
    open_article: OpenArticle,
    snippet: str,
    tracker: Tracker,
    said: dict[str, Any],
    amounts: str,
    labels: list[str],
) -> None:
    tracker.say(**said)
    tab = open_article(snippet.replace("<donation-goal", f'<donation-goal amounts="{amounts}"'))
    found = [text.strip() for text in tab.locator("donation-goal .amount").all_inner_texts()]
    assert [text.replace("\xa0", " ") for text in found[:-1]] == labels


def test_own_amount_goes_along_as_it_was_written(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet.replace("<donation-goal", '<donation-goal amounts="7.5, 2500"'))
    tab.get_by_label("7.5 $").check()
    assert query(address(tab))["amount"] == ["7.5"]
    tab.get_by_label("2,500 $").check()
    assert query(address(tab))["amount"] == ["2500"]


def test_only_path_and_origin_of_the_article_go_along(
    open_article: OpenArticle, snippet: str, paper: Site
) -> None:
    tab = open_article(snippet)
    assert "utm" in tab.url
    assert query(address(tab))["source"] == [f"{paper.origin}/article"]


def test_article_that_a_script_changed_is_told_as_it_is_now(
    open_article: OpenArticle, snippet: str, paper: Site
) -> None:
    tab = open_article(snippet)
    tab.evaluate(
        """() => {
          document.addEventListener('donation-goal:donate', (event) => event.preventDefault());
          history.pushState(null, '', '/next?page=2');
        }"""
    )
    tab.locator("donation-goal .donate").click()
    assert query(address(tab))["source"] == [f"{paper.origin}/next"]


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
