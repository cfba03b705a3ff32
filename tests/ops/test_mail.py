"""Mail from the edge: the job that sends it, what health says of it, and the commands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from aiosmtpd.controller import Controller
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app import create_app
from core.clock import MovableClock
from core.db import db
from core.outbox import Mail, OutboxMail, post_mail
from core.settings import Settings
from ops import jobs
from ops.models import JobRun
from payments.models import Donor
from tests.conftest import MakeCampaign, make_settings
from tests.core.test_smtp import Mailbox
from tests.live_site import free_port
from tests.ops.conftest import Run
from tests.payments.conftest import Books
from tests.payments.pages import give_online

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def settings(database_url: str, port: int) -> Settings:
    return make_settings(
        database_url=database_url,
        mail_url=f"smtp://127.0.0.1:{port}",
        mail_from="The Courier <support@courier.example>",
    )


@pytest.fixture
def server(mailbox: Mailbox, port: int) -> Iterator[None]:
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield
    controller.stop()


@pytest.fixture
def gift(app: Flask, client: FlaskClient, clock: MovableClock, make_campaign: MakeCampaign) -> None:
    make_campaign()
    assert give_online(client, amount="20", email="ann@example.org").status_code == 303
    books = Books(app, app.extensions["goalpost.gateway"], clock)
    books.gateway.pay("cs_test_1")
    books.hear("cs_test_1")


def error_of(session: Session) -> str | None:
    session.rollback()
    error = session.get_one(JobRun, "mail").error
    session.rollback()
    return error


def mail_health(client: FlaskClient) -> tuple[bool, str]:
    checks = client.get("/readyz").json or {}
    found = checks["checks"]["mail"]
    return found["ok"], found["message"]


@pytest.mark.usefixtures("server", "gift")
def test_the_job_thanks_and_sends_once(app: Flask, session: Session, mailbox: Mailbox) -> None:
    for _ in range(2):
        jobs.run_job(app, "mail")
    (letter,) = mailbox.letters
    assert "To: ann@example.org" in letter
    assert error_of(session) is None


@pytest.mark.usefixtures("gift")
def test_a_server_that_is_away_is_told_and_the_mail_waits(
    app: Flask, client: FlaskClient, session: Session, clock: MovableClock
) -> None:
    jobs.run_job(app, "mail")
    assert "refused" in (error_of(session) or "")
    assert mail_health(client) == (True, "1 waiting, 0 given up")
    clock.advance(timedelta(days=1))
    ok, message = mail_health(client)
    assert not ok
    assert "the oldest since" in message


def test_without_a_mail_server_nothing_is_posted(database_url: str, clock: MovableClock) -> None:
    app = create_app(make_settings(database_url=database_url), clock=clock)
    jobs.run_job(app, "mail")
    listed = app.test_cli_runner().invoke(args=["outbox", "list"])
    assert "No mail and no calls." in listed.output
    with app.app_context():
        db.engine.dispose()


@pytest.mark.usefixtures("server")
def test_what_was_given_up_is_listed_and_sent_anew(
    app: Flask, run: Run, client: FlaskClient, session: Session, clock: MovableClock
) -> None:
    mail = Mail(key="1", recipient="nobody@example.org", subject="Hello", text="Hello")
    post_mail(session, mail, now=clock.now())
    session.commit()
    assert "Nothing was given up" in run("outbox", "retry").output
    jobs.run_job(app, "mail")
    listed = run("outbox", "list").output
    assert "550 no such user" in listed
    assert "outbox retry" in listed
    assert mail_health(client)[0] is False
    assert "1 mails and 0 calls wait" in run("outbox", "retry").output
    assert session.query(OutboxMail).one().state == "waiting"


def test_the_job_forgets_who_went_to_pay_and_did_not(
    app: Flask,
    client: FlaskClient,
    session: Session,
    clock: MovableClock,
    make_campaign: MakeCampaign,
) -> None:
    make_campaign()
    assert give_online(client, amount="20", email="bob@example.org").status_code == 303
    jobs.run_job(app, "forget")
    assert session.query(Donor).count() == 1
    session.rollback()
    clock.advance(timedelta(days=8))
    jobs.run_job(app, "forget")
    assert session.query(Donor).count() == 0
