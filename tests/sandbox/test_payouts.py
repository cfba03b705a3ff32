"""Payouts: each test has a currency of its own, for a payout takes along all that there is."""

from __future__ import annotations

import pytest
import stripe

from tests.sandbox.donor import payment, settled, visit
from tests.sandbox.receiver import Receiver
from tests.sandbox_process import Json, SandboxError, SandboxProcess


def lines_of(client: stripe.StripeClient, payout_id: str) -> list[stripe.BalanceTransaction]:
    return client.v1.balance_transactions.list({"payout": payout_id, "limit": 100}).data


def paid(sandbox: SandboxProcess, amount: int, currency: str) -> Json:
    intent = sandbox.foreign_payment(amount, currency)
    return settled(sandbox, intent["id"])


def told(sandbox: SandboxProcess, payout_id: str) -> list[str]:
    return [
        event["type"] for event in sandbox.events() if event["data"]["object"]["id"] == payout_id
    ]


def test_automatic_payout_is_the_sum_of_its_lines(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    charge = paid(sandbox, 10_000, "chf")
    second = paid(sandbox, 5_000, "chf")
    refund = sandbox.refund(charge["payment_intent"], 1_000)
    sandbox.dispute(second["payment_intent"])
    sandbox.bill(77, "chf")
    paid(sandbox, 20_000, "chf")
    made = sandbox.pay_out("chf")
    payout = client.v1.payouts.retrieve(made["id"])
    assert (payout.automatic, payout.status, payout.reconciliation_status) == (
        True,
        "in_transit",
        "completed",
    )
    assert payout.arrival_date % (24 * 3_600) == 0
    lines = lines_of(client, payout.id)
    others = [line for line in lines if line.source != payout.id]
    assert sum(line.net for line in others) == payout.amount
    assert sum(line.net for line in lines) == 0  # its own transaction is among them, as at Stripe
    assert sorted(line.reporting_category for line in others) == [
        "charge",
        "charge",
        "charge",
        "dispute",
        "fee",
        "refund",
    ]
    assert refund["id"] in {line.source for line in others}
    found = client.v1.payouts.list({"created": {"gte": payout.created}, "limit": 100}).data
    assert payout.id in {one.id for one in found}
    assert payout.id in {
        one.id for one in client.v1.payouts.list({"arrival_date": payout.arrival_date}).data
    }


def test_line_goes_out_once_and_only_when_available(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    paid(sandbox, 10_000, "sek")
    with pytest.raises(SandboxError, match="nothing on the balance"):
        sandbox.control("/_sandbox/payouts", {"currency": "sek"})
    first = sandbox.pay_out("sek")
    with pytest.raises(SandboxError, match="nothing on the balance"):
        sandbox.pay_out("sek")
    paid(sandbox, 3_000, "sek")
    second = sandbox.pay_out("sek")
    assert not {line.id for line in lines_of(client, first["id"])} & {
        line.id for line in lines_of(client, second["id"])
    }


def test_lines_are_told_once_the_payout_is_reconciled(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    charge = paid(sandbox, 10_000, "nok")
    payout = sandbox.pay_out("nok", reconciled=False)
    assert payout["reconciliation_status"] == "in_progress"
    assert charge["id"] not in {line.source for line in lines_of(client, payout["id"])}
    sandbox.control(f"/_sandbox/payouts/{payout['id']}/reconcile")
    line = client.v1.balance_transactions.list(
        {"payout": payout["id"], "type": "charge", "expand": ["data.source"]}
    ).data[0]
    assert isinstance(line.source, stripe.Charge)
    assert line.source.payment_intent == charge["payment_intent"]
    sandbox.end_payout(payout["id"], "arrive")
    assert [one for one in told(sandbox, payout["id"]) if one != "payout.updated"] == [
        "payout.created",
        "payout.reconciliation_completed",
        "payout.paid",
    ]


def test_failed_payout_is_on_the_balance_again(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    paid(sandbox, 10_000, "dkk")
    first = sandbox.pay_out("dkk")
    failed = sandbox.end_payout(first["id"], "fail")
    assert (failed["status"], failed["failure_code"]) == ("failed", "account_closed")
    assert "payout.failed" in told(sandbox, first["id"])
    with pytest.raises(SandboxError, match="cannot fail"):
        sandbox.end_payout(first["id"], "fail")
    second = sandbox.pay_out("dkk")
    assert second["amount"] == first["amount"]
    back = [line for line in lines_of(client, second["id"]) if line.type == "payout_failure"]
    assert [line.source for line in back] == [first["id"]]


def test_payout_by_hand_does_not_tell_its_lines(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    paid(sandbox, 10_000, "pln")
    with pytest.raises(SandboxError, match="insufficient funds"):
        sandbox.pay_out("pln", amount=10_000)
    payout = sandbox.pay_out("pln", amount=2_000)
    assert (payout["automatic"], payout["reconciliation_status"]) == (False, "not_applicable")
    with pytest.raises(stripe.InvalidRequestError, match="only be filtered on automatic"):
        lines_of(client, payout["id"])
    rest = sandbox.pay_out("pln")
    assert sum(line.net for line in lines_of(client, rest["id"])) == 0
    with pytest.raises(stripe.InvalidRequestError):
        lines_of(client, "po_nothing")


def test_balance_is_paid_out_by_its_button(sandbox: SandboxProcess, receiver: Receiver) -> None:
    charge = paid(sandbox, 10_000, "eur")
    assert visit(sandbox, "/payouts", {}).status == 303
    page = visit(sandbox, "/").text
    payout = next(
        one for one in sandbox.api("GET", "/v1/payouts")["data"] if one["currency"] == "eur"
    )
    receiver.wait_for("payout.created", payout["id"])
    assert f"/press/return/{payout['id']}" in page
    assert visit(sandbox, f"/press/arrive/{payout['id']}", {}).location == "/#payouts"
    assert sandbox.api("GET", f"/v1/payouts/{payout['id']}")["status"] == "paid"
    assert visit(sandbox, f"/press/return/{payout['id']}", {}).status == 303
    assert visit(sandbox, "/payouts").status == 405
    assert payment(sandbox, charge["payment_intent"])["status"] == "succeeded"
