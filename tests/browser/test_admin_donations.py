"""Gifts, entries and who may see them in a browser: held to axe and to the width of phones."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from campaigns.sightings import note_sightings
from core.clock import MovableClock
from payments.models import Donation, DonationState, Donor
from tests.admin.pages import look_at
from tests.browser.conftest import Enter
from tests.conftest import Give, MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def gifts(
    app: Flask,
    fake_gateway: FakeGateway,
    clock: MovableClock,
    make_campaign: MakeCampaign,
    give: Give,
    session: Session,
) -> None:
    """Gifts of all kinds: once and each month, given back in part, offline, never paid."""
    campaign = make_campaign()
    make_campaign("ferry", title="Save the ferry to the outer islands before the winter comes")
    books = Books(app, fake_gateway, clock)
    paid: list[Any] = []
    for form, frequency in (("once", "once"), ("monthly", "month"), ("left", "once")):
        checkout = books.donate(form=form, frequency=frequency, cover_minor=90)  # type: ignore[arg-type]
        if form == "once":
            paid.append(fake_gateway.pay(checkout))
        elif form == "monthly":
            fake_gateway.subscribe(checkout)
        books.hear(checkout)
    give(campaign, 52_000)
    session.execute(update(Donor).values(name="Ann Example"))
    words = {"message": "Keep on. " * 12, "public_name": "Ann", "source": "https://paper.example/a"}
    session.execute(update(Donation).where(Donation.donor_id.is_not(None)).values(**words))
    seen = [("support-us", "paper.example"), ("support-us", "a-long-name.of-a-site.example")]
    note_sightings(session, seen, now=clock.now())
    session.commit()


@pytest.mark.usefixtures("gifts")
def test_gifts_are_read_and_recorded_at_every_width(
    site: str, page: Page, session: Session, enter: Enter
) -> None:
    enter(page)
    page.set_viewport_size({"width": 320, "height": 900})
    page.goto(f"{site}/admin/donations")
    here = page.get_by_label("Admin").locator("[aria-current]")
    expect(here).to_be_in_viewport(ratio=1)
    look_at(page, "donations")
    paid = session.scalars(
        select(Donation.id).where(
            Donation.state == DonationState.PAID, Donation.frequency == "month"
        )
    ).one()
    session.rollback()
    page.goto(f"{site}/admin/donations/{paid}")
    look_at(page, "donation")
    page.goto(f"{site}/admin/donations/new")
    page.get_by_role("button", name="Record").click()
    look_at(page, "donation-new")
    page.goto(f"{site}/admin/entries")
    look_at(page, "entries")


@pytest.mark.usefixtures("gifts")
def test_who_sees_what_and_where_the_bar_stands_at_every_width(
    site: str, page: Page, session: Session, enter: Enter
) -> None:
    enter(page)
    page.goto(f"{site}/admin/users")
    look_at(page, "users")
    page.goto(f"{site}/admin/account")
    look_at(page, "account")
    page.goto(f"{site}/admin/campaigns/support-us/embed")
    expect(page.get_by_role("rowheader", name="paper.example")).to_be_visible()
    look_at(page, "embed")
    donor = session.scalars(select(Donor.id)).first()
    session.rollback()
    page.goto(f"{site}/admin/donors/{donor}/erase")
    look_at(page, "erase")
