"""What the scheduler and the web processes tell admins of the site itself; and the commands."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from campaigns.models import Period
from core.calls import OutboxCall
from core.clock import MovableClock
from ops import jobs
from payments.models import InboxEvent
from tests.conftest import Give, MakeCampaign
from tests.core.receiver import Receiver
from tests.fake_gateway import FakeGateway
from tests.ops.conftest import Run
from tests.ops.notices import told

pytestmark = pytest.mark.usefixtures("subscriber")
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@only_sqlite
def test_books_that_drift_are_told_once_a_day(
    app: Flask, session: Session, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    give(make_campaign(), 52_000)
    jobs.run_job(app, "audit")
    assert told(session) == []
    session.execute(update(Period).values(raised_minor=1))
    session.commit()
    for _ in range(2):
        clock.advance(timedelta(hours=25))
        for _ in range(2):
            jobs.run_job(app, "audit")
    first, second = told(session)
    assert "is kept as 1, the entries say 52000" in str(first["text"])
    assert first["key"] != second["key"]


def stuck_event(client: FlaskClient, gateway: FakeGateway, reference: str) -> None:
    body = gateway.event("payment_intent.succeeded", reference)
    client.post("/webhooks/stripe", data=body, headers=gateway.signed(body)).close()


@only_sqlite
def test_a_stuck_inbox_is_told_once_until_it_is_well(
    app: Flask,
    client: FlaskClient,
    session: Session,
    fake_gateway: FakeGateway,
    clock: MovableClock,
) -> None:
    stuck_event(client, fake_gateway, "pi_unknown")
    jobs.run_job(app, "notices")
    assert told(session) == []
    clock.advance(timedelta(minutes=16))
    for _ in range(3):
        jobs.run_job(app, "notices")
        clock.advance(timedelta(hours=3))
    (body,) = [body for body in told(session) if body["topic"] == "inbox"]
    assert "0 wait and 1 failed" in str(body["text"])
    session.execute(update(InboxEvent).values(state="done"))
    session.commit()
    jobs.run_job(app, "notices")
    stuck_event(client, fake_gateway, "pi_unknown_too")
    clock.advance(timedelta(minutes=16))
    jobs.run_job(app, "notices")
    assert [body["topic"] for body in told(session)].count("inbox") == 2


def told_of_scheduler(session: Session) -> list[str]:
    return [
        str(body["text"]).splitlines()[0] for body in told(session) if body["topic"] == "scheduler"
    ]


def wait_for_threads() -> None:
    for thread in threading.enumerate():
        if thread.name == "lookout":
            thread.join()


def test_a_web_process_tells_of_a_dead_scheduler_once_and_sends_it(
    app: Flask,
    client: FlaskClient,
    session: Session,
    receiver: Receiver,
    clock: MovableClock,
) -> None:
    jobs.run_job(app, "roll")
    clock.advance(timedelta(minutes=4))
    client.get("/livez")
    assert told_of_scheduler(session) == []
    for _ in range(3):
        clock.advance(timedelta(minutes=2))
        client.get("/livez")
        wait_for_threads()
    assert told_of_scheduler(session) == ["The scheduler does not run"]
    assert len(receiver.heard) == 1
    assert json.loads(receiver.heard[0].body)["data"] == {"since": "2021-05-12T10:11:12Z"}


def test_a_scheduler_that_comes_back_says_so(
    app: Flask, client: FlaskClient, session: Session, clock: MovableClock
) -> None:
    jobs.run_job(app, "roll")
    clock.advance(timedelta(hours=1))
    client.get("/livez")
    wait_for_threads()
    jobs.note_start(app)
    for _ in range(2):
        jobs.run_job(app, "notices")
    assert told_of_scheduler(session) == ["The scheduler does not run", "The scheduler runs again"]


def test_a_gap_that_nobody_saw_is_told_at_its_end(
    app: Flask, session: Session, clock: MovableClock
) -> None:
    jobs.run_job(app, "roll")
    clock.advance(timedelta(hours=1))
    jobs.note_start(app)
    jobs.run_job(app, "notices")
    (body,) = told(session)
    assert "from 2021-05-12 10:11:12 UTC to 2021-05-12 11:11:12 UTC" in str(body["text"])


@only_sqlite
def test_a_short_stop_and_a_first_start_are_no_news(
    app: Flask, client: FlaskClient, session: Session, clock: MovableClock
) -> None:
    clock.advance(timedelta(hours=1))
    client.get("/livez")
    jobs.note_start(app)
    jobs.run_job(app, "notices")
    clock.advance(timedelta(minutes=4))
    jobs.note_start(app)
    jobs.run_job(app, "notices")
    client.get("/livez")
    assert told(session) == []


@only_sqlite
def test_a_database_that_is_away_breaks_no_answer(
    client: FlaskClient, session: Session, clock: MovableClock
) -> None:
    session.connection().exec_driver_sql("ALTER TABLE job_runs RENAME TO elsewhere")
    session.commit()
    clock.advance(timedelta(hours=1))
    assert client.get("/livez").status_code == 200


def test_the_job_calls_and_health_sees_what_was_given_up(
    app: Flask,
    client: FlaskClient,
    receiver: Receiver,
    make_campaign: MakeCampaign,
    give: Give,
    run: Run,
) -> None:
    receiver.statuses = [410, 200]
    give(make_campaign(), 600_000)
    jobs.run_job(app, "notices")
    jobs.run_job(app, "calls")
    assert len(receiver.heard) == 2
    checks = client.get("/readyz").json or {}
    assert checks["checks"]["calls"] == {
        "ok": False,
        "message": "0 waiting, 1 given up: see `flask --app app outbox list`",
    }
    listed = run("outbox", "list").output
    assert "answered 410" in listed
    assert "0 mails and 1 calls wait" in run("outbox", "retry").output
    jobs.run_job(app, "calls")
    assert len(receiver.heard) == 3
    checks = client.get("/readyz").json or {}
    assert checks["checks"]["calls"]["ok"] is True


@only_sqlite
def test_calls_are_forgotten_as_mails_are(
    app: Flask, session: Session, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    give(make_campaign(), 260_000)
    jobs.run_job(app, "notices")
    jobs.run_job(app, "calls")
    clock.advance(timedelta(days=31))
    jobs.run_job(app, "forget")
    (call,) = session.scalars(select(OutboxCall))
    assert (call.text, call.recipient, call.state) == ("", "", "sent")


@only_sqlite
def test_somebody_is_added_tried_listed_and_removed(
    app: Flask, run: Run, receiver: Receiver
) -> None:
    added = run(
        "notices", "add", "webhook", "http://127.0.0.1:1/a-long-secret-path", "--topic", "goal"
    )
    assert "Number 2 has notices: goal." in added.output
    secret = added.output.splitlines()[-1]
    assert secret.startswith("gpsec_")
    listed = run("notices", "list").output
    assert "http://127.0.0.1:1/…path" in listed
    assert secret not in listed
    assert "a-long-secret" not in listed
    assert "Posted" in run("notices", "test", "1").output
    jobs.run_job(app, "calls")
    assert json.loads(receiver.heard[0].body)["topic"] == "test"
    assert "no more notices by webhook" in run("notices", "remove", "2").output
    again = run("notices", "remove", "2")
    assert (again.exit_code, "No notices go to number 2" in again.output) == (1, True)
    assert run("notices", "test", "2").exit_code == 1


@only_sqlite
def test_mail_without_a_mail_server_is_warned_of(run: Run) -> None:
    added = run("notices", "add", "mail", "ed@example.org")
    assert added.exit_code == 0
    assert "Number 2 has notices: all." in added.output
    assert "MAIL_URL is not set" in added.output
    assert "already" in run("notices", "add", "mail", "ed@example.org").output
    help_text = run("notices", "add", "mail", "--help").output
    assert "cancelled" in help_text
