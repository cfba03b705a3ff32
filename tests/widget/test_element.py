"""The element in a real browser, on a page of another origin with a strict policy."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from campaigns.recent import RecentGift
from tests.widget.conftest import OpenArticle
from tests.widget.servers import Page, Site, Tracker, progress_json

pytestmark = pytest.mark.browser


def ends_of(goal: Locator, part: str) -> list[str]:
    """Return where the strokes on the bar end, as they were told."""
    found: list[str] = goal.locator(part).evaluate_all("(all) => all.map((one) => one.style.width)")
    return found


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
    expect(goal.locator(".of")).to_have_text("of 5,000 $ · 10%")
    expect(goal.locator(".title")).to_have_text("Support us")
    expect(goal.locator(".donate")).to_have_text("Donate")
    assert goal.locator(".amount").all_inner_texts() == ["10 $", "20 $", "50 $", "100 $", "Other"]
    assert goal.locator(".frequency").all_inner_texts() == ["Once", "Monthly"]


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
    assert ends_of(drawing, ".fill") == ["100%"]
    assert ends_of(drawing, ".mark") == ["0%", "40%", "80%"]
    assert tab.locator("donation-goal .tier.reached").all_inner_texts() == ["2,500 $", "5,000 $"]
    expect(tab.locator("donation-goal .status")).to_have_text(
        "Goal reached: 125% of 5,000 $. Thank you!"
    )
    assert drawing.get_attribute("aria-valuenow") == "100"
    assert drawing.get_attribute("aria-valuetext") == "6,250 $ of 5,000 $, 125%"


def test_a_month_in_the_red_draws_an_empty_bar(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tracker.say(raised=-30)
    drawing = open_article(snippet).locator("donation-goal .bar")
    assert ends_of(drawing, ".fill") == ["0%"]
    assert drawing.get_attribute("aria-valuenow") == "0"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("paused", "Giving is paused for now."),
        ("archived", "This campaign has ended. Thank you!"),
    ],
)
def test_campaign_that_takes_nothing_says_so_instead(
    open_article: OpenArticle, snippet: str, tracker: Tracker, state: str, status: str
) -> None:
    tracker.say(state=state)
    tab = open_article(snippet)
    expect(tab.locator("donation-goal .give")).to_be_hidden()
    expect(tab.locator("donation-goal .status")).to_have_text(status)


def test_next_tier_is_marked_and_nothing_is_said_before_the_first(
    open_article: OpenArticle, snippet: str
) -> None:
    goal = open_article(snippet).locator("donation-goal")
    expect(goal.locator(".tier.next")).to_have_text("2,500 $")
    expect(goal.locator(".tier.reached")).to_have_count(0)
    expect(goal.locator(".status")).to_be_hidden()


def test_without_a_tier_there_is_no_bar(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tracker.say(tiers=())
    goal = open_article(snippet).locator("donation-goal")
    expect(goal.get_by_role("progressbar")).to_have_count(0)
    expect(goal.locator(".tiers")).to_be_hidden()
    expect(goal.locator(".of")).to_have_text("")
    expect(goal.locator(".raised")).to_have_text("520 $")
    expect(goal.locator(".period")).to_have_text("MAY 2021")


def test_notes_and_latest_gifts_are_told_where_they_are_shown(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    gifts = (RecentGift(amount_minor=2000, name="<b>Ann"), RecentGift(amount_minor=500, name=None))
    tracker.say(shows="donors,days,expected,recent", coming=640, gifts=gifts)
    goal = open_article(snippet).locator("donation-goal")
    expect(goal.locator(".notes")).to_have_text(
        "12 donors · 20 days left · 640 $ more expected from regular gifts"
    )
    expect(goal.locator(".gift")).to_have_text(["<b>Ann gave 20 $", "Somebody gave 5 $"])
    assert ends_of(goal, ".expected") == ["23.2%"]


def test_what_is_not_shown_leaves_no_gap(open_article: OpenArticle, snippet: str) -> None:
    goal = open_article(snippet).locator("donation-goal")
    for part in (".status", ".notes", ".recent"):
        expect(goal.locator(part)).to_be_hidden()


@pytest.mark.parametrize("locale", ["de", "fr", "es", "bg", "ar", "ja"])
def test_says_what_the_server_says_in_any_language(
    open_article: OpenArticle, snippet: str, tracker: Tracker, locale: str
) -> None:
    tracker.say(locale=locale, shows="donors,days")
    goal = open_article(snippet).locator("donation-goal")
    told = progress_json(tracker.origin, locale=locale, shows="donors,days")
    face = told["face"]
    expect(goal.locator(".goal")).to_have_attribute("lang", locale)
    expect(goal.locator(".goal")).to_have_attribute("dir", face["dir"])
    for part, texts in {
        "raised": [told["raised_label"]],
        "of": [f"{face['goal_label']} · {face['percent_label']}"],
        "notes": [" · ".join(face["notes"])],
        "tier": [mark["label"] for mark in face["marks"]],
        "frequency": [offer["label"] for offer in face["offers"][:2]],
        "amount": [label for _, label in face["offers"][0]["choices"]] + [face["other"]],
        "donate": [face["donate_label"]],
    }.items():
        assert goal.locator(f".{part}").all_text_contents() == texts, part
    for group, name in ((".often", face["often"]), (".amounts", face["amount"])):
        expect(goal.locator(group)).to_have_attribute("aria-label", name)


@pytest.mark.parametrize(("own", "asked"), [("", ""), (' lang="pt-BR"', "&lang=pt-BR")])
def test_asks_in_the_language_of_its_own_attribute_alone(
    open_article: OpenArticle, snippet: str, tracker: Tracker, own: str, asked: str
) -> None:
    goal = snippet.replace("<donation-goal", f"<donation-goal{own}")
    open_article(f'<div lang="fr">{goal}</div>')
    assert [path for path in tracker.asked if "/api/" in path] == [
        f"{tracker.PATH}?with=face{asked}"
    ]


def test_right_to_left_begins_at_the_right(
    open_article: OpenArticle, snippet: str, tracker: Tracker
) -> None:
    tracker.say(locale="ar")
    tab = open_article(f'<div dir="rtl">{snippet}</div>')
    boxes = [tier.bounding_box() for tier in tab.locator("donation-goal .tier").all()]
    fill = tab.locator("donation-goal .fill").bounding_box()
    bar = tab.locator("donation-goal .bar").bounding_box()
    assert boxes[0]
    assert boxes[2]
    assert boxes[0]["x"] > boxes[2]["x"]
    assert fill
    assert bar
    assert fill["x"] + fill["width"] == pytest.approx(bar["x"] + bar["width"], abs=1)


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
          Object.assign(goal, {slotName: 'top', amounts: '3, -1, nine, 2500', theme: 'dark'});
          goal.compact = true;
          return [goal.campaign, goal.getAttribute('slot-name'), goal.getAttribute('theme'),
                  goal.compact, goal.hasAttribute('compact')];
        }"""
    )
    assert found == ["support-us", "top", "dark", True, True]
    labels = tab.locator("donation-goal .amount").all_text_contents()
    assert labels == ["3 $", "2,500 $", "Other"]


def test_link_survives_without_script(
    browser_link_only: Tab, paper: Site, snippet: str, tracker: Tracker
) -> None:
    paper.pages["/plain"] = Page(f"<!doctype html>{snippet}")
    browser_link_only.goto(f"{paper.origin}/plain")
    link = browser_link_only.locator("donation-goal a")
    assert link.get_attribute("href") == f"{tracker.origin}/c/support-us"
    assert link.locator("img").is_visible()
