"""Limits by network address: of one process, or of all that count in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from core.clock import MovableClock
from core.settings import Settings, SettingsError, load_settings
from tests.conftest import MakeCampaign, make_settings
from tests.fake_gateway import FakeGateway
from tests.payments.pages import open_form
from tests.programs import running_redis

MOST_A_MINUTE = 10  # payments/give_routes.py

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "memory":
        yield "memory://"
    else:
        with running_redis(tmp_path) as (address, _):
            yield address


NewProcess = Callable[[str], FlaskClient]


@pytest.fixture
def new_process(settings: Settings, clock: MovableClock, fake_gateway: FakeGateway) -> NewProcess:
    """Return a client of an application that begins to count anew, as another process does."""

    def begin(address: str) -> FlaskClient:
        counting = settings.model_copy(
            update={"ratelimit_enabled": True, "ratelimit_storage_uri": address}
        )
        return create_app(counting, clock=clock, gateway=fake_gateway).test_client()

    return begin


def give(client: FlaskClient) -> int:
    return client.post("/c/support-us/donate", data=open_form(client) | {"amount": "5"}).status_code


@pytest.mark.parametrize(
    ("address", "at_the_second"),
    [("memory", HTTPStatus.SEE_OTHER), ("redis", HTTPStatus.TOO_MANY_REQUESTS)],
    indirect=["address"],
)
def test_processes_count_together_where_they_share_a_place(
    new_process: NewProcess,
    make_campaign: MakeCampaign,
    address: str,
    at_the_second: HTTPStatus,
) -> None:
    make_campaign()
    first = new_process(address)
    answers = [give(first) for _ in range(MOST_A_MINUTE + 1)]
    assert answers == [*[HTTPStatus.SEE_OTHER] * MOST_A_MINUTE, HTTPStatus.TOO_MANY_REQUESTS]
    assert give(new_process(address)) == at_the_second


def test_each_process_counts_by_itself_while_the_place_is_down(
    new_process: NewProcess, make_campaign: MakeCampaign, tmp_path: Path
) -> None:
    make_campaign()
    with running_redis(tmp_path) as (address, process):
        client = new_process(address)
        assert give(client) == HTTPStatus.SEE_OTHER
        process.kill()
        process.wait()
        answers = [give(client) for _ in range(MOST_A_MINUTE + 1)]
    assert answers == [*[HTTPStatus.SEE_OTHER] * MOST_A_MINUTE, HTTPStatus.TOO_MANY_REQUESTS]


def test_valkey_is_asked_as_redis_is(database_url: str) -> None:
    settings = make_settings(
        database_url=database_url, ratelimit_storage_uri="valkeys://counts.example:6379/0"
    )
    assert settings.ratelimit_storage_uri == "rediss://counts.example:6379/0"


def test_another_place_is_refused(database_url: str) -> None:
    with pytest.raises(SettingsError, match="RATELIMIT_STORAGE_URI"):
        load_settings(
            database_url=database_url,
            secret_key="test",
            ratelimit_storage_uri="memcached://counts.example",
        )
