"""docs/embedding.md is true: each of its blocks is used as its reader would, on a strict page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import Environment
from playwright.sync_api import Locator, Route, expect
from playwright.sync_api import Page as Tab
from sqlalchemy.orm import Session

from campaigns.catalog import find_campaign
from campaigns.look import allowed_hosts
from tests.conftest import MakeCampaign
from tests.widget.conftest import Goalpost
from tests.widget.embedding_paper import BLOCKS, HOME
from tests.widget.servers import Page, Site

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Publish = Callable[..., Tab]


@pytest.fixture
def publish(live: Goalpost, paper: Site, page: Tab) -> Iterator[Publish]:
    """Publish a page with a block in it, under the policy that the paper names and no other."""
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: troubles.append(message.text))

    def publish(name: str, *, css: str = "", script: str = "", **template: str) -> Tab:
        body = BLOCKS[name].replace(HOME, live.address)
        if template:
            body = Environment(autoescape=True).from_string(body).render(template)
        own = {
            "/own.css": Page(BLOCKS.get(css, ""), {"Content-Type": "text/css"}),
            "/own.js": Page(BLOCKS.get(script, ""), {"Content-Type": "text/javascript"}),
            "/page": Page(
                '<!doctype html><title>Article</title><link rel="icon" href="data:,">'
                '<link rel="stylesheet" href="/own.css"><script src="/own.js"></script>'
                f"<body>{body}<p id=below>The text below.</p>",
                {"Content-Security-Policy": policy(live, paper)},
            ),
        }
        paper.pages.update(own)
        page.goto(f"{paper.origin}/page")
        return page

    yield publish
    assert troubles == []


def policy(live: Goalpost, paper: Site) -> str:
    """Return the policy that the paper names, and what the page's own files and icon need."""
    told = BLOCKS["policy"].strip().replace(HOME, live.address)
    told = told.replace("script-src ", f"script-src {paper.origin}/own.js ")
    told = told.replace("img-src ", "img-src data: ")
    return f"default-src 'none'; style-src 'self'; {told}; require-trusted-types-for 'script'"


def elements(tab: Tab) -> list[Locator]:
    """Return the elements of a page, when each has drawn."""
    found = tab.locator("donation-goal").all()
    for element in found:
        expect(element.locator(".raised")).to_have_text("520 $")
    return found


def link_of(place: Locator) -> dict[str, list[str]]:
    """Return what the link to the donate page carries."""
    href: str = place.locator(".donate").filter(visible=True).evaluate("(link) => link.href")
    return parse_qs(urlsplit(href).query)


def style_of(place: Locator, name: str) -> str:
    value: str = place.evaluate("(node, name) => getComputedStyle(node)[name]", name)
    return value


def test_element(publish: Publish, paper: Site) -> None:
    (element,) = elements(publish("element"))
    assert link_of(element)["source"] == [f"{paper.origin}/page"]


@pytest.mark.parametrize("name", ["element", "above-and-below", "compact", "options", "pinned"])
def test_without_script_each_element_is_a_link(
    live: Goalpost, paper: Site, browser_link_only: Tab, name: str
) -> None:
    paper.pages["/page"] = Page(f"<!doctype html>{BLOCKS[name].replace(HOME, live.address)}")
    browser_link_only.goto(f"{paper.origin}/page")
    links = browser_link_only.get_by_role("link").all()
    assert len(links) == BLOCKS[name].count("<donation-goal")
    links[-1].click()
    expect(browser_link_only.locator("#amount")).to_be_visible()


def test_element_above_and_below(publish: Publish, page: Tab) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    above, below = elements(publish("above-and-below"))
    assert link_of(above)["slot"] == ["top"]
    assert link_of(below)["slot"] == ["bottom"]
    assert sum("/api/" in url for url in asked) == 1


def test_compact_element(publish: Publish) -> None:
    (element,) = elements(publish("compact"))
    expect(element.get_by_label("20 $")).to_be_hidden()
    expect(element.locator(".title")).to_be_hidden()
    assert link_of(element)["slot"] == ["side"]


def test_element_with_options(publish: Publish) -> None:
    (element,) = publish("options").locator("donation-goal").all()
    for amount in ("5 $", "15 $", "40 $"):
        expect(element.get_by_label(amount, exact=True)).to_be_attached()
    expect(element.get_by_label("20 $")).to_have_count(0)
    assert style_of(element.locator(".goal"), "backgroundColor") == "rgb(22, 24, 26)"
    expect(element.locator(".period")).to_have_text(re.compile("mai 2021", re.IGNORECASE))


@pytest.mark.parametrize("width", [360, 800])
def test_text_below_stays_where_it_is_when_the_element_comes(
    publish: Publish, page: Tab, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver((list) => {"
        " for (const entry of list.getEntries()) window.shift += entry.value;"
        "}).observe({type: 'layout-shift', buffered: true})"
    )

    def come_late(route: Route) -> None:
        page.wait_for_timeout(300)  # until the page has been drawn without it
        route.continue_()

    page.route("**/embed/v1.js", come_late)
    elements(publish("element", css="reserve"))
    page.wait_for_timeout(200)
    # What Google's Core Web Vitals call good.
    assert page.evaluate("window.shift") <= 0.1


def test_custom_properties(publish: Publish) -> None:
    (element,) = elements(publish("element", css="properties"))
    assert style_of(element.locator(".fill"), "backgroundColor") == "rgb(138, 31, 17)"
    assert style_of(element.locator(".raised"), "fontFamily") == "Georgia, serif"


def test_parts(publish: Publish) -> None:
    (element,) = elements(publish("element", css="parts"))
    assert style_of(element.locator(".donate"), "textTransform") == "uppercase"
    small, large = (
        float(style_of(element.locator(part), "fontSize").removesuffix("px"))
        for part in (".give", ".raised")
    )
    assert large == 2 * small


def test_events(publish: Publish, live: Goalpost) -> None:
    tab = publish("element", script="events")
    elements(tab)
    expect(tab).to_have_title("520 $ so far")
    tab.get_by_label("20 $").check()
    tab.locator("donation-goal .donate").click()
    tab.wait_for_url(f"{live.address}/c/support-us?**amount=20**")


def test_pinned_script(publish: Publish, client: FlaskClient, live: Goalpost, page: Tab) -> None:
    example = re.match(r"<script.*?</script>", BLOCKS["pinned"])
    assert example
    (address,) = shlex.split(BLOCKS["pin"])[1:]
    told = page.request.get(address.replace(HOME, live.address)).json()
    # As the reader does it: the line that was told stands in the place of the example's.
    BLOCKS["today"] = BLOCKS["pinned"].replace(example[0], told["html"])
    try:
        elements(publish("today"))
    finally:
        del BLOCKS["today"]
    assert told["integrity"] in told["html"]
    digits = re.compile(r"v1\.\w+\.js|sha256-[\w+/=]+")
    line = client.get("/embed/v1.json").get_json()["html"].replace("http://localhost:8000", HOME)
    assert digits.sub("", line) == digits.sub("", example[0])


def test_frame(publish: Publish) -> None:
    frame = publish("frame").frame_locator("iframe")
    expect(frame.get_by_label("20 $")).to_be_attached()


def test_frame_that_a_template_tells_the_article(publish: Publish) -> None:
    article = "https://paper.example/2021/ferry?a=1&b=ü"
    tab = publish("frame-source", article_url=article)
    frame = tab.frame_locator("iframe")
    expect(frame.get_by_label("20 $")).to_be_attached()
    query = link_of(frame.locator("donation-goal"))
    assert query["source"] == [article.partition("?")[0]]
    assert query["slot"] == ["top"]


def test_hosts(app: Flask, session: Session, make_campaign: MakeCampaign) -> None:
    make_campaign()
    command = BLOCKS["hosts"].removeprefix("$ ")
    result = app.test_cli_runner().invoke(args=shlex.split(command)[3:])
    assert result.exit_code == 0, result.output
    hosts = allowed_hosts(find_campaign(session, "support-us"))
    assert hosts == ("https://news.example.org", "https://*.example.org")


def test_address_and_oembed(client: FlaskClient, make_campaign: MakeCampaign) -> None:
    make_campaign()
    address = BLOCKS["address"].strip()
    _, asked = shlex.split(BLOCKS["oembed"])
    assert parse_qs(urlsplit(asked).query)["url"] == [address]
    local = asked.replace(HOME, "http://localhost:8000")
    told = client.get(local.removeprefix("http://localhost:8000"))
    assert told.get_json()["width"] == 480


def test_picture(publish: Publish) -> None:
    tab = publish("picture")
    picture = tab.get_by_role("img")
    expect(picture).to_be_visible()
    size = picture.evaluate("(image) => [image.naturalWidth, image.naturalHeight]")
    shown = picture.evaluate("(image) => [image.width, image.height]")
    assert size == [2 * shown[0], 2 * shown[1]]
    tab.get_by_role("link").click()
    expect(tab.locator('input[name="slot"]')).to_have_value("newsletter")


def test_amp_page(live: Goalpost, page: Tab) -> None:
    addresses = re.findall(r'src="([^"]+)"', BLOCKS["amp"])
    kinds = [
        page.request.get(address.replace(HOME, live.address)).headers["content-type"]
        for address in addresses
    ]
    assert kinds == ["text/html; charset=utf-8", "image/png"]


def test_link(publish: Publish) -> None:
    tab = publish("link")
    tab.get_by_role("link").click()
    expect(tab.locator("#amount")).to_have_value("20")
    expect(tab.locator('input[name="slot"]')).to_have_value("footer")


def test_policy_is_the_least_that_does(live: Goalpost, paper: Site, page: Tab) -> None:
    directives = BLOCKS["policy"].strip().replace(HOME, live.address).split("; ")
    for missing in ("script-src", "connect-src"):
        kept = "; ".join(one for one in directives if not one.startswith(missing))
        paper.pages["/page"] = Page(
            f"<!doctype html>{BLOCKS['element'].replace(HOME, live.address)}",
            {"Content-Security-Policy": f"default-src 'none'; {kept}"},
        )
        page.goto(f"{paper.origin}/page", wait_until="networkidle")
        expect(page.get_by_role("link", name="Support us")).to_be_visible()
        expect(page.locator("donation-goal .raised")).to_have_count(0)


def test_numbers(live: Goalpost, page: Tab) -> None:
    told = [shlex.split(line)[1] for line in BLOCKS["numbers"].splitlines()]
    present, past = (page.request.get(url.replace(HOME, live.address)).json() for url in told)
    assert present["raised_minor"] == 52_000
    assert past["periods"] == []
