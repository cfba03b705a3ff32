"""A reader's whole way, on the real thing: from the article to Stripe's page and back."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Page, expect

from tests.live_site import LiveSite

# What an open page may take to follow a gift.
SECONDS_TO_FOLLOW = 60


def test_a_gift_shows_on_both_bars_and_on_a_page_that_was_left_open(
    live_site: LiveSite, context: BrowserContext
) -> None:
    article = f"{live_site.url}/demo/article"
    open_tab, page = context.new_page(), context.new_page()
    open_tab.clock.install()  # its minute is not waited for, but run through
    open_tab.goto(article)
    page.goto(article)
    before = raised_on_both_bars(page)
    assert raised_on_both_bars(open_tab) == before
    after = f"{before + 20} $"

    widget = page.locator("donation-goal").first
    widget.get_by_role("radio", name="20 $", exact=True).check()
    widget.get_by_role("link", name="Support us").click()

    expect(page.get_by_label("Amount")).to_have_value("20")
    page.get_by_role("button", name="Continue to payment").click()

    page.wait_for_url(f"{live_site.sandbox_url}/**")
    expect(page.get_by_text("20.00")).not_to_have_count(0)
    page.locator("#email").fill("reader@example.org")
    page.locator("[name=card_number]").fill("4242 4242 4242 4242")
    page.locator("[name=expiry]").fill("12 / 40")
    page.locator("[name=cvc]").fill("123")
    page.locator("form:has(#pay) [name=name]").fill("A Reader")
    page.locator("#pay").click()

    page.wait_for_url(f"{live_site.url}/c/support-us/thanks?**")
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    expect(page.locator("main")).to_contain_text("Your gift of 20 $ arrived")
    expect(page.locator(".raised")).to_have_text(after)

    page.goto(article)
    bars_show(page, after)
    open_tab.clock.run_for(SECONDS_TO_FOLLOW * 1000)
    bars_show(open_tab, after)


def bars_show(page: Page, raised: str) -> None:
    for bar in (0, 1):
        expect(page.locator("donation-goal").nth(bar).locator(".raised")).to_have_text(raised)


def raised_on_both_bars(page: Page) -> int:
    """Return the sum that both bars of the article show, in whole dollars."""
    bars = page.locator("donation-goal")
    expect(bars).to_have_count(2)
    expect(bars.first.locator(".raised")).to_have_text(re.compile(r"^[\d,]+ \$$"))
    sums = [bars.nth(number).locator(".raised").inner_text() for number in (0, 1)]
    assert sums[0] == sums[1]
    return int(re.sub(r"\D", "", sums[0]))
