"""The case that the project was born from: May's 520 $, and midnight on the first of June."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from core.clock import MovableClock
from tests.conftest import Give, MakeCampaign

# Midnight in New York.
JUNE = datetime(2021, 6, 1, 4, tzinfo=UTC)

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def bars(page: Page) -> list[Locator]:
    """Return what the article shows above and below its text."""
    found = page.locator("donation-goal")
    expect(found).to_have_count(2)
    return [found.nth(0), found.nth(1)]


@pytest.fixture
def article(site: str, page: Page, make_campaign: MakeCampaign, give: Give) -> Page:
    """The demo article, with 520 $ raised in May 2021."""
    campaign = make_campaign()
    give(campaign, 50_000)
    give(campaign, 2_000)
    page.goto(f"{site}/demo/article")
    return page


def test_the_bar_of_may_2021(article: Page) -> None:
    for bar in bars(article):
        expect(bar.locator(".tier")).to_have_text(["0 $", "2,500 $", "5,000 $"])
        expect(bar.locator(".raised")).to_have_text("520 $")
        expect(bar.locator(".period")).to_have_text("MAY 2021")
        expect(bar.get_by_role("progressbar")).to_have_attribute(
            "aria-valuetext", "520 $ of 5,000 $, 10%"
        )


def test_the_button_leads_to_the_campaign_page(article: Page, site: str) -> None:
    bar = bars(article)[1]
    bar.get_by_role("radio", name="10 $", exact=True).check()
    bar.get_by_role("link", name="Donate").click()

    article.wait_for_url(f"{site}/c/support-us?**")
    expect(article.get_by_label("Amount")).to_have_value("10")
    expect(article.locator(".goal .raised")).to_have_text("520 $")
    expect(article.locator(".goal .period")).to_have_text("MAY 2021")


def test_the_last_second_of_may_is_still_may(article: Page, clock: MovableClock) -> None:
    clock.set(JUNE - timedelta(seconds=1))
    article.reload()

    for bar in bars(article):
        expect(bar.locator(".raised")).to_have_text("520 $")
        expect(bar.locator(".period")).to_have_text("MAY 2021")


def test_june_starts_at_nothing_and_may_becomes_history(
    article: Page, site: str, clock: MovableClock
) -> None:
    clock.set(JUNE)
    article.reload()

    for bar in bars(article):
        expect(bar.locator(".raised")).to_have_text("0 $")
        expect(bar.locator(".period")).to_have_text("JUNE 2021")

    history = article.request.get(f"{site}/api/v1/campaigns/support-us/periods").json()
    assert [(month["key"], month["raised_label"]) for month in history["periods"]] == [
        ("2021-05", "520 $")
    ]

    article.goto(f"{site}/c/support-us")
    expect(article.locator(".goal .period")).to_have_text("JUNE 2021")
    row = article.get_by_role("row").filter(has_text="MAY 2021")
    expect(row).to_contain_text("520 $")
