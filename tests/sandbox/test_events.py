from __future__ import annotations

import pytest
import stripe

from tests.sandbox.donor import create_session, pay_one
from tests.sandbox_process import SandboxProcess


def test_event_holds_the_object_as_it_was(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    session_id = create_session(sandbox)["id"]
    sandbox.pay(session_id)
    listed = client.v1.events.list({"type": "checkout.session.completed"}).data[0]
    assert listed.data.object["id"] == session_id
    client.v1.checkout.sessions.update(session_id, {"metadata": {"later": "yes"}})
    event = client.v1.events.retrieve(listed.id)
    assert event.id.startswith("evt_")
    assert (event.object, event.livemode) == ("event", False)
    assert event.api_version == stripe.api_version
    assert event.data.object["payment_status"] == "paid"
    assert event.data.object["metadata"].to_dict() == {}


def test_event_names_the_request_that_caused_it(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    intent_id = pay_one(sandbox)["id"]
    refund = client.v1.refunds.create(
        {"payment_intent": intent_id}, {"idempotency_key": f"refund-{intent_id}"}
    )
    event = client.v1.events.list({"type": "refund.created"}).data[0]
    assert event.data.object["id"] == refund.id
    assert event.request is not None
    assert event.request.idempotency_key == f"refund-{intent_id}"
    assert refund.last_response is not None
    assert event.request.id == refund.last_response.request_id
    by_page = client.v1.events.list({"type": "payment_intent.succeeded"}).data[0]
    assert by_page.request is not None
    assert (by_page.request.id, by_page.request.idempotency_key) == (None, None)


def test_events_are_listed_by_type_types_and_wildcard(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    pay_one(sandbox)
    by_wildcard = client.v1.events.list({"type": "payment_intent.*", "limit": 2})
    assert [event.type for event in by_wildcard][:2] == [
        "payment_intent.succeeded",
        "payment_intent.created",
    ]
    two = ["charge.succeeded", "checkout.session.completed"]
    assert {event.type for event in client.v1.events.list({"types": two})} == set(two)
    assert client.v1.events.list({"type": "charge.[a-z]*"}).data == []
    assert client.v1.events.list({"type": "payout.paid"}).data == []


def test_at_most_twenty_types_are_asked_for(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="up to 20 types"):
        client.v1.events.list({"types": ["charge.succeeded"] * 21})
    client.v1.events.list({"types": ["charge.succeeded"] * 20})
    with pytest.raises(stripe.InvalidRequestError, match="not both"):
        client.v1.events.list({"types": ["charge.succeeded"], "type": "charge.failed"})


def test_events_are_listed_by_their_time(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    pay_one(sandbox)
    created = client.v1.events.list({"limit": 1}).data[0].created
    assert client.v1.events.list({"created": created}).data
    assert client.v1.events.list({"created": {"gte": created, "lte": created}}).data
    assert client.v1.events.list({"created": {"gt": created + 5}}).data == []
    assert client.v1.events.list({"created": {"lt": created - 600}}).data == []


def test_undelivered_events_can_be_asked_for(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    endpoint = client.v1.webhook_endpoints.create(
        {"url": "http://127.0.0.1:9/nobody", "enabled_events": ["charge.succeeded"]}
    )
    charge_id = pay_one(sandbox)["latest_charge"]["id"]
    failed = client.v1.events.list({"delivery_success": False, "type": "charge.succeeded"})
    assert failed.data[0].data.object["id"] == charge_id
    good = client.v1.events.list({"delivery_success": True, "type": "charge.succeeded"})
    assert charge_id not in {event.data.object["id"] for event in good}
    client.v1.webhook_endpoints.delete(endpoint.id)
