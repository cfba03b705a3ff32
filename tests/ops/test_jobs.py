from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from campaigns.models import Period
from core.clock import MovableClock
from ops import jobs
from ops.models import JobRun
from tests.conftest import Give, MakeCampaign
from tests.fake_gateway import FakeGateway


def run_of(session: Session, name: str) -> JobRun:
    session.rollback()
    run = session.get_one(JobRun, name)
    session.expunge_all()
    session.rollback()
    return run


def test_roll_is_run_and_written_down(
    app: Flask, session: Session, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    give(make_campaign(), 52_000)
    clock.advance(timedelta(days=20))
    jobs.run_job(app, "roll")
    run = run_of(session, "roll")
    assert (run.started_at, run.finished_at, run.error) == (clock.now(), clock.now(), None)
    assert session.query(Period).count() == 2


def test_job_that_fails_is_written_down_and_run_again(
    app: Flask, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(jobs, "JOBS", {"roll": (fail, timedelta(seconds=10))})
        jobs.run_job(app, "roll")
    assert run_of(session, "roll").error == "RuntimeError: the disk is full"
    jobs.run_job(app, "roll")
    assert run_of(session, "roll").error is None


def test_audit_logs_books_that_drift(
    app: Flask,
    session: Session,
    make_campaign: MakeCampaign,
    give: Give,
    clock: MovableClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    give(make_campaign(), 52_000)
    jobs.run_job(app, "audit")
    assert "the books differ" not in caplog.text
    session.execute(update(Period).values(raised_minor=1))
    session.commit()
    jobs.run_job(app, "audit")  # looked at already today
    assert "the books differ" not in caplog.text
    clock.advance(timedelta(hours=25))
    jobs.run_job(app, "audit")
    assert "the books differ" in caplog.text


def test_site_is_ready_once_its_jobs_have_run(app: Flask, client: FlaskClient) -> None:
    before = client.get("/readyz")
    assert before.status_code == 200  # nothing that readers need is missing
    assert before.json is not None
    assert before.json["checks"]["job roll"]["ok"] is False
    for name in jobs.JOBS:
        jobs.run_job(app, name)
    after = client.get("/readyz").json
    assert after is not None
    assert all(check["ok"] for check in after["checks"].values())


def test_late_scheduler_is_seen(app: Flask, client: FlaskClient, clock: MovableClock) -> None:
    for name in jobs.JOBS:
        jobs.run_job(app, name)
    clock.advance(timedelta(minutes=30))
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json is not None
    assert "is late" in answer.json["checks"]["job roll"]["message"]


def test_old_backlog_is_seen(
    client: FlaskClient, fake_gateway: FakeGateway, clock: MovableClock
) -> None:
    body = fake_gateway.event("payment_intent.succeeded", "pi_unknown")
    client.post("/webhooks/stripe", data=body, headers=fake_gateway.signed(body)).close()
    clock.advance(timedelta(minutes=30))
    answer = client.get("/readyz").json
    assert answer is not None
    assert answer["checks"]["inbox"]["ok"] is False
    assert "1 failed" in answer["checks"]["inbox"]["message"]


def test_missing_migrations_are_not_ready(client: FlaskClient, session: Session) -> None:
    session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    session.commit()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert "db upgrade" in answer.json["checks"]["migrations"]["message"]


def test_process_lives(client: FlaskClient) -> None:
    assert client.get("/livez").json == {"status": "ok"}
