"""Goalpost's own pages: what their templates promise beside what the routes' tests see."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from core.clock import MovableClock
from payments.give_routes import CAMPAIGNS_A_PAGE
from tests.conftest import Give, MakeCampaign
from tests.widget.conftest import Goalpost

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_first_page_of_a_fresh_site_says_what_to_do(client: FlaskClient) -> None:
    text = client.get("/").text
    assert "No campaign yet" in text
    assert "campaigns create" in text


def test_first_page_lists_the_campaigns(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    make_campaign("roof", title="A roof for the press")
    give(make_campaign(), 52_000)
    text = client.get("/").text
    assert 'href="/c/roof"' in text
    assert 'href="/c/support-us"' in text
    assert 'aria-valuetext="520 $ of 5,000 $, 10%"' in text


def test_pages_hold_nothing_inline(client: FlaskClient, make_campaign: MakeCampaign) -> None:
    make_campaign()
    for path in ("/", "/c/support-us", "/nothing", "/demo/article"):
        text = client.get(path).text
        for forbidden in (" style=", "<style", "onclick", "<script>"):
            assert forbidden not in text, (path, forbidden)


def test_error_page_says_what_to_do_next(client: FlaskClient) -> None:
    answer = client.get("/nothing")
    assert answer.status_code == 404
    assert "Check the address" in answer.text
    assert 'href="/"' in answer.text


def test_months_show_what_was_announced_where_it_changed(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    campaign = make_campaign()
    give(campaign, 52_000)
    clock.set(datetime(2021, 7, 2, tzinfo=UTC))
    client.application.test_cli_runner().invoke(args=["campaigns", "roll"])
    give(campaign, 3_000, datetime(2021, 5, 20, tzinfo=UTC))
    text = client.get("/c/support-us").text
    assert "550 $" in text
    assert "520 $ announced" in text


@pytest.mark.parametrize("width", [320, 1280])
def test_pages_fit_the_screen(live: Goalpost, page: Tab, width: int) -> None:
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.set_viewport_size({"width": width, "height": 800})
    for path in ("/", "/c/support-us?amount=20", "/c/support-us?lang=ar", "/c/support-us?lang=de"):
        page.goto(f"{live.address}{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert troubles == []


def test_a_suggested_amount_is_filled_in_and_the_rest_kept(live: Goalpost, page: Tab) -> None:
    page.goto(f"{live.address}/c/support-us")
    page.locator(".who summary").click()
    page.get_by_label("Name", exact=False).first.fill("Ann")
    page.get_by_role("link", name="20 $").click()
    expect(page.get_by_label("Amount")).to_have_value("20")
    expect(page.locator(".chip[aria-current]:visible")).to_have_text("20 $")
    expect(page.locator("#name")).to_have_value("Ann")
    page.get_by_label("Amount").fill("21")
    expect(page.locator(".chip[aria-current]:visible")).to_have_count(0)


def test_a_suggested_amount_is_a_link_without_script(
    live: Goalpost, browser_link_only: Tab
) -> None:
    tab = browser_link_only
    tab.goto(f"{live.address}/c/support-us?source=https://paper.example/a&slot=top")
    tab.get_by_role("link", name="50 $").click()
    expect(tab.get_by_label("Amount")).to_have_value("50")
    expect(tab.locator(".chip[aria-current]:visible")).to_have_text("50 $")
    expect(tab.locator("[name=source]")).to_have_value("https://paper.example/a")
    expect(tab.locator("[name=slot]")).to_have_value("top")
    assert tab.locator("[name=amount]").count() == 1


def test_first_page_of_many_campaigns_leads_to_the_rest(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    names = [f"fund-{number:02}" for number in range(CAMPAIGNS_A_PAGE + 2)]
    for name in names:
        make_campaign(name)
    first = client.get("/").text
    (following,) = re.findall(r'href="(/\?[^"]+)" rel="next"', first)
    second = client.get(following.replace("&amp;", "&")).text
    listed = [re.findall(r'<h2><a href="/c/([a-z0-9-]+)"', page) for page in (first, second)]
    assert listed == [names[:CAMPAIGNS_A_PAGE], names[CAMPAIGNS_A_PAGE:]]
    assert 'rel="next"' not in second
    assert client.get("/?after=%00").status_code == 200
