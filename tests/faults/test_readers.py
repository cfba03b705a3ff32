"""Books that can't be read: readers keep the last value, marked by its time, until they can."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg import sql
from sqlalchemy import make_url
from werkzeug.test import TestResponse

from core import db as database
from core.clock import MovableClock
from core.db import db, wal_is_safe
from core.settings import Settings
from tests.conftest import Give, MakeCampaign, make_settings

ADDRESS = "/api/v1/campaigns/support-us"
PATHS = (ADDRESS, "/embed/support-us")
SECOND = timedelta(seconds=1)
START = "2021-05-12T10:11:12Z"


@pytest.fixture
def settings(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 3)
    return make_settings(database_url=database_url, snapshot_seconds=1)


@contextmanager
def administration(url: str) -> Iterator[psycopg.Connection]:
    server = make_url(url).set(drivername="postgresql", database="postgres")
    address = server.render_as_string(hide_password=False)
    with closing(psycopg.connect(address, autocommit=True)) as connection:
        yield connection


@contextmanager
def down(app: Flask, url: str) -> Iterator[None]:
    """Take the database away for a while: the file is overwritten, the server lets nobody in."""
    with app.app_context():
        engine = db.engine
    if engine.dialect.name == "sqlite":
        engine.dispose()
        file = Path(str(make_url(url).database))
        content = file.read_bytes()
        file.write_bytes(b"\xde\xad" * (len(content) // 2))
        yield
        engine.dispose()
        file.write_bytes(content)
        return
    name = str(make_url(url).database)
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with administration(url) as connection:
        connection.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
        yield
        connection.execute(allow.format(sql.Identifier(name), sql.SQL("true")))


@contextmanager
def hanging(url: str) -> Iterator[None]:
    """Let whoever reads wait."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        if wal_is_safe():
            pytest.skip("in WAL nothing can make a reader wait")
        with closing(sqlite3.connect(str(address.database), isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield
            connection.rollback()
        return
    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg.connect(plain)) as other:
        other.execute("LOCK TABLE campaigns IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()


def as_of(answer: TestResponse) -> object:
    assert answer.status_code == 200
    assert answer.json
    return answer.json["as_of"]


def wait_for_workers() -> None:
    for thread in threading.enumerate():
        if thread.name == "snapshots":
            thread.join(30)
            assert not thread.is_alive()


def test_database_that_is_down_leaves_the_last_value_with_its_time(
    app: Flask,
    client: FlaskClient,
    settings: Settings,
    make_campaign: MakeCampaign,
    give: Give,
    clock: MovableClock,
) -> None:
    campaign = make_campaign()
    before = [client.get(path) for path in PATHS]
    with down(app, settings.database_url):
        for step in (SECOND, SECOND / 4, timedelta(days=2)):
            clock.advance(step)
            for path, old in zip(PATHS, before, strict=True):
                answer = client.get(path)
                assert answer.data == old.data
                assert answer.headers == old.headers
            assert as_of(client.get(ADDRESS)) == START
            wait_for_workers()
        assert client.get("/api/v1/campaigns/never-asked-for").status_code == 503
    wait_for_workers()
    give(campaign, 52_000)
    clock.advance(SECOND * 5)
    answer = client.get(ADDRESS)
    assert as_of(answer) == "2021-05-14T10:11:18Z"
    assert "520 $" in answer.text
    assert "520 $" in client.get("/embed/support-us").text


def test_database_that_hangs_leaves_the_last_value_with_its_time(
    app: Flask,
    client: FlaskClient,
    settings: Settings,
    make_campaign: MakeCampaign,
    clock: MovableClock,
) -> None:
    make_campaign()
    assert as_of(client.get(ADDRESS)) == START
    with app.app_context():
        db.engine.dispose()
    clock.advance(SECOND * 2)
    with hanging(settings.database_url):
        for _ in range(20):
            assert as_of(client.get(ADDRESS)) == START
    wait_for_workers()
    clock.advance(SECOND * 5)
    assert as_of(client.get(ADDRESS)) == "2021-05-12T10:11:19Z"


def test_reader_is_told_where_there_is_no_last_value(
    app: Flask, client: FlaskClient, settings: Settings, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    with down(app, settings.database_url):
        answer = client.get(ADDRESS)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "60"
    assert client.get(ADDRESS).status_code == 200
