"""The article and the slot travel with a gift, past strict referrer policies; nothing else does."""

from __future__ import annotations

import sqlite3

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page as Tab
from sqlalchemy import select
from sqlalchemy.orm import Session

from payments.models import Donation
from tests.conftest import MakeCampaign
from tests.fake_gateway import ORIGIN as STRIPE
from tests.payments.pages import fields_of, look
from tests.widget.conftest import Goalpost
from tests.widget.servers import Page, Site

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SANDBOX = 'sandbox="allow-scripts allow-popups allow-popups-to-escape-sandbox"'
# What a reader brings along and we never keep: how it came here, with what, and from where.
READER = "utm_reader=7"


def article(paper: Site, body: str, *, policy: str) -> str:
    """Publish an article, and return its address as a reader's newsletter links to it."""
    headers = {"Referrer-Policy": policy} if policy else {}
    paper.pages["/2021/ferry"] = Page(f"<!doctype html><title>Article</title>{body}", headers)
    return f"{name_of(paper)}/2021/ferry?{READER}#comments"


def name_of(paper: Site) -> str:
    # By another name than the tracker, so that the reader's own address is nowhere in it.
    return paper.origin.replace("127.0.0.1", "localhost")


def finish(donate_page: Tab) -> None:
    """Fill in what is missing on the donate page, and go on to Stripe: no test arrives there."""
    amount = donate_page.locator("#amount")
    if not amount.input_value():
        amount.fill("20")
    with donate_page.expect_request(f"{STRIPE}/**"):
        donate_page.get_by_role("button", name="Continue to payment").click()


def kept(session: Session, database_url: str) -> tuple[str | None, str | None]:
    """Return the gift's source and slot, having looked that nothing of the reader is kept."""
    (donation,) = look(session, select(Donation).where(Donation.checkout_session_id.is_not(None)))
    with sqlite3.connect(database_url.removeprefix("sqlite:///")) as books:
        everything = "\n".join(books.iterdump())
    books.close()
    for secret in ("utm_reader", "#comments", "Mozilla", "Chrome", "127.0.0.1"):
        assert secret not in everything
    return donation.source, donation.slot


@pytest.mark.parametrize("policy", ["no-referrer", "unsafe-url"])
def test_element_tells_article_and_slot_under_any_policy(
    live: Goalpost, paper: Site, page: Tab, session: Session, database_url: str, policy: str
) -> None:
    body = (
        f'<script async src="{live.address}/embed/v1.js"></script>'
        '<donation-goal campaign="support-us" slot-name="below"></donation-goal>'
    )
    page.goto(article(paper, body, policy=policy))
    page.locator("donation-goal").get_by_label("20 $").check()
    page.locator("donation-goal .donate").click()
    finish(page)
    assert kept(session, database_url) == (f"{name_of(paper)}/2021/ferry", "below")


@pytest.mark.parametrize("sandbox", ["", SANDBOX])
def test_frame_tells_the_article_that_its_address_names(
    live: Goalpost, paper: Site, page: Tab, session: Session, database_url: str, sandbox: str
) -> None:
    named = f"{name_of(paper)}/2021/ferry"
    src = f"{live.address}/embed/support-us?slot=side&source={named}"
    page.goto(
        article(paper, f'<iframe src="{src}" width="600" {sandbox}></iframe>', policy="no-referrer")
    )
    frame = page.frame_locator("iframe")
    frame.get_by_label("20 $").check()
    with page.expect_popup() as opened:
        frame.locator("donation-goal .donate").filter(visible=True).click()
    finish(opened.value)
    assert kept(session, database_url) == (named, "side")


@pytest.mark.parametrize(
    ("policy", "known"),
    [("no-referrer", "/"), ("", "/"), ("unsafe-url", "/2021/ferry")],
)
def test_frame_that_names_none_tells_what_it_can_know(
    live: Goalpost,
    paper: Site,
    page: Tab,
    session: Session,
    database_url: str,
    policy: str,
    known: str,
) -> None:
    body = f'<iframe src="{live.address}/embed/support-us" width="600"></iframe>'
    page.goto(article(paper, body, policy=policy))
    frame = page.frame_locator("iframe")
    frame.get_by_label("20 $").check()
    with page.expect_popup() as opened:
        frame.locator("donation-goal .donate").filter(visible=True).click()
    finish(opened.value)
    assert kept(session, database_url) == (name_of(paper) + known, "frame")


@pytest.mark.parametrize("sandbox", ["", SANDBOX])
def test_frame_without_script_tells_the_article_that_its_address_names(
    live: Goalpost,
    paper: Site,
    browser_link_only: Tab,
    session: Session,
    database_url: str,
    sandbox: str,
) -> None:
    tab = browser_link_only
    named = f"{name_of(paper)}/2021/ferry"
    src = f"{live.address}/embed/support-us?slot=side&source={named}"
    tab.goto(article(paper, f'<iframe src="{src}" {sandbox}></iframe>', policy="no-referrer"))
    with tab.expect_popup() as opened:
        tab.frame_locator("iframe").locator("a.donate").click()
    finish(opened.value)
    assert kept(session, database_url) == (named, "side")


@pytest.mark.parametrize(
    ("policy", "known"),
    [("no-referrer", None), ("", "/"), ("no-referrer-when-downgrade", "/2021/ferry")],
)
def test_plain_link_tells_what_the_papers_policy_lets_it_tell(
    live: Goalpost,
    paper: Site,
    browser_link_only: Tab,
    session: Session,
    database_url: str,
    policy: str,
    known: str | None,
) -> None:
    tab = browser_link_only
    tab.goto(article(paper, f'<a href="{live.address}/c/support-us">Support us</a>', policy=policy))
    tab.get_by_role("link", name="Support us").click()
    # Choosing an amount loads the page anew, now from our own site: what was known stays.
    tab.get_by_role("link", name="20 $").first.click()
    finish(tab)
    source = None if known is None else name_of(paper) + known
    assert kept(session, database_url) == (source, None)


def test_link_that_names_the_article_needs_no_policy(
    live: Goalpost,
    paper: Site,
    browser_link_only: Tab,
    session: Session,
    database_url: str,
) -> None:
    tab = browser_link_only
    named = f"{name_of(paper)}/2021/ferry"
    link = f'<a href="{live.address}/c/support-us?slot=feed&source={named}">Support us</a>'
    tab.goto(article(paper, link, policy="no-referrer"))
    tab.get_by_role("link", name="Support us").click()
    finish(tab)
    assert kept(session, database_url) == (named, "feed")


@pytest.mark.parametrize(
    ("referrer", "source"),
    [
        ("https://paper.example/a?reader=7", "https://paper.example/a"),
        ("http://localhost:8000/", ""),
        ("http://localhost:8000/c/other?source=https://evil.example/", ""),
        ("https://localhost:8000/embed/support-us?source=https://paper.example/", ""),
        ("android-app://com.example.mail/", ""),
        ("https://[", ""),
        ("", ""),
    ],
)
def test_page_that_a_link_stood_on_is_its_source_unless_it_is_ours(
    client: FlaskClient, make_campaign: MakeCampaign, referrer: str, source: str
) -> None:
    make_campaign()
    page = client.get("/c/support-us", headers={"Referer": referrer})
    assert fields_of(page)["source"] == source


def test_source_that_a_link_names_wins_over_the_page_it_stood_on(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    page = client.get(
        "/c/support-us?source=https://paper.example/named",
        headers={"Referer": "https://social.example/feed"},
    )
    assert fields_of(page)["source"] == "https://paper.example/named"
