"""Bank debits: paid days after the donor was thanked, or never."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stripe

from tests.sandbox.donor import (
    MONTHLY,
    client_of,
    create_session,
    pay_one,
    payment,
    visit,
)
from tests.sandbox_process import SandboxError, SandboxProcess, running_sandbox

DEBIT = {"method": "bank_debit", "email": "jane@example.com", "name": "Jane Donor"}
DAY_SECONDS = 86_400


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("delayed") / "sandbox.sqlite") as sandbox:
        yield sandbox


def debit_one(sandbox: SandboxProcess, **changes: str) -> tuple[str, str]:
    """Pay a session by bank debit; give its id and its payment intent's."""
    session_id = create_session(sandbox, **changes)["id"]
    paid = sandbox.pay(session_id, method="bank_debit")
    assert paid["outcome"] == "processing"
    return session_id, paid["payment_intent"]


def told(sandbox: SandboxProcess, session_id: str, intent_id: str) -> list[str]:
    return [
        event["type"]
        for event in sandbox.events()
        if event["data"]["object"]["id"] == session_id
        or intent_id
        in (event["data"]["object"]["id"], event["data"]["object"].get("payment_intent"))
    ]


def test_session_is_complete_and_unpaid_while_the_bank_is_asked(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    session_id, intent_id = debit_one(sandbox)
    session = client.v1.checkout.sessions.retrieve(session_id)
    assert (session.status, session.payment_status) == ("complete", "unpaid")
    assert session.payment_intent == intent_id
    intent = client.v1.payment_intents.retrieve(intent_id, {"expand": ["latest_charge"]})
    assert (intent.status, intent.amount_received) == ("processing", 0)
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert (intent.latest_charge.status, intent.latest_charge.paid) == ("pending", False)
    assert intent.latest_charge.amount_captured == 0
    details = intent.latest_charge.payment_method_details
    assert details is not None
    assert details.type == "us_bank_account"
    assert told(sandbox, session_id, intent_id) == [
        "payment_intent.created",
        "charge.pending",
        "payment_intent.processing",
        "checkout.session.completed",
    ]
    with pytest.raises(stripe.InvalidRequestError, match="successful charge"):
        client.v1.refunds.create({"payment_intent": intent_id})
    with pytest.raises(SandboxError, match="did not succeed"):
        sandbox.dispute(intent_id)


def test_money_arrives_when_the_bank_says_so(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    session_id, intent_id = debit_one(sandbox)
    assert sandbox.settle(intent_id)["status"] == "succeeded"
    session = client.v1.checkout.sessions.retrieve(session_id)
    assert session.payment_status == "paid"
    intent = payment(sandbox, intent_id)
    assert (intent["amount_received"], intent["latest_charge"]["paid"]) == (2500, True)
    assert told(sandbox, session_id, intent_id)[4:7] == [
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.async_payment_succeeded",
    ]
    for button in (sandbox.settle, sandbox.fail):
        with pytest.raises(SandboxError, match="not processing"):
            button(intent_id)
    dispute = sandbox.dispute(intent_id)
    assert (dispute["payment_method_details"], dispute["status"]) == (None, "needs_response")


def test_debit_that_fails_brings_nothing(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    session_id, intent_id = debit_one(sandbox)
    sandbox.fail(intent_id)
    session = client.v1.checkout.sessions.retrieve(session_id)
    assert (session.status, session.payment_status) == ("complete", "unpaid")
    intent = payment(sandbox, intent_id)
    assert (intent["status"], intent["amount_received"]) == ("requires_payment_method", 0)
    assert intent["latest_charge"]["status"] == "failed"
    assert intent["last_payment_error"]["charge"] == intent["latest_charge"]["id"]
    assert told(sandbox, session_id, intent_id)[4:] == [
        "charge.failed",
        "payment_intent.payment_failed",
        "checkout.session.async_payment_failed",
    ]
    with pytest.raises(SandboxError, match="not processing"):
        sandbox.settle(intent_id)


def test_money_arrives_by_itself_after_three_days(own: SandboxProcess) -> None:
    started = own.now()
    session_id, intent_id = debit_one(own)
    failed_session_id, failed_id = debit_one(own)
    own.fail(failed_id)
    own.advance(2 * DAY_SECONDS)
    assert payment(own, intent_id)["status"] == "processing"
    own.advance(DAY_SECONDS + 60)
    charge = payment(own, intent_id)["latest_charge"]
    assert charge["status"] == "succeeded"
    assert charge["created"] - started < 60  # The day of the attempt, not of the arrival.
    arrived = own.events("checkout.session.async_payment_succeeded")
    assert [event["data"]["object"]["id"] for event in arrived] == [session_id]
    assert arrived[0]["created"] - started >= 3 * DAY_SECONDS
    assert payment(own, failed_id)["status"] == "requires_payment_method"
    failed = own.events("checkout.session.async_payment_failed")
    assert [event["data"]["object"]["id"] for event in failed] == [failed_session_id]


def test_session_of_a_debit_does_not_expire(own: SandboxProcess) -> None:
    session_id, _ = debit_one(own)
    own.advance(2 * DAY_SECONDS)
    assert own.api("GET", f"/v1/checkout/sessions/{session_id}")["status"] == "complete"


def test_page_offers_bank_debits_for_single_gifts_only(sandbox: SandboxProcess) -> None:
    session_id = create_session(sandbox)["id"]
    assert "Pay by bank debit" in visit(sandbox, f"/pay/{session_id}").text
    wrong = visit(sandbox, f"/pay/{session_id}", {**DEBIT, "email": "jane"})
    assert wrong.status == 422
    assert 'id="bank_debit-email-error"' in wrong.text
    assert 'id="email-error"' not in wrong.text
    sent = visit(sandbox, f"/pay/{session_id}", DEBIT)
    assert (sent.status, sent.location) == (
        303,
        f"https://goalpost.example/thanks?session={session_id}",
    )
    assert "has yet to answer" in visit(sandbox, f"/pay/{session_id}").text
    for session in (
        sandbox.api("POST", "/v1/checkout/sessions", MONTHLY),
        create_session(sandbox, **{"excluded_payment_method_types[0]": "us_bank_account"}),
    ):
        assert session["payment_method_types"] == ["card"]
        assert "Pay by bank debit" not in visit(sandbox, f"/pay/{session['id']}").text
        assert sandbox.pay(session["id"], method="bank_debit")["outcome"] == "declined"


def test_second_submission_of_a_debit_asks_the_bank_once(sandbox: SandboxProcess) -> None:
    session_id, intent_id = debit_one(sandbox)
    again = sandbox.pay(session_id)
    assert (again["outcome"], again["payment_intent"]) == ("processing", intent_id)
    charges = sandbox.api("GET", f"/v1/charges?payment_intent={intent_id}")["data"]
    assert len(charges) == 1


def test_foreign_payment_is_paid_without_any_session(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    made = sandbox.foreign_payment(1234, "eur", description="A mug", metadata={"order": "7"})
    intent = client.v1.payment_intents.retrieve(made["id"], {"expand": ["latest_charge"]})
    assert (intent.status, intent.amount_received, intent.currency) == ("succeeded", 1234, "eur")
    assert (intent.description, intent.metadata.to_dict()) == ("A mug", {"order": "7"})
    assert isinstance(intent.latest_charge, stripe.Charge)
    found = client.v1.checkout.sessions.list({"payment_intent": made["id"]})
    assert found.data == []
    types = [
        event["type"]
        for event in sandbox.events()
        if made["id"]
        in (event["data"]["object"]["id"], event["data"]["object"].get("payment_intent"))
    ]
    assert types[:3] == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"amount": 0},
        {"amount": "5"},
        {"amount": 5.0},
        {"amount": 5, "currency": "xxx"},
        {"amount": 5, "metadata": {"a": 1}},
        {"amount": 5, "description": 1},
    ],
)
def test_wrong_foreign_payment_is_refused(
    sandbox: SandboxProcess, wrong: dict[str, object]
) -> None:
    before = len(sandbox.payments())
    with pytest.raises(SandboxError) as caught:
        sandbox.control("/_sandbox/payments", wrong)
    assert caught.value.status == 400
    assert len(sandbox.payments()) == before


def test_everything_is_found_by_time_after_the_events_are_gone(own: SandboxProcess) -> None:
    client = client_of(own)
    since = own.now()
    intents = [pay_one(own)["id"] for _ in range(3)]
    refund_id = own.refund(intents[0], 100)["id"]
    dispute_id = own.dispute(intents[1])["id"]
    own.advance(40 * DAY_SECONDS)
    later = own.now()
    foreign_id = own.foreign_payment(500)["id"]
    assert intents[0] not in [event["data"]["object"]["id"] for event in own.events()]
    created = {"gte": since, "lt": later}
    listed = client.v1.payment_intents.list(
        {"created": {"gte": since, "lt": later}, "limit": 2}
    ).auto_paging_iter()
    assert [one.id for one in listed] == intents[::-1]
    after = client.v1.payment_intents.list({"created": {"gte": later}}).data
    assert [one.id for one in after] == [foreign_id]
    for path, expected in (
        (
            "charges",
            [payment(own, intent_id)["latest_charge"]["id"] for intent_id in intents[::-1]],
        ),
        ("refunds", [refund_id]),
        ("disputes", [dispute_id]),
    ):
        query = "&".join(f"created[{name}]={value}" for name, value in created.items())
        found = own.api("GET", f"/v1/{path}?{query}")["data"]
        assert [one["id"] for one in found] == expected
    assert [one["id"] for one in own.payments()][-1] == foreign_id
