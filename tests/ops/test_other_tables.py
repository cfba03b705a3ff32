"""Tables of another release: nothing works on them, all say what to do, and nothing is lost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime

import click
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from app import create_app
from campaigns.models import Period
from core import revisions
from core.db import db
from core.revisions import newest_revisions, refuse_other_tables
from ops import jobs, lookout
from ops.models import JobRun
from payments.models import InboxEvent
from tests.conftest import MakeCampaign, make_settings
from tests.fake_gateway import FakeGateway
from tests.live_site import free_port
from tests.ops.conftest import Run, Start
from tests.payments.pages import give_online, look

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
OTHERS = {
    "0001": "behind: run `flask --app app db upgrade`",
    "9999": "of a newer Goalpost (9999): start the release that made them",
}
# They look after other tables by themselves, or write none of ours.
ON_ANY_TABLES = {"backup", "doctor", "move", "restore", "serve"}
OF_OTHERS = {"db", "routes", "run", "shell", "fsdomains", "roles"}


def pretend(app: Flask, revision: str) -> None:
    """Have the tables say that they are of a revision."""
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})


@pytest.fixture
def every_request_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "LOOK_EVERY_MILLISECONDS", 0)


@pytest.mark.usefixtures("every_request_looks")
def test_web_processes_answer_503_until_the_tables_fit_and_stripe_sends_again(
    app: Flask,
    client: FlaskClient,
    session: Session,
    make_campaign: MakeCampaign,
    fake_gateway: FakeGateway,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make_campaign()
    assert give_online(client, amount="20", email="ann@example.org").status_code == 303
    body = fake_gateway.event("payment_intent.succeeded", fake_gateway.pay("cs_test_1").id)
    with app.app_context():
        (ours,) = newest_revisions()
    for revision, said in OTHERS.items():
        pretend(app, revision)
        caplog.clear()
        for path in ("/c/support-us", "/api/v1/campaigns/support-us", "/admin/", "/embed/v1.js"):
            answer = client.get(path)
            assert answer.status_code == 503, path
            assert answer.headers["Retry-After"] == "60"
            assert "0001" not in answer.text
        refused = client.post("/webhooks/stripe", data=body, headers=fake_gateway.signed(body))
        assert (refused.status_code, refused.json["error"]["code"]) == (503, "unavailable")  # type: ignore[index]
        assert client.post("/c/support-us/donate", data={"amount": "20"}).status_code == 503
        # What says why is said, in the log once, however many ask.
        assert client.get("/livez").status_code == 200
        assert client.get("/metrics").status_code == 200
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json["checks"]["migrations"]["message"].startswith(said)  # type: ignore[index]
        assert [said in line for line in caplog.messages if "nothing is served" in line] == [True]
    assert look(session, select(InboxEvent)) == []
    pretend(app, ours)
    client.post("/webhooks/stripe", data=body, headers=fake_gateway.signed(body)).close()
    assert look(session, select(Period.raised_minor)) == [2_000]


@only_sqlite
def test_many_requests_are_one_look(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "LOOK_EVERY_MILLISECONDS", 10**9)  # however busy the machine
    looks = []
    kept = revisions.what_to_do

    def counted(connection: Connection) -> str | None:
        looks.append(connection)
        return kept(connection)

    monkeypatch.setattr(revisions, "what_to_do", counted)
    look = revisions.Look()
    with app.app_context():
        assert [look.again() for _ in range(5)] == [None] * 5
    assert len(looks) == 1


def test_scheduler_does_nothing_on_other_tables_and_goes_on_when_they_fit(
    app: Flask, session: Session, make_campaign: MakeCampaign, caplog: pytest.LogCaptureFixture
) -> None:
    make_campaign()
    with app.app_context():
        (ours,) = newest_revisions()
    for revision, said in OTHERS.items():
        pretend(app, revision)
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            for name in jobs.JOBS:
                jobs.tick(app, name)
            jobs.run_job(app, "roll")
        assert all(said in line for line in caplog.messages)
        assert len(caplog.messages) == len(jobs.JOBS) + 1
        jobs.note_start(app)
        with app.app_context():
            assert not lookout.look_at_scheduler(app)
        assert look(session, select(JobRun.name)) == []
    pretend(app, ours)
    jobs.tick(app, "roll")
    assert "roll" in look(session, select(JobRun.name))


def leaves(group: click.Group, *words: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, *words, name)
        elif not {name, *words} & (ON_ANY_TABLES | OF_OTHERS):
            yield (*words, name), command


def least(command: click.Command) -> list[str]:
    """Return what a command can't be called without."""
    told = []
    for option in command.params:
        if not option.required:
            continue
        kind = option.type
        value = "1"
        if isinstance(kind, click.Choice):
            value = str(kind.choices[0])
        elif isinstance(kind, click.DateTime):
            value = datetime(2021, 5, 1).strftime("%Y-%m-%d")  # noqa: DTZ001 - a day
        told += [option.opts[0], value] if isinstance(option, click.Option) else [value]
    return told


def test_each_command_refuses_with_what_to_do(app: Flask, run: Run) -> None:
    assert isinstance(app.cli, click.Group)
    found = dict(leaves(app.cli))
    assert len(found) > 40
    for revision, said in OTHERS.items():
        pretend(app, revision)
        for words, command in found.items():
            done = run(*words, *least(command))
            assert (done.exit_code, said in done.output) == (1, True), f"{words}: {done.output}"


def test_tables_that_nobody_made_are_said_to_be_behind(app: Flask, run: Run) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    done = run("ledger", "verify")
    assert (done.exit_code, OTHERS["0001"] in done.output) == (1, True)


@only_sqlite
def test_scheduler_s_process_ends_with_what_to_do(app: Flask, start: Start) -> None:
    pretend(app, "9999")
    process = start("flask", "--app", f"{app.root_path}/app.py", "scheduler", "run")
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert OTHERS["9999"] in told
    assert "Traceback" not in told


def test_a_database_that_is_away_is_left_to_what_needs_it() -> None:
    # The scheduler is started before the database, and waits for it; pages say what they always do.
    app = create_app(make_settings(database_url=f"postgresql://127.0.0.1:{free_port()}/nothing"))
    with app.app_context():
        refuse_other_tables()
        assert revisions.Look().again() is None
    assert app.test_client().get("/livez").status_code == 200
    assert app.test_client().get("/c/support-us").status_code == 503
