"""A gift goes back through the sandbox, over HTTP both ways: asked for here, told by its events."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from admin.roles import Role
from app import create_app
from campaigns.models import Period
from core.clock import MovableClock
from core.db import db
from core.settings import Settings
from ops.jobs import ask_stripe, work_inbox
from payments.models import Donation, InboxEvent
from payments.refund_models import RefundRequest
from tests.admin.conftest import SignIn
from tests.conftest import MakeCampaign, make_settings
from tests.live_site import free_port
from tests.payments.pages import fields_of, give_online, look
from tests.sandbox_process import WEBHOOK_SECRET, SandboxProcess, running_sandbox

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WAIT_SECONDS = 15.0


@pytest.fixture
def clock() -> MovableClock:
    # The sandbox signs by the real one.
    return MovableClock(datetime.now(UTC))


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def sandbox(tmp_path: Path, port: int) -> Iterator[SandboxProcess]:
    webhook_url = f"http://127.0.0.1:{port}/webhooks/stripe"
    with running_sandbox(tmp_path / "sandbox.sqlite", webhook_url, WEBHOOK_SECRET) as process:
        yield process


@pytest.fixture
def settings(database_url: str, sandbox: SandboxProcess, port: int) -> Settings:
    return make_settings(
        database_url=database_url,
        base_url=f"http://localhost:{port}",
        stripe_api_base=sandbox.url,
        stripe_webhook_secret=WEBHOOK_SECRET,
    )


@pytest.fixture
def app(settings: Settings, clock: MovableClock, port: int) -> Iterator[Flask]:
    """The site with the gateway of its settings, open to the sandbox's events."""
    app = create_app(settings, clock=clock)
    app.testing = True
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield app
    server.shutdown()
    thread.join()
    server.server_close()
    with app.app_context():
        db.engine.dispose()


def raised(session: Session) -> int:
    return sum(look(session, select(Period.raised_minor)))


def wait_for_event(app: Flask, session: Session, type_: str) -> None:
    """Return once an event of this type has been worked, by the scheduler's job where need be."""
    worked = select(InboxEvent.state).where(InboxEvent.type == type_)
    deadline = time.monotonic() + WAIT_SECONDS
    while set(look(session, worked)) != {"done"}:
        assert time.monotonic() < deadline, f"no {type_} was worked"
        with app.app_context():
            work_inbox()
        time.sleep(0.02)


def test_gift_is_paid_given_back_from_the_page_and_told_by_its_event(
    app: Flask,
    sandbox: SandboxProcess,
    session: Session,
    sign_in: SignIn,
    make_campaign: MakeCampaign,
) -> None:
    make_campaign()
    assert give_online(app.test_client(), amount="20", email="ann@example.org").status_code == 303
    (donation,) = look(session, select(Donation))
    payment_id = sandbox.pay(donation.checkout_session_id or "")["payment_intent"]
    wait_for_event(app, session, "payment_intent.succeeded")
    assert raised(session) == 2_000

    accountant = sign_in(Role.ACCOUNTANT)
    page = f"/admin/donations/{donation.id}/refund"
    form = fields_of(accountant.get(page))
    assert form["amount"] == "20"
    values = {"amount": "5", "reason": "requested_by_customer"}
    question = accountant.post(page, data=form | values)
    told = accountant.post(page, data=fields_of(question), follow_redirects=True)
    assert "5 $ was given back." in told.text
    wait_for_event(app, session, "refund.created")
    assert raised(session) == 1_500

    (row,) = look(session, select(RefundRequest))
    (refund,) = sandbox.api("GET", f"/v1/refunds?payment_intent={payment_id}")["data"]
    assert (refund["id"], refund["amount"], refund["reason"]) == (
        row.refund_id,
        500,
        "requested_by_customer",
    )


def test_what_was_given_back_at_stripe_unheard_is_told_and_brought_into_the_books(
    app: Flask,
    sandbox: SandboxProcess,
    session: Session,
    sign_in: SignIn,
    make_campaign: MakeCampaign,
) -> None:
    make_campaign()
    sandbox.faults(webhooks={"drop": 1.0})
    assert give_online(app.test_client(), amount="20", email="ann@example.org").status_code == 303
    (donation,) = look(session, select(Donation))
    payment_id = sandbox.pay(donation.checkout_session_id or "")["payment_intent"]
    with app.app_context():
        ask_stripe()
    sandbox.refund(payment_id)
    assert raised(session) == 2_000

    accountant = sign_in(Role.ACCOUNTANT)
    page = f"/admin/donations/{donation.id}/refund"
    question = accountant.post(page, data=fields_of(accountant.get(page)) | {"reason": ""})
    told = accountant.post(page, data=fields_of(question), follow_redirects=True).text
    assert "Nothing went back. Stripe refused the call" in told
    assert "already been refunded" in told
    assert "Nothing is left that could be given back." in told
    assert raised(session) == 0
