"""Where things stand: labels that never touch, a page that never moves."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page as Tab

from campaigns.recent import RecentGift
from tests.widget.conftest import STATIC, OpenArticle
from tests.widget.servers import Tracker
from widget.script import assemble_script

pytestmark = pytest.mark.browser

WIDTHS = (240, 280, 320, 600, 1200)
TIERS = (
    (0, 2500, 5000),
    (0, 5000),
    (0, 10, 5000),
    (0, 4900, 5000),
    (0, 1000, 1100, 1200, 5000),
    (0, 100_000_000, 200_000_000, 300_000_000, 999_999_999),
    (0, 1, 2, 3, 4, 5, 6, 7, 8),
    (0, 500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 10_000),
)
BOXES = """() => {
  const goal = document.querySelector('donation-goal');
  const of = (node) => { const {left, right, top, bottom} = node.getBoundingClientRect();
                         return {left, right, top, bottom} };
  return [of(goal), of(goal.shadowRoot.querySelector('.bar')),
          [...goal.shadowRoot.querySelectorAll('.tier')].map(of)];
}"""
SHIFT = """() => new Promise((resolve) => {
  let sum = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
  }).observe({type: 'layout-shift', buffered: true});
  setTimeout(() => resolve(sum), 100);
})"""


def overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    return (
        one["left"] < other["right"]
        and other["left"] < one["right"]
        and one["top"] < other["bottom"]
        and other["top"] < one["bottom"]
    )


@pytest.mark.parametrize("tiers", TIERS, ids=str)
@pytest.mark.parametrize("raised", [520, 20_000])
def test_labels_neither_touch_nor_are_cut(
    open_article: OpenArticle, tracker: Tracker, snippet: str, tiers: tuple[int, ...], raised: int
) -> None:
    tracker.say(tiers=tiers, raised=raised)
    styles = "".join(f".w{width}{{width:{width}px}}" for width in WIDTHS)
    tab = open_article(f'<div class="w240">{snippet}</div>', css=styles + "body{margin:0}")
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 700})
        tab.evaluate("(name) => { document.querySelector('div').className = name }", f"w{width}")
        tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        goal, bar, labels = tab.evaluate(BOXES)
        assert len(labels) == len(tiers)
        for label in labels:
            assert label["left"] >= goal["left"] - 0.5, width
            assert label["right"] <= goal["right"] + 0.5, width
            assert label["top"] >= goal["top"], width
            assert label["bottom"] <= bar["top"], width
        for one, other in itertools.combinations(labels, 2):
            assert not overlap(one, other), width
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


def test_labels_stand_over_their_marks(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet)
    goal, _, labels = tab.evaluate(BOXES)
    middle = (labels[1]["left"] + labels[1]["right"]) / 2
    assert middle == pytest.approx((goal["left"] + goal["right"]) / 2, abs=1)
    assert labels[0]["left"] == pytest.approx(goal["left"], abs=1)
    assert labels[2]["right"] == pytest.approx(goal["right"], abs=1)


@pytest.fixture
def shift_of(open_article: OpenArticle, tracker: Tracker, page: Tab) -> Callable[..., float]:
    """Load an article whose script and numbers come late, and return how much it moved."""

    def load(snippet: str, *, width: int, css: str = "", **said: Any) -> float:
        script = assemble_script(STATIC, base_url=tracker.origin).body
        tracker.serve_script(script, delay_seconds=0.3)
        tracker.say(delay_seconds=0.3, **said)
        page.set_viewport_size({"width": width, "height": 800})
        text = f"<h1>News</h1>{snippet}" + "<p>A paragraph of the article.</p>" * 30
        shift: float = open_article(text, css=css).evaluate(SHIFT)
        return shift

    return load


@pytest.mark.parametrize("width", [700, 1280])
def test_page_does_not_shift_as_the_picture_keeps_the_place(
    shift_of: Callable[..., float], snippet: str, width: int
) -> None:
    assert shift_of(snippet, width=width) < 0.01


# What a page keeps free by its own stylesheet: for the usual, for all that may be shown, compact.
USUAL = (
    "donation-goal { display: block; min-height: 164px }"
    "@media (width < 600px) { donation-goal { min-height: 258px } }"
)
ALL = (
    "donation-goal { display: block; min-height: 248px }"
    "@media (width < 600px) { donation-goal { min-height: 382px } }"
)
COMPACT = (
    "donation-goal { display: block; min-height: 84px }"
    "@media (width < 480px) { donation-goal { min-height: 136px } }"
)
EVERYTHING: dict[str, Any] = {
    "raised": 2718,
    "shows": "donors,days,expected,recent",
    "coming": 640,
    "gifts": tuple(
        RecentGift(amount_minor=amount, name=name)
        for amount, name in ((2000, "Ann Teller"), (5000, None), (1250, "Bo"))
    ),
}


@pytest.mark.parametrize("width", [296, 336, 376, 620, 700, 1216])
@pytest.mark.parametrize(
    ("attributes", "css", "said"),
    [("", USUAL, {}), ("", ALL, EVERYTHING), (" compact", COMPACT, {})],
    ids=["usual", "all", "compact"],
)
def test_page_does_not_shift_where_its_stylesheet_keeps_the_place(
    shift_of: Callable[..., float],
    tracker: Tracker,
    width: int,
    attributes: str,
    css: str,
    said: dict[str, Any],
) -> None:
    goal = (
        f'<script async src="{tracker.origin}/embed/v1.js"></script>'
        f'<donation-goal campaign="support-us"{attributes}>'
        f'<a href="{tracker.origin}/c/support-us">Support us</a></donation-goal>'
    )
    assert shift_of(goal, width=width, css=css, **said) < 0.01


@pytest.mark.parametrize("width", [280, 320, 360, 600, 1200])
def test_element_keeps_the_place_while_the_numbers_are_on_their_way(
    open_article: OpenArticle, tracker: Tracker, snippet: str, page: Tab, width: int
) -> None:
    tracker.say(delay_seconds=0.5)
    page.set_viewport_size({"width": width, "height": 800})
    bare = re.sub("<a .*</a>", "", snippet)
    tab = open_article(bare, css="body { margin: 0 }", wait=False)
    tab.wait_for_function("document.querySelector('donation-goal').shadowRoot")
    waiting = tab.locator("donation-goal").bounding_box()
    tab.locator("donation-goal .raised").wait_for()
    drawn = tab.locator("donation-goal").bounding_box()
    assert waiting
    assert drawn
    assert waiting["height"] == pytest.approx(drawn["height"], abs=8)


def test_compact_is_lower(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet.replace("<donation-goal", "<donation-goal compact"))
    box = tab.locator("donation-goal").bounding_box()
    assert box
    assert box["height"] <= 90
    for part in (".title", ".often", ".amounts"):
        assert tab.locator(f"donation-goal {part}").is_hidden()
    assert tab.locator("donation-goal .donate").is_visible()


def test_targets_are_large_enough(open_article: OpenArticle, snippet: str, page: Tab) -> None:
    page.set_viewport_size({"width": 280, "height": 700})
    tab = open_article(snippet)
    for target in tab.locator("donation-goal .amount, donation-goal .donate").all():
        box = target.bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 24


def test_nothing_to_press_in_print(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet)
    tab.emulate_media(media="print")
    assert tab.locator("donation-goal .give").is_hidden()
    assert tab.locator("donation-goal .raised").is_visible()
