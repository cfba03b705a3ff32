"""The frame in WordPress: filtered, sandboxed, and led by its messages.

The filter and the listener are ours, written after `wp_filter_oembed_result` of
wp-includes/embed.php and `receiveEmbedMessage` of wp-includes/js/wp-embed.js (WordPress 6).
"""

from __future__ import annotations

import gzip
import html as entities
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from markupsafe import escape
from playwright.sync_api import Frame, FrameLocator
from playwright.sync_api import Page as Tab
from sqlalchemy.orm import Session

from campaigns.catalog import CampaignChanges, change_campaign
from tests.conftest import START, MakeCampaign
from tests.widget.conftest import STATIC, Goalpost
from tests.widget.servers import Page, Site
from tests.widget.test_oembed import described, frame_of
from widget.script import minified_script

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SECRET = "Ab3dEf6hIj"
# What WordPress keeps of an iframe whose provider it does not know.
KEPT = {
    "src", "width", "height", "frameborder", "marginwidth", "marginheight", "scrolling", "title",
}  # fmt: skip
LOST = {"loading", "sandbox"}  # and it sets a sandbox of its own, and loads lazily by itself

# The host's side: WordPress's own rules, and a list of what was said.
LISTENER = """
window.heard = [];
addEventListener('message', ({ data, source }) => {
  if (!data || !data.secret || /[^a-zA-Z0-9]/.test(data.secret)) return;
  for (const frame of document.querySelectorAll(`iframe[data-secret="${data.secret}"]`)) {
    if (source !== frame.contentWindow) continue;
    heard.push([data.message, data.value]);
    if (data.message === 'height') {
      const height = parseInt(data.value, 10);
      frame.height = height > 1000 ? 1000 : ~~height < 200 ? 200 : height;
    } else if (data.message === 'link') {
      const own = new URL(frame.getAttribute('src'));
      const target = new URL(data.value);
      if (
        /^https?:$/.test(target.protocol) &&
        target.host === own.host &&
        document.activeElement === frame
      ) top.location.href = data.value;
    }
  }
});
document.addEventListener('DOMContentLoaded', () => {
  for (const frame of document.querySelectorAll('iframe.wp-embedded-content')) {
    const secret = frame.getAttribute('data-secret');
    frame.contentWindow.postMessage({ message: 'ready', secret }, '*');
  }
});
"""


def filtered(html: str) -> str:
    """Return what WordPress makes of a provider's html."""
    frame = frame_of(html)
    kept = {name: value or "" for name, value in frame.items() if name in KEPT}
    kept["src"] += f"#?secret={SECRET}"
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in kept.items())
    return (
        '<iframe class="wp-embedded-content" sandbox="allow-scripts" security="restricted"'
        f'{attributes} data-secret="{SECRET}"></iframe>'
    )


def test_filter_takes_nothing_away_that_the_frame_needs(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign(title='Bread & "roses"')
    html = described(client, "http://localhost:8000/c/support-us?lang=de&slot=end")["html"]
    assert set(frame_of(html)) - KEPT == LOST
    # It wants a whole iframe on one line, finds src between its quotes, and adds a fragment there.
    assert re.fullmatch(r"<iframe.*?></iframe>", html)
    found = re.search(r""" src=(['"])(.*?)\1""", html)
    assert found
    src = entities.unescape(found[2])
    assert urlsplit(src).fragment == ""
    assert parse_qs(urlsplit(src).query) == {"lang": ["de"], "slot": ["end"]}


def test_frames_script_is_small_and_cached_for_good(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    script = minified_script(STATIC / "frame.js")
    assert len(script.gzipped) <= 700
    address = f"/embed/frame.{script.digest}.js"
    assert f'src="http://localhost:8000{address}"' in client.get("/embed/support-us").text
    answer = client.get(address, headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(answer.data) == script.body
    assert answer.mimetype == "text/javascript"
    assert "immutable" in answer.headers["Cache-Control"]
    assert client.get("/embed/frame.0123456789abcdef.js").status_code == 404


@pytest.fixture
def post(live: Goalpost, paper: Site, page: Tab) -> Callable[..., FrameLocator]:
    """Open a post in which the campaign's address was pasted; return its frame."""

    def open_post(url: str = "", *, pasted: str = "", width: int = 600) -> FrameLocator:
        told = page.request.get(
            f"{live.address}/oembed",
            params={"url": pasted or f"{live.address}/c/support-us", "maxwidth": width},
        )
        assert told.ok, told.text()
        embedded = filtered(told.json()["html"])
        paper.pages["/post"] = Page(
            f'<!doctype html><link rel="icon" href="data:,"><script>{LISTENER}</script>{embedded}'
        )
        page.goto(url or f"{paper.origin}/post")
        return page.frame_locator("iframe")

    return open_post


def heard(page: Tab, message: str) -> list[Any]:
    said: list[list[Any]] = page.evaluate("window.heard")
    return [value for kind, value in said if kind == message]


def is_as_high_as_its_content(page: Tab, frame: FrameLocator) -> bool:
    high = frame.locator("html").evaluate(
        "(html) => Math.ceil(html.getBoundingClientRect().height)"
    )
    shown = page.locator("iframe").evaluate("(frame) => frame.clientHeight")
    return bool(shown == min(max(high, 200), 1000))


@pytest.mark.parametrize("width", [240, 600])
def test_frame_becomes_as_high_as_what_it_shows(
    post: Callable[..., FrameLocator], page: Tab, width: int
) -> None:
    frame = post(width=width)
    frame.get_by_label("20 $").wait_for(state="attached")
    page.wait_for_function("window.heard.length > 0")
    expect_soon(page, lambda: is_as_high_as_its_content(page, frame))
    assert all(isinstance(value, int) for value in heard(page, "height"))


def test_frame_grows_with_its_content(post: Callable[..., FrameLocator], page: Tab) -> None:
    frame = post()
    frame.get_by_label("20 $").wait_for(state="attached")
    frame.locator("body").evaluate("(body) => { body.style.paddingBottom = '300px' }")
    expect_soon(page, lambda: max(heard(page, "height")) > 400)
    assert is_as_high_as_its_content(page, frame)


def test_host_that_comes_late_is_told_again(post: Callable[..., FrameLocator], page: Tab) -> None:
    frame = post()
    frame.get_by_label("20 $").wait_for(state="attached")
    expect_soon(page, lambda: is_as_high_as_its_content(page, frame))
    page.evaluate("window.heard.length = 0")
    page.evaluate("frames[0].postMessage({message: 'other'}, '*')")
    page.evaluate("frames[0].postMessage({message: 'ready'}, '*')")
    page.wait_for_function("window.heard.length > 0")
    assert len(heard(page, "height")) == 1


def test_secret_that_is_added_late_is_used(live: Goalpost, paper: Site, page: Tab) -> None:
    paper.pages["/page"] = Page(
        f"<!doctype html><script>{LISTENER}</script>"
        f'<iframe src="{live.address}/embed/support-us" data-secret="{SECRET}"></iframe>'
    )
    page.goto(f"{paper.origin}/page")
    page.frame_locator("iframe").get_by_label("20 $").wait_for(state="attached")
    assert page.evaluate("window.heard") == []
    page.locator("iframe").evaluate(f"(frame) => {{ frame.src += '#?secret={SECRET}' }}")
    page.wait_for_function("window.heard.length > 0")


def test_link_leaves_the_sandbox_by_way_of_the_host(
    post: Callable[..., FrameLocator], page: Tab, live: Goalpost
) -> None:
    frame = post()
    frame.get_by_label("20 $").check()
    frame.locator("donation-goal .donate").filter(visible=True).click()
    page.wait_for_url(f"{live.address}/c/support-us?**")
    query = parse_qs(urlsplit(page.url).query)
    assert query["amount"] == ["20"]
    assert query["slot"] == ["frame"]
    assert page.locator("#amount").input_value() == "20"


def test_link_works_by_keyboard_too(
    post: Callable[..., FrameLocator], page: Tab, live: Goalpost
) -> None:
    frame = post()
    frame.get_by_label("20 $").wait_for(state="attached")
    frame.locator("donation-goal .donate").filter(visible=True).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{live.address}/c/support-us?**")


def test_servers_link_leaves_too_where_the_element_does_not_come(
    post: Callable[..., FrameLocator], page: Tab, live: Goalpost
) -> None:
    page.route("**/embed/v1.js", lambda route: route.abort())
    frame = post()
    frame.locator("a.donate").click()
    page.wait_for_url(f"{live.address}/c/support-us?**")


def test_article_and_slot_that_were_pasted_leave_too(
    post: Callable[..., FrameLocator], page: Tab, live: Goalpost
) -> None:
    article = "https://paper.example/2021/ferry"
    frame = post(pasted=f"{live.address}/c/support-us?slot=end&source={article}")
    frame.get_by_label("20 $").check()
    frame.locator("donation-goal .donate").filter(visible=True).click()
    page.wait_for_url(f"{live.address}/c/support-us?**")
    query = parse_qs(urlsplit(page.url).query)
    assert (query["source"], query["slot"]) == ([article], ["end"])


@pytest.mark.parametrize("fragment", ["", "#top", "#?secret="])
def test_nothing_is_said_where_there_is_no_secret(
    live: Goalpost, paper: Site, page: Tab, fragment: str
) -> None:
    paper.pages["/page"] = Page(
        "<!doctype html><script>window.heard = [];"
        "addEventListener('message', (event) => heard.push(event.data))</script>"
        f'<iframe src="{live.address}/embed/support-us{fragment}" width="600"></iframe>'
    )
    page.goto(f"{paper.origin}/page")
    frame = page.frame_locator("iframe")
    frame.get_by_label("20 $").wait_for(state="attached")
    page.evaluate("frames[0].postMessage({message: 'ready', secret: 'x'}, '*')")
    # Its link works by itself, and by then all that could be said has been.
    with page.expect_popup() as opened:
        frame.locator("donation-goal .donate").filter(visible=True).click()
    opened.value.wait_for_url(f"{live.address}/c/support-us?**")
    assert page.evaluate("window.heard") == []


def test_what_a_page_says_to_the_frame_changes_nothing(
    post: Callable[..., FrameLocator], page: Tab
) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    frame = post()
    frame.get_by_label("20 $").wait_for(state="attached")
    before = frame.locator("html").inner_html()
    page.evaluate(
        """
        for (const said of [
          null, undefined, 0, 'ready', [], { message: null },
          { message: 'link', value: 'https://evil.example/' }, { message: 'height', value: 9 },
        ]) frames[0].postMessage(said, '*');
        window.heard.length = 0;
        frames[0].postMessage({ message: 'ready' }, '*');
        """
    )
    page.wait_for_function("window.heard.length > 0")  # it has heard the others by then
    assert [kind for kind, _ in page.evaluate("window.heard")] == ["height"]
    assert frame.locator("html").inner_html() == before
    assert errors == []


def test_frame_that_nobody_frames_keeps_its_links(live: Goalpost, page: Tab) -> None:
    page.goto(f"{live.address}/embed/support-us#?secret={SECRET}")
    page.get_by_label("20 $").wait_for(state="attached")
    page.locator("donation-goal .donate").filter(visible=True).click()
    page.wait_for_url(f"{live.address}/c/support-us?**")


def test_sandboxed_frame_breaks_no_policy_and_throws_nothing(
    post: Callable[..., FrameLocator], page: Tab
) -> None:
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    frame = post()
    frame.get_by_label("20 $").check()
    page.wait_for_function("window.heard.length > 0")
    assert troubles == []


@pytest.fixture
def frame_it(live: Goalpost, paper: Site, page: Tab, session: Session) -> Callable[[str], Frame]:
    """Frame the campaign in a paper, after it has named the one site that may."""

    def frame_it(host: str) -> Frame:
        changes = CampaignChanges(hosts=("https://other.example", host))
        change_campaign(session, "support-us", changes, now=START)
        session.commit()
        paper.pages["/page"] = Page(
            f'<!doctype html><iframe src="{live.address}/embed/support-us"></iframe>'
        )
        page.goto(f"{paper.origin}/page")
        page.wait_for_load_state()
        (framed,) = page.frames[1:]
        return framed

    return frame_it


def test_site_that_the_campaign_names_shows_its_frame(
    frame_it: Callable[[str], Frame], paper: Site
) -> None:
    frame_it(paper.origin).get_by_label("20 $").wait_for(state="attached")


def test_other_site_shows_no_frame(frame_it: Callable[[str], Frame]) -> None:
    assert frame_it("https://paper.example").url.startswith("chrome-error:")


def expect_soon(page: Tab, holds: Callable[[], bool]) -> None:
    """Wait until something holds; what the browser draws takes a frame or two."""
    for _ in range(100):
        if holds():
            return
        page.wait_for_timeout(50)
    assert holds()
