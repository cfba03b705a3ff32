from __future__ import annotations

import pytest
import stripe

from tests.sandbox.donor import create_session, pay_one, payment
from tests.sandbox_process import SandboxProcess

PENDING_CARD = "4000000000007726"


def told(sandbox: SandboxProcess, refund_id: str) -> list[str]:
    return [
        event["type"] for event in sandbox.events() if event["data"]["object"]["id"] == refund_id
    ]


def test_whole_refund_by_payment_intent(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    intent = pay_one(sandbox)
    refund = client.v1.refunds.create(
        {
            "payment_intent": intent["id"],
            "reason": "requested_by_customer",
            "metadata": {"by": "admin"},
            "expand": ["balance_transaction"],
        }
    )
    assert refund.id.startswith("re_")
    assert (refund.amount, refund.status, refund.currency) == (2500, "succeeded", "usd")
    assert refund.charge == intent["latest_charge"]["id"]
    assert isinstance(refund.balance_transaction, stripe.BalanceTransaction)
    assert (refund.balance_transaction.net, refund.balance_transaction.fee) == (-2500, 0)
    charge = payment(sandbox, intent["id"])["latest_charge"]
    assert (charge["amount_refunded"], charge["refunded"]) == (2500, True)
    assert "refunds" not in charge
    assert told(sandbox, refund.id) == ["refund.created"]
    about_charge = [
        event
        for event in sandbox.events("charge.refunded")
        if event["data"]["object"]["id"] == charge["id"]
    ]
    assert about_charge[0]["data"]["previous_attributes"] == {
        "amount_refunded": 0,
        "refunded": False,
    }


def test_partial_refunds_never_take_more_than_the_gift(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    intent = pay_one(sandbox)
    charge_id = intent["latest_charge"]["id"]
    client.v1.refunds.create({"charge": charge_id, "amount": 1000})
    with pytest.raises(stripe.InvalidRequestError, match=r"\$16.00.*\$15.00"):
        client.v1.refunds.create({"charge": charge_id, "amount": 1600})
    assert payment(sandbox, intent["id"])["latest_charge"]["refunded"] is False
    assert client.v1.refunds.create({"charge": charge_id}).amount == 1500
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"charge": charge_id, "amount": 1})
    assert caught.value.code == "charge_already_refunded"
    for found in (
        client.v1.refunds.list({"charge": charge_id}),
        client.v1.refunds.list({"payment_intent": intent["id"]}),
    ):
        assert [refund.amount for refund in found.data] == [1500, 1000]
    charge = client.v1.charges.retrieve(charge_id, {"expand": ["refunds"]})
    assert charge.refunds is not None
    assert [refund.amount for refund in charge.refunds.data] == [1500, 1000]


@pytest.mark.parametrize("amount", [0, -1])
def test_amount_is_positive(
    client: stripe.StripeClient, sandbox: SandboxProcess, amount: int
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": pay_one(sandbox)["id"], "amount": amount})
    assert caught.value.param == "amount"


def test_payment_that_did_not_succeed_cannot_be_refunded(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    declined = sandbox.pay(create_session(sandbox)["id"], "4000000000000002")
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        client.v1.refunds.create({"payment_intent": declined["payment_intent"]})
    charge_id = payment(sandbox, declined["payment_intent"])["latest_charge"]["id"]
    with pytest.raises(stripe.InvalidRequestError, match="not successful"):
        client.v1.refunds.create({"charge": charge_id})


def test_refund_names_one_payment(client: stripe.StripeClient, sandbox: SandboxProcess) -> None:
    intent = pay_one(sandbox)
    with pytest.raises(stripe.InvalidRequestError, match="One of the following"):
        client.v1.refunds.create({"amount": 5})
    with pytest.raises(stripe.InvalidRequestError, match="Only one of the following"):
        client.v1.refunds.create(
            {"payment_intent": intent["id"], "charge": intent["latest_charge"]["id"]}
        )
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": "pi_nothing"})
    assert (caught.value.http_status, caught.value.param) == (400, "payment_intent")
    with pytest.raises(stripe.InvalidRequestError, match="must be one of"):
        client.v1.refunds.create({"payment_intent": intent["id"], "reason": "regret"})


def test_pending_refund_can_be_canceled(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    intent = pay_one(sandbox, PENDING_CARD)
    refund_id = sandbox.refund(intent["id"])["id"]
    assert client.v1.refunds.cancel(refund_id).status == "canceled"
    assert payment(sandbox, intent["id"])["latest_charge"]["amount_refunded"] == 0
    with pytest.raises(stripe.InvalidRequestError, match="cannot be canceled"):
        client.v1.refunds.cancel(refund_id)


def test_finished_refund_cannot_be_canceled(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    refund_id = sandbox.refund(pay_one(sandbox)["id"])["id"]
    with pytest.raises(stripe.InvalidRequestError, match="succeeded"):
        client.v1.refunds.cancel(refund_id)


def test_refunds_metadata_can_change(client: stripe.StripeClient, sandbox: SandboxProcess) -> None:
    refund_id = sandbox.refund(pay_one(sandbox)["id"])["id"]
    updated = client.v1.refunds.update(refund_id, {"metadata": {"note": "twice by mistake"}})
    assert updated.metadata is not None
    assert updated.metadata.to_dict() == {"note": "twice by mistake"}
