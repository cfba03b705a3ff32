from __future__ import annotations

import time

import pytest
import stripe

from tests.sandbox.donor import AMOUNT, create_session, pay_one, payment
from tests.sandbox_process import SandboxError, SandboxProcess


def types_about(sandbox: SandboxProcess, intent_id: str, session_id: str) -> list[str]:
    def is_ours(event: dict[str, object]) -> bool:
        data = event["data"]
        assert isinstance(data, dict)
        about = data["object"]
        return intent_id in (about["id"], about.get("payment_intent")) or about["id"] == session_id

    return [event["type"] for event in sandbox.events() if is_ours(event)]


def settled(sandbox: SandboxProcess, intent_id: str) -> dict[str, object]:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        intent = payment(sandbox, intent_id)
        transaction = intent["latest_charge"]["balance_transaction"]
        if transaction is not None:
            assert isinstance(transaction, dict)
            return transaction
        time.sleep(0.05)
    raise AssertionError("the charge was not settled")


def test_paid_session_leads_to_intent_and_charge(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    session_id = create_session(
        sandbox,
        **{
            "metadata[of]": "session",
            "payment_intent_data[metadata][of]": "intent",
            "payment_intent_data[description]": "A gift",
        },
    )["id"]
    paid = sandbox.pay(session_id, email="jane@example.com")
    assert paid["outcome"] == "paid"
    assert paid["success_url"] == f"https://goalpost.example/thanks?session={session_id}"

    session = client.v1.checkout.sessions.retrieve(session_id)
    assert (session.status, session.payment_status) == ("complete", "paid")
    assert session.url is None
    assert session.customer is None
    assert session.customer_details is not None
    assert session.customer_details.email == "jane@example.com"

    intent = client.v1.payment_intents.retrieve(
        paid["payment_intent"], {"expand": ["latest_charge"]}
    )
    assert session.payment_intent == intent.id
    assert (intent.status, intent.amount, intent.amount_received) == ("succeeded", 2500, 2500)
    assert intent.metadata.to_dict() == {"of": "intent"}
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (charge.paid, charge.captured, charge.status) == (True, True, "succeeded")
    assert charge.metadata.to_dict() == {"of": "intent"}
    assert charge.description == "A gift"
    assert charge.payment_intent == intent.id
    assert [found.id for found in client.v1.charges.list({"payment_intent": intent.id})] == [
        charge.id
    ]


def test_payment_tells_its_events_in_stripes_order(sandbox: SandboxProcess) -> None:
    session_id = create_session(sandbox)["id"]
    intent_id = sandbox.pay(session_id)["payment_intent"]
    assert types_about(sandbox, intent_id, session_id)[:4] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


def test_fee_is_unknown_at_first_and_told_a_second_later(sandbox: SandboxProcess) -> None:
    intent = pay_one(sandbox)
    assert intent["latest_charge"]["balance_transaction"] is None
    transaction = settled(sandbox, intent["id"])
    assert (transaction["amount"], transaction["fee"], transaction["net"]) == (2500, 103, 2397)
    told = [
        event
        for event in sandbox.events("charge.updated")
        if event["data"]["object"]["payment_intent"] == intent["id"]
    ]
    assert len(told) == 1
    assert told[0]["data"]["object"]["balance_transaction"] == transaction["id"]
    assert told[0]["data"]["previous_attributes"] == {"balance_transaction": None}


def test_balance_transactions_are_found_by_their_source(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    intent = pay_one(sandbox)
    transaction = settled(sandbox, intent["id"])
    found = client.v1.balance_transactions.list({"source": intent["latest_charge"]["id"]})
    assert [one.id for one in found.data] == [transaction["id"]]
    one = client.v1.balance_transactions.retrieve(found.data[0].id, {"expand": ["source"]})
    assert isinstance(one.source, stripe.Charge)
    assert one.status == "pending"


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("4000000000000002", "card_declined", "generic_decline"),
        ("4000000000009995", "card_declined", "insufficient_funds"),
        ("4000000000000069", "expired_card", None),
        ("4000000000000127", "incorrect_cvc", None),
    ],
)
def test_declined_card_moves_nothing_and_can_be_replaced(
    sandbox: SandboxProcess, card: str, code: str, decline_code: str | None
) -> None:
    session_id = create_session(sandbox)["id"]
    declined = sandbox.pay(session_id, card)
    assert declined["outcome"] == "declined"
    intent = payment(sandbox, declined["payment_intent"])
    assert (intent["status"], intent["amount_received"]) == ("requires_payment_method", 0)
    assert intent["last_payment_error"]["code"] == code
    assert intent["last_payment_error"].get("decline_code") == decline_code
    assert (intent["latest_charge"]["status"], intent["latest_charge"]["paid"]) == ("failed", False)
    assert types_about(sandbox, intent["id"], session_id) == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    ]
    again = sandbox.pay(session_id)
    assert again["outcome"] == "paid"
    assert again["payment_intent"] == intent["id"]
    charges = sandbox.api("GET", f"/v1/charges?payment_intent={intent['id']}")["data"]
    assert [charge["status"] for charge in charges] == ["succeeded", "failed"]


def test_secured_card_is_paid_after_the_bank_said_yes(sandbox: SandboxProcess) -> None:
    session_id = create_session(sandbox)["id"]
    asked = sandbox.pay(session_id, "4000002500003155")
    assert asked["outcome"] == "requires_action"
    intent = payment(sandbox, asked["payment_intent"])
    assert (intent["status"], intent["amount_received"]) == ("requires_action", 0)
    assert intent["next_action"]["type"] == "redirect_to_url"
    assert intent["latest_charge"] is None
    assert sandbox.authenticate(session_id)["outcome"] == "paid"
    intent = payment(sandbox, asked["payment_intent"])
    assert (intent["status"], intent["next_action"]) == ("succeeded", None)
    secured = intent["latest_charge"]["payment_method_details"]["card"]["three_d_secure"]
    assert secured["result"] == "authenticated"


def test_secured_card_is_not_paid_after_the_bank_said_no(sandbox: SandboxProcess) -> None:
    session_id = create_session(sandbox)["id"]
    sandbox.pay(session_id, "4000000000003220")
    failed = sandbox.authenticate(session_id, passed=False)
    assert failed["outcome"] == "declined"
    intent = payment(sandbox, failed["payment_intent"])
    assert intent["status"] == "requires_payment_method"
    assert intent["last_payment_error"]["code"] == "payment_intent_authentication_failure"
    assert intent["latest_charge"] is None
    assert "payment_intent.payment_failed" in types_about(sandbox, intent["id"], session_id)
    assert sandbox.authenticate(session_id)["outcome"] == "declined"  # The bank asked once.
    assert sandbox.pay(session_id)["outcome"] == "paid"


def test_second_payment_of_a_session_takes_no_money(sandbox: SandboxProcess) -> None:
    session_id = create_session(sandbox)["id"]
    first = sandbox.pay(session_id)
    second = sandbox.pay(session_id, "5555555555554444")
    assert (second["outcome"], second["payment_intent"]) == ("paid", first["payment_intent"])
    charges = sandbox.api("GET", f"/v1/charges?payment_intent={first['payment_intent']}")["data"]
    assert len(charges) == 1


def test_unknown_card_is_refused(sandbox: SandboxProcess) -> None:
    session_id = create_session(sandbox)["id"]
    with pytest.raises(SandboxError, match="This test card is not known here"):
        sandbox.pay(session_id, "4111111111111111")


def test_customer_is_made_only_when_the_session_asks_for_one(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    assert pay_one(sandbox)["customer"] is None
    session_id = create_session(sandbox, customer_creation="always")["id"]
    sandbox.pay(session_id, email="always@example.com")
    session = client.v1.checkout.sessions.retrieve(session_id, {"expand": ["customer"]})
    assert isinstance(session.customer, stripe.Customer)
    assert session.customer.email == "always@example.com"
    found = client.v1.customers.list({"email": "always@example.com"})
    assert [customer.id for customer in found.data] == [session.customer.id]
    assert client.v1.customers.list({"email": "nobody@example.com"}).data == []


def test_known_customer_is_kept_and_their_address_filled_in(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    customer = client.v1.customers.create({"name": "Jane", "metadata": {"donor": "5"}})
    session_id = create_session(sandbox, customer=customer.id)["id"]
    sandbox.pay(session_id, email="filled@example.com")
    assert client.v1.checkout.sessions.retrieve(session_id).customer == customer.id
    assert client.v1.customers.retrieve(customer.id).email == "filled@example.com"
    updated = client.v1.customers.update(customer.id, {"email": "new@example.com"})
    assert (updated.email, updated.name) == ("new@example.com", "Jane")


def test_amounts_near_the_limit_stay_exact(sandbox: SandboxProcess) -> None:
    intent = pay_one(sandbox, **{AMOUNT: "999999999999"})
    transaction = settled(sandbox, intent["id"])
    assert intent["amount_received"] == 999_999_999_999
    assert transaction["fee"] == 29_000_000_030


def test_client_secret_must_fit(client: stripe.StripeClient, sandbox: SandboxProcess) -> None:
    intent = pay_one(sandbox)
    with pytest.raises(stripe.InvalidRequestError, match="does not match"):
        client.v1.payment_intents.retrieve(intent["id"], {"client_secret": "another"})
    good = client.v1.payment_intents.retrieve(
        intent["id"], {"client_secret": intent["client_secret"]}
    )
    assert good.id == intent["id"]
