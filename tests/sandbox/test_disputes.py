from __future__ import annotations

import pytest
import stripe

from tests.sandbox.donor import create_session, pay_one, payment
from tests.sandbox_process import SandboxError, SandboxProcess


def told(sandbox: SandboxProcess, dispute_id: str) -> list[str]:
    return [
        event["type"].removeprefix("charge.dispute.")
        for event in sandbox.events("charge.dispute.*")
        if event["data"]["object"]["id"] == dispute_id
    ]


def moved(dispute: stripe.Dispute) -> list[tuple[int, int]]:
    return [(one.amount, one.fee) for one in dispute.balance_transactions]


def test_dispute_takes_the_money_and_says_so(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    intent = pay_one(sandbox)
    opened = sandbox.dispute(intent["id"], reason="duplicate")
    dispute = client.v1.disputes.retrieve(opened["id"], {"expand": ["charge"]})
    assert dispute.id.startswith("dp_")
    assert (dispute.amount, dispute.status, dispute.reason) == (2500, "needs_response", "duplicate")
    assert dispute.payment_intent == intent["id"]
    assert isinstance(dispute.charge, stripe.Charge)
    assert dispute.charge.disputed is True
    assert dispute.is_charge_refundable is False
    assert moved(dispute) == [(-2500, 1500)]
    taken = client.v1.balance_transactions.list({"source": dispute.id}).data
    assert [(one.type, one.net) for one in taken] == [("adjustment", -4000)]
    assert told(sandbox, dispute.id) == ["created", "funds_withdrawn"]


def test_created_tells_of_no_money_yet(sandbox: SandboxProcess) -> None:
    opened = sandbox.dispute(pay_one(sandbox)["id"])
    snapshots = [
        event["data"]["object"]["balance_transactions"]
        for event in sandbox.events("charge.dispute.*")
        if event["data"]["object"]["id"] == opened["id"]
    ]
    assert [len(transactions) for transactions in snapshots] == [0, 1]


def test_won_dispute_gives_the_money_back(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    opened = sandbox.dispute(pay_one(sandbox)["id"], 1000)
    sandbox.resolve(opened["id"], "win")
    dispute = client.v1.disputes.retrieve(opened["id"])
    assert dispute.status == "won"
    assert moved(dispute) == [(-1000, 1500), (1000, 0)]
    assert told(sandbox, dispute.id) == [
        "created",
        "funds_withdrawn",
        "updated",
        "funds_reinstated",
        "closed",
    ]


def test_won_dispute_may_give_the_money_back_later(sandbox: SandboxProcess) -> None:
    opened = sandbox.dispute(pay_one(sandbox)["id"])
    won = sandbox.resolve(opened["id"], "win", reinstated=False)
    assert (won["status"], len(won["balance_transactions"])) == ("won", 1)
    assert len(sandbox.resolve(opened["id"], "reinstate")["balance_transactions"]) == 2
    with pytest.raises(SandboxError, match="holds no money"):
        sandbox.resolve(opened["id"], "reinstate")


def test_lost_dispute_keeps_the_money(client: stripe.StripeClient, sandbox: SandboxProcess) -> None:
    opened = sandbox.dispute(pay_one(sandbox)["id"])
    sandbox.resolve(opened["id"], "lose")
    dispute = client.v1.disputes.retrieve(opened["id"])
    assert (dispute.status, moved(dispute)) == ("lost", [(-2500, 1500)])
    assert told(sandbox, dispute.id)[-2:] == ["updated", "closed"]
    with pytest.raises(SandboxError, match="its status is lost"):
        sandbox.resolve(opened["id"], "win")


def test_inquiry_moves_nothing_until_it_is_escalated(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    opened = sandbox.dispute(pay_one(sandbox)["id"], kind="inquiry")
    dispute = client.v1.disputes.retrieve(opened["id"])
    assert (dispute.status, moved(dispute)) == ("warning_needs_response", [])
    assert dispute.is_charge_refundable is True
    assert told(sandbox, dispute.id) == ["created"]
    with pytest.raises(SandboxError, match="cannot be won"):
        sandbox.resolve(dispute.id, "win")
    sandbox.resolve(dispute.id, "escalate")
    dispute = client.v1.disputes.retrieve(opened["id"])
    assert (dispute.status, moved(dispute)) == ("needs_response", [(-2500, 1500)])
    assert told(sandbox, dispute.id) == ["created", "updated", "funds_withdrawn"]


def test_inquiry_can_end_as_one(client: stripe.StripeClient, sandbox: SandboxProcess) -> None:
    intent = pay_one(sandbox)
    opened = sandbox.dispute(intent["id"], kind="inquiry")
    assert sandbox.resolve(opened["id"], "close_inquiry")["status"] == "warning_closed"
    assert told(sandbox, opened["id"]) == ["created", "updated", "closed"]
    with pytest.raises(SandboxError, match="warning_closed"):
        sandbox.resolve(opened["id"], "escalate")
    assert client.v1.refunds.create({"payment_intent": intent["id"]}).status == "succeeded"


@pytest.mark.parametrize("outcome", ["open", "lose"])
def test_disputed_money_cannot_be_refunded_as_well(
    client: stripe.StripeClient, sandbox: SandboxProcess, outcome: str
) -> None:
    intent = pay_one(sandbox)
    opened = sandbox.dispute(intent["id"])
    if outcome != "open":
        sandbox.resolve(opened["id"], outcome)
    with pytest.raises(stripe.InvalidRequestError, match="charged back") as caught:
        client.v1.refunds.create({"payment_intent": intent["id"]})
    assert caught.value.code == "charge_disputed"
    assert payment(sandbox, intent["id"])["latest_charge"]["amount_refunded"] == 0


def test_money_is_refundable_again_once_the_dispute_is_won(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    intent = pay_one(sandbox)
    sandbox.resolve(sandbox.dispute(intent["id"])["id"], "win")
    assert client.v1.refunds.create({"payment_intent": intent["id"]}).amount == 2500


def test_whole_dispute_may_follow_a_part_refund(sandbox: SandboxProcess) -> None:
    intent = pay_one(sandbox)
    sandbox.refund(intent["id"], 1000)
    assert sandbox.dispute(intent["id"])["amount"] == 2500


def test_evidence_is_answered_by_a_review(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    dispute_id = sandbox.dispute(pay_one(sandbox)["id"])["id"]
    staged = client.v1.disputes.update(
        dispute_id, {"evidence": {"uncategorized_text": "A gift."}, "submit": False}
    )
    assert (staged.status, staged.evidence_details.has_evidence) == ("needs_response", True)
    sent = client.v1.disputes.update(dispute_id, {"evidence": {"customer_name": "Jane"}})
    assert (sent.status, sent.evidence.uncategorized_text) == ("under_review", "A gift.")
    assert sandbox.resolve(dispute_id, "win")["status"] == "won"
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        client.v1.disputes.update(dispute_id, {"evidence": {"customer_name": "J"}})


def test_dispute_can_be_accepted_once(client: stripe.StripeClient, sandbox: SandboxProcess) -> None:
    dispute_id = sandbox.dispute(pay_one(sandbox)["id"])["id"]
    assert client.v1.disputes.close(dispute_id).status == "lost"
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        client.v1.disputes.close(dispute_id)


def test_disputes_are_listed_by_payment_charge_and_time(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    intent, other = pay_one(sandbox), pay_one(sandbox)
    first = sandbox.dispute(intent["id"], 500)["id"]
    sandbox.resolve(first, "win")
    second = sandbox.dispute(intent["id"], 600)["id"]
    listed = client.v1.disputes.list
    charge_id = intent["latest_charge"]["id"]
    assert [one.id for one in listed({"payment_intent": intent["id"]})] == [second, first]
    assert [one.id for one in listed({"charge": charge_id})] == [second, first]
    assert listed({"payment_intent": other["id"]}).data == []
    now = sandbox.now()
    assert first in [one.id for one in listed({"created": {"gte": now - 60}, "limit": 100})]
    assert listed({"created": {"gt": now + 60}}).data == []
    page = listed({"charge": charge_id, "limit": 1})
    assert (page.data[0].id, page.has_more) == (second, True)
    assert [one.id for one in page.auto_paging_iter()] == [second, first]
    with pytest.raises(stripe.InvalidRequestError, match="No such payment_intent"):
        listed({"payment_intent": "pi_nothing"})


def test_only_a_payment_that_succeeded_is_disputed_and_once_at_a_time(
    sandbox: SandboxProcess,
) -> None:
    declined = sandbox.pay(create_session(sandbox)["id"], "4000000000000002")["payment_intent"]
    with pytest.raises(SandboxError, match="did not succeed"):
        sandbox.dispute(declined)
    intent_id = pay_one(sandbox)["id"]
    sandbox.dispute(intent_id, kind="inquiry")
    with pytest.raises(SandboxError, match="disputed already"):
        sandbox.dispute(intent_id)
    with pytest.raises(SandboxError, match="No such payment_intent"):
        sandbox.dispute("pi_nothing")
    with pytest.raises(SandboxError, match="No such dispute"):
        sandbox.resolve(intent_id, "win")


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"amount": -1},
        {"amount": "5"},
        {"amount": True},
        {"amount": 10**12},
        {"kind": "rumour"},
        {"kind": 1},
        {"reason": "regret"},
    ],
)
def test_wrong_dispute_is_explained_and_moves_nothing(
    sandbox: SandboxProcess, wrong: dict[str, object]
) -> None:
    intent = pay_one(sandbox)
    with pytest.raises(SandboxError) as caught:
        sandbox.control(f"/_sandbox/payments/{intent['id']}/dispute", wrong)
    assert caught.value.status == 400
    assert payment(sandbox, intent["id"])["latest_charge"]["disputed"] is False
