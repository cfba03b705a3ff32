"""Months in a browser: each page held to axe and to the width of phones, and a number followed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session

from admin.roles import Role
from campaigns.ledger import Gift, state_gift
from campaigns.ledger_models import ReferenceKind
from campaigns.models import Campaign
from campaigns.parts import Origin
from core.clock import MovableClock
from tests.admin.pages import look_at
from tests.browser.conftest import Enter
from tests.campaigns.books import JULY, fill
from tests.conftest import MakeCampaign

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def give_the_year_before(session: Session, campaign: Campaign) -> None:
    for month in range(1, 13):
        gift = Gift(
            reference=f"pi_2020_{month}",
            kind=ReferenceKind.PAYMENT,
            effect_minor=40_000 * month,
            cover_minor=0,
            paid_at=datetime(2020, month, 15, tzinfo=UTC),
            donor_key=None,
            origin=Origin(),
        )
        state_gift(session, campaign, gift, [], cause="test", now=JULY)
    session.commit()


def test_months_are_whole_at_every_width(
    site: str,
    page: Page,
    session: Session,
    clock: MovableClock,
    make_campaign: MakeCampaign,
    enter: Enter,
) -> None:
    clock.set(JULY)
    campaign = make_campaign()
    give_the_year_before(session, campaign)
    fill(session, campaign, seed=7, gifts=60)
    fill(session, make_campaign("ferry", title="Save the ferry"), seed=8)
    enter(page, Role.ACCOUNTANT)
    page.set_viewport_size({"width": 1280, "height": 900})

    page.goto(f"{site}/admin/months")
    look_at(page, "months")
    page.get_by_role("link", name="May 2021").first.click()
    look_at(page, "month")
    page.get_by_role("link", name="Save the ferry").click()
    expect(page.get_by_role("heading", name="May 2021")).to_be_visible()
    page.goto(f"{site}/admin/campaigns/support-us/months")
    look_at(page, "campaign-months")
    page.get_by_role("link", name="May 2021").first.click()
    look_at(page, "campaign-month")
    raised = page.locator("tr.sum td").nth(2).inner_text()
    page.get_by_role("link", name=raised).click()
    expect(page.locator("dl.sums b").first).to_have_text(f"{raised} USD")
