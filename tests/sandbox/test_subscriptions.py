from __future__ import annotations

import pytest
import stripe

from tests.sandbox.donor import FORM, MONTHLY, create_session, subscribe, visit
from tests.sandbox_process import Json, SandboxError, SandboxProcess

LATER_DECLINED = "4000000000000341"
INTERVAL = "line_items[0][price_data][recurring][interval]"
URL = "/v1/checkout/sessions"


def told_since(sandbox: SandboxProcess, first: int) -> list[str]:
    """List what was told, but for the balance's own time: an earlier test's charge may join in."""
    types = [event["type"] for event in sandbox.events()[first:]]
    return [type_ for type_ in types if type_ != "charge.updated"]


def test_paid_session_leads_to_subscription_and_invoice(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    session_id = sandbox.api("POST", URL, MONTHLY)["id"]
    paid = sandbox.pay(session_id, email="monthly@example.com")
    assert paid["outcome"] == "paid"
    session = client.v1.checkout.sessions.retrieve(
        session_id, {"expand": ["subscription", "invoice", "customer"]}
    )
    assert (session.status, session.payment_status) == ("complete", "paid")
    assert session.payment_intent is None
    assert session.metadata is not None
    assert session.metadata.to_dict() == {"of": "session"}
    assert isinstance(session.customer, stripe.Customer)
    assert session.customer.email == "monthly@example.com"

    subscription = session.subscription
    assert isinstance(subscription, stripe.Subscription)
    assert subscription.id.startswith("sub_")
    assert (subscription.status, subscription.cancel_at) == ("active", None)
    assert subscription.metadata.to_dict() == {"of": "subscription"}
    assert not hasattr(subscription, "current_period_end")
    item = subscription["items"].data[0]
    assert (item.price.unit_amount, item.price.recurring.interval) == (2500, "month")
    assert 28 * 86_400 <= item.current_period_end - item.current_period_start <= 31 * 86_400

    invoice = session.invoice
    assert isinstance(invoice, stripe.Invoice)
    assert (invoice.status, invoice.amount_paid, invoice.total) == ("paid", 2500, 2500)
    assert invoice.billing_reason == "subscription_create"
    assert invoice.parent is not None
    details = invoice.parent.subscription_details
    assert details is not None
    assert details.subscription == subscription.id
    assert details.metadata is not None
    assert details.metadata.to_dict() == {"of": "subscription"}
    for gone in ("charge", "payment_intent", "subscription", "paid"):
        assert gone not in invoice


def test_invoice_payment_is_the_only_link_to_the_payment(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    subscription = subscribe(sandbox)
    listed = client.v1.invoice_payments.list
    found = listed({"invoice": subscription["latest_invoice"], "status": "paid"}).data
    assert [(one.amount_paid, one.status, one.is_default) for one in found] == [
        (2500, "paid", True)
    ]
    assert found[0].id.startswith("inpay_")
    assert found[0].payment.type == "payment_intent"
    intent_id = found[0].payment.payment_intent
    assert isinstance(intent_id, str)
    by_intent = listed({"payment": {"type": "payment_intent", "payment_intent": intent_id}})
    assert [one.id for one in by_intent.data] == [found[0].id]
    assert client.v1.invoice_payments.retrieve(found[0].id).invoice == found[0].invoice
    assert listed({"invoice": subscription["latest_invoice"], "status": "open"}).data == []
    with pytest.raises(stripe.InvalidRequestError, match="No such invoice"):
        listed({"invoice": "in_nothing"})
    with pytest.raises(stripe.InvalidRequestError, match="Missing required param"):
        listed({"payment": {"type": "payment_intent"}})

    intent = client.v1.payment_intents.retrieve(intent_id, {"expand": ["latest_charge"]})
    assert (intent.status, intent.amount_received) == ("succeeded", 2500)
    assert intent.metadata.to_dict() == {}
    assert intent.description == "Subscription creation"
    assert "invoice" not in intent
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert charge.metadata.to_dict() == {}
    assert "invoice" not in charge


def test_beginning_tells_its_events_once_each(sandbox: SandboxProcess) -> None:
    before = len(sandbox.events())
    session_id = sandbox.api("POST", URL, MONTHLY)["id"]
    sandbox.pay(session_id)
    told = told_since(sandbox, before)
    assert told[:13] == [
        "payment_intent.created",
        "customer.created",
        "payment_method.attached",
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
        "customer.subscription.updated",
        "checkout.session.completed",
    ]


def test_declined_first_payment_makes_no_subscription(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    session_id = sandbox.api("POST", URL, MONTHLY)["id"]
    assert sandbox.pay(session_id, "4000000000000002")["outcome"] == "declined"
    session = client.v1.checkout.sessions.retrieve(session_id)
    assert (session.status, session.subscription, session.invoice) == ("open", None, None)
    assert sandbox.pay(session_id)["outcome"] == "paid"
    again = sandbox.pay(session_id)
    assert again["outcome"] == "paid"
    invoices = client.v1.invoices.list({"subscription": again["subscription"]}).data
    assert len(invoices) == 1


def test_secured_card_begins_after_the_bank_said_yes(sandbox: SandboxProcess) -> None:
    session_id = sandbox.api("POST", URL, MONTHLY)["id"]
    asked = sandbox.pay(session_id, "4000002500003155")
    assert (asked["outcome"], asked["subscription"]) == ("requires_action", None)
    assert sandbox.authenticate(session_id)["subscription"].startswith("sub_")


def test_known_customer_keeps_giving(client: stripe.StripeClient, sandbox: SandboxProcess) -> None:
    customer = client.v1.customers.create({"email": "known@example.com"})
    subscription = subscribe(sandbox, customer=customer.id)
    assert subscription["customer"] == customer.id
    listed = client.v1.subscriptions.list({"customer": customer.id})
    assert [one.id for one in listed.data] == [subscription["id"]]


def test_subscription_ends_at_once(client: stripe.StripeClient, sandbox: SandboxProcess) -> None:
    subscription = subscribe(sandbox)
    ended = client.v1.subscriptions.cancel(
        subscription["id"], {"cancellation_details": {"comment": "Goodbye"}}
    )
    assert ended.status == "canceled"
    assert ended.ended_at is not None
    assert ended.cancellation_details is not None
    assert ended.cancellation_details.comment == "Goodbye"
    told = sandbox.events("customer.subscription.deleted")
    assert told[-1]["data"]["object"]["id"] == ended.id
    with pytest.raises(stripe.InvalidRequestError, match="canceled"):
        client.v1.subscriptions.cancel(ended.id)
    with pytest.raises(SandboxError, match="canceled"):
        sandbox.cancel(ended.id, at_period_end=True)
    listed = client.v1.subscriptions.list
    customer = {"customer": subscription["customer"]}
    assert listed({"customer": subscription["customer"]}).data == []
    for status in ("all", "canceled", "ended"):
        by_api = sandbox.api(
            "GET", f"/v1/subscriptions?customer={customer['customer']}&status={status}"
        )
        assert [one["id"] for one in by_api["data"]] == [ended.id]


def test_end_with_the_period_shows_as_cancel_at(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    subscription = subscribe(sandbox)
    ends_at = subscription["items"]["data"][0]["current_period_end"]
    by_donor = sandbox.cancel(subscription["id"], at_period_end=True)
    assert (by_donor["status"], by_donor["cancel_at"]) == ("active", ends_at)
    assert by_donor["cancel_at_period_end"] is False
    updated = client.v1.subscriptions.update(subscription["id"], {"cancel_at_period_end": False})
    assert (updated.cancel_at, updated.canceled_at) == (None, None)
    updated = client.v1.subscriptions.update(subscription["id"], {"cancel_at_period_end": True})
    assert (updated.cancel_at, updated.cancel_at_period_end) == (ends_at, True)


def test_metadata_changes_and_nothing_else_does(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    subscription_id = subscribe(sandbox)["id"]
    updated = client.v1.subscriptions.update(subscription_id, {"metadata": {"note": "x"}})
    assert updated.metadata.to_dict() == {"of": "subscription", "note": "x"}
    with pytest.raises(stripe.InvalidRequestError, match="does not speak"):
        client.v1.subscriptions.update(subscription_id, {"description": "other"})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({INTERVAL: "fortnight"}, "must be one of"),
        ({"line_items[0][price_data][recurring][interval_count]": "37"}, "three years at most"),
        ({"payment_intent_data[metadata][of]": "intent"}, "payment_intent_data"),
        ({"customer_creation": "always"}, "customer_creation"),
        ({"subscription_data[default_tax_rates][0]": "txr_1"}, "does not speak"),
        ({"subscription_data[trial_period_days]": "0"}, "1 to 730 days"),
        ({"line_items[0][price_data][unit_amount]": "10"}, "at least"),
    ],
)
def test_what_does_not_fit_a_subscription_is_refused(
    sandbox: SandboxProcess, changes: dict[str, str], words: str
) -> None:
    with pytest.raises(SandboxError, match=words):
        sandbox.api("POST", URL, {**MONTHLY, **changes})


def test_mode_and_price_go_together(sandbox: SandboxProcess) -> None:
    with pytest.raises(SandboxError, match="at least one recurring price"):
        create_session(sandbox, mode="subscription")
    with pytest.raises(SandboxError, match="only one-time prices"):
        sandbox.api("POST", URL, {**FORM, INTERVAL: "month"})
    with pytest.raises(SandboxError, match="subscription_data"):
        create_session(sandbox, **{"subscription_data[metadata][of]": "x"})


def test_expanded_parts_of_invoices(client: stripe.StripeClient, sandbox: SandboxProcess) -> None:
    invoice_id = subscribe(sandbox)["latest_invoice"]
    path = "parent.subscription_details.subscription"
    invoice: Json = client.v1.invoices.retrieve(
        invoice_id, {"expand": [path, "payments.data.payment.payment_intent"]}
    ).to_dict()
    assert invoice["parent"]["subscription_details"]["subscription"]["object"] == "subscription"
    paid_by = invoice["payments"]["data"][0]["payment"]["payment_intent"]
    assert paid_by["amount_received"] == 2500
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        client.v1.invoices.retrieve(invoice_id, {"expand": ["payment_intent"]})


def test_invoices_are_listed_by_subscription_status_and_time(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    subscription = subscribe(sandbox)
    listed = client.v1.invoices.list
    of_it = {"subscription": subscription["id"]}
    ids = [subscription["latest_invoice"]]
    assert [one.id for one in listed({"subscription": subscription["id"]})] == ids
    assert [one.id for one in listed({"subscription": subscription["id"], "status": "paid"})] == ids
    assert listed({"subscription": subscription["id"], "status": "open"}).data == []
    later = sandbox.now() + 60
    assert listed({"subscription": of_it["subscription"], "created": {"gte": later}}).data == []
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription"):
        listed({"subscription": "sub_nothing"})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Every month, until it is canceled."),
        (
            {"line_items[0][price_data][recurring][interval_count]": "3"},
            "Every 3 months, until it is canceled.",
        ),
        (
            {"subscription_data[trial_period_days]": "7"},
            "After the trial $25.00 every month, until it is canceled.",
        ),
    ],
)
def test_page_says_how_often(sandbox: SandboxProcess, changes: dict[str, str], words: str) -> None:
    monthly = sandbox.api("POST", URL, {**MONTHLY, **changes})
    assert words in " ".join(visit(sandbox, f"/pay/{monthly['id']}").text.split())
    once = create_session(sandbox)
    assert 'id="recurring"' not in visit(sandbox, f"/pay/{once['id']}").text
