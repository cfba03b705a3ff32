"""The layer where it stands: around the whole application, on books of either kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

from app import create_app
from core.clock import MovableClock
from core.db import db
from core.settings import Settings
from tests.conftest import Give, MakeCampaign, make_settings
from tests.fake_gateway import FakeGateway
from widget import snapshots

ADDRESS = "/api/v1/campaigns/support-us"
SECOND = timedelta(seconds=1)
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return make_settings(database_url=database_url, snapshot_seconds=1)


@pytest.fixture
def layer(app: Flask) -> snapshots.Snapshots:
    layer = app.extensions[snapshots.EXTENSION]
    assert isinstance(layer, snapshots.Snapshots)
    return layer


@contextmanager
def counted_statements(app: Flask) -> Iterator[list[str]]:
    """Count what the database is asked meanwhile."""
    with app.app_context():
        engine = db.engine
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def raised(answer: TestResponse) -> object:
    assert answer.json
    return answer.json["raised_minor"]


def test_gift_is_public_within_a_second(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    campaign = make_campaign()
    assert raised(client.get(ADDRESS)) == 0
    give(campaign, 52_000)
    assert raised(client.get(ADDRESS)) == 0
    clock.advance(SECOND)
    assert raised(client.get(ADDRESS)) == 52_000
    frame = client.get("/embed/support-us")
    assert "520 $" in frame.text


def test_books_are_not_asked_for_what_is_held(
    app: Flask, client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    paths = (ADDRESS, f"{ADDRESS}/periods", "/embed/support-us")
    first = [client.get(path) for path in paths]
    with counted_statements(app) as statements:
        for path, before in zip(paths, first, strict=True):
            again = client.get(path)
            assert again.data == before.data
            assert again.headers == before.headers
    assert statements == []


def test_gift_by_another_process_is_public_within_a_second(
    client: FlaskClient,
    settings: Settings,
    fake_gateway: FakeGateway,
    make_campaign: MakeCampaign,
    give: Give,
    clock: MovableClock,
) -> None:
    campaign = make_campaign()
    other = create_app(settings, clock=clock, gateway=fake_gateway)
    assert raised(client.get(ADDRESS)) == raised(other.test_client().get(ADDRESS)) == 0
    give(campaign, 52_000)
    clock.advance(SECOND)
    assert raised(client.get(ADDRESS)) == raised(other.test_client().get(ADDRESS)) == 52_000
    with other.app_context():
        db.engine.dispose()


def test_time_of_reading_goes_on_although_nothing_changes(
    client: FlaskClient, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    make_campaign()
    first = client.get(ADDRESS)
    clock.advance(SECOND)
    second = client.get(ADDRESS)
    assert first.json
    assert second.json
    assert (first.json["as_of"], second.json["as_of"]) == (
        "2021-05-12T10:11:12Z",
        "2021-05-12T10:11:13Z",
    )
    assert first.headers["ETag"] == second.headers["ETag"]
    assert client.get(ADDRESS, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


def test_month_turns_to_the_second(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    give(make_campaign(), 52_000)
    midnight = datetime(2021, 6, 1, 4, tzinfo=UTC)  # in New York
    clock.set(midnight - timedelta(milliseconds=200))
    assert "MAY 2021" in client.get(ADDRESS).text
    assert "MAY 2021" in client.get("/embed/support-us").text
    clock.set(midnight)
    assert "JUNE 2021" in client.get(ADDRESS).text
    assert "JUNE 2021" in client.get("/embed/support-us").text


@only_sqlite
def test_unknown_campaign_is_asked_for_each_time(
    client: FlaskClient, layer: snapshots.Snapshots, make_campaign: MakeCampaign
) -> None:
    assert client.get(ADDRESS).status_code == 404
    assert not layer.shelf.entries
    make_campaign()
    assert client.get(ADDRESS).status_code == 200


@only_sqlite
def test_who_asks_makes_no_difference(
    client: FlaskClient, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    make_campaign()
    plain = client.get("/embed/support-us")
    for headers in (
        {"Accept-Language": "de"},
        {"Host": "evil.example", "X-Forwarded-Host": "evil.example"},
        {"Cookie": "goalpost=stolen", "Authorization": "Bearer x"},
    ):
        clock.advance(SECOND)
        answer = client.get("/embed/support-us", headers=headers)
        assert answer.data == plain.data
        assert "Set-Cookie" not in answer.headers
        assert "evil" not in answer.text


@only_sqlite
def test_page_with_a_form_is_each_readers_own(
    client: FlaskClient, layer: snapshots.Snapshots, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    assert "Set-Cookie" in client.get("/c/support-us").headers
    assert not layer.shelf.entries


@only_sqlite
def test_script_is_held_and_compressed(client: FlaskClient, layer: snapshots.Snapshots) -> None:
    plain = client.get("/embed/v1.js")
    packed = client.get("/embed/v1.js", headers={"Accept-Encoding": "br"})
    assert packed.headers["Content-Encoding"] == "br"
    assert len(packed.data) < len(plain.data) / 2
    assert "/embed/v1.js" in layer.shelf.entries


@only_sqlite
def test_zero_seconds_leave_the_layer_out(
    database_url: str, clock: MovableClock, fake_gateway: FakeGateway
) -> None:
    settings = make_settings(database_url=database_url, snapshot_seconds=0)
    app = create_app(settings, clock=clock, gateway=fake_gateway)
    assert snapshots.EXTENSION not in app.extensions


def test_layer_knows_every_parameter_that_a_face_reads() -> None:
    package = Path(snapshots.__file__).parent
    read = {
        name
        for file in package.glob("*.py")
        if file.name != "demo.py"
        for name in re.findall(
            r"request\.args(?:\.get\(|\[|\.getlist\()\s*\"(\w+)\"", file.read_text(encoding="utf-8")
        )
    }
    assert {"lang", "slot", "limit"} <= read
    assert read <= snapshots.PARAMETERS
