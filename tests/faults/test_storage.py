"""The disk and the file underneath the books: what must hold when they fail."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, make_url, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core import db as database
from core.db import db
from payments.models import InboxEvent
from tests.conftest import Give, MakeCampaign
from tests.fake_gateway import FakeGateway

ONLY_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def event(fake_gateway: FakeGateway) -> bytes:
    return fake_gateway.event("customer.created", "cus_1")


@pytest.fixture
def file(database_url: str) -> Path:
    name = make_url(database_url).database
    assert name is not None
    return Path(name)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a lock for a second, and not for half a minute."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 1)


@pytest.fixture
def lock(file: Path) -> Iterator[sqlite3.Connection]:
    """Hold the write lock, as a hanging process would."""
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def deliver(client: FlaskClient, gateway: FakeGateway, event: bytes) -> int:
    response = client.post("/webhooks/stripe", data=event, headers=gateway.signed(event))
    response.close()
    return response.status_code


def kept(session: Session) -> int:
    session.rollback()
    count = session.scalar(select(func.count()).select_from(InboxEvent))
    session.rollback()
    return count or 0


@ONLY_SQLITE
@pytest.mark.usefixtures("_impatient")
def test_event_is_not_acknowledged_while_the_database_is_locked(
    client: FlaskClient,
    fake_gateway: FakeGateway,
    session: Session,
    event: bytes,
    lock: sqlite3.Connection,
) -> None:
    assert deliver(client, fake_gateway, event) == 503
    lock.rollback()
    assert kept(session) == 0
    assert deliver(client, fake_gateway, event) == 200  # Stripe tries again
    assert kept(session) == 1


@ONLY_SQLITE
def test_writer_waits_for_a_lock_that_goes_away(
    client: FlaskClient,
    fake_gateway: FakeGateway,
    event: bytes,
    lock: sqlite3.Connection,
) -> None:
    release = threading.Timer(0.5, lock.rollback)
    release.start()
    assert deliver(client, fake_gateway, event) == 200
    release.join()


@ONLY_SQLITE
@pytest.mark.usefixtures("_impatient")
def test_readers_do_not_wait_for_a_writer(
    client: FlaskClient, make_campaign: MakeCampaign, file: Path
) -> None:
    make_campaign()
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    begun = time.monotonic()
    assert client.get("/api/v1/campaigns/support-us").status_code == 200
    assert time.monotonic() - begun < 1  # not a measure of speed: waiting would take all of it
    writer.close()


@ONLY_SQLITE
def test_full_disk_is_not_acknowledged_and_recovers(
    app: Flask, client: FlaskClient, fake_gateway: FakeGateway, session: Session
) -> None:
    with app.app_context():
        engine = db.engine
    with engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        # SQLite itself says "database or disk is full" then.
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    # Bodies that fill what is free within the file's pages before they need another.
    big = [
        fake_gateway.event("customer.created", f"cus_{'x' * 100_000}{number}")
        for number in range(5)
    ]
    statuses = [deliver(client, fake_gateway, body) for body in big]
    assert 503 in statuses
    assert kept(session) == statuses.count(200)
    engine.dispose()
    session.close()
    assert deliver(client, fake_gateway, big[-1]) == 200
    assert kept(session) > statuses.count(200) - 1


@ONLY_SQLITE
def test_read_only_file_fails_closed_and_still_serves_the_bar(
    app: Flask,
    client: FlaskClient,
    fake_gateway: FakeGateway,
    session: Session,
    make_campaign: MakeCampaign,
    event: bytes,
) -> None:
    make_campaign()
    session.close()
    with app.app_context():
        engine = db.engine
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    assert deliver(client, fake_gateway, event) == 503
    assert client.get("/api/v1/campaigns/support-us").status_code == 200
    engine.dispose()
    assert kept(session) == 0


@ONLY_SQLITE
def test_corrupt_file_fails_closed(
    app: Flask, client: FlaskClient, fake_gateway: FakeGateway, file: Path, event: bytes
) -> None:
    with app.app_context():
        db.engine.dispose()
    content = bytearray(file.read_bytes())
    content[0:4096] = b"\xde\xad" * 2048
    file.write_bytes(content)
    assert deliver(client, fake_gateway, event) == 503
    assert client.get("/readyz").status_code == 503
    assert client.get("/c/support-us").status_code == 503


def test_no_connection_crosses_a_fork(
    app: Flask, session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    give(make_campaign(), 1_000)
    with app.app_context():
        engine = db.engine
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # what a preloading server does
        try:
            with engine.connect() as connection:
                count = connection.execute(text("SELECT count(*) FROM ledger_entries")).scalar()
            os.write(writer, str(count).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    assert os.read(reader, 100) == b"1"
    os.close(reader)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM ledger_entries")).scalar() == 1
    session.rollback()


@ONLY_SQLITE
@pytest.mark.usefixtures("_impatient")
def test_commit_that_waited_in_vain_keeps_no_lock(
    app: Flask, session: Session, file: Path, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    reader = sqlite3.connect(file, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM campaigns").fetchall()
    if database.wal_is_safe():
        pytest.skip("with a write-ahead log nobody waits for readers")
    with app.app_context():
        with db.sessionmaker() as mine:
            mine.execute(update(Campaign).values(title="Changed"))
            with pytest.raises(OperationalError, match="locked"):
                mine.commit()
        # The reader is still there; the one who gave up is not.
        writer = sqlite3.connect(file, isolation_level=None, timeout=0)
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("ROLLBACK")
        writer.close()
        reader.close()
        with db.sessionmaker() as mine:
            assert mine.scalars(select(Campaign.title)).all() == ["Support us"]
    session.rollback()
