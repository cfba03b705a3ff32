"""Alert rules and board: what they name is told, and what is wrong raises them.

No promtool is at hand: the rules are read as YAML, and worked out by `tests.ops.promql`.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from campaigns.models import Period
from core.clock import MovableClock
from core.db import db
from core.notices import begin_episode
from core.outbox import Mail, OutboxMail, post_mail
from core.sending import SendState
from core.settings import Settings
from ops.jobs import JOBS, run_job
from payments.models import Breaker, InboxState, QuarantinedPayment, QuarantineState
from payments.refund_models import RefundRequest
from tests.conftest import Give, MakeCampaign, make_settings
from tests.ops.conftest import Run
from tests.ops.promql import Alert, selectors, tokens
from tests.ops.scrape import Scrape, leave_event, scrape, scrape_anew

ROOT = Path(__file__).resolve().parents[2]
(GROUP,) = yaml.safe_load((ROOT / "deploy" / "prometheus-rules.yml").read_text("utf-8"))["groups"]
RULES: list[dict[str, Any]] = GROUP["rules"]
BOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana.json").read_text("utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
OF_THE_WAY_THERE = {
    *("GoalpostDown", "GoalpostDatabaseDown", "GoalpostSchemaOld"),
    *("GoalpostClockWrong", "GoalpostClocksApart"),
}
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return make_settings(database_url=database_url, ratelimit_enabled=True)


def fired(told: Scrape, clock: MovableClock, *, up: float = 1, ahead: float = 0) -> set[str]:
    """Return the alerts that fire, where the monitor's clock is behind the site's by `ahead`."""
    samples = told.samples | {"up": {frozenset({("job", "goalpost")}): up}}
    known = {name for rule in RULES for name, _ in selectors(rule["expr"])}
    alert = Alert({name: {} for name in known} | samples, at=clock.now().timestamp() - ahead)
    return {rule["alert"] for rule in RULES if alert.fires(rule["expr"])}


def test_each_rule_is_whole_and_leads_to_what_to_do() -> None:
    paper = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    sections = re.findall(r"(?m)^### (Goalpost\w+)\n\n(\S)", paper)
    assert [name for name, _ in sections] == [rule["alert"] for rule in RULES]
    for rule in RULES:
        assert rule.keys() - {"for"} == {"alert", "expr", "labels", "annotations"}
        assert re.fullmatch(r"\d+[mh]", rule.get("for", "1m"))
        assert rule["labels"] in ({"severity": "page"}, {"severity": "ticket"})
        assert rule["annotations"].keys() == {"summary", "runbook"}
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"


@only_sqlite
def test_every_number_that_is_named_is_told(
    app: Flask, client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    for name in JOBS:
        run_job(app, name)
    told = scrape(client)
    for expression in (*QUERIES, *(rule["expr"] for rule in RULES)):
        named = selectors(expression)
        assert named or "up{" in expression
        for name, wanted in named:
            assert name in told.names, name
            if told.samples[name]:
                assert any(wanted.items() <= labels for labels in told.samples[name]), expression
    for rule in RULES:
        for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]):
            for name, _ in selectors(rule["expr"]):
                assert all(label in dict(labels) for labels in told.samples[name]), rule["alert"]


@only_sqlite
def test_site_that_is_well_raises_no_alert(
    app: Flask, client: FlaskClient, make_campaign: MakeCampaign, give: Give, run: Run,
    clock: MovableClock, tmp_path: Path,
) -> None:  # fmt: skip
    give(make_campaign(), 52_000)
    assert run("backup", str(tmp_path / "copy")).exit_code == 0
    for name in JOBS:
        run_job(app, name)
    assert fired(scrape(client), clock) == set()
    clock.advance(timedelta(minutes=9))
    run_job(app, "inbox")
    run_job(app, "roll")
    assert fired(scrape(client), clock) <= {"GoalpostJobLate"}


@only_sqlite
def test_each_alert_is_raised_by_what_it_is_for(
    app: Flask, client: FlaskClient, session: Session, make_campaign: MakeCampaign, give: Give,
    clock: MovableClock, run: Run, tmp_path: Path,
) -> None:  # fmt: skip
    """Nobody looks after this site for three weeks, in which all goes wrong that can."""
    donation = give(make_campaign(), 52_000)
    assert run("backup", str(tmp_path / "copy")).exit_code == 0
    session.execute(update(Period).values(raised_minor=1))
    for number, state in enumerate((SendState.WAITING, SendState.FAILED)):
        mail = Mail(key=str(number), recipient="a@example.org", subject="Hello", text="You")
        post_mail(session, mail, now=clock.now())
        session.execute(update(OutboxMail).where(OutboxMail.key == str(number)).values(state=state))
    session.commit()
    for name in JOBS:
        run_job(app, name)
    leave_event(session, clock, InboxState.FAILED)
    clock.advance(timedelta(days=21))
    begin_episode(session, "clock", since=clock.now())
    session.add_all(
        [
            Breaker(scope="site", tripped_at=clock.now(), last_over_at=clock.now()),
            QuarantinedPayment(
                reference="pi_1", reason="x", state=QuarantineState.HELD, amount_minor=1,
                currency="USD", paid_at=clock.now(), seen_at=clock.now(),
            ),
            RefundRequest(
                id="rr_1", reference="pi_2", donation_id=donation.id, amount_minor=1,
                currency="USD", requested_by="user:1", requested_at=clock.now(), form_key="1",
                state="waiting", next_attempt_at=None,
            ),
        ]
    )  # fmt: skip
    session.commit()
    raised = fired(scrape(client), clock)
    assert raised == {rule["alert"] for rule in RULES} - OF_THE_WAY_THERE


@only_sqlite
def test_alerts_of_the_way_to_the_site_and_of_its_database(
    client: FlaskClient, session: Session, clock: MovableClock, app: Flask, tmp_path: Path
) -> None:
    told = scrape(client)
    before = fired(told, clock)
    assert not before & OF_THE_WAY_THERE
    assert fired(told, clock, up=0) - before == {"GoalpostDown"}
    assert "GoalpostClockWrong" in fired(told, clock, ahead=61)
    assert "GoalpostClockWrong" in fired(told, clock, ahead=-61)
    session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    session.commit()
    assert fired(scrape_anew(client, clock), clock) == {"GoalpostSchemaOld"}
    session.close()
    with app.app_context():
        db.engine.dispose()
    (file,) = tmp_path.glob("*.sqlite")
    file.write_bytes(b"no database at all" * 100)
    assert fired(scrape_anew(client, clock), clock) == {"GoalpostDatabaseDown"}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_clocks_that_are_apart_raise_an_alert(client: FlaskClient, clock: MovableClock) -> None:
    assert "GoalpostClocksApart" in fired(scrape(client), clock)


def test_board_can_be_laid_out_and_asked() -> None:
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert [one["name"] for one in BOARD["templating"]["list"]] == ["datasource"]
    for one, other in combinations([panel["gridPos"] for panel in BOARD["panels"]], 2):
        is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        is_below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert is_beside or is_below, (one, other)
    for panel in PANELS:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        assert panel["title"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == panel["datasource"]["uid"] == "${datasource}"
            parts = tokens(re.sub(r" offset \d+[dhm]", "", target["expr"]))
            assert parts.count("(") == parts.count(")")


@pytest.mark.parametrize("wrong", ["goalpost_x >", "goalpost_x; 1", "goalpost_x > 1 1"])
def test_what_is_no_alert_is_noticed(wrong: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        Alert({"goalpost_x": {frozenset(): 2.0}}, at=0).fires(wrong)


@pytest.mark.parametrize(
    ("expression", "is_raised"),
    [
        ("goalpost_x > 1", True),
        ("goalpost_x > 2", False),
        ('goalpost_x{a="b"} == 2', True),
        ('goalpost_x{a="c"} == 2', False),
        ("time() - goalpost_x > 7", True),
        ("time() - goalpost_x > 8", False),
        ("abs(goalpost_x - timestamp(goalpost_x)) > 7", True),
        ("goalpost_x > 1 and goalpost_x > 3", False),
        ("goalpost_x > 1 and goalpost_x < 3", True),
    ],
)
def test_alerts_are_worked_out(expression: str, *, is_raised: bool) -> None:
    samples = {"goalpost_x": {frozenset({("a", "b")}): 2.0}}
    assert bool(Alert(samples, at=10.0).fires(expression)) == is_raised
