"""The switches reach everything that a sandbox does, so this file has one of its own."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import stripe

from sandbox.store import SCHEMA, Store
from tests.sandbox.donor import FORM, client_of, create_session, pay_one
from tests.sandbox.receiver import Receiver
from tests.sandbox_process import API_KEY, SandboxError, SandboxProcess, running_sandbox

SESSION: stripe.params.checkout.SessionCreateParams = {
    "mode": "payment",
    "success_url": "https://goalpost.example/thanks",
    "line_items": [
        {
            "quantity": 1,
            "price_data": {
                "currency": "usd",
                "unit_amount": 700,
                "product_data": {"name": "Support us"},
            },
        }
    ],
}


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[SandboxProcess, Receiver]]:
    state_path = tmp_path_factory.mktemp("faults") / "sandbox.sqlite"
    with closing(Receiver()) as receiver, running_sandbox(state_path, receiver.url) as sandbox:
        yield sandbox, receiver


@pytest.fixture
def own(running: tuple[SandboxProcess, Receiver]) -> Iterator[SandboxProcess]:
    sandbox = running[0]
    sandbox.clear_faults()
    yield sandbox
    sandbox.clear_faults()


@pytest.fixture
def heard(running: tuple[SandboxProcess, Receiver]) -> Receiver:
    return running[1]


def states(own: SandboxProcess, intent_id: str) -> list[tuple[str, str]]:
    ids = {event["id"] for event in own.events() if event["data"]["object"]["id"] == intent_id}
    return [(one["type"], one["note"]) for one in own.deliveries() if one["event"] in ids]


def test_duplicated_event_arrives_as_often_as_asked(own: SandboxProcess, heard: Receiver) -> None:
    own.faults(webhooks={"duplicate": 1, "copies": 20})
    intent_id = pay_one(own)["id"]
    arrived = heard.wait_for("payment_intent.succeeded", intent_id, count=20)
    assert len({one.event["id"] for one in arrived}) == 1
    assert len({one.raw for one in arrived}) == 1
    time.sleep(0.2)
    assert len(heard.wait_for("payment_intent.succeeded", intent_id)) == 20


def test_dropped_event_stays_in_the_list_and_can_be_redelivered(
    own: SandboxProcess, heard: Receiver
) -> None:
    own.faults(webhooks={"drop": 1})
    intent_id = pay_one(own)["id"]
    own.clear_faults()
    later = pay_one(own)["id"]
    heard.wait_for("payment_intent.succeeded", later)
    assert set(states(own, intent_id)) == {
        ("payment_intent.created", "dropped by a switch"),
        ("payment_intent.succeeded", "dropped by a switch"),
    }
    own.hurry()
    time.sleep(0.3)
    assert not [one for one in heard.received if one.event["data"]["object"]["id"] == intent_id]
    succeeded = [
        event
        for event in own.events("payment_intent.succeeded")
        if event["data"]["object"]["id"] == intent_id
    ]
    assert len(succeeded) == 1
    own.redeliver(succeeded[0]["id"])
    heard.wait_for("payment_intent.succeeded", intent_id)


def test_reordered_events_overtake_each_other(own: SandboxProcess, heard: Receiver) -> None:
    own.faults(webhooks={"reorder": 0.5}, seed=3)
    sent = [pay_one(own)["id"] for _ in range(4)]
    for intent_id in sent:
        heard.wait_for("payment_intent.succeeded", intent_id)
        heard.wait_for("payment_intent.created", intent_id)
    created = {event["id"]: number for number, event in enumerate(own.events())}
    arrived = [created[one.event["id"]] for one in heard.received if one.event["id"] in created]
    assert arrived != sorted(arrived)


def test_delayed_event_comes_late_and_is_still_signed(own: SandboxProcess, heard: Receiver) -> None:
    own.faults(webhooks={"delay_seconds": [1.2, 1.4]})
    session_id = create_session(own)["id"]
    started = time.monotonic()
    own.pay(session_id)  # It waits for the answer to `completed`, as Checkout does.
    arrived = heard.wait_for("checkout.session.completed", session_id)[0]
    assert arrived.at - started >= 1.2


def test_same_seed_gives_the_same_faults(own: SandboxProcess) -> None:
    found = []
    for seed in (7, 7, 8):
        own.faults(webhooks={"drop": 0.5, "duplicate": 0.5}, seed=seed)
        first = len(own.deliveries())
        for _ in range(4):
            create_session(own)
            pay_one(own)
        own.clear_faults()
        rows = [one for one in own.deliveries()[first:] if one["type"] != "charge.updated"]
        found.append([(one["type"], one["note"] == "dropped by a switch") for one in rows])
    assert found[0] == found[1]
    assert found[0] != found[2]
    assert set(Counter(dropped for _, dropped in found[0])) == {True, False}


@pytest.mark.parametrize(
    ("status", "error"), [(429, stripe.RateLimitError), (500, stripe.APIError)]
)
def test_api_refuses_as_often_as_told_and_does_nothing(
    own: SandboxProcess, status: int, error: type[stripe.StripeError]
) -> None:
    client = client_of(own)
    before = len(own.api("GET", "/v1/checkout/sessions?limit=100")["data"])
    own.faults(api={"status": status, "times": 2, "path": "checkout/sessions"})
    for left in (1, 0):
        with pytest.raises(error) as caught:
            client.v1.checkout.sessions.create(SESSION, {"idempotency_key": f"refused-{status}"})
        assert caught.value.http_status == status
        assert own.faults_left()["api"]["times"] == left
    assert client.v1.customers.list().data == []
    created = client.v1.checkout.sessions.create(SESSION, {"idempotency_key": f"refused-{status}"})
    assert created.amount_total == 700
    assert len(own.api("GET", "/v1/checkout/sessions?limit=100")["data"]) == before + 1


def test_sdk_gets_through_a_bad_moment_by_itself(own: SandboxProcess) -> None:
    own.faults(api={"status": 503, "times": 2})
    assert client_of(own, retries=2).v1.checkout.sessions.create(SESSION).amount_total == 700


def test_lock_timeout_has_its_code(own: SandboxProcess) -> None:
    own.faults(api={"status": 429, "code": "lock_timeout"})
    with pytest.raises(stripe.RateLimitError) as caught:
        client_of(own).v1.checkout.sessions.create(SESSION)
    assert isinstance(caught.value.json_body, dict)
    assert caught.value.json_body["error"]["code"] == "lock_timeout"
    own.clear_faults()
    assert client_of(own).v1.checkout.sessions.create(SESSION).amount_total == 700


def test_only_the_named_requests_fail(own: SandboxProcess) -> None:
    own.faults(api={"status": 500, "method": "GET", "path": "checkout/sessions"})
    session = client_of(own).v1.checkout.sessions.create(SESSION)
    with pytest.raises(stripe.APIError):
        client_of(own).v1.checkout.sessions.retrieve(session.id)


def test_share_of_requests_fails(own: SandboxProcess) -> None:
    own.faults(api={"status": 500, "share": 0.5}, seed=1)
    answers = []
    for _ in range(20):
        try:
            own.api("GET", "/v1/customers")
            answers.append(200)
        except SandboxError as error:
            answers.append(error.status)
    assert set(answers) == {200, 500}


def test_request_that_times_out_was_done_all_the_same(own: SandboxProcess) -> None:
    before = len(own.api("GET", "/v1/checkout/sessions?limit=100")["data"])
    own.faults(api={"timeout_after_success": 1, "path": "checkout/sessions"})
    client = client_of(own)
    with pytest.raises(stripe.APIConnectionError):
        client.v1.checkout.sessions.create(SESSION, {"idempotency_key": "lost"})
    listed = client.v1.checkout.sessions.list({"limit": 100}).data
    assert len(listed) == before + 1
    again = client.v1.checkout.sessions.create(SESSION, {"idempotency_key": "lost"})
    assert again.id == listed[0].id
    assert len(client.v1.checkout.sessions.list({"limit": 100}).data) == before + 1


def test_refused_request_does_not_use_up_a_timeout(own: SandboxProcess) -> None:
    own.faults(api={"timeout_after_success": 1})
    with pytest.raises(SandboxError):
        own.api("POST", "/v1/checkout/sessions", {**FORM, "mode": "setup"})
    assert own.faults_left()["api"]["timeout_after_success"] == 1


def test_slow_api_is_slow(own: SandboxProcess) -> None:
    own.faults(api={"latency_seconds": 0.5})
    started = time.monotonic()
    own.api("GET", "/v1/customers")
    assert time.monotonic() - started >= 0.5


def test_client_gives_up_on_an_api_that_is_slower_than_its_patience(own: SandboxProcess) -> None:
    own.faults(api={"latency_seconds": 1})
    impatient = stripe.StripeClient(
        API_KEY,
        base_addresses={"api": own.url},
        http_client=stripe.RequestsClient(timeout=0.2),
        max_network_retries=0,
    )
    with pytest.raises(stripe.APIConnectionError):
        impatient.v1.customers.list()


def test_switches_are_shown_and_cleared(own: SandboxProcess) -> None:
    own.faults(webhooks={"drop": 0.25}, seed=9)
    shown = own.faults_left()
    assert (shown["webhooks"]["drop"], shown["seed"]) == (0.25, 9)
    assert own.clear_faults()["webhooks"]["drop"] == 0
    assert own.faults_left()["seed"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhooks": {"drop": 1.1}},
        {"webhooks": {"drop": "0.1"}},
        {"webhooks": {"delay_seconds": 2}},
        {"webhooks": {"copies": 1}},
        {"api": {"status": 200}},
        {"api": {"times": -1}},
        {"api": {"latency_seconds": True}},
        {"bees": 1},
    ],
)
def test_what_is_no_switch_is_refused_and_changes_nothing(
    own: SandboxProcess, wrong: dict[str, object]
) -> None:
    own.faults(webhooks={"drop": 0.25})
    with pytest.raises(SandboxError) as caught:
        own.control("/_sandbox/faults", wrong)
    assert caught.value.status == 400
    assert own.faults_left()["webhooks"]["drop"] == 0.25


def test_state_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"{SCHEMA} PRAGMA user_version = 1;")
        for object_id in ("evt_1", "we_1"):
            connection.execute(
                "INSERT INTO objects (id, kind, created, body) VALUES (?, 'x', 1, '{}')",
                (object_id,),
            )
        connection.execute(
            "INSERT INTO deliveries (event_id, endpoint_id, payload, state, first_at, next_at) "
            "VALUES ('evt_1', 'we_1', 'bytes', 'waiting', 1, 2)"
        )
        connection.commit()
    for _ in range(2):
        with Store(path).read() as tx:
            rows = tx.connection.execute("SELECT payload, copy, state FROM deliveries").fetchall()
        assert rows == [("bytes", 0, "waiting")]
