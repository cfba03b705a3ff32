"""`/metrics`: who may ask, and that each number is what the books and the jobs say."""

from __future__ import annotations

import re
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, text, update
from sqlalchemy.orm import Session

from app import create_app
from campaigns.models import Period
from core.clock import MovableClock
from core.db import db
from core.notices import begin_episode
from core.outbox import Mail, OutboxMail, post_mail
from core.release import RELEASE
from core.sending import SendState
from core.settings import Settings
from ops.jobs import JOBS, run_job
from payments.models import InboxState, QuarantinedPayment, QuarantineState
from tests.conftest import START, Give, MakeCampaign, make_settings
from tests.ops.conftest import Run
from tests.ops.scrape import leave_event, scrape, scrape_anew

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-that-is-long-enough"
MINUTE = timedelta(minutes=1)
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@only_sqlite
@pytest.mark.parametrize(
    ("hops", "peer", "headers", "status"),
    [
        (0, "127.0.0.1", {}, 200),
        (0, "::1", {}, 200),
        (0, "::ffff:127.0.0.1", {}, 200),
        (1, "127.0.0.1", {}, 200),
        (0, "203.0.113.9", {}, 403),
        (0, "203.0.113.9", {"X-Forwarded-For": "127.0.0.1"}, 403),
        (1, "203.0.113.9", {"X-Forwarded-For": "127.0.0.1"}, 403),
        # A proxy on this machine speaks for somebody else, whether it is trusted or not.
        (1, "127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 403),
        (1, "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 403),
        (0, "127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 403),
        (0, "127.0.0.1", {"Via": "1.1 proxy"}, 403),
        (1, "127.0.0.1", {"X-Forwarded-Proto": "https"}, 403),
        (0, "", {}, 403),
        (0, "not an address", {}, 403),
    ],
)
def test_without_a_token_only_this_machine_may_ask(
    database_url: str,
    clock: MovableClock,
    hops: int,
    peer: str,
    headers: dict[str, str],
    status: int,
) -> None:
    app = create_app(make_settings(database_url=database_url, trusted_proxies=hops), clock=clock)
    answer = app.test_client().get(
        "/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": peer}
    )
    assert answer.status_code == status
    assert ("goalpost_" in answer.text) == (status == 200)


@only_sqlite
@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (f"Bearer {TOKEN}x", 401),
        (f"Basic {TOKEN}", 401),
        ("Bearer", 401),
        ("Bearer \xe9", 401),
        ("", 401),
    ],
)
def test_with_a_token_whoever_shows_it_may_ask_and_nobody_else(
    database_url: str, clock: MovableClock, shown: str, status: int
) -> None:
    app = create_app(make_settings(database_url=database_url, metrics_token=TOKEN), clock=clock)
    client = app.test_client()
    for peer in ("203.0.113.9", "127.0.0.1"):
        answer = client.get(
            "/metrics", headers={"Authorization": shown}, environ_overrides={"REMOTE_ADDR": peer}
        )
        assert answer.status_code == status
        assert ("goalpost_" in answer.text) == (status == 200)
        assert (answer.headers.get("WWW-Authenticate") == "Bearer") == (status == 401)


def test_short_token_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 24 characters"):
        make_settings(metrics_token="x" * 23)


def test_a_site_on_which_nothing_has_happened_tells_all_the_same(client: FlaskClient) -> None:
    told = scrape(client)
    assert told("database_up") == told("schema_current") == 1
    assert told("measured_timestamp_seconds") == START.timestamp()
    assert told("scheduler_tick_timestamp_seconds") == 0
    assert told("inbox_oldest_seconds") == told("periods_overdue_seconds") == 0
    for name in JOBS:
        assert (told("job_late", name=name), told("job_failed", name=name)) == (1, 0)
    (labels,) = told.samples["goalpost_build_info"]
    assert dict(labels)["release"] == RELEASE
    assert dict(labels)["revision"] == max(
        path.name[:4] for path in (ROOT / "migrations").glob("0*.py")
    )


def test_every_number_is_in_the_paper_and_is_said_there_what_it_is(client: FlaskClient) -> None:
    paper = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"(?m)^\| `(goalpost_\w+)`[^|]* \| (.*) \|$", paper))
    helps = re.findall(r"(?m)^# HELP (\S+) (.*)$", scrape(client).text)
    assert listed == dict(helps)


def test_release_is_the_project_s() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == RELEASE


def test_runs_of_jobs_are_told_with_when_they_last_went_well(
    app: Flask, client: FlaskClient, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in JOBS:
        run_job(app, name)
    well = clock.now().timestamp()
    told = scrape(client)
    assert {told("job_late", name=name) for name in JOBS} == {0}
    assert told("scheduler_tick_timestamp_seconds") == well
    clock.advance(MINUTE)

    def fail() -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        patch.setattr("ops.jobs.JOBS", {"roll": (fail, MINUTE)})
        run_job(app, "roll")
    told = scrape(client)
    assert told("job_failed", name="roll") == 1
    assert told("job_started_timestamp_seconds", name="roll") == well + 60
    assert told("job_succeeded_timestamp_seconds", name="roll") == well
    assert told("job_failed", name="inbox") == 0
    clock.advance(6 * MINUTE)
    told = scrape(client)
    assert told("job_late", name="roll") == 1
    assert told("job_late", name="reconcile") == 0  # it is hourly


@pytest.mark.parametrize("state", [InboxState.WAITING, InboxState.FAILED])
def test_event_that_is_left_is_told_with_its_age(
    client: FlaskClient, session: Session, clock: MovableClock, state: InboxState
) -> None:
    left = leave_event(session, clock, state)
    clock.advance(20 * MINUTE)
    told = scrape(client)
    assert told("inbox_events", state=state) == 1
    assert told("inbox_oldest_seconds") == 1200
    assert told("inbox_received_timestamp_seconds") == START.timestamp()
    left.state = InboxState.DONE
    session.commit()
    told = scrape_anew(client, clock)
    assert told("inbox_events", state=state) == told("inbox_oldest_seconds") == 0


def test_mails_are_told_by_how_they_fare(
    client: FlaskClient, session: Session, clock: MovableClock
) -> None:
    for number in range(3):
        mail = Mail(key=f"m:{number}", recipient="a@example.org", subject="Hello", text="You")
        post_mail(session, mail, now=clock.now())
    session.execute(update(OutboxMail).where(OutboxMail.key == "m:1").values(error="550"))
    session.execute(
        update(OutboxMail).where(OutboxMail.key == "m:2").values(state=SendState.FAILED)
    )
    session.commit()
    clock.advance(MINUTE)
    told = scrape(client)
    for state in ("waiting", "failing", "given_up"):
        assert told("outbox", kind="mail", state=state) == 1
        assert told("outbox", kind="calls", state=state) == 0
    assert told("outbox_oldest_seconds", kind="mail") == 60
    assert told("outbox_oldest_seconds", kind="calls") == 0


def test_months_that_nobody_closed_are_told_and_drafts_are_not_among_them(
    app: Flask, client: FlaskClient, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    make_campaign()
    make_campaign("later", draft=True)
    assert scrape(client)("periods_overdue") == 0
    clock.advance(timedelta(days=20))
    told = scrape(client)
    assert told("periods_overdue") == 1
    # New York's June begins at 4 o'clock of UTC.
    assert told("periods_overdue_seconds") == (clock.now() - START.replace(
        month=6, day=1, hour=4, minute=0, second=0
    )).total_seconds()  # fmt: skip
    run_job(app, "roll")
    assert scrape_anew(client, clock)("periods_overdue") == 0


def test_money_is_told_by_currency_in_whole_units(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    support = make_campaign()
    yen = make_campaign("yen", currency="JPY", tiers_minor=(1000,))
    give(support, 52_000)
    give(support, 1)
    give(yen, 700)
    told = scrape(client)
    assert told("raised_minor", currency="USD") == 52_001
    assert told("donations", currency="USD") == 2
    assert told("raised_minor", currency="JPY") == 700
    assert told("cover_minor", currency="JPY") == 0
    assert told("minor_per_unit", currency="USD") == 100
    assert told("minor_per_unit", currency="JPY") == 1


@only_sqlite
def test_what_the_nightly_look_found_is_told(
    app: Flask,
    client: FlaskClient,
    session: Session,
    make_campaign: MakeCampaign,
    give: Give,
    clock: MovableClock,
) -> None:
    give(make_campaign(), 52_000)
    assert scrape(client)("books_looked_at_timestamp_seconds", books="ours") == 0
    session.execute(update(Period).values(raised_minor=1))
    session.commit()
    run_job(app, "audit")
    told = scrape_anew(client, clock)
    assert told("books_differences", books="ours") > 0
    assert told("books_looked_at_timestamp_seconds", books="ours") == START.timestamp()
    assert told("books_looked_at_timestamp_seconds", books="stripe") == 0


@only_sqlite
def test_reconciling_copying_holding_and_doubting_are_told(
    app: Flask,
    client: FlaskClient,
    session: Session,
    clock: MovableClock,
    run: Run,
    tmp_path: Path,
) -> None:
    run_job(app, "reconcile")
    assert run("backup", str(tmp_path / "copy")).exit_code == 0
    held = QuarantinedPayment(
        reference="pi_1", reason="x", state=QuarantineState.HELD, amount_minor=1, currency="USD",
        paid_at=START, seen_at=START,
    )  # fmt: skip
    session.add(held)
    begin_episode(session, "clock", since=START)
    session.commit()
    told = scrape(client)
    assert told("reconciled_timestamp_seconds") == START.timestamp()
    assert told("backup_timestamp_seconds") == START.timestamp()
    assert told("quarantine_held") == told("clock_doubted") == 1
    # Reconciling was a scheduler's job. A copy alone is no sign of one.
    session.execute(text("DELETE FROM job_runs WHERE name <> 'backup'"))
    session.commit()
    assert scrape_anew(client, clock)("scheduler_tick_timestamp_seconds") == 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_clock_is_compared_with_the_database_s(client: FlaskClient, clock: MovableClock) -> None:
    first = scrape(client)("clock_ahead_seconds")
    assert first < -86_400  # it is not 2021 any more
    clock.advance(timedelta(days=1))
    assert scrape(client)("clock_ahead_seconds") - first == pytest.approx(86_400, abs=60)


def test_every_process_tells_the_same(
    app: Flask,
    settings: Settings,
    clock: MovableClock,
    make_campaign: MakeCampaign,
    give: Give,
) -> None:
    give(make_campaign(), 52_000)
    other = create_app(settings, clock=clock)
    run_job(other, "roll")
    texts = {
        re.sub(r"(?m)^goalpost_clock_ahead.*", "", scrape(each.test_client()).text)
        for each in (app, other)
    }
    assert len(texts) == 1
    assert 'goalpost_raised_minor{currency="USD"} 52000.0' in texts.pop()
    with other.app_context():
        db.engine.dispose()


def test_looks_are_few_and_are_kept_for_seconds(
    app: Flask, client: FlaskClient, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    statements: list[str] = []
    with app.app_context():
        engine = db.engine

    @event.listens_for(engine, "before_cursor_execute")
    def note(_c: object, _u: object, statement: str, *_: object) -> None:
        statements.append(statement)

    make_campaign()
    statements.clear()
    scrape(client)
    looks = len(statements)
    assert looks < 30
    scrape(client)
    assert len(statements) == looks
    for number in range(5):
        make_campaign(f"another-{number}")
    statements.clear()
    scrape_anew(client, clock)
    assert len(statements) == looks
    statements.clear()
    clock.advance(-timedelta(hours=1))  # no answer is kept into the past
    scrape(client)
    assert len(statements) == looks


@only_sqlite
def test_database_that_does_not_answer_is_told_and_so_is_one_that_is_old(
    app: Flask, client: FlaskClient, session: Session, clock: MovableClock, tmp_path: Path
) -> None:
    session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    session.commit()
    told = scrape(client)
    assert (told("database_up"), told("schema_current")) == (1, 0)
    assert "goalpost_job_late" not in told.names
    session.close()
    with app.app_context():
        db.engine.dispose()
    (file,) = tmp_path.glob("*.sqlite")
    file.write_bytes(b"no database at all" * 100)
    told = scrape_anew(client, clock)
    assert told("database_up") == 0
    assert told.names == {
        "goalpost_build_info", "goalpost_database_up", "goalpost_measured_timestamp_seconds",
    }  # fmt: skip
