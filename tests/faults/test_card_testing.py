"""Card testing: thieves send the form ten thousand times, each time from elsewhere."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from ipaddress import ip_address

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app import create_app
from core.clock import MovableClock
from core.db import db
from core.outbox import OutboxMail
from core.settings import Settings
from payments.models import Donation
from payments.webhook_routes import MOST_AT_WORK
from tests.conftest import MakeCampaign, make_settings
from tests.fake_gateway import FakeGateway
from tests.payments.pages import open_form
from tests.subscribers import subscribe

# The whole attack belongs to `make test-long`; what it shows, a part of it shows too.
attacks = pytest.mark.parametrize("attempts", [600, pytest.param(10_000, marks=pytest.mark.slow)])
hours = pytest.mark.parametrize("gifts", [200, pytest.param(1000, marks=pytest.mark.slow)])
MOST_SESSIONS = 100
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Attempt = Callable[..., TestResponse]


@pytest.fixture
def settings(database_url: str) -> Settings:
    return make_settings(database_url=database_url, ratelimit_enabled=True, snapshot_seconds=1)


@pytest.fixture
def attempt(client: FlaskClient) -> Attempt:
    """Send a valid form of its own, from an address of its own."""
    return sender(client)


def sender(client: FlaskClient, first_address: str = "10.0.0.1") -> Attempt:
    numbers = itertools.count()
    fields: dict[str, str] = {}

    def send(slug: str = "support-us", **typed: str) -> TestResponse:
        fields.update(fields or open_form(client, slug))
        number = next(numbers)
        address = str(ip_address(first_address) + number)
        # What the form's own page gives: the token against forged requests is the browser's.
        token = {"form_token": f"{first_address:_<16}{number:06}".replace(".", "-")}
        return client.post(
            f"/c/{slug}/donate",
            data=fields | token | {"amount": "20"} | typed,
            environ_overrides={"REMOTE_ADDR": address},
        )

    return send


class Statements:
    """What this thread asks the database."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._thread = threading.get_ident()

    def hear(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if threading.get_ident() == self._thread:
            self.said.append(statement)

    @property
    def writes(self) -> list[str]:
        """Those that write, or lock for it; a plain BEGIN of SQLite's takes no lock."""
        return [each for each in self.said if each != "BEGIN" and not each.startswith("SELECT")]


@contextmanager
def listening(app: Flask) -> Iterator[Statements]:
    with app.app_context():
        engine = db.engine
    statements = Statements()
    event.listen(engine, "before_cursor_execute", statements.hear)
    yield statements
    event.remove(engine, "before_cursor_execute", statements.hear)


def alerts(session: Session) -> list[str]:
    """Return the subjects of the notices that were posted."""
    session.rollback()
    return sorted(session.scalars(select(OutboxMail.subject)))


def donations(session: Session) -> int:
    session.rollback()
    return session.scalar(select(func.count()).select_from(Donation)) or 0


@only_sqlite
@attacks
def test_ten_thousand_attempts_make_at_most_a_hundred_sessions_and_one_alert_each(
    attempts: int,
    app: Flask,
    client: FlaskClient,
    attempt: Attempt,
    clock: MovableClock,
    fake_gateway: FakeGateway,
    make_campaign: MakeCampaign,
    session: Session,
    caplog: pytest.LogCaptureFixture,
) -> None:
    slugs = ["support-us", "second", "third"]
    for slug in slugs:
        make_campaign(slug=slug)
    subscribe(session, "admin@example.org")
    session.commit()
    caplog.set_level(logging.WARNING, "goalpost.guard")
    statuses: list[int] = []
    most_said = 0
    with listening(app) as statements:
        for number in range(attempts):
            before = len(statements.said)
            # First one form, then, as that is shut, any.
            slug = slugs[0] if number < attempts // 2 else slugs[number % len(slugs)]
            statuses.append(attempt(slug).status_code)
            if statuses[-1] == HTTPStatus.TOO_MANY_REQUESTS:
                most_said = max(most_said, len(statements.said) - before)
            clock.advance(timedelta(milliseconds=300))
            if number % 100 == 99:
                client.get("/api/v1/campaigns/support-us")  # the second's first reader
                read = len(statements.said)
                widget = client.get("/api/v1/campaigns/support-us")
                assert widget.status_code == HTTPStatus.OK
                assert len(statements.said) == read, "a reader had the books asked"

    sessions = statuses.count(HTTPStatus.SEE_OTHER)
    assert sessions + statuses.count(HTTPStatus.TOO_MANY_REQUESTS) == attempts
    assert 0 < sessions <= MOST_SESSIONS
    assert fake_gateway.calls == {"create_checkout": sessions}
    assert donations(session) == sessions
    assert most_said <= 16
    # Being refused writes nothing but, once a minute and form, how many were.
    assert len(statements.writes) < 10 * sessions + 50 * len(slugs) * 6
    assert alerts(session) == [
        "Card testing suspected on this site",
        "Card testing suspected with “Support us”",
    ]
    assert len(caplog.records) == 2


def test_attack_is_stopped_at_the_same_place_on_every_database(
    attempt: Attempt,
    fake_gateway: FakeGateway,
    make_campaign: MakeCampaign,
    session: Session,
) -> None:
    make_campaign()
    subscribe(session, "admin@example.org")
    session.commit()

    statuses = [attempt().status_code for _ in range(150)]

    assert statuses == [303] * 61 + [429] * 89
    assert fake_gateway.calls["create_checkout"] == donations(session) == 61
    assert alerts(session) == ["Card testing suspected with “Support us”"]


def test_two_processes_share_what_they_count(
    app: Flask,
    settings: Settings,
    clock: MovableClock,
    fake_gateway: FakeGateway,
    make_campaign: MakeCampaign,
) -> None:
    make_campaign()
    other = create_app(settings, clock=clock, gateway=fake_gateway)
    senders = [
        sender(app.test_client(), "10.0.0.1"),
        sender(other.test_client(), "10.9.0.1"),
    ]

    statuses = [senders[number % 2]().status_code for number in range(80)]

    assert statuses.count(303) == fake_gateway.calls["create_checkout"] == 61
    with other.app_context():
        db.engine.dispose()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_many_at_once_get_no_further_than_one_after_the_other(
    app: Flask, fake_gateway: FakeGateway, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    statuses: list[int] = []

    def attack(number: int) -> None:
        send = sender(app.test_client(), f"10.{number}.0.1")
        statuses.extend(send().status_code for _ in range(20))

    threads = [threading.Thread(target=attack, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(statuses) == 120
    assert statuses.count(303) == fake_gateway.calls["create_checkout"] == 61


@only_sqlite
@hours
def test_honest_hour_of_a_thousand_gifts_never_trips(
    gifts: int,
    attempt: Attempt,
    clock: MovableClock,
    make_campaign: MakeCampaign,
    hear: Callable[[str], None],
) -> None:
    """An article goes round: seventeen forms a minute, of which four in ten are paid."""
    make_campaign()
    open_for: list[str] = []
    for number in range(gifts):
        response = attempt()
        assert response.status_code == HTTPStatus.SEE_OTHER, number
        if number % 10 in {1, 4, 6, 9}:
            open_for.append(response.location.rpartition("/")[2])
        if len(open_for) > 10:  # a minute and a half later
            hear(open_for.pop(0))
        clock.advance(timedelta(seconds=3.6))


@only_sqlite
def test_paid_gifts_make_room_and_failed_cards_take_it(
    attempt: Attempt,
    make_campaign: MakeCampaign,
    hear: Callable[[str], None],
) -> None:
    make_campaign()
    checkouts = [attempt().location.rpartition("/")[2] for _ in range(60)]
    hear(checkouts[0])
    statuses = [attempt().status_code for _ in range(10)]
    assert statuses == [303] * 6 + [429] * 4  # one paid: itself, and four beside it


@only_sqlite
def test_few_sessions_with_many_stolen_cards_trip_it_too(
    attempt: Attempt, make_campaign: MakeCampaign, fail: Callable[[str], None]
) -> None:
    make_campaign()
    checkout = attempt().location.rpartition("/")[2]
    for _ in range(60):
        fail(checkout)

    assert attempt().status_code == HTTPStatus.TOO_MANY_REQUESTS


@only_sqlite
def test_it_closes_by_itself_when_it_has_been_calm(
    attempt: Attempt, clock: MovableClock, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    while attempt().status_code == HTTPStatus.SEE_OTHER:
        pass
    wait = int(attempt().headers["Retry-After"])

    clock.advance(timedelta(seconds=wait - 1))
    assert attempt().status_code == HTTPStatus.TOO_MANY_REQUESTS
    clock.advance(timedelta(seconds=2))
    assert attempt().status_code == HTTPStatus.SEE_OTHER


@only_sqlite
def test_refused_attempts_do_not_hold_it_shut(
    attempt: Attempt, clock: MovableClock, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    refused_for = timedelta()
    while attempt().status_code == HTTPStatus.SEE_OTHER:
        pass
    while attempt().status_code != HTTPStatus.SEE_OTHER:
        clock.advance(timedelta(minutes=1))
        refused_for += timedelta(minutes=1)

    assert timedelta(hours=1) < refused_for <= timedelta(minutes=90)


@only_sqlite
def test_pressing_twice_is_neither_refused_nor_counted_twice(
    client: FlaskClient, attempt: Attempt, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    fields = open_form(client) | {"amount": "20"}
    first = [client.post("/c/support-us/donate", data=fields) for _ in range(3)]
    assert {response.status_code for response in first} == {303}
    assert len({response.location for response in first}) == 1

    assert [attempt().status_code for _ in range(61)] == [303] * 60 + [429]
    # And while all others are refused, it still leads to its own page at Stripe.
    again = client.post("/c/support-us/donate", data=fields)
    assert again.status_code == 303
    assert again.location == first[0].location


@only_sqlite
def test_one_address_is_told_when_to_come_back_in_its_own_language(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    fields = open_form(client)
    statuses = []
    for number in range(12):
        response = client.post(
            "/c/support-us/donate?lang=de",
            data=fields | {"amount": "20", "form_token": f"form-of-one-address-{number}"},
        )
        statuses.append(response.status_code)

    assert statuses == [303] * 10 + [429] * 2
    assert 0 < int(response.headers["Retry-After"]) <= 61
    assert '<html lang="de"' in response.text
    assert "Sekunde" in response.text or "Minute" in response.text


@only_sqlite
def test_addresses_of_one_ipv6_network_are_one(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()

    def statuses(network: str) -> list[int]:
        send = sender(client, f"{network}::1")
        return [send().status_code for _ in range(12)]

    assert statuses("2001:db8:0:1") == [303] * 10 + [429] * 2
    assert statuses("2001:db8:0:2") == [303] * 10 + [429] * 2


@only_sqlite
def test_forged_forwarding_address_makes_nobody_another(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    fields = open_form(client)
    statuses = [
        client.post(
            "/c/support-us/donate",
            data=fields | {"amount": "20", "form_token": f"form-of-a-liar-{number:06}"},
            headers={"X-Forwarded-For": f"203.0.113.{number}"},
        ).status_code
        for number in range(12)
    ]

    assert statuses == [303] * 10 + [429] * 2


@pytest.fixture
def post_event(client: FlaskClient, fake_gateway: FakeGateway) -> Callable[[bytes], None]:
    assert MOST_AT_WORK  # what is posted is worked in this thread when the answer is closed

    def post(body: bytes) -> None:
        response = client.post("/webhooks/stripe", data=body, headers=fake_gateway.signed(body))
        response.close()
        assert response.status_code == HTTPStatus.OK

    return post


@pytest.fixture
def hear(fake_gateway: FakeGateway, post_event: Callable[[bytes], None]) -> Callable[[str], None]:
    """Pay a session, and hear of it."""

    def hear(checkout_id: str) -> None:
        fake_gateway.pay(checkout_id)
        post_event(fake_gateway.event("checkout.session.completed", checkout_id))

    return hear


@pytest.fixture
def fail(fake_gateway: FakeGateway, post_event: Callable[[bytes], None]) -> Callable[[str], None]:
    """Have a card turned down in a session, and hear of it."""

    def fail(checkout_id: str) -> None:
        payment = fake_gateway.pay(checkout_id, status="requires_payment_method")
        post_event(fake_gateway.event("payment_intent.payment_failed", payment.id))

    return fail
