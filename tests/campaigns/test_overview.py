"""What the dashboard is told of the month before: exact on both databases, by an index alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session

from campaigns.overview import read_standings
from core.db import db
from tests.conftest import START, Give, MakeCampaign

INDEX = "ix_ledger_references_period_id_paid_at_posted_minor"


def test_what_the_month_before_had_raised_is_added_up_by_an_index(
    app: Flask, session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    new_york, tokyo = make_campaign(), make_campaign("tokyo", timezone="Asia/Tokyo")
    make_campaign("ferry")
    for campaign in (new_york, tokyo):
        for day, amount_minor in ((3, 100), (12, 2_000), (13, 30_000)):
            give(campaign, amount_minor, datetime(2021, 4, day, 10, tzinfo=UTC))
        give(campaign, 1, START)
    asked: list[tuple[str, Any]] = []
    with app.app_context():
        engine = db.engine

    @event.listens_for(engine, "before_cursor_execute")
    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        asked.append((statement, parameters))

    standings, _ = read_standings(session, now=START, base_url="https://a.example", limit=12)
    event.remove(engine, "before_cursor_execute", note)
    told = {one.campaign.slug: one.before_so_far_minor for one in standings}
    assert told == {"support-us": 2_100, "tokyo": 2_100, "ferry": None}
    ((statement, parameters),) = [one for one in asked if "posted_minor" in one[0]]
    session.rollback()
    if engine.dialect.name == "postgresql":
        # A small table is read whole by choice.
        session.connection().exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = session.connection().exec_driver_sql(f"EXPLAIN {statement}", parameters)
        assert INDEX in " ".join(row[0] for row in plan)
    else:
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        assert f"COVERING INDEX {INDEX}" in " ".join(row[3] for row in plan)
    session.rollback()
