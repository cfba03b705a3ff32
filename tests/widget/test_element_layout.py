"""Where things stand: labels that never touch, a page that never moves."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from playwright.sync_api import Page as Tab

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


@pytest.mark.parametrize("width", [360, 700, 1280])
def test_page_does_not_shift_when_script_and_data_come_late(
    open_article: OpenArticle, tracker: Tracker, snippet: str, page: Tab, width: int
) -> None:
    tracker.serve_script(assemble_script(STATIC, base_url=tracker.origin).body, delay_seconds=0.3)
    tracker.say(delay_seconds=0.3)
    page.set_viewport_size({"width": width, "height": 800})
    tab = open_article(f"<h1>News</h1>{snippet}" + "<p>A paragraph of the article.</p>" * 30)
    shift: Any = tab.evaluate(SHIFT)
    assert shift < 0.01


def test_compact_is_lower(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet.replace("<donation-goal", "<donation-goal compact"))
    box = tab.locator("donation-goal").bounding_box()
    assert box
    assert box["height"] <= 120
    assert tab.locator("donation-goal .amounts").is_hidden()


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


def test_bar_is_drawn_in_forced_colours(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(snippet)
    tab.emulate_media(forced_colors="active")
    fill, track = tab.evaluate(
        """() => ['.fill', '.track'].map((name) => {
          const style = getComputedStyle(
            document.querySelector('donation-goal').shadowRoot.querySelector(name));
          return name === '.fill' ? style.fill : style.stroke;
        })"""
    )
    assert fill != track
