"""The guard as an admin sees it: what is counted, that somebody is told, and how to take it off."""

from __future__ import annotations

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import MovableClock
from core.settings import Settings
from ops import jobs
from payments.models import Breaker, CheckoutCount
from tests.conftest import MakeCampaign, make_settings

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return make_settings(database_url=database_url, ratelimit_enabled=True)


@pytest.fixture
def _attack(session: Session, clock: MovableClock, make_campaign: MakeCampaign) -> None:
    counts = {"begun": 3, "paid": 0, "agreed": 0, "failed": 70, "refused": 2}
    session.add(CheckoutCount(bucket_at=clock.now(), campaign_id=make_campaign().id, **counts))
    session.commit()


def guard(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["guard", *arguments])


@pytest.mark.usefixtures("_attack")
def test_status_shows_what_is_counted_and_open_takes_the_guard_off(app: Flask) -> None:
    before = guard(app, "status").output
    assert "support-us" in before
    assert "guarded until 2021-05-12" in before

    assert guard(app, "open", "support-us").exit_code == 0
    assert "guarded" not in guard(app, "status").output
    assert guard(app, "open", "nothing").exit_code == 1


@pytest.mark.usefixtures("_attack")
def test_job_trips_the_breaker_though_nobody_sends_a_form(app: Flask, session: Session) -> None:
    jobs.run_job(app, "guard")
    jobs.run_job(app, "guard")

    assert session.scalars(select(Breaker.scope)).all() == ["campaign:1"]


@pytest.mark.usefixtures("_attack")
def test_readiness_tells_of_a_guarded_form_and_stays_ready(client: FlaskClient) -> None:
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json is not None
    found = response.json["checks"]["guard"]
    assert not found["ok"]
    assert "70 cards turned down" in found["message"]
