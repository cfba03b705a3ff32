from __future__ import annotations

import base64
import hashlib
import re

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import FloatRect, expect
from playwright.sync_api import Page as Tab

from tests.conftest import Give, MakeCampaign
from tests.widget.conftest import Goalpost
from tests.widget.servers import Page, Site

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_frame_may_stand_everywhere_and_do_nothing_else(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    answer = client.get("/embed/support-us")
    policy = answer.headers["Content-Security-Policy"]
    for directive in (
        "default-src 'none'",
        "script-src http://localhost:8000/embed/",
        "connect-src http://localhost:8000/api/",
        "form-action 'none'",
        "frame-ancestors *",
    ):
        assert directive in policy
    assert "unsafe" not in policy
    assert "'self'" not in policy
    assert "X-Frame-Options" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert len(answer.data) <= 15 * 1024


def test_frames_style_is_the_one_that_its_policy_names(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    answer = client.get("/embed/support-us")
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.headers["Content-Security-Policy"]
    assert "style=" not in answer.text


def test_frame_tells_all_without_script(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    give(make_campaign(), 52_000)
    text = client.get("/embed/support-us").text
    for part in ("0 $", "2,500 $", "5,000 $", "520 $", "MAY 2021", 'width="10.4%"'):
        assert part in text
    assert 'href="http://localhost:8000/c/support-us?slot=frame"' in text
    assert 'target="_blank" rel="noopener"' in text


def test_title_is_inert_in_the_frame(client: FlaskClient, make_campaign: MakeCampaign) -> None:
    make_campaign(title="</style><script>alert(1)</script>")
    text = client.get("/embed/support-us?slot=%22%3E%3Cscript%3E&theme=%22").text
    assert "<script>" not in text
    assert 'slot-name="frame"' in text


def test_unknown_campaign_is_not_found(client: FlaskClient) -> None:
    assert client.get("/embed/nobody").status_code == 404


def test_known_frame_is_not_sent_again(client: FlaskClient, make_campaign: MakeCampaign) -> None:
    make_campaign()
    tag = client.get("/embed/support-us").headers["ETag"]
    answer = client.get("/embed/support-us", headers={"If-None-Match": tag})
    assert answer.status_code == 304


@pytest.mark.parametrize(
    "sandbox", ["", 'sandbox="allow-scripts allow-popups allow-popups-to-escape-sandbox"']
)
def test_framed_element_comes_alive(live: Goalpost, paper: Site, page: Tab, sandbox: str) -> None:
    paper.pages["/article"] = Page(
        f'<!doctype html><iframe src="{live.address}/embed/support-us" title="Donation goal"'
        f' width="600" height="220" {sandbox}></iframe>',
        {"Content-Security-Policy": f"default-src 'none'; frame-src {live.address}"},
    )
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.goto(f"{paper.origin}/article")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_label("20 $")).to_be_attached()
    frame.get_by_label("20 $").check()
    donate = frame.locator("donation-goal .donate").first
    assert donate.get_attribute("target") == "_blank"
    height = frame.locator("html").evaluate("(html) => html.scrollHeight")
    assert height <= 220
    assert troubles == []


def boxes_of(tab: Tab) -> dict[str, list[FloatRect]]:
    found = {}
    for part in (".bar", ".fill", ".mark", ".raised", ".period", ".title"):
        # Of what the server drew, nothing is visible once the element has taken over.
        shown = tab.locator(part).filter(visible=True).all()
        found[part] = [box for one in shown if (box := one.bounding_box())]
    return found


@pytest.mark.parametrize("width", [320, 700])
def test_server_and_element_draw_the_same(
    live: Goalpost, page: Tab, browser_link_only: Tab, width: int
) -> None:
    for tab in (page, browser_link_only):
        tab.set_viewport_size({"width": width, "height": 300})
        tab.goto(f"{live.address}/embed/support-us")
    page.get_by_label("20 $").wait_for(state="attached")
    alive, drawn = boxes_of(page), boxes_of(browser_link_only)
    assert len(alive[".mark"]) == len(("0 $", "2,500 $", "5,000 $"))
    for part, boxes in alive.items():
        assert len(boxes) == len(drawn[part]), part
        for box, twin in zip(boxes, drawn[part], strict=True):
            assert box == pytest.approx(twin, abs=1), part
