"""`backup` and `restore`: of one moment, beside a site that runs, and brought to parity after."""

from __future__ import annotations

import importlib.util
import os
import sqlite3
import stat
import threading
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import make_url, select, text
from sqlalchemy.orm import Session

from app import create_app
from campaigns.ledger_models import LedgerEntry
from campaigns.models import Period
from core.auditlog import list_records
from core.clock import MovableClock
from core.db import db
from core.outbox import OutboxMail
from ops import dumping
from ops.copying import CopyFailed, copy_sqlite
from payments.adopting import NOTE
from payments.models import Donation, Subscription
from payments.quarantine import list_quarantined
from payments.thanking import post_thanks
from tests.conftest import MakeCampaign, fresh_database, make_settings
from tests.fake_gateway import FakeGateway
from tests.ops.conftest import Run
from tests.payments.conftest import Books
from tests.payments.pages import look

ONLY_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ONLY_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def _programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the tests' own server's programs before those of the machine, which may be older."""
    packaged = importlib.util.find_spec("pgserver")
    if packaged is not None and packaged.origin is not None:
        programs = Path(packaged.origin).parent / "pginstall" / "bin"
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


def test_old_backup_is_brought_to_parity_and_nothing_is_there_twice(
    request: pytest.FixtureRequest,
    app: Flask,
    run: Run,
    session: Session,
    fake_gateway: FakeGateway,
    clock: MovableClock,
    make_campaign: MakeCampaign,
    tmp_path: Path,
) -> None:
    books = Books(app, fake_gateway, clock)
    make_campaign()
    kept, open_then = books.donate(form="kept"), books.donate(700, form="open then")
    payment = fake_gateway.pay(kept)
    books.hear(kept)
    copy = tmp_path / "copy"
    made = run("backup", str(copy))
    assert made.exit_code == 0, made.output
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600

    make_campaign("later")
    go_on(books, session, clock, open_then=open_then, paid=payment.id)
    figures = standing(session)
    kept_apart = fake_gateway.foreign_payment(900)
    books.hear(kept_apart.id)

    kind = app.extensions["goalpost.settings"].database_url.partition(":")[0].partition("+")[0]
    (tmp_path / "new").mkdir()
    with fresh_database(request, kind, tmp_path / "new") as url:
        restored = create_app(make_settings(database_url=url), clock=clock, gateway=fake_gateway)
        command = restored.test_cli_runner().invoke
        put_back = command(args=["restore", str(copy)])
        assert put_back.exit_code == 0, put_back.output
        assert "reconcile --adopt" in put_back.output
        there = Books(restored, fake_gateway, clock)
        with there.session() as found:
            assert standing(found) != figures
            assert list_records(found)[0].action == "site.restored"
        for _ in range(2):
            reconciled = command(args=["stripe", "reconcile", "--adopt"])
            assert reconciled.exit_code == 0, reconciled.output
            assert "0 failed" in reconciled.output
            assert "No drift" in reconciled.output
            with there.session() as found:
                assert standing(found) == figures
                assert [row.reference for row in list_quarantined(found)] == [kept_apart.id]
        assert command(args=["ledger", "verify"]).exit_code == 0
        with there.session() as found:
            anew = found.scalars(select(Donation).where(Donation.note == NOTE)).all()
            # The renewal's own row is none of these: it follows from the payment, as ever.
            assert {(row.amount_minor, row.cover_minor) for row in anew} == {(1_000, 40), (500, 20)}
            # Whoever gave since was thanked then.
            post_thanks(found, site_name="s", base_url="http://b", now=clock.now())
            keys = found.scalars(select(OutboxMail.key)).all()
            assert not {f"thanks:{row.id}" for row in anew} & set(keys)
        # No second time: there are books now.
        again = command(args=["restore", str(copy)])
        assert again.exit_code == 1
        assert "holds something already" in again.output
        with restored.app_context():
            db.engine.dispose()


def go_on(
    books: Books, session: Session, clock: MovableClock, *, open_then: str, paid: str
) -> None:
    """Give, renew and refund: what the copy knows nothing of."""
    clock.advance(timedelta(hours=1))
    lost = books.donate(1_000, form="lost", cover_minor=40)
    monthly = books.donate(500, form="monthly", frequency="month", cover_minor=20)
    for checkout in (open_then, lost):
        books.gateway.pay(checkout)
        books.hear(checkout)
    books.gateway.subscribe(monthly)
    books.hear(monthly)
    clock.advance(timedelta(days=31))
    (plan,) = look(session, select(Subscription.stripe_id))
    books.hear(books.gateway.renew(plan).id)
    books.gateway.refund(paid, 300)
    books.hear(paid)


def standing(session: Session) -> list[tuple[object, ...]]:
    """Return what the ledger comes to, month by month."""
    session.rollback()
    rows = session.execute(
        select(Period.key, Period.raised_minor, Period.cover_minor, Period.donation_count)
        .where(Period.donation_count > 0)
        .order_by(Period.key)
    ).all()
    entries = session.execute(
        select(Period.key, LedgerEntry.kind, LedgerEntry.amount_minor)
        .join(Period, Period.id == LedgerEntry.period_id)
        .order_by(Period.key, LedgerEntry.kind, LedgerEntry.amount_minor)
    ).all()
    session.rollback()
    return [*map(tuple, rows), *map(tuple, entries)]


@ONLY_SQLITE
def test_gift_of_another_site_on_the_same_account_is_not_taken_unasked(
    app: Flask,
    run: Run,
    session: Session,
    fake_gateway: FakeGateway,
    clock: MovableClock,
    make_campaign: MakeCampaign,
) -> None:
    books = Books(app, fake_gateway, clock)
    make_campaign()
    theirs = fake_gateway.pay(books.donate())
    fake_gateway.change_payment(theirs.id, donation_id=f"don_{'0' * 32}")
    assert "1 failed" in run("stripe", "reconcile", "--since", "2021-01-01").output
    assert look(session, select(LedgerEntry.id)) == []
    fake_gateway.change_payment(theirs.id, campaign_slug="not-here")
    run("stripe", "reconcile", "--adopt")
    assert look(session, select(LedgerEntry.id)) == []
    assert [row.reference for row in list_quarantined(session)] == [theirs.id]


def test_copy_is_of_one_moment_although_the_site_goes_on(tmp_path: Path) -> None:
    source = tmp_path / "books.sqlite"
    with closing(sqlite3.connect(source, isolation_level=None)) as books:
        books.execute("CREATE TABLE pairs (id INTEGER PRIMARY KEY, one INTEGER, filler TEXT)")
        books.executemany("INSERT INTO pairs (one, filler) VALUES (0, ?)", [("x" * 3000,)] * 3_000)
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(source, timeout=30, isolation_level=None)) as writer:
            while not stop.is_set():
                # The first and the last page, in one transaction: never one without the other.
                writer.execute("BEGIN IMMEDIATE")
                writer.execute("UPDATE pairs SET one = one + 1 WHERE id = 1")
                writer.execute("UPDATE pairs SET one = one + 1 WHERE id = 3000")
                writer.execute("COMMIT")
                time.sleep(0.002)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        seen = []
        for number in range(3):
            copy = tmp_path / f"copy{number}"
            copy_sqlite(source, copy, step=lambda done, total: seen.append((done, total)))
            with closing(sqlite3.connect(copy)) as found:
                first, last = found.execute(
                    "SELECT one FROM pairs WHERE id IN (1, 3000) ORDER BY id"
                ).fetchall()
                assert first == last
                assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert len(seen) > 3
        assert seen[-1][0] == seen[-1][1]
    finally:
        stop.set()
        thread.join()
    with closing(sqlite3.connect(source)) as books:
        assert books.execute("SELECT one FROM pairs WHERE id = 1").fetchone()[0] > 0


def test_tables_of_the_release_before_are_copied_too(app: Flask, run: Run, tmp_path: Path) -> None:
    # The new release is in its place already, and the copy was forgotten.
    with app.app_context():
        app.extensions["alembic"].downgrade("0020")
    done = run("backup", str(tmp_path / "before"))
    assert (done.exit_code, "found whole" in done.output) == (0, True), done.output
    assert "behind: run `flask --app app db upgrade`" in run("doctor").output
    with app.app_context():
        app.extensions["alembic"].upgrade()
    assert run("backup", str(tmp_path / "after")).exit_code == 0


@ONLY_SQLITE
def test_nothing_is_written_over_unless_that_is_said(
    run: Run, make_campaign: MakeCampaign, tmp_path: Path
) -> None:
    make_campaign()
    file = tmp_path / "copy"
    file.write_text("dear")
    refused = run("backup", str(file))
    assert refused.exit_code == 1
    assert "--force" in refused.output
    assert file.read_text() == "dear"
    assert run("backup", str(file), "--force").exit_code == 0
    assert file.read_bytes().startswith(b"SQLite format 3")
    assert list(tmp_path.glob(".*.partial")) == []


@ONLY_SQLITE
def test_what_is_no_whole_copy_is_not_put_back(run: Run, session: Session, tmp_path: Path) -> None:
    foreign, newer, torn = (tmp_path / name for name in ("foreign", "newer", "torn"))
    foreign.write_text("not a database at all, and long enough to have a header" * 20)
    assert run("backup", str(newer)).exit_code == 0
    torn.write_bytes(newer.read_bytes()[: newer.stat().st_size // 2])
    with closing(sqlite3.connect(newer)) as copy:
        copy.execute("UPDATE alembic_version SET version_num = '9999'")
        copy.commit()
    for file, told in ((foreign, "no copy"), (newer, "newer Goalpost"), (torn, "torn")):
        refused = run("restore", str(file))
        assert refused.exit_code == 1, file
        assert told in refused.output
    assert session.scalar(text("SELECT count(*) FROM ledger_entries")) == 0


@ONLY_POSTGRESQL
def test_pg_dump_that_is_missing_or_too_old_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(dumping, "_INSTALLED", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = run("backup", str(tmp_path / "copy"))
    assert missing.exit_code == 1
    assert "pg_dump is not here" in missing.output
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6'\n")
    old.chmod(0o755)
    too_old = run("backup", str(tmp_path / "copy"))
    assert too_old.exit_code == 1
    assert f"{old} is 9: install pg_dump" in too_old.output
    assert not (tmp_path / "copy").exists()


def test_password_of_the_server_is_in_no_command_line() -> None:
    conninfo, environment = dumping.connection_of(
        make_url("postgresql+psycopg://a:s3cret@db.example/goal?sslmode=require")
    )
    assert "s3cret" not in conninfo
    assert "sslmode=require" in conninfo
    assert environment["PGPASSWORD"] == "s3cret"


def test_copy_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CopyFailed):
        copy_sqlite(tmp_path / "not there", tmp_path / "copy", step=lambda *_: None)
