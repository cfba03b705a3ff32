"""Hold the sandbox's objects against Stripe's own fixtures, where those lie at hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import stripe

from sandbox.settings import API_VERSION
from tests.sandbox.donor import create_session, settled, subscribe
from tests.sandbox_process import Json, SandboxProcess

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "stripe" / "fixtures3.json"
# The SDK's versions no longer show a charge's refunds unless they are asked for, and an invoice no
# longer names its subscription at the top.
LEFT_OUT = {"charge": {"refunds"}, "invoice": {"subscription"}}


@pytest.fixture(scope="module")
def objects(sandbox: SandboxProcess) -> dict[str, Json]:
    """One object of every kind, after a payment and a refund."""
    session_id = create_session(sandbox, customer_creation="always")["id"]
    intent_id = sandbox.pay(session_id)["payment_intent"]
    refund = sandbox.refund(intent_id, 100)
    subscription = subscribe(sandbox)
    invoice = sandbox.api("GET", f"/v1/invoices/{subscription['latest_invoice']}?expand[]=payments")
    dispute = sandbox.dispute(intent_id)
    session = sandbox.api("GET", f"/v1/checkout/sessions/{session_id}?expand[]=line_items")
    path = "/v1/payment_intents/{}?expand[]=latest_charge&expand[]=customer&expand[]=payment_method"
    intent = sandbox.api("GET", path.format(intent_id))
    transaction_id = refund["balance_transaction"]
    endpoints = sandbox.api("GET", "/v1/webhook_endpoints")["data"]
    settled(sandbox, sandbox.foreign_payment(5_000, "sgd")["id"])
    found = [
        session,
        session["line_items"]["data"][0],
        session["line_items"]["data"][0]["price"],
        intent,
        intent["latest_charge"],
        intent["customer"],
        intent["payment_method"],
        refund,
        sandbox.api("POST", "/v1/billing_portal/sessions", {"customer": subscription["customer"]}),
        sandbox.api("GET", "/v1/billing_portal/configurations")["data"][0],
        subscription,
        subscription["items"]["data"][0],
        subscription["items"]["data"][0]["plan"],
        invoice,
        invoice["lines"]["data"][0],
        invoice["payments"]["data"][0],
        dispute,
        sandbox.api("GET", f"/v1/balance_transactions/{transaction_id}"),
        sandbox.pay_out("sgd"),
        sandbox.events()[-1],
        endpoints[0],
    ]
    return {one["object"]: one for one in found}


KINDS = {
    "checkout.session": stripe.checkout.Session,
    "item": stripe.LineItem,
    "price": stripe.Price,
    "payment_intent": stripe.PaymentIntent,
    "charge": stripe.Charge,
    "customer": stripe.Customer,
    "payment_method": stripe.PaymentMethod,
    "refund": stripe.Refund,
    "subscription": stripe.Subscription,
    "subscription_item": stripe.SubscriptionItem,
    "plan": stripe.Plan,
    "invoice": stripe.Invoice,
    "line_item": stripe.InvoiceLineItem,
    "invoice_payment": stripe.InvoicePayment,
    "billing_portal.session": stripe.billing_portal.Session,
    "billing_portal.configuration": stripe.billing_portal.Configuration,
    "dispute": stripe.Dispute,
    "balance_transaction": stripe.BalanceTransaction,
    "payout": stripe.Payout,
    "event": stripe.Event,
    "webhook_endpoint": stripe.WebhookEndpoint,
}


@pytest.mark.skipif(not FIXTURES.exists(), reason="Stripe's fixtures are not here")
@pytest.mark.parametrize("kind", KINDS)
def test_object_has_every_field_of_stripes(objects: dict[str, Json], kind: str) -> None:
    fixture = json.loads(FIXTURES.read_text())["resources"][kind]
    assert set(fixture) - set(objects[kind]) - LEFT_OUT.get(kind, set()) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_object_has_no_field_that_the_sdk_does_not_know(
    objects: dict[str, Json], kind: str
) -> None:
    assert set(objects[kind]) - set(KINDS[kind].__annotations__) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_object_is_of_test_mode_and_dated(objects: dict[str, Json], kind: str) -> None:
    one = objects[kind]
    assert one.get("livemode", False) is False
    assert isinstance(one.get("created", 1), int)


def test_version_is_the_sdks() -> None:
    assert stripe.api_version == API_VERSION


def test_line_item_fee_and_session_hold_no_hidden_state(objects: dict[str, Json]) -> None:
    text = json.dumps(objects)
    assert "4242424242424242" not in text
    assert "payment_intent_data" not in text
