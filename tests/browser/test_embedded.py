"""Paying without leaving the paper: the form in our own page, on the real thing and a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.live_site import LiveSite


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    # Its totals are asked for right after a gift, so they come out of the books each time.
    folder = tmp_path_factory.mktemp("site")
    with LiveSite(folder, CHECKOUT="embedded", SNAPSHOT_SECONDS="0") as site:
        yield site.start()


@pytest.fixture
def phone(page: Page) -> Page:
    page.set_viewport_size({"width": 320, "height": 700})
    return page


def go_to_pay(page: Page, site: LiveSite, amount: str = "20") -> None:
    page.goto(f"{site.url}/c/support-us?amount={amount}")
    page.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(f"{site.url}/c/support-us/pay?**")


def fill_in(form: Page | FrameLocator, *, card: str = "4242 4242 4242 4242") -> None:
    form.locator("#email").fill("reader@example.org")
    form.locator("[name=card_number]").fill(card)
    form.locator("[name=expiry]").fill("12 / 40")
    form.locator("[name=cvc]").fill("123")
    form.locator("form:has(#pay) [name=name]").fill("A Reader")
    form.locator("#pay").click()


def raised(site: LiveSite, page: Page) -> int:
    progress = page.request.get(f"{site.url}/api/v1/campaigns/support-us").json()
    return int(progress["raised_minor"])


def is_wider_than_the_screen(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


def test_gift_is_paid_in_our_page_and_counted(site: LiveSite, phone: Page) -> None:
    troubles: list[str] = []
    phone.on("console", lambda message: troubles.append(message.text))
    phone.on("pageerror", lambda error: troubles.append(str(error)))
    before = raised(site, phone)
    go_to_pay(phone, site)
    form = phone.frame_locator("#checkout iframe")
    expect(form.locator("#pay")).to_be_visible()
    expect(phone.locator("#trouble")).to_be_hidden()
    assert not is_wider_than_the_screen(phone)

    fill_in(form, card="4000 0000 0000 0002")  # declined: said in the form, and one stays
    expect(form.locator("#payment-error")).to_be_visible()
    fill_in(form)

    phone.wait_for_url(f"{site.url}/c/support-us/thanks?**")
    expect(phone.get_by_role("heading", level=1)).to_have_text("Thank you")
    expect(phone.locator("main")).to_contain_text("Your gift of 20 $ arrived")
    assert raised(site, phone) == before + 2_000
    # The card that is declined is a 402, which the browser writes down by itself.
    assert [text for text in troubles if "402" not in text] == []


def test_bank_may_ask_within_the_page(site: LiveSite, phone: Page) -> None:
    go_to_pay(phone, site, amount="5")
    form = phone.frame_locator("#checkout iframe")
    fill_in(form, card="4000 0025 0000 3155")
    form.locator("#complete").click()
    phone.wait_for_url(f"{site.url}/c/support-us/thanks?**")
    expect(phone.locator("main")).to_contain_text("Your gift of 5 $ arrived")


@pytest.mark.parametrize("how", ["blocked", "another key"])
def test_form_that_can_not_be_loaded_leaves_a_way_to_stripes_page(
    site: LiveSite, phone: Page, how: str
) -> None:
    if how == "blocked":
        phone.route("**/endive/stripe.js", lambda route: route.abort())
    else:
        wrong = "window.Stripe = () => { throw new Error('IntegrationError') }"
        phone.route(
            "**/endive/stripe.js",
            lambda route: route.fulfill(content_type="text/javascript", body=wrong),
        )
    before = raised(site, phone)
    go_to_pay(phone, site)
    expect(phone.locator("#trouble")).to_be_visible()
    expect(phone.locator("#checkout")).to_be_hidden()
    assert not is_wider_than_the_screen(phone)
    phone.get_by_role("button", name="Pay on Stripe’s page instead").click()
    phone.wait_for_url(f"{site.sandbox_url}/pay/**")
    fill_in(phone)
    phone.wait_for_url(f"{site.url}/c/support-us/thanks?**")
    expect(phone.locator("main")).to_contain_text("Your gift of 20 $ arrived")
    assert raised(site, phone) == before + 2_000


def test_way_back_keeps_the_amount(site: LiveSite, phone: Page) -> None:
    go_to_pay(phone, site, amount="7")
    phone.get_by_role("link", name="Go back and change the gift").click()
    phone.wait_for_url(re.compile(r"/c/support-us\?donation="))
    expect(phone.locator("#amount")).to_have_value("7")
