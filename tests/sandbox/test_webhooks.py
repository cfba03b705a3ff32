from __future__ import annotations

import time
from pathlib import Path

import pytest
import stripe

from tests.sandbox.donor import create_session, pay_one
from tests.sandbox.receiver import Receiver
from tests.sandbox_process import SandboxProcess, running_sandbox


def test_delivery_is_signed_as_the_sdk_expects(sandbox: SandboxProcess, receiver: Receiver) -> None:
    intent_id = pay_one(sandbox)["id"]
    delivery = receiver.wait_for("payment_intent.succeeded", intent_id)[0]
    assert delivery.headers["content-type"] == "application/json; charset=utf-8"
    assert delivery.headers["stripe-signature"].startswith("t=")
    assert delivery.event["pending_webhooks"] == 1
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(
            delivery.raw + b" ", delivery.headers["stripe-signature"], receiver.secret
        )
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(
            delivery.raw, delivery.headers["stripe-signature"], "whsec_another"
        )


def test_delivered_event_waits_for_nobody_any_more(
    client: stripe.StripeClient, sandbox: SandboxProcess, receiver: Receiver
) -> None:
    intent_id = pay_one(sandbox)["id"]
    event_id = receiver.wait_for("charge.updated", _charge_of(sandbox, intent_id))[0].event["id"]
    until = time.monotonic() + 5
    while client.v1.events.retrieve(event_id).pending_webhooks and time.monotonic() < until:
        time.sleep(0.02)
    assert client.v1.events.retrieve(event_id).pending_webhooks == 0


def _charge_of(sandbox: SandboxProcess, intent_id: str) -> str:
    charge_id: str = sandbox.api("GET", f"/v1/payment_intents/{intent_id}")["latest_charge"]
    return charge_id


@pytest.mark.parametrize("status", [500, 404, 302])
def test_anything_but_2xx_is_tried_again_with_the_same_bytes(
    sandbox: SandboxProcess, listener: Receiver, status: int
) -> None:
    listener.status = status
    intent_id = pay_one(sandbox)["id"]
    listener.wait_for("payment_intent.succeeded", intent_id)
    listener.status = 200
    first, second = listener.wait_for("payment_intent.succeeded", intent_id, count=2)[:2]
    assert first.raw == second.raw
    assert second.at - first.at > 0.9


def test_waits_between_attempts_grow(sandbox: SandboxProcess, listener: Receiver) -> None:
    listener.status = 500
    intent_id = pay_one(sandbox)["id"]
    tries = listener.wait_for("payment_intent.succeeded", intent_id, count=3)
    assert tries[1].at - tries[0].at < tries[2].at - tries[1].at
    event_id = tries[0].event["id"]
    mine = [one for one in sandbox.deliveries() if one["event"] == event_id]
    assert {one["state"] for one in mine} <= {"waiting", "sending", "delivered"}


def test_undelivered_webhooks_go_out_after_a_crash(tmp_path: Path, receiver: Receiver) -> None:
    with running_sandbox(tmp_path / "sandbox.sqlite", "http://127.0.0.1:9/nobody") as sandbox:
        intent_id = pay_one(sandbox)["id"]
        sandbox.kill()
        sandbox.webhook_url = receiver.url
        sandbox.start()
        sandbox.hurry()
        receiver.wait_for("payment_intent.succeeded", intent_id)


def test_event_can_be_sent_again(sandbox: SandboxProcess, receiver: Receiver) -> None:
    intent_id = pay_one(sandbox)["id"]
    first = receiver.wait_for("payment_intent.succeeded", intent_id)[0]
    assert sandbox.redeliver(first.event["id"]) == {"endpoints": 1}
    again = receiver.wait_for("payment_intent.succeeded", intent_id, count=2)[1]
    assert again.event["id"] == first.event["id"]


def test_donor_waits_for_the_answer_to_completed(
    sandbox: SandboxProcess, listener: Receiver
) -> None:
    listener.delay_seconds = 0.6
    session_id = create_session(sandbox)["id"]
    sandbox.pay(session_id)
    assert [
        received.event["data"]["object"]["id"]
        for received in listener.received
        if received.event["type"] == "checkout.session.completed"
    ] == [session_id]


def test_endpoint_hears_what_it_asked_for(
    client: stripe.StripeClient, sandbox: SandboxProcess, listener: Receiver
) -> None:
    endpoint = client.v1.webhook_endpoints.list({"limit": 1}).data[0]
    assert endpoint.url == listener.url
    assert "secret" not in endpoint
    client.v1.webhook_endpoints.update(
        endpoint.id, {"enabled_events": ["refund.created", "refund.updated"]}
    )
    intent_id = pay_one(sandbox)["id"]
    refund_id = sandbox.refund(intent_id)["id"]
    listener.wait_for("refund.created", refund_id)
    # A charge of an earlier test may still have been settled before the update.
    about = {received.event["type"] for received in listener.received}
    assert about <= {"refund.created", "charge.updated"}


def test_disabled_endpoint_hears_nothing(
    client: stripe.StripeClient, sandbox: SandboxProcess, receiver: Receiver, listener: Receiver
) -> None:
    endpoint = client.v1.webhook_endpoints.list({"limit": 1}).data[0]
    assert client.v1.webhook_endpoints.update(endpoint.id, {"disabled": True}).status == "disabled"
    intent_id = pay_one(sandbox)["id"]
    receiver.wait_for("payment_intent.succeeded", intent_id)
    assert "payment_intent.succeeded" not in {one.event["type"] for one in listener.received}


def test_deleted_endpoint_is_gone(client: stripe.StripeClient) -> None:
    endpoint = client.v1.webhook_endpoints.create(
        {
            "url": "http://127.0.0.1:9/nobody",
            "enabled_events": ["invoice.paid"],
            "api_version": "2026-10-28.endive",
        }
    )
    assert endpoint.secret is not None
    assert endpoint.secret.startswith("whsec_")
    assert client.v1.webhook_endpoints.delete(endpoint.id).deleted is True
    with pytest.raises(stripe.InvalidRequestError, match="No such webhook_endpoint"):
        client.v1.webhook_endpoints.retrieve(endpoint.id)


def test_endpoint_needs_an_address_and_our_version(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Invalid URL"):
        client.v1.webhook_endpoints.create({"url": "ftp://x", "enabled_events": ["*"]})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.webhook_endpoints.create(
            {"url": "http://x.example", "enabled_events": ["*"], "api_version": "2020-08-27"}
        )
    assert caught.value.param == "api_version"
