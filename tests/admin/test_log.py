"""The audit log: that nobody can change it, and how it is read."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Executable, delete, event, insert, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from admin.roles import Role
from campaigns.ledger_models import LedgerEntry
from core.auditlog import (
    COMMAND_LINE,
    Actor,
    AuditFilter,
    AuditRecord,
    list_actions,
    list_actors,
    list_records,
    record,
)
from core.clock import MovableClock
from core.db import db
from tests.admin.conftest import SignIn
from tests.conftest import START, Give, MakeCampaign

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ANN = Actor("user:700", "ann@courier.example")


def write(session: Session, count: int = 1, *, action: str = "campaign.paused") -> None:
    for number in range(count):
        subject = f"campaign:c-{number:03}"
        record(session, ANN, action, subject=subject, now=START + timedelta(minutes=number))
    session.commit()


def test_nobody_changes_or_deletes_a_line(session: Session) -> None:
    write(session)
    statements: list[Executable] = [
        update(AuditRecord).values(actor_name="somebody else"),
        delete(AuditRecord),
    ]
    if session.get_bind().dialect.name == "postgresql":
        statements.append(text("TRUNCATE audit_records"))
    for statement in statements:
        with pytest.raises(DBAPIError, match="append-only"):
            session.execute(statement)
        session.rollback()
    assert [line.actor_name for line in list_records(session)] == [ANN.name]


@only_sqlite
@pytest.mark.parametrize("triggers", ["ON", "OFF"])
def test_no_line_is_replaced_whatever_the_connection_asks_for(
    app: Flask, session: Session, make_campaign: MakeCampaign, give: Give, triggers: str
) -> None:
    write(session)
    give(make_campaign(), 52_000)
    with app.app_context(), db.engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        assert raw.execute("PRAGMA recursive_triggers").fetchone() == (1,)
        raw.execute(f"PRAGMA recursive_triggers = {triggers}")
        for model in (AuditRecord, LedgerEntry):
            table: Any = model.__table__
            row = connection.execute(table.select()).mappings().first()
            assert row is not None
            met = [dict(row)]
            if model is LedgerEntry:
                met.append({**row, "id": row["id"] + 1})  # met by its reference and number
            for values in met:
                with pytest.raises(DBAPIError, match="append-only"):
                    connection.execute(insert(table).prefix_with("OR REPLACE").values(values))
        connection.rollback()
        connection.invalidate()


def test_lines_are_found_by_who_what_to_what_and_when(session: Session) -> None:
    write(session, 3)
    record(session, COMMAND_LINE, "stripe.connected", subject="site", now=START)
    session.commit()

    def found(**wanted: Any) -> list[str]:
        return [line.subject for line in list_records(session, AuditFilter(**wanted))]

    assert found(actor_id="command") == ["site"]
    assert found(action="campaign.paused") == ["campaign:c-002", "campaign:c-001", "campaign:c-000"]
    assert found(subject="campaign:c-001") == ["campaign:c-001"]
    assert found(since=START + timedelta(minutes=1)) == ["campaign:c-002", "campaign:c-001"]
    assert found(until=START + timedelta(minutes=1)) == ["site", "campaign:c-000"]
    assert found(actor_id="") == []
    assert list_records(session, before_id=0) == []
    assert list_actors(session) == [ANN, COMMAND_LINE]
    assert list_actions(session) == ["campaign.paused", "stripe.connected"]


def test_nothing_is_found_in_an_empty_log(session: Session) -> None:
    assert list_actors(session) == []
    assert list_actions(session) == []


def test_details_that_are_too_long_can_still_be_read(session: Session) -> None:
    details = {f"ä{number:04}": "x" * 100 for number in range(1000)}
    line = record(
        session, ANN, "campaign.changed", subject="campaign:c", details=details, now=START
    )
    assert line.told["cut_off"] is True
    assert line.told["fields"].startswith("ä0000, ä0001")
    session.rollback()


def test_a_line_says_who_did_what_in_plain_words(sign_in: SignIn, session: Session) -> None:
    details: dict[str, Any]
    details = {"title": ["Old <b>", "New"], "tier": ["10", "20", "at once"], "capitals": ["", "1"]}
    record(session, ANN, "campaign.changed", subject="campaign:c-000", details=details, now=START)
    details = {"tiers_minor": [250_050, 500_000], "currency": "USD", "draft": False}
    record(session, ANN, "campaign.created", subject="campaign:c-000", details=details, now=START)
    record(session, COMMAND_LINE, "stripe.connected", subject="site", now=START)
    record(session, ANN, "donation.recorded", subject="donation:don_1", now=START)
    session.commit()
    page = sign_in(Role.OWNER).get("/admin/log").text
    for told in (
        'changed <a href="/admin/campaigns/c-000">campaign c-000</a>',
        "<del>Old &lt;b&gt;</del> → <ins>New</ins>",
        "<del>10</del> → <ins>20, at once</ins>",
        "<del>nothing</del> → <ins>1</ins>",
        "2500.50 USD, 5000.00 USD",
        "registered this site’s webhook at Stripe",
        "donation don_1",
        'let in <a href="/admin/users">user owner@courier.example</a>',
        "<summary>capitals, goals, title</summary>",
    ):
        assert told in page, told
    own = sign_in(Role.ACCOUNTANT).get("/admin/log").text
    assert "ann@courier.example" in own
    assert 'href="/admin/users"' not in own


@only_sqlite
def test_the_page_narrows_pages_and_takes_out(sign_in: SignIn, session: Session) -> None:
    client = sign_in(Role.ACCOUNTANT)
    write(session, 205, action="=cmd.run")
    seen = []
    address = "/admin/log?action=%3Dcmd.run"
    while address:
        page = client.get(address).text
        lines = page.partition('id="lines"')[2]
        seen += [f"c-{number:03}" for number in range(205) if f">campaign c-{number:03}<" in lines]
        following = lines.partition('rel="next" href="')[2].partition('"')[0]
        address = f"/admin/log{following}".replace("&amp;", "&") if following else ""
    assert len(seen) == len(set(seen)) == 205
    answer = client.get("/admin/log.csv?action=%3Dcmd.run&subject=campaign:c-003")
    assert answer.headers["Content-Disposition"] == "attachment; filename=log-2021-05-12.csv"
    (row,) = csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig")))
    assert row["action"] == "'=cmd.run"
    assert (row["at_utc"], row["actor"]) == ("2021-05-12T10:14:12Z", ANN.name)
    whole = client.get("/admin/log.csv").data.decode("utf-8-sig")
    assert len(list(csv.DictReader(io.StringIO(whole)))) == 206  # the user was let in


@only_sqlite
def test_what_can_not_be_asked_is_said(sign_in: SignIn, clock: MovableClock) -> None:
    client = sign_in(Role.OWNER)
    answer = client.get("/admin/log?from=yesterday")
    assert answer.status_code == 422
    assert "is not a day" in answer.text
    assert client.get("/admin/log.csv?until=2021-13-01").status_code == 422
    for odd in ("before=-1", "before=1e9", f"before={'9' * 30}", "subject=%00", "actor=%ff"):
        assert client.get(f"/admin/log?{odd}").status_code == 200
    assert "No line is like that" in client.get("/admin/log?actor=user:9999").text
    today = f"{clock.now():%Y-%m-%d}"
    assert "let in" in client.get(f"/admin/log?from={today}&until={today}").text


@only_sqlite
def test_the_page_asks_the_books_as_often_for_many_lines_as_for_one(
    app: Flask, sign_in: SignIn, session: Session
) -> None:
    client = sign_in(Role.OWNER)

    def asked() -> int:
        statements: list[str] = []

        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            statements.append(statement)

        with app.app_context():
            event.listen(db.engine, "before_cursor_execute", note)
            assert client.get("/admin/log").status_code == 200
            event.remove(db.engine, "before_cursor_execute", note)
        return len(statements)

    alone = asked()
    write(session, 50)
    assert asked() == alone


def test_editors_and_viewers_do_not_read_it(sign_in: SignIn) -> None:
    for role in (Role.EDITOR, Role.VIEWER):
        client: FlaskClient = sign_in(role)
        assert client.get("/admin/log").status_code == 403
        assert 'href="/admin/log"' not in client.get("/admin/").text
