"""Lines of the log: which request or run they are of, in which form, and what they never hold."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app import create_app
from core import logs
from core.clock import MovableClock
from ops.jobs import run_job
from tests.conftest import MakeCampaign, make_settings
from tests.fake_events import event_body, signed
from tests.live_site import ROOT, clean_environment
from tests.log_lines import Lines, caught

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
GIVEN = "4bf92f3577b34da6"
OWN = re.compile(r"[0-9a-f]{16}")


@pytest.fixture
def lines() -> Iterator[Lines]:
    with caught() as lines:
        yield lines


@only_sqlite
def test_a_request_is_told_by_its_rule_and_never_by_its_path(
    client: FlaskClient, lines: Lines
) -> None:
    answer = client.get("/manage/a-donors-own-link?x=secret-word")
    (line,) = lines.told("goalpost.requests")
    assert line["message"] == f"GET /manage/<token> {answer.status_code}"
    assert (line["method"], line["route"]) == ("GET", "/manage/<token>")
    assert line["status"] == answer.status_code
    assert line["bytes"] == len(answer.data)
    assert line["duration_ms"] >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert line["level"] == "INFO"
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert f"[{line['request_id']}]" in lines.text
    assert "donors-own" not in lines.text + lines.json
    assert "secret-word" not in lines.text + lines.json


@only_sqlite
def test_what_is_nowhere_and_probes_are_told_of_in_few_words(
    client: FlaskClient, lines: Lines
) -> None:
    client.get("/wp-login.php")
    client.get("/livez")
    nowhere, probe = lines.told("goalpost.requests")
    assert nowhere["message"] == "GET (not found) 404"
    assert (probe["route"], probe["level"]) == ("/livez", "DEBUG")


@only_sqlite
@pytest.mark.parametrize(
    ("hops", "given", "is_taken"),
    [
        (1, GIVEN, True),
        (0, GIVEN, False),  # whoever asks could write what they like
        (1, "short", False),
        (1, "a" * 65, False),
        (1, "jane@example.org", False),
        (1, 'quoted" text="x', False),
    ],
)
def test_id_of_a_request_is_a_trusted_proxy_s_where_it_is_well_formed(
    database_url: str, clock: MovableClock, hops: int, given: str, *, is_taken: bool
) -> None:
    app = create_app(make_settings(database_url=database_url, trusted_proxies=hops), clock=clock)
    answer = app.test_client().get("/livez", headers={"X-Request-Id": given})
    told = answer.headers["X-Request-Id"]
    assert (told == given) == is_taken
    assert is_taken or OWN.fullmatch(told)


@only_sqlite
def test_each_request_has_another_id(client: FlaskClient) -> None:
    ids = [client.get("/livez").headers["X-Request-Id"] for _ in range(3)]
    assert len(set(ids)) == 3


@only_sqlite
def test_what_caches_keep_for_everybody_has_no_id(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    assert "X-Request-Id" not in client.get("/api/v1/campaigns/support-us").headers


@only_sqlite
def test_what_is_held_for_readers_is_made_without_a_line_of_a_reader(
    database_url: str, clock: MovableClock, make_campaign: MakeCampaign, lines: Lines
) -> None:
    make_campaign()
    settings = make_settings(database_url=database_url, snapshot_seconds=1)
    client = create_app(settings, clock=clock).test_client()
    for _ in range(3):
        client.get("/api/v1/campaigns/support-us")
    assert [line["level"] for line in lines.told("goalpost.requests")] == ["DEBUG"]


@only_sqlite
def test_a_job_s_lines_carry_its_run(
    app: Flask, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        logging.getLogger("goalpost.jobs").info("one thing")
        raise RuntimeError("and then no more")

    monkeypatch.setattr("ops.jobs.JOBS", {"roll": (fail, None)})
    run_job(app, "roll")
    run_job(app, "roll")
    first, failed, again, _ = lines.told("goalpost.jobs")
    assert first["run_id"] == failed["run_id"] != again["run_id"]
    assert first["job"] == failed["job"] == "roll"
    assert failed["error"] == "RuntimeError: and then no more"
    assert 'raise RuntimeError("and then no more")' in failed["trace"]


@only_sqlite
def test_what_follows_a_webhook_carries_its_request(
    client: FlaskClient, clock: MovableClock, lines: Lines
) -> None:
    body = event_body(
        "charge.updated", "ch_1", id_="evt_1", payment_id=None, livemode=False, at=clock.now()
    )
    answer = client.post("/webhooks/stripe", data=body, headers=signed(body, at=clock.now()))
    answer.close()
    (worked,) = (line for line in lines.told("app") if "evt_1" in line["message"])
    assert worked["request_id"] == answer.headers["X-Request-Id"]


@only_sqlite
def test_a_command_s_lines_carry_one_run(app: Flask, lines: Lines) -> None:
    with app.app_context():
        logging.getLogger("goalpost").info("one")
        logging.getLogger("goalpost").info("two")
    logging.getLogger("goalpost").info("outside of everything")
    one, two, outside = lines.told("goalpost")
    assert one["run_id"] == two["run_id"]
    assert "run_id" not in outside


@only_sqlite
def test_an_error_tells_where_it_happened_and_not_at_which_address(
    app: Flask, client: FlaskClient, lines: Lines
) -> None:
    @app.get("/fails/<token>")
    def fails(token: str) -> str:
        int(token)
        return ""

    app.testing = False
    assert client.get("/fails/jane-s-token").status_code == 500
    (line,) = lines.told("app")
    assert (line["message"], line["route"]) == ("the request failed", "/fails/<token>")
    assert line["error"] == "ValueError"
    assert "int(token)" in line["trace"]
    assert "jane" not in lines.text + lines.json


INTO_RUNS = "INSERT INTO job_runs (name, started_at, error) VALUES (:name, :at, :error)"
ROW = {"name": "jane@example.org", "at": "2021-05-12T10:11:12.000000Z", "error": "Jane Doe"}


def failing(session: Session, statement: str) -> None:
    """Have the database refuse a statement, and log it."""
    with pytest.raises(DBAPIError) as caught, session.begin_nested():
        session.execute(text(statement), ROW)
    logging.getLogger("goalpost").error("refused", exc_info=caught.value)


def test_an_error_of_the_database_quotes_no_row(session: Session, lines: Lines) -> None:
    session.execute(text(INTO_RUNS), ROW)
    failing(session, INTO_RUNS)
    failing(session, "INSERT INTO job_runs (started_at, error) VALUES (:at, :error)")
    first, second = lines.told("goalpost")
    assert first["error"].startswith("IntegrityError: ")
    assert "null" in second["error"].lower()
    assert "jane" not in (lines.text + lines.json).lower()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_error_of_data_is_told_by_its_code(session: Session, lines: Lines) -> None:
    failing(session, "SELECT CAST(:name AS integer)")
    assert lines.told("goalpost")[0]["error"] == "DataError: 22P02"
    assert "jane" not in lines.text + lines.json


def test_libraries_are_heard_when_something_is_wrong_and_not_before(lines: Lines) -> None:
    for name in ("flask-limiter", "stripe", "urllib3.connectionpool", "werkzeug"):
        logging.getLogger(name).info("ratelimit 10 per 1 minute (203.0.113.9) exceeded")
        logging.getLogger(name).warning("broken")
    assert [line["message"] for line in lines.told()] == ["broken"] * 4
    assert "203.0.113.9" not in lines.text


@pytest.mark.parametrize(
    "secret",
    [
        "jane.doe+news@example.org",
        "žaneta@příklad.cz",
        "sk_live_51Habc",
        "rk_test_51Habc",
        "whsec_abcdef",
        "cs_test_a1_secret_fid",
        "gp_0123456789ab_" + "x" * 43,
        "gpsec_abc-def",
    ],
)
def test_what_looks_like_a_secret_is_hidden_wherever_it_comes_from(
    secret: str, lines: Lines
) -> None:
    logging.getLogger("goalpost").warning("before %s, after", secret)
    (line,) = lines.told()
    assert line["message"] == "before [hidden], after"
    assert secret not in lines.text


def test_password_in_an_address_is_hidden() -> None:
    told = logs.hide("at smtp://user:pass@mail.example:587, Bearer abc.def")
    assert told == "at smtp://[hidden]mail.example:587, Bearer [hidden]"


def test_what_was_typed_makes_no_line_of_its_own(lines: Lines) -> None:
    logging.getLogger("goalpost").warning("refused: %s", "x\nERROR forged\x1b[2J\u2028y")
    assert lines.text.count("\n") == 1
    assert lines.json.count("\n") == 1
    assert r"x\x0aERROR forged\x1b[2J\u2028y" in lines.text


def test_what_an_error_says_makes_no_line_of_its_own(lines: Lines) -> None:
    error = RuntimeError("x\nERROR forged\x1b[2J\x85\u2028y")
    logging.getLogger("goalpost").error("it failed", exc_info=error)
    assert not re.search("\nERROR|[\x1b\x85\u2028]", lines.text + lines.json)
    assert r"x\x0aERROR forged\x1b[2J\x85\u2028y" in lines.text
    assert lines.told()[0]["error"] == "RuntimeError: x\nERROR forged\x1b[2J\x85\u2028y"


def test_what_is_cut_in_two_was_hidden_before(lines: Lines) -> None:
    around = "x " * (logs.MOST_MESSAGE_CHARACTERS // 2 - 3)
    logging.getLogger("goalpost").warning("%sjane@example.org", around)
    assert "jane" not in lines.text + lines.json


def test_a_line_has_an_end(lines: Lines) -> None:
    logging.getLogger("goalpost").warning("x" * 100_000)
    assert len(lines.told()[0]["message"]) == logs.MOST_MESSAGE_CHARACTERS


def test_a_line_that_can_not_be_made_is_told_of_without_its_values() -> None:
    record = logging.LogRecord("goalpost", logging.INFO, "", 1, "%d things", ("two",), None)
    assert json.loads(logs.JsonLines().format(record))["message"] == "%d things"


@pytest.mark.parametrize(("given", "formatter"), [("text", "TextLines"), ("json", "JsonLines")])
def test_settings_choose_how_lines_are_written(given: str, formatter: str) -> None:
    told = logs.dict_config(make_settings(log_format=given, log_level="ERROR"))
    assert told["formatters"]["lines"]["()"] == f"core.logs.{formatter}"
    assert told["root"]["level"] == "ERROR"
    json.dumps(told)  # it is handed to the web server's processes


def test_what_ends_a_process_or_a_thread_is_a_line_too() -> None:
    program = """
import threading, warnings
from core.logs import configure
from core.settings import Settings
configure(Settings(secret_key="x", log_format="json"))
def fail(typed):
    raise ValueError(typed)
thread = threading.Thread(target=fail, args=("jane",), name="one")
thread.start()
thread.join()
warnings.warn("old")
fail("jane")
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=60, env=clean_environment(),
    )  # fmt: skip
    assert ended.returncode == 1
    thread, warning, process = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (thread["message"], thread["error"]) == ("thread one ends", "ValueError")
    assert warning["logger"] == "py.warnings"
    assert (process["message"], process["error"]) == ("this process ends", "ValueError")
    assert "line 7, in fail" in process["trace"]
    assert "jane" not in ended.stderr
