"""What axe, Deque's engine, has to say of every face and page: nothing, on light and dark paper."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page as Tab

from campaigns.recent import RecentGift
from tests.widget.conftest import Goalpost, OpenArticle
from tests.widget.servers import Tracker

SCHEMES = ("light", "dark")
# A page as papers have them, so that what axe finds is ours.
PAPER = """
:root { color-scheme: light dark }
body { color: light-dark(#1a1a1a, #ececec); background: light-dark(#ffffff, #121212) }
"""


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest, page: Tab) -> str:
    page.emulate_media(color_scheme=request.param)
    name: str = request.param
    return name


def complaints(tab: Tab) -> list[str]:
    """Return what axe finds wrong, also in shadow roots and frames."""
    found = Axe().run(tab, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{rule['id']}: {node['target']} {node.get('failureSummary', '')}"
        for rule in found
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"raised": 0},
        {"raised": 6250},
        {"state": "paused"},
        {"tiers": ()},
        {"locale": "ar", "title": "ادعمونا"},
        {
            "raised": 2718,
            "coming": 640,
            "shows": "donors,days,expected,recent",
            "gifts": (RecentGift(amount_minor=2000, name="Ann"),),
        },
    ],
    ids=["usual", "nothing", "over", "paused", "no-tier", "arabic", "everything"],
)
@pytest.mark.parametrize("attributes", ["", " compact"])
def test_element_in_an_article(
    open_article: OpenArticle,
    snippet: str,
    tracker: Tracker,
    scheme: str,
    said: dict[str, Any],
    attributes: str,
) -> None:
    tracker.say(**said)
    goal = snippet.replace("<donation-goal", f"<donation-goal{attributes}")
    tab = open_article(
        f"<main><h1>News, on {scheme} paper</h1>{goal}</main>", css=PAPER, path=f"/{scheme}"
    )
    assert complaints(tab) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/c/support-us",
        "/?lang=ar",
        "/c/support-us?amount=20&frequency=month",
        "/c/support-us?amount=20&lang=ar",
        "/c/support-us/thanks",
        "/embed/support-us",
        "/demo/article",
    ],
)
def test_page(live: Goalpost, page: Tab, scheme: str, path: str) -> None:
    page.goto(live.address + path)
    page.wait_for_load_state("networkidle")
    assert scheme in SCHEMES
    ignored: tuple[str, ...] = ()
    if path.startswith("/embed/"):
        # A frame is part of a page, which has the paper, the headings and the landmarks.
        page.evaluate("document.documentElement.style.background = 'Canvas'")
        ignored = ("region", "page-has-heading-one", "landmark-one-main")
    assert [one for one in complaints(page) if not one.startswith(ignored)] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_form_with_mistakes_and_all_that_unfolds(live: Goalpost, page: Tab, scheme: str) -> None:
    assert scheme in SCHEMES
    page.goto(f"{live.address}/c/support-us")
    page.locator(".who summary").click()
    page.locator("#amount").fill("x")
    page.locator("#name").evaluate(
        "field => { field.maxLength = 999; field.value = 'x'.repeat(121) }"
    )
    page.get_by_role("button", name="Continue to payment").click()
    page.locator("#name-error").wait_for()
    for summary in page.locator("summary").all():
        if summary.locator("xpath=..").get_attribute("open") is None:
            summary.click()
    page.wait_for_load_state("networkidle")
    assert complaints(page) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("colours", ["own", "courier", "lemon"])
def test_gallery(live: Goalpost, page: Tab, scheme: str, colours: str) -> None:
    page.goto(f"{live.address}/demo/gallery?theme={scheme}&colours={colours}")
    page.locator("donation-goal .raised").last.wait_for()
    assert complaints(page) == []


def test_axe_finds_what_is_wrong(open_article: OpenArticle, snippet: str) -> None:
    css = "donation-goal { --donation-goal-quiet: #cccccc } body { background: #fff }"
    tab = open_article(f"<main><h1>News</h1>{snippet}</main>", css=css)
    assert any(one.startswith("color-contrast") for one in complaints(tab))
