"""Giving gifts back in a browser, and deciding about held money: each page held to axe."""

from __future__ import annotations

import time
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect
from sqlalchemy.orm import Session

from admin.access import SESSION_KEY
from admin.roles import Role
from admin.sessions import begin_session
from admin.users import add_user
from core.auditlog import COMMAND_LINE
from core.clock import MovableClock
from tests.admin.pages import look_at
from tests.conftest import MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_gift_goes_back_and_held_money_is_decided_about(
    app: Flask,
    site: str,
    page: Tab,
    session: Session,
    clock: MovableClock,
    fake_gateway: FakeGateway,
    make_campaign: MakeCampaign,
) -> None:
    make_campaign()
    books = Books(app, fake_gateway, clock)
    for form, amount_minor in (("a", 2_000), ("b", 52_000)):
        checkout = books.donate(amount_minor, cover_minor=91, form=form)
        payment = fake_gateway.pay(checkout)
        if form == "b":
            fake_gateway.change_payment(payment.id, received_minor=52_000)
        books.hear(checkout)
    for amount_minor, currency in ((1_250, "USD"), (4_900, "EUR")):
        books.hear(fake_gateway.foreign_payment(amount_minor, currency).id)
    gift = next(one for one in books.donations() if one.state == "paid")
    user = add_user(
        session, "a@courier.example", Role.ACCOUNTANT, actor=COMMAND_LINE, now=clock.now()
    )
    token = begin_session(session, user, browser="Chromium", now=clock.now())
    session.commit()
    serializer: Any = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    cookie = {SESSION_KEY: token, "_user_id": user.fs_uniquifier, "_fresh": True}
    value = serializer.dumps({**cookie, "fs_paa": time.time()})
    page.context.add_cookies([{"name": "goalpost", "value": value, "url": site}])

    page.goto(f"{site}/admin/donations/{gift.id}/refund")
    page.get_by_label("How much, in USD").fill("30")
    page.get_by_role("button", name="See what it does").click()
    expect(page.get_by_text("No more than 20.91 $ is left of it.").last).to_be_visible()
    look_at(page, "refund-wrong")
    page.get_by_label("How much, in USD").fill("20.50")
    page.get_by_label("Why").select_option("The donor asked for it")
    page.get_by_role("button", name="See what it does").click()
    look_at(page, "refund-question")
    fake_gateway.unavailable = True
    page.get_by_role("button", name="Give back 20.50 $").click()
    expect(page.get_by_role("alert")).to_contain_text("Stripe has not answered yet")
    fake_gateway.unavailable = False
    look_at(page, "refund-waiting")

    page.get_by_role("link", name="Quarantine").click()
    look_at(page, "quarantine")
    page.get_by_role("link", name="pi_").first.click()
    look_at(page, "quarantine-payment")
    page.get_by_role("button", name="Refuse it").click()
    page.get_by_role("link", name="Leave it as it is").click()
    page.get_by_role("link", name="Back to quarantine").click()
    page.get_by_label("Give back 520.00 USD").check()
    page.get_by_label("Give back 12.50 USD").check()
    page.get_by_role("button", name="Give back what is ticked").click()
    look_at(page, "quarantine-give-back")
    page.get_by_role("button", name="Give back 532.50 USD").click()
    expect(page.get_by_text("520.00 USD was given back.")).to_be_visible()
    page.get_by_label("State").select_option("Refused")
    expect(page.get_by_role("link", name="pi_")).to_have_count(2)
    page.goto(f"{site}/admin/refunds?which=all")
    look_at(page, "refunds")
