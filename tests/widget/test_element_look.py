"""How the element looks: in any colour, on any paper, to any eye."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page as Tab

from campaigns.look import contrast
from tests.widget.conftest import OpenArticle
from tests.widget.servers import Tracker

pytestmark = pytest.mark.browser

ACCENTS = (
    "#ffffff", "#000000", "#ffd84d", "#18806c", "#0000ff", "#ff0000", "#00ff00", "#767676",
    "#777777", "#7a7a7a", "#ff00ff", "#00ffff", "#808000", "#d9643a",
)  # fmt: skip
# What a colour is on the screen: painted, and read back.
PAINTED = """([part, property]) => {
  const node = document.querySelector('donation-goal').shadowRoot.querySelector(part);
  const brush = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  brush.fillStyle = getComputedStyle(node)[property];
  brush.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = brush.getImageData(0, 0, 1, 1).data;
  return ['#' + [red, green, blue].map((one) => one.toString(16).padStart(2, '0')).join(''),
          alpha / 255];
}"""


def painted(tab: Tab, part: str, what: str) -> tuple[str, float]:
    colour, alpha = tab.evaluate(PAINTED, [part, what])
    return colour, alpha


def over(colour: tuple[str, float], paper: str) -> str:
    """Return what a colour is on paper."""
    one, alpha = colour
    pairs = zip(bytes.fromhex(one[1:]), bytes.fromhex(paper[1:]), strict=True)
    return "#" + "".join(f"{round(top * alpha + under * (1 - alpha)):02x}" for top, under in pairs)


def with_accent(accent: str) -> str:
    return f"donation-goal {{ --donation-goal-accent: {accent} }}"


@pytest.mark.parametrize("accent", ACCENTS)
def test_text_is_legible_on_any_accent(
    open_article: OpenArticle, snippet: str, accent: str
) -> None:
    tab = open_article(snippet, css=with_accent(accent))
    tab.get_by_label("20 $").check()
    for part in (".donate", ".amount:has(:checked)"):
        ink, _ = painted(tab, part, "color")
        fill, _ = painted(tab, part, "backgroundColor")
        assert fill == accent
        assert ink in {"#000000", "#ffffff"}
        assert contrast(ink, fill) >= 4.5


@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ("#000000", "#ffffff"),
        ("#1c1c1a", "#fdfdfb"),
        ("#333333", "#ffffff"),
        ("#595959", "#ffffff"),
        ("#767676", "#ffffff"),
        ("#ffffff", "#000000"),
        ("#ecebe6", "#15181a"),
        ("#bbbbbb", "#222222"),
        ("#000000", "#aaaaaa"),
    ],
)
def test_quiet_text_is_as_quiet_as_its_contrast_can_spare(
    open_article: OpenArticle, snippet: str, ink: str, ground: str
) -> None:
    tab = open_article(snippet, css=f"body {{ color: {ink}; background: {ground} }}")
    quiet = over(painted(tab, ".of", "color"), ground)
    assert contrast(quiet, ground) >= 4.5
    assert contrast(quiet, ground) <= contrast(ink, ground) + 0.01


def test_quiet_text_is_paler_where_there_is_contrast_to_spare(
    open_article: OpenArticle, snippet: str
) -> None:
    tab = open_article(snippet, css="body { color: #000; background: #fff }")
    assert painted(tab, ".of", "color")[1] < 0.8
    assert painted(tab, ".raised", "color") == ("#000000", 1)


@pytest.mark.parametrize("accent", ["#ffffff", "#fffef0", "#000000"])
def test_bar_ends_with_an_edge_whatever_its_colour(
    open_article: OpenArticle, snippet: str, accent: str
) -> None:
    tab = open_article(snippet, css=with_accent(accent) + "body { color: #111; background: #fff }")
    edge = over(painted(tab, ".fill", "borderInlineEndColor"), "#ffffff")
    width = tab.locator("donation-goal .fill").evaluate(
        "(fill) => getComputedStyle(fill).borderInlineEndWidth"
    )
    assert width == "2px"
    assert contrast(edge, "#ffffff") >= 3


@pytest.mark.parametrize(("scheme", "at"), [("light", 0), ("dark", 1)])
def test_accent_is_the_campaigns_own_and_follows_the_pages_scheme(
    open_article: OpenArticle, snippet: str, tracker: Tracker, page: Tab, scheme: Any, at: int
) -> None:
    tracker.say(accent="#1a1a8c")
    page.emulate_media(color_scheme=scheme)
    tab = open_article(snippet, css=":root { color-scheme: light dark }")
    light, dark = json.loads(tracker.pages[tracker.PATH].body)["face"]["accent"]
    assert light == "#1a1a8c"
    assert light != dark
    assert painted(tab, ".fill", "backgroundColor")[0] == (light, dark)[at]


@pytest.mark.parametrize(("theme", "scheme"), [("light", "dark"), ("dark", "light")])
def test_theme_is_the_elements_own_whatever_the_page_prefers(
    open_article: OpenArticle, snippet: str, page: Tab, theme: str, scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme)
    tab = open_article(
        snippet.replace("<donation-goal", f'<donation-goal theme="{theme}"'),
        css=":root { color-scheme: light dark }",
    )
    ink, paper = painted(tab, ".goal", "color")[0], painted(tab, ".goal", "backgroundColor")[0]
    assert contrast(ink, "#000000") > 10 if theme == "dark" else contrast(ink, "#ffffff") > 10
    assert contrast(ink, paper) > 10


def test_publisher_sets_type_corners_paper_and_ink(open_article: OpenArticle, snippet: str) -> None:
    tab = open_article(
        snippet,
        css="""donation-goal {
          --donation-goal-text: #123456; --donation-goal-background: #fedcba;
          --donation-goal-font: monospace; --donation-goal-font-size: 20px;
          --donation-goal-radius: 9px; --donation-goal-padding: 11px;
          --donation-goal-quiet: #345678; --donation-goal-track: #f0f0f0;
          --donation-goal-accent: #444444; --donation-goal-accent-text: #ffff00 }""",
    )
    style = tab.locator("donation-goal .goal").evaluate(
        """(goal) => {
          const {fontFamily, fontSize, padding} = getComputedStyle(goal);
          return [fontFamily, fontSize, padding,
                  getComputedStyle(goal.querySelector('.donate')).borderRadius];
        }"""
    )
    assert style == ["monospace", "20px", "11px", "9px"]
    for part, what, colour in (
        (".goal", "color", "#123456"),
        (".goal", "backgroundColor", "#fedcba"),
        (".of", "color", "#345678"),
        (".bar", "backgroundColor", "#f0f0f0"),
        (".donate", "color", "#ffff00"),
    ):
        assert painted(tab, part, what)[0] == colour, (part, what)


def test_bar_and_choice_are_seen_in_forced_colours(
    open_article: OpenArticle, snippet: str, page: Tab
) -> None:
    tab = open_article(snippet)
    tab.get_by_label("20 $").check()
    page.emulate_media(forced_colors="active")
    highlight = tab.evaluate(
        """() => {
          const probe = document.body.appendChild(document.createElement('p'));
          probe.style = 'forced-color-adjust: none; color: Highlight';
          return getComputedStyle(probe).color;
        }"""
    )
    for part in (".fill", ".amount:has(:checked)"):
        found = tab.locator(f"donation-goal {part}").evaluate(
            "(one) => getComputedStyle(one).backgroundColor"
        )
        assert found == highlight, part


def test_tiers_are_marked_not_by_colour_alone(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tracker.say(raised=2600)
    tab = open_article(snippet)
    check = "(tier) => getComputedStyle(tier, '::before').content"
    weight = "(tier) => getComputedStyle(tier).fontWeight"
    assert tab.locator("donation-goal .tier.reached").evaluate(check) == '"✓ "'
    assert tab.locator("donation-goal .tier.next").evaluate(weight) == "700"
    assert tab.locator("donation-goal .tier").first.evaluate(check) == "none"


def test_nothing_moves(open_article: OpenArticle, snippet: str, tracker: Tracker) -> None:
    tracker.say(raised=3000)
    tab = open_article(snippet)
    assert tab.evaluate("document.getAnimations({subtree: true}).length") == 0
    moving = tab.evaluate(
        """() => [...document.querySelector('donation-goal').shadowRoot.querySelectorAll('*')]
          .filter((one) => { const {transitionDuration, animationName} = getComputedStyle(one);
                             return transitionDuration !== '0s' || animationName !== 'none' })
          .length"""
    )
    assert moving == 0
