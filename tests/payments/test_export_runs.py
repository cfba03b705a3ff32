from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.auditlog import list_records
from core.clock import MovableClock
from core.db import db
from core.errors import TooMany
from core.sheets import Format
from payments.export_filters import What
from payments.export_models import ExportRun, RunState
from payments.export_runs import DEAD_AFTER, MOST_AT_ONCE, is_dead, list_runs
from tests.conftest import START, Give, MakeCampaign
from tests.payments.conftest import Books
from tests.payments.exported import ANNA, begin, last_run


def test_run_follows_its_file_from_beginning_to_end(
    books: Books, session: Session, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    campaign = make_campaign()
    for amount in (100, 200):
        give(campaign, amount)
    stream = begin(books, clock, slug="support-us", personal=True)
    run = last_run(session)
    assert (run.what, run.format, run.personal) == ("donations", "csv", True)
    assert run.filters == '{"campaign": "support-us"}'
    assert (run.actor_id, run.actor_name) == (ANNA.id, ANNA.name)
    assert (run.state, run.rows_done, run.rows_total) == ("running", 0, None)
    clock.advance(timedelta(seconds=5))
    next(stream)
    next(stream)
    run = last_run(session)
    assert (run.state, run.rows_done, run.rows_total) == ("running", 0, 2)
    assert run.moved_at == START + timedelta(seconds=5)
    clock.advance(timedelta(seconds=5))
    assert list(stream) == []
    stream.close()
    run = last_run(session)
    assert (run.state, run.rows_done, run.rows_total) == ("done", 2, 2)
    assert run.finished_at == START + timedelta(seconds=10)
    assert list_runs(session)[0].id == run.id


def test_who_took_what_stands_in_the_audit_log(
    books: Books, session: Session, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    make_campaign()
    stream = begin(books, clock, what=What.ENTRIES, period="2021-05")
    (line,) = list_records(session)
    session.commit()
    assert (line.actor_id, line.action, line.subject) == (
        *(ANNA.id, "export.begun"),
        f"export:{stream.run_id}",
    )
    assert line.told == {
        "what": "entries",
        "format": "csv",
        "donors_data": False,
        "period": "2021-05",
    }


@pytest.mark.parametrize(
    ("format_", "read"),
    [(Format.CSV, 0), (Format.CSV, 1), (Format.CSV, 2), (Format.XLSX, 0), (Format.XLSX, 1)],
)
def test_stream_that_is_cut_off_says_so(
    books: Books,
    session: Session,
    make_campaign: MakeCampaign,
    give: Give,
    clock: MovableClock,
    format_: Format,
    read: int,
) -> None:
    give(make_campaign(), 100)
    stream = begin(books, clock, format=format_)
    for _ in range(read):
        next(stream)
    stream.close()
    run = last_run(session)
    assert (run.state, run.rows_done) == (RunState.CUT_OFF, 0)
    assert run.finished_at == START
    assert list(stream) == []
    assert last_run(session).state == RunState.CUT_OFF


def test_stream_that_fails_says_so(
    books: Books, session: Session, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    give(make_campaign(), 100)
    stream = begin(books, clock)
    next(stream)
    session.execute(text("ALTER TABLE donations RENAME TO elsewhere"))
    session.commit()
    with pytest.raises(DBAPIError):
        next(stream)
    stream.close()
    assert last_run(session).state == RunState.FAILED


def test_only_so_many_are_under_way_at_once_and_dead_ones_are_written_off(
    books: Books, session: Session, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    make_campaign()
    streams = [begin(books, clock) for _ in range(MOST_AT_ONCE)]
    with pytest.raises(TooMany):
        begin(books, clock)
    assert len(list_runs(session)) == MOST_AT_ONCE
    session.commit()
    streams[0].close()
    begin(books, clock)
    # The others were killed: nobody told of their end.
    assert not is_dead(last_run(session), now=clock.now())
    clock.advance(DEAD_AFTER + timedelta(seconds=1))
    assert is_dead(last_run(session), now=clock.now())
    begin(books, clock)
    states = session.scalars(select(ExportRun.state).order_by(ExportRun.id)).all()
    session.commit()
    assert states == ["cut_off"] * (MOST_AT_ONCE + 1) + ["running"]
    # One that was only slow, after all.
    list(streams[1])
    assert session.get_one(ExportRun, streams[1].run_id, populate_existing=True).state == "done"


def test_no_transaction_stays_open_between_two_pieces(
    books: Books, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    campaign = make_campaign()
    give(campaign, 100)
    for format_ in Format:
        stream = begin(books, clock, format=format_)
        while True:
            # Writes at once: on SQLite the read lock of an open query would be in the way.
            give(campaign, 100)
            if next(stream, None) is None:
                break


@pytest.mark.parametrize("what", list(What))
def test_page_takes_as_many_statements_however_many_rows_it_has(
    app: Flask,
    books: Books,
    make_campaign: MakeCampaign,
    give: Give,
    clock: MovableClock,
    what: What,
) -> None:
    campaign = make_campaign()
    with app.app_context():
        engine = db.engine

    def statements() -> int:
        counted: list[str] = []

        def count(*arguments: Any) -> None:
            counted.append(arguments[2])

        event.listen(engine, "before_cursor_execute", count)
        list(begin(books, clock, what=what))
        event.remove(engine, "before_cursor_execute", count)
        return len(counted)

    give(campaign, 100)
    few = statements()
    for _ in range(20):
        give(campaign, 100)
    assert statements() == few
