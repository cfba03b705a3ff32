"""The log and the donors' page in a browser: held to axe, and to the width of a phone."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page
from sqlalchemy import update
from sqlalchemy.orm import Session

from admin.access import SESSION_KEY
from admin.roles import Role
from admin.sessions import begin_session
from admin.users import add_user
from core.auditlog import COMMAND_LINE, record
from core.clock import MovableClock
from core.outbox import Mail, post_mail
from payments.models import Donation, Donor
from tests.admin.pages import look_at
from tests.conftest import MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def owner(app: Flask, site: str, session: Session, clock: MovableClock, page: Page) -> Page:
    """A browser in which an owner is signed in, on the site's first page."""
    user = add_user(
        session, "owner@courier.example", Role.OWNER, actor=COMMAND_LINE, now=clock.now()
    )
    token = begin_session(session, user, browser="Chromium", now=clock.now())
    session.commit()
    serializer: Any = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    cookie = {SESSION_KEY: token, "_user_id": user.fs_uniquifier, "_fresh": True}
    page.context.add_cookies([{"name": "goalpost", "value": serializer.dumps(cookie), "url": site}])
    page.goto(f"{site}/admin/log")
    return page


def test_the_log_is_read_on_a_phone_and_on_a_desk(
    owner: Page, session: Session, clock: MovableClock, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    details = {
        "title": ["Support us", "Support the Courier"],
        "tier": ["2,500\n5,000", "3,000\n6,000", "from the next period on"],
        "description": ["", "For those who can’t afford a lawyer. " * 3],
    }
    record(
        session,
        COMMAND_LINE,
        "campaign.changed",
        subject="campaign:support-us",
        details=details,
        now=clock.now(),
    )
    record(session, COMMAND_LINE, "campaign.paused", subject="campaign:support-us", now=clock.now())
    session.commit()
    owner.reload()
    owner.locator("summary").first.click()
    look_at(owner, "log")
    owner.locator("#action").select_option("campaign.paused")
    owner.wait_for_url("**/admin/log?*action=campaign.paused*")
    assert owner.locator("tbody tr").count() == 1


def test_a_donor_is_found_read_and_asked_about(
    owner: Page,
    app: Flask,
    fake_gateway: FakeGateway,
    clock: MovableClock,
    make_campaign: MakeCampaign,
    session: Session,
) -> None:
    make_campaign()
    books = Books(app, fake_gateway, clock)
    for form, frequency in (("once", "once"), ("monthly", "month")):
        checkout = books.donate(form=form, frequency=frequency, cover_minor=90)  # type: ignore[arg-type]
        if frequency == "month":
            fake_gateway.subscribe(checkout)
        else:
            fake_gateway.pay(checkout)
        books.hear(checkout)
    session.execute(update(Donor).values(name="Ann Example"))
    words = {"message": "Keep on. " * 12, "public_name": "Ann", "consent_text": "Write to me."}
    session.execute(update(Donation).values(**words))
    mail = Mail(key="1", recipient="ann@example.org", subject="Thank you for 20 $", text="Thanks")
    post_mail(session, mail, now=clock.now())
    session.commit()
    owner.get_by_role("link", name="Donors").click()
    owner.get_by_label("The address").fill("ann@example.org")
    look_at(owner, "donors")
    owner.get_by_role("button", name="Show what is held").click()
    owner.locator("summary").first.click()
    look_at(owner, "donor")
