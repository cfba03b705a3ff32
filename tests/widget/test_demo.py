from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from app import create_app
from tests.conftest import MakeCampaign, make_settings
from tests.widget.conftest import Goalpost

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def token_of(text: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', text)
    assert found
    return found[1]


def test_article_holds_the_snippet_twice(client: FlaskClient, make_campaign: MakeCampaign) -> None:
    make_campaign()
    text = client.get("/demo/article").text
    for slot in ("top", "bottom"):
        assert (
            '<script async src="http://localhost:8000/embed/v1.js"></script>'
            f'<donation-goal campaign="support-us" slot-name="{slot}">'
            f'<a href="http://localhost:8000/c/support-us?slot={slot}"><img'
            ' src="http://localhost:8000/c/support-us.png" width="600" height="160" loading="lazy"'
            ' alt="Support us"></a></donation-goal>'
        ) in text


def test_article_says_so_where_there_is_no_campaign(client: FlaskClient) -> None:
    answer = client.get("/demo/article")
    assert answer.status_code == 200
    assert "There is no campaign yet" in answer.text


def test_comment_is_shown_inert_and_kept_nowhere(client: FlaskClient) -> None:
    token = token_of(client.get("/demo/article").text)
    typed = {"csrf_token": token, "name": "<b>Ann", "comment": "<script>alert(1)</script>"}
    shown = client.post("/demo/article/comments", data=typed).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "&lt;b&gt;Ann" in shown
    assert "stored nowhere" in shown
    assert "alert(1)" not in client.get("/demo/article").text


@pytest.mark.parametrize("typed", [{"comment": " "}, {"comment": "x" * 1001}, {}])
def test_comment_has_bounds(client: FlaskClient, typed: dict[str, str]) -> None:
    token = token_of(client.get("/demo/article").text)
    answer = client.post("/demo/article/comments", data={"csrf_token": token, **typed})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


def test_comment_needs_its_token(client: FlaskClient) -> None:
    assert client.post("/demo/article/comments", data={"comment": "Hello"}).status_code == 400


def test_there_is_no_demo_unless_it_is_asked_for(database_url: str) -> None:
    app = create_app(make_settings(database_url=database_url, demo=False))
    assert app.test_client().get("/demo/article").status_code == 404


@pytest.mark.parametrize("width", [320, 1280])
def test_both_bars_stand_in_the_article(live: Goalpost, page: Tab, width: int) -> None:
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{live.address}/demo/article")
    page.locator("donation-goal").last.scroll_into_view_if_needed()
    expect(page.locator("donation-goal .raised")).to_have_text(["520 $", "520 $"])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert troubles == []


@pytest.mark.parametrize("width", [320, 1280])
def test_without_script_the_picture_stands_in_the_article(
    live: Goalpost, browser_link_only: Tab, width: int
) -> None:
    tab = browser_link_only
    troubles: list[str] = []
    tab.on("console", lambda message: troubles.append(message.text))
    tab.set_viewport_size({"width": width, "height": 800})
    tab.goto(f"{live.address}/demo/article")
    for picture in tab.get_by_alt_text("Support us").all():
        picture.scroll_into_view_if_needed()
        tab.wait_for_function("Array.from(document.images).some((image) => image.complete)")
        box = picture.bounding_box()
        assert box
        assert box["width"] / box["height"] == pytest.approx(600 / 160, rel=0.01)
        expect(picture).to_have_js_property("naturalWidth", 1200)
    assert tab.get_by_alt_text("Support us").count() == 2
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert troubles == []
