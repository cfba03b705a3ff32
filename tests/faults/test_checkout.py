"""What goes wrong between a donor's press of the button and Stripe's page, with the real SDK."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app import create_app
from campaigns.models import Campaign
from core.clock import MovableClock
from core.db import db
from core.settings import Settings
from payments.models import Donation
from tests.conftest import MakeCampaign, make_settings
from tests.live_site import free_port
from tests.payments.pages import fields_of, give_online, look, open_form
from tests.sandbox_process import Json, SandboxProcess, running_sandbox

# The SDK tries again twice by itself.
TRIES = 3
DAY_SECONDS = 24 * 3_600
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox") / "state.sqlite") as process:
        yield process


@pytest.fixture
def sandbox(process: SandboxProcess) -> Iterator[SandboxProcess]:
    yield process
    process.clear_faults()


@pytest.fixture
def clock(process: SandboxProcess) -> MovableClock:
    """Our clock, set by the sandbox's: both know the same day."""
    return MovableClock(datetime.fromtimestamp(process.now(), UTC))


@pytest.fixture
def settings(database_url: str, process: SandboxProcess) -> Settings:
    return make_settings(database_url=database_url, stripe_api_base=process.url)


@pytest.fixture
def app(settings: Settings, clock: MovableClock) -> Iterator[Flask]:
    app = create_app(settings, clock=clock)
    app.testing = True
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(autouse=True)
def _campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


def donations(session: Session) -> list[Donation]:
    return list(look(session, select(Donation).order_by(Donation.created_at, Donation.id)))


def sessions_of(sandbox: SandboxProcess, donation: Donation) -> list[Json]:
    """Return the sessions that Stripe has of a donation."""
    listed = sandbox.api("GET", "/v1/checkout/sessions?limit=100")["data"]
    return [found for found in listed if found["client_reference_id"] == donation.id]


def press_again(client: FlaskClient, response: TestResponse) -> TestResponse:
    """Send the form that a page has, as it stands there."""
    return client.post("/c/support-us/donate", data=fields_of(response))


@only_sqlite
def test_answer_that_is_lost_costs_no_second_session(
    client: FlaskClient, session: Session, sandbox: SandboxProcess
) -> None:
    sandbox.faults(api={"path": "checkout/sessions", "timeout_after_success": TRIES})
    response = give_online(client, amount="20")
    assert response.status_code == 503
    (donation,) = donations(session)
    assert donation.checkout_session_id is None
    again = press_again(client, response)
    assert again.status_code == 303
    (made,) = sessions_of(sandbox, donation)
    assert again.location == made["url"]
    assert [found.checkout_session_id for found in donations(session)] == [made["id"]]


@only_sqlite
def test_answer_that_is_lost_once_is_not_noticed(
    client: FlaskClient, session: Session, sandbox: SandboxProcess
) -> None:
    sandbox.faults(api={"path": "checkout/sessions", "timeout_after_success": 1})
    assert give_online(client, amount="20").status_code == 303
    (donation,) = donations(session)
    assert len(sessions_of(sandbox, donation)) == 1


@only_sqlite
@pytest.mark.parametrize(
    "fault",
    [{"status": 429}, {"status": 429, "code": "lock_timeout"}, {"status": 500}],
    ids=["too many requests", "lock time-out", "500"],
)
def test_stripe_that_is_busy_or_broken_is_told_as_try_again(
    client: FlaskClient, session: Session, sandbox: SandboxProcess, fault: dict[str, object]
) -> None:
    sandbox.faults(api={"path": "checkout/sessions", **fault})
    response = give_online(client, amount="20", name="Ann")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "60"
    assert "please try again in a minute" in response.text
    assert fields_of(response)["name"] == "Ann"
    sandbox.clear_faults()
    assert press_again(client, response).status_code == 303
    (donation,) = donations(session)
    assert len(sessions_of(sandbox, donation)) == 1


@only_sqlite
def test_session_that_is_known_is_looked_at_before_anything_is_sent_again(
    client: FlaskClient, session: Session, sandbox: SandboxProcess
) -> None:
    fields = open_form(client) | {"amount": "20"}
    client.post("/c/support-us/donate", data=fields)
    sandbox.advance(DAY_SECONDS + 3_600)  # Stripe has forgotten the key by now
    again = client.post("/c/support-us/donate", data=fields)
    (donation,) = donations(session)
    assert again.location == f"/c/support-us/thanks?donation={donation.id}"
    assert [found["status"] for found in sessions_of(sandbox, donation)] == ["expired"]


@only_sqlite
def test_session_that_is_not_known_is_not_made_twice_once_stripe_forgot_the_key(
    client: FlaskClient, session: Session, sandbox: SandboxProcess, clock: MovableClock
) -> None:
    sandbox.faults(api={"path": "checkout/sessions", "timeout_after_success": TRIES})
    response = give_online(client, amount="20")
    assert response.status_code == 503
    sandbox.advance(DAY_SECONDS + 3_600)
    clock.set(clock.now() + timedelta(seconds=DAY_SECONDS + 3_600))
    # Its end is told with every request, and lies behind us: Stripe opens nothing by it.
    refused = press_again(client, response)
    assert refused.status_code == 503
    (lost,) = donations(session)
    assert lost.state == "failed"
    assert [found["status"] for found in sessions_of(sandbox, lost)] == ["expired"]
    assert press_again(client, refused).status_code == 303
    (_, other) = donations(session)
    assert [found["status"] for found in sessions_of(sandbox, other)] == ["open"]


@only_sqlite
def test_key_that_was_used_with_another_amount_opens_nothing(
    client: FlaskClient, session: Session, sandbox: SandboxProcess
) -> None:
    sandbox.faults(api={"path": "checkout/sessions", "timeout_after_success": TRIES})
    response = give_online(client, amount="20")
    session.execute(update(Donation).values(amount_minor=5_000))
    session.commit()
    assert press_again(client, response).status_code == 503
    (donation,) = donations(session)
    assert donation.state == "failed"
    assert [found["amount_total"] for found in sessions_of(sandbox, donation)] == [2_000]


@only_sqlite
def test_bar_is_served_while_stripe_is_down(
    database_url: str, clock: MovableClock, make_campaign: MakeCampaign
) -> None:
    make_campaign(slug="other")
    nobody = f"http://127.0.0.1:{free_port()}"
    app = create_app(make_settings(database_url=database_url, stripe_api_base=nobody), clock=clock)
    client = app.test_client()
    assert give_online(client, amount="20").status_code == 503
    for address in (
        "/api/v1/campaigns/support-us",
        "/embed/v1.js",
        "/embed/support-us",
        "/c/support-us",
        "/c/support-us.svg",
    ):
        assert client.get(address).status_code == 200, address
    with app.app_context():
        db.engine.dispose()


def test_double_click_and_two_tabs_at_once_make_one_donation(
    app: Flask, client: FlaskClient, session: Session, sandbox: SandboxProcess
) -> None:
    fields = open_form(client) | {"amount": "20", "email": "ann@example.org"}
    cookie = client.get_cookie("goalpost")
    assert cookie is not None
    answers: list[TestResponse] = []
    start = threading.Barrier(4)

    def press() -> None:
        tab = app.test_client()
        tab.set_cookie("goalpost", cookie.value)
        start.wait()
        answers.append(tab.post("/c/support-us/donate", data=fields))

    tabs = [threading.Thread(target=press) for _ in range(4)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    (donation,) = donations(session)
    (made,) = sessions_of(sandbox, donation)
    assert [(answer.status_code, answer.location) for answer in answers] == [(303, made["url"])] * 4
    assert donation.checkout_session_id == made["id"]
