"""When the element asks, and when it does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.widget.conftest import OpenArticle
from tests.widget.servers import Tracker

pytestmark = pytest.mark.browser

# Playwright can't hide a page; this is what the page would see.
HIDE = """(hidden) => {
  Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
  document.dispatchEvent(new Event('visibilitychange', {bubbles: true}));
}"""


@pytest.fixture(autouse=True)
def _clock(page: Tab) -> None:
    page.clock.install()


def test_both_bars_follow_a_gift_within_a_minute(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tab = open_article(snippet + "<p>text</p>" + snippet)
    tracker.say(raised=540)
    tab.clock.fast_forward(59_000)
    expect(tab.locator("donation-goal .raised")).to_have_text(["540 $", "540 $"])
    assert tracker.reads == 2


def test_asks_no_faster_than_every_fifty_seconds(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tab = open_article(snippet)
    tab.clock.fast_forward(49_000)
    tab.wait_for_timeout(100)
    assert tracker.reads == 1


def test_asks_only_when_it_nears_the_screen(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tab = open_article('<div class="far"></div>' + snippet, css=".far{height:5000px}", wait=False)
    tab.wait_for_timeout(200)
    assert tracker.reads == 0
    tab.evaluate("scrollTo(0, 4200)")
    tab.wait_for_timeout(100)
    tab.clock.run_for(50)
    expect(tab.locator("donation-goal .raised")).to_have_text("520 $")
    assert tracker.reads == 1


def test_does_not_ask_while_the_page_is_hidden(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tab = open_article(snippet)
    tab.evaluate(HIDE, arg=True)
    tab.clock.fast_forward(600_000)
    tab.wait_for_timeout(100)
    assert tracker.reads == 1
    tracker.say(raised=540)
    tab.evaluate(HIDE, arg=False)
    tab.clock.run_for(50)
    expect(tab.locator("donation-goal .raised")).to_have_text("540 $")


def test_a_glance_away_asks_nothing_new(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tab = open_article(snippet)
    tab.clock.fast_forward(3_000)
    tab.evaluate(HIDE, arg=True)
    tab.evaluate(HIDE, arg=False)
    tab.clock.run_for(50)
    tab.wait_for_timeout(100)
    assert tracker.reads == 1


def test_return_after_five_seconds_asks_anew(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tab = open_article(snippet)
    tracker.say(raised=540)
    tab.clock.fast_forward(6_000)
    tab.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    tab.clock.run_for(50)
    expect(tab.locator("donation-goal .raised")).to_have_text("540 $")


def test_keeps_the_last_value_on_error_and_recovers(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tab = open_article(snippet)
    tracker.fail()
    tab.clock.fast_forward(59_000)
    tab.wait_for_timeout(200)
    assert tracker.reads == 2
    expect(tab.locator("donation-goal .raised")).to_have_text("520 $")
    tracker.say(raised=540)
    tab.clock.fast_forward(59_000)
    expect(tab.locator("donation-goal .raised")).to_have_text("540 $")


def test_month_turns_on_an_open_page_by_the_servers_clock(
    open_article: OpenArticle, snippet: str, tracker: Tracker, page: Tab
) -> None:
    page.clock.set_fixed_time(datetime(2001, 1, 1, tzinfo=UTC))  # a reader's clock that is wrong
    page.clock.install(time=datetime(2001, 1, 1, tzinfo=UTC))
    ends_at = datetime.now(UTC) + timedelta(seconds=20)
    tracker.say(ends_at=ends_at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    tab = open_article(snippet)
    expect(tab.locator("donation-goal .period")).to_have_text("MAY 2021")
    tracker.say(raised=0, label="JUNE 2021")
    tab.clock.fast_forward(17_000)
    tab.wait_for_timeout(100)
    assert tracker.reads == 1
    tab.clock.fast_forward(12_000)
    expect(tab.locator("donation-goal .period")).to_have_text("JUNE 2021")
    expect(tab.locator("donation-goal .raised")).to_have_text("0 $")


def test_a_month_far_off_overflows_no_timer(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tracker.say(ends_at="9999-01-01T00:00:00Z")
    tab = open_article(snippet)
    tab.clock.run_for(2_000)
    tab.wait_for_timeout(100)
    assert tracker.reads == 1


def test_tracker_in_trouble_is_asked_less_and_less(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tab = open_article(snippet)
    tracker.fail()
    asked = []
    for _ in range(6):
        tab.clock.fast_forward(59_000)
        tab.wait_for_timeout(100)
        asked.append(tracker.reads)
    # After the first failure as always, then after two periods, then after three.
    assert asked == [2, 3, 3, 4, 4, 4]


def test_readers_who_come_and_go_do_not_hurry_a_tracker_in_trouble(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tab = open_article(snippet)
    tracker.fail()
    for _ in range(2):
        tab.clock.fast_forward(59_000)
        tab.wait_for_timeout(100)
    assert tracker.reads == 3
    tab.clock.fast_forward(15_000)
    tab.evaluate(HIDE, arg=True)
    tab.evaluate(HIDE, arg=False)
    tab.clock.run_for(50)
    tab.wait_for_timeout(100)
    assert tracker.reads == 3


def test_recovered_tracker_is_asked_as_always(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tab = open_article(snippet)
    tracker.fail()
    for _ in range(2):
        tab.clock.fast_forward(59_000)
        tab.wait_for_timeout(100)
    tracker.say(raised=540)
    tab.clock.fast_forward(118_000)
    expect(tab.locator("donation-goal .raised")).to_have_text("540 $")
    tracker.say(raised=560)
    tab.clock.fast_forward(59_000)
    expect(tab.locator("donation-goal .raised")).to_have_text("560 $")


@pytest.mark.parametrize(("luck", "early", "late"), [(0.0, 17_000, 5_000), (0.99, 25_000, 5_000)])
def test_open_pages_do_not_ask_in_one_moment_when_the_month_turns(
    open_article: OpenArticle,
    snippet: str,
    tracker: Tracker,
    page: Tab,
    luck: float,
    early: int,
    late: int,
) -> None:
    page.add_init_script(f"Math.random = () => {luck}")
    ends_at = datetime.now(UTC) + timedelta(seconds=20)
    tracker.say(ends_at=ends_at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    tab = open_article(snippet)
    tab.clock.fast_forward(early)
    tab.wait_for_timeout(100)
    assert tracker.reads == 1
    tab.clock.fast_forward(late)
    tab.wait_for_timeout(100)
    assert tracker.reads == 2


def test_month_that_is_over_and_not_yet_closed_is_asked_after_as_always(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tracker.say(ends_at="2021-06-01T04:00:00Z")
    tab = open_article(snippet)
    tab.clock.fast_forward(45_000)
    tab.wait_for_timeout(100)
    assert tracker.reads == 1
