from __future__ import annotations

import threading
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import pytest
import stripe

from tests.sandbox.donor import AMOUNT, FORM, client_of, create_session, pay_one
from tests.sandbox_process import API_KEY, Json, SandboxError, SandboxProcess, running_sandbox

URL = "/v1/checkout/sessions"


def post(
    sandbox: SandboxProcess, path: str, form: dict[str, str], key: str
) -> tuple[int, dict[str, str]]:
    request = urllib.request.Request(  # noqa: S310 - our own process
        sandbox.url + path,
        urlencode(form).encode(),
        {"Authorization": f"Bearer {API_KEY}", "Idempotency-Key": key},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - as above
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers)


def test_same_request_under_the_same_key_is_done_once(sandbox: SandboxProcess) -> None:
    first = sandbox.api("POST", URL, FORM, key="once")
    assert sandbox.api("POST", URL, FORM, key="once") == first
    latest = sandbox.api("GET", URL + "?limit=1")["data"]
    assert [session["id"] for session in latest] == [first["id"]]


def test_replay_says_that_it_is_one(sandbox: SandboxProcess) -> None:
    _, first = post(sandbox, URL, FORM, "told")
    _, second = post(sandbox, URL, FORM, "told")
    assert "Idempotent-Replayed" not in first
    assert second["Idempotent-Replayed"] == "true"
    assert second["Original-Request"] == first["Request-Id"]


def test_without_a_key_everything_is_done_each_time(sandbox: SandboxProcess) -> None:
    assert create_session(sandbox)["id"] != create_session(sandbox)["id"]


def test_key_is_not_used_with_other_parameters(sandbox: SandboxProcess) -> None:
    sandbox.api("POST", URL, FORM, key="params")
    with pytest.raises(SandboxError, match="same parameters") as caught:
        sandbox.api("POST", URL, {**FORM, AMOUNT: "2600"}, key="params")
    assert caught.value.status == 400
    assert caught.value.body["error"]["type"] == "idempotency_error"


def test_sdk_sees_an_idempotency_error(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    intent_id = pay_one(sandbox)["id"]
    options: stripe.RequestOptions = {"idempotency_key": "sdk"}
    client.v1.refunds.create({"payment_intent": intent_id, "amount": 100}, options)
    with pytest.raises(stripe.IdempotencyError):
        client.v1.refunds.create({"payment_intent": intent_id, "amount": 200}, options)


def test_key_is_not_used_for_another_endpoint(sandbox: SandboxProcess) -> None:
    sandbox.api("POST", URL, FORM, key="endpoint")
    with pytest.raises(SandboxError, match="same endpoint"):
        sandbox.api("POST", "/v1/customers", {}, key="endpoint")


def test_refusal_for_the_state_of_things_is_replayed(sandbox: SandboxProcess) -> None:
    session = sandbox.api("POST", URL, FORM)
    sandbox.pay(session["id"])
    path = f"{URL}/{session['id']}/expire"
    status, _ = post(sandbox, path, {}, "refused")
    replayed_status, headers = post(sandbox, path, {}, "refused")
    assert (status, replayed_status) == (400, 400)
    assert headers["Idempotent-Replayed"] == "true"


def test_refusal_for_the_parameters_is_not_kept(sandbox: SandboxProcess) -> None:
    for wrong in ({"ui_mode": "hosted"}, {AMOUNT: "1"}):
        with pytest.raises(SandboxError):
            sandbox.api("POST", URL, {**FORM, **wrong}, key="corrected")
    assert sandbox.api("POST", URL, FORM, key="corrected")["amount_total"] == 2500


def test_failed_request_leaves_nothing_behind(sandbox: SandboxProcess) -> None:
    before = sandbox.api("GET", URL + "?limit=1")["data"]
    with pytest.raises(SandboxError, match="cannot be expanded"):
        sandbox.api("POST", URL, {**FORM, "expand[]": "nothing"}, key="expand")
    assert sandbox.api("GET", URL + "?limit=1")["data"] == before


def test_twenty_at_once_make_one(sandbox: SandboxProcess) -> None:
    made: list[Json] = []
    conflicts: list[SandboxError] = []

    def create() -> None:
        try:
            made.append(sandbox.api("POST", URL, {**FORM, AMOUNT: "7777"}, key="race"))
        except SandboxError as error:
            conflicts.append(error)

    threads = [threading.Thread(target=create) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({session["id"] for session in made}) == 1
    assert {error.status for error in conflicts} <= {409}
    assert all(error.body["error"]["code"] == "idempotency_key_in_use" for error in conflicts)
    amounts = [one["amount_total"] for one in sandbox.api("GET", URL + "?limit=100")["data"]]
    assert amounts.count(7777) == 1


def test_key_outlives_the_process(tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "sandbox.sqlite") as sandbox:
        first = sandbox.api("POST", URL, FORM, key="crash")
        sandbox.kill()
        sandbox.start()
        assert sandbox.api("POST", URL, FORM, key="crash") == first


def test_key_is_neither_empty_nor_endless(sandbox: SandboxProcess) -> None:
    assert post(sandbox, URL, FORM, "k" * 256)[0] == 400
    assert post(sandbox, URL, FORM, "k" * 255)[0] == 200


def test_sdk_that_retries_by_itself_pays_once(sandbox: SandboxProcess) -> None:
    client = client_of(sandbox, retries=2)
    intent_id = pay_one(sandbox)["id"]
    refund = client.v1.refunds.create({"payment_intent": intent_id, "amount": 100})
    assert [one.id for one in client.v1.refunds.list({"payment_intent": intent_id})] == [refund.id]
