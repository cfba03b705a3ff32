"""The element as a guest: on pages that restyle, move, copy and replace what they hold."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.widget.conftest import OpenArticle
from tests.widget.servers import Page, Tracker

pytestmark = pytest.mark.browser

# Resets, frameworks and old habits: each of these stands in somebody's stylesheet.
RUDE = {
    "revert": "* { all: revert !important }",
    "unset": "* { all: unset !important }",
    "tags": """
        div, span, a, label, input, ul, li, svg, section { position: fixed !important;
          float: right !important; width: 3px !important; border: 9px solid red !important }""",
    "type": """
        * { font: italic 50px/5 fantasy !important; letter-spacing: 9px !important;
            text-transform: uppercase !important; text-align: right !important;
            word-spacing: 40px !important; text-indent: 80px !important; list-style: square }""",
    "names": """
        .goal, .bar, .tiers, .fill, .give, .amount, .donate, .face { display: none !important }
        [part], [class] { opacity: 0 !important; transform: scale(9) !important }""",
    "colours": ":root { --accent: red; --ink: red; --quiet: red; --text: red; --a: red; --f: red }",
}
MEASURES = """() => {
  const goal = document.querySelector('donation-goal').shadowRoot;
  return ['.title', '.tier', '.bar', '.raised', '.amount', '.donate'].map((part) => {
    const node = goal.querySelector(part);
    const style = getComputedStyle(node);
    const box = node.getBoundingClientRect();
    return [part, style.fontSize, style.letterSpacing, style.textTransform, style.position,
            style.display, style.color, style.backgroundColor, Math.round(box.height)];
  });
}"""


@pytest.mark.parametrize("css", RUDE.values(), ids=RUDE)
def test_rude_style_stays_outside(open_article: OpenArticle, snippet: str, css: str) -> None:
    plain = "donation-goal { font-family: 'Liberation Sans' }"
    expected = open_article(snippet, css=plain).evaluate(MEASURES)
    tab = open_article(snippet, css=css + plain, path="/rude")
    assert tab.evaluate(MEASURES) == expected


def test_rude_style_is_felt_by_the_page_itself(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet + "<p>text</p>", css=RUDE["type"])
    assert tab.locator("p").evaluate("(p) => getComputedStyle(p).fontSize") == "50px"


def test_is_hidden_with_what_is_around_it(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(f"<main>{snippet}</main>", css="main { visibility: hidden }", wait=False)
    tab.locator("donation-goal .raised").wait_for(state="attached")
    assert tab.locator("donation-goal .raised").is_hidden()


def test_another_version_that_came_first_is_left_alone(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tracker.pages["/other.js"] = Page(
        "customElements.define('donation-goal', class extends HTMLElement {"
        " connectedCallback() { this.textContent = 'version 0' } })",
        {"Content-Type": "text/javascript"},
    )
    other = f'<script src="{tracker.origin}/other.js"></script>'
    tab = open_article(other + snippet, wait=False)
    tab.wait_for_load_state("networkidle")
    expect(tab.locator("donation-goal")).to_have_text("version 0")
    assert tracker.reads == 0


def test_element_that_is_added_later_needs_no_second_request(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tab = open_article(snippet)
    tab.evaluate(
        """() => {
          const goal = document.createElement('donation-goal');
          goal.campaign = 'support-us';
          document.body.append(goal);
        }"""
    )
    expect(tab.locator("donation-goal .raised")).to_have_text(["520 $", "520 $"])
    assert tracker.reads == 1


def test_moved_element_keeps_its_value_and_its_choice(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tab = open_article(snippet + '<div class="elsewhere"></div>', css=".elsewhere { width: 280px }")
    tab.get_by_label("20 $").check()
    tab.evaluate(
        "document.querySelector('.elsewhere').append(document.querySelector('donation-goal'))"
    )
    expect(tab.locator(".elsewhere .raised")).to_have_text("520 $")
    assert tab.get_by_label("20 $").is_checked()
    assert tracker.reads == 1


def test_element_takes_another_campaign(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    other = "/api/v1/campaigns/roof"
    tracker.say(raised=99)
    tracker.pages[other] = tracker.pages[tracker.PATH]
    tracker.say()
    tab = open_article(snippet)
    tab.evaluate("document.querySelector('donation-goal').campaign = 'roof'")
    expect(tab.locator("donation-goal .raised")).to_have_text("99 $")
    assert [path for path in tracker.asked if path.startswith(other)] == [other + "?with=face"]


def test_stores_nothing_and_sets_no_cookie(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet)
    kept = tab.evaluate(
        """async () => [document.cookie, localStorage.length, sessionStorage.length,
                        (await indexedDB.databases()).length]"""
    )
    assert kept == ["", 0, 0, 0]
    assert tab.context.cookies() == []


def test_link_and_picture_stay_in_the_page_for_readers_views_and_robots(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tab = open_article(snippet)
    link = tab.evaluate("document.querySelector('donation-goal a').getAttribute('href')")
    assert link == f"{tracker.origin}/c/support-us"
    assert tab.evaluate("document.querySelector('donation-goal img').alt") == "Support us"


def test_hidden_attribute_hides(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet)
    tab.evaluate("document.querySelector('donation-goal').hidden = true")
    assert tab.locator("donation-goal").is_hidden()


def test_page_styles_by_parts(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet, css="donation-goal::part(raised) { color: rgb(1, 2, 3) }")
    colour = tab.locator("donation-goal .raised").evaluate("(one) => getComputedStyle(one).color")
    assert colour == "rgb(1, 2, 3)"


def test_says_nothing_on_a_page_that_works(
    open_article: OpenArticle, snippet: str, page: Tab
) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    open_article(snippet + snippet)
    assert said == []
