"""Payouts in a browser, held to axe and to the width of phones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page
from sqlalchemy.orm import Session

from admin.access import SESSION_KEY
from admin.roles import Role
from admin.sessions import begin_session
from admin.users import add_user
from core.auditlog import COMMAND_LINE
from core.clock import MovableClock
from core.db import db
from payments.payouts import bring_payouts
from tests.admin.pages import look_at
from tests.conftest import MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def pay_out_in_all_ways(books: Books, clock: MovableClock) -> str:
    """Make payouts of every kind; return the one that has the most to tell."""
    gateway = books.gateway
    lines = []
    for number, amount_minor in enumerate((152_000, 2_000, 50_000)):
        payment = gateway.pay(books.donate(amount_minor, form=f"form-{number}"))
        books.hear(payment.id)
        lines.append(gateway.payout_line(payment, amount_minor, fee_minor=amount_minor // 34))
    lines.append(gateway.payout_line(payment, -10_000))
    shop = gateway.foreign_payment(5_000)
    lines += [
        gateway.payout_line(shop, 5_000, fee_minor=175),
        gateway.payout_line(shop, -5_000, fee_minor=1_500, category="dispute", source_id="du_1"),
        gateway.payout_line(None, -77, description="Billing - Usage Fee"),
        gateway.payout_line(None, 12_345, category="payout_reversal", source_id="po_before"),
    ]
    made = gateway.pay_out(lines)
    gateway.change_payout(made.id, status="paid")
    clock.advance(timedelta(days=1))
    failed = gateway.pay_out(lines[:0], amount_minor=12_345)
    gateway.change_payout(failed.id, status="failed", failure="The bank account has been closed.")
    gateway.pay_out(amount_minor=50_000, automatic=False)
    gateway.pay_out(amount_minor=70_000, reconciled=False)
    return made.id


def test_payouts_are_whole_at_every_width(
    app: Flask,
    site: str,
    page: Page,
    session: Session,
    clock: MovableClock,
    make_campaign: MakeCampaign,
    fake_gateway: FakeGateway,
) -> None:
    make_campaign()
    made = pay_out_in_all_ways(Books(app, fake_gateway, clock), clock)
    with app.app_context():
        maker = db.sessionmaker
    user = add_user(session, "ann@courier.example", Role.OWNER, actor=COMMAND_LINE, now=clock.now())
    token = begin_session(session, user, browser="Chromium", now=clock.now())
    session.commit()
    cookie = {SESSION_KEY: token, "_user_id": user.fs_uniquifier, "_fresh": True}
    session.rollback()
    serializer: Any = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    value = serializer.dumps(cookie)
    page.context.add_cookies([{"name": "goalpost", "value": value, "url": site}])
    page.goto(f"{site}/admin/payouts")
    look_at(page, "payouts-none")
    bring_payouts(maker, fake_gateway, livemode=False, now=clock.now)
    page.goto(f"{site}/admin/payouts")
    look_at(page, "payouts")
    page.goto(f"{site}/admin/payouts/{made}")
    look_at(page, "payout")
    page.set_viewport_size({"width": 1280, "height": 900})
    with page.expect_download() as got:
        page.get_by_role("button", name="All as CSV").click()
    assert got.value.suggested_filename == f"payout-{made}.csv"
    page.goto(f"{site}/admin/exports")
    look_at(page, "exports")
