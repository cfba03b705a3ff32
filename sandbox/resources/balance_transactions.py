"""Balance transactions: what a charge or a refund does to the merchant's balance, net of fees.

Which payout one went out with is hidden beside it: Stripe lists by that, and does not show it.
"""

from collections.abc import Sequence

from sandbox.endpoint import Call, Endpoint
from sandbox.errors import invalid
from sandbox.ids import new_id
from sandbox.listing import Condition, page
from sandbox.transaction import Body, Transaction

URL = "/v1/balance_transactions"
FEE_PER_MILLE = 29
FEE_FIXED_MINOR = 30
AVAILABLE_AFTER_SECONDS = 2 * 24 * 3_600


def fee_minor(amount_minor: int) -> int:
    """Give Stripe's usual price, 2.9 % + 30, in integers, halves rounded up."""
    return (amount_minor * FEE_PER_MILLE + 500) // 1_000 + FEE_FIXED_MINOR


def add_for_charge(tx: Transaction, charge: Body) -> Body:
    """Put a charge on the balance, less its fee."""
    amount_minor = charge["amount_captured"]
    return _add(
        tx,
        source=charge,
        amount_minor=amount_minor,
        fee=fee_minor(amount_minor),
        transaction_type="charge",
        reporting_category="charge",
        description=charge["description"],
    )


def add_for_refund(tx: Transaction, refund: Body) -> Body:
    """Take a refund off the balance; Stripe keeps the charge's fee."""
    return _add(
        tx,
        source=refund,
        amount_minor=-refund["amount"],
        fee=0,
        transaction_type="refund",
        reporting_category="refund",
        description=None,
    )


def add_for_failed_refund(tx: Transaction, refund: Body) -> Body:
    """Put back on the balance what a refund took, because it failed or was canceled."""
    return _add(
        tx,
        source=refund,
        amount_minor=refund["amount"],
        fee=0,
        transaction_type="refund_failure",
        reporting_category="refund_failure",
        description="REFUND FAILED",
    )


def add_for_dispute(tx: Transaction, dispute: Body, *, fee: int) -> Body:
    """Take off the balance what a donor's bank took back, and Stripe's fee for it."""
    return _add(
        tx,
        source=dispute,
        amount_minor=-dispute["amount"],
        fee=fee,
        transaction_type="adjustment",
        reporting_category="dispute",
        description=f"Chargeback withdrawal for {dispute['charge']}",
    )


def add_for_reinstated_dispute(tx: Transaction, dispute: Body) -> Body:
    """Put back on the balance what a dispute took; the fee stays paid."""
    return _add(
        tx,
        source=dispute,
        amount_minor=dispute["amount"],
        fee=0,
        transaction_type="adjustment",
        reporting_category="dispute_reversal",
        description=f"Chargeback reversal for {dispute['charge']}",
    )


def add_for_payout(tx: Transaction, payout: Body, *, came_back: bool = False) -> Body:
    """Take off the balance what goes to the bank, or put back what the bank sent back."""
    kind = "payout_failure" if came_back else "payout"
    transaction = _add(
        tx,
        source=payout,
        amount_minor=payout["amount"] if came_back else -payout["amount"],
        fee=0,
        transaction_type=kind,
        reporting_category="payout_reversal" if came_back else "payout",
        description="STRIPE PAYOUT FAILURE" if came_back else "STRIPE PAYOUT",
    )
    return tx.save(transaction | {"available_on": tx.now, "status": "available"})


def add_own_fee(tx: Transaction, *, amount_minor: int, currency: str) -> Body:
    """Take off the balance what Stripe bills for itself and not for one payment."""
    transaction = _add(
        tx,
        source={"id": None, "currency": currency},
        amount_minor=-amount_minor,
        fee=0,
        transaction_type="stripe_fee",
        reporting_category="fee",
        description="Billing - Usage Fee",
    )
    return tx.save(transaction | {"available_on": tx.now, "status": "available"})


def not_paid_out(tx: Transaction, currency: str, *, pending: bool) -> list[Body]:
    """Give what is on the balance and went out with no payout, the oldest first."""
    return [
        transaction
        for transaction in tx.bodies(
            "SELECT body FROM objects WHERE kind = 'balance_transaction'"
            " AND json_extract(hidden, '$.payout') IS NULL"
            " AND json_extract(body, '$.currency') = ? ORDER BY sequence",
            [currency],
        )
        if pending or transaction["available_on"] <= tx.now
    ]


def note_payout(tx: Transaction, ids: Sequence[str], payout_id: str) -> None:
    """Note with which payout transactions went out."""
    for transaction_id in ids:
        tx.save_hidden(transaction_id, {**tx.hidden(transaction_id), "payout": payout_id})


def _add(
    tx: Transaction,
    *,
    source: Body,
    amount_minor: int,
    fee: int,
    transaction_type: str,
    reporting_category: str,
    description: str | None,
) -> Body:
    fee_detail = {
        "amount": fee,
        "application": None,
        "currency": source["currency"],
        "description": "Stripe processing fees",
        "type": "stripe_fee",
    }
    return tx.add(
        {
            "id": new_id("txn_"),
            "object": "balance_transaction",
            "amount": amount_minor,
            "available_on": tx.now + AVAILABLE_AFTER_SECONDS,
            "balance_type": "payments",
            "created": tx.now,
            "currency": source["currency"],
            "description": description,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": [fee_detail] if fee else [],
            "net": amount_minor - fee,
            "reporting_category": reporting_category,
            "source": source["id"],
            "status": "pending",
            "type": transaction_type,
        }
    )


def _shown(tx: Transaction, transaction: Body) -> Body:
    """Become available by the clock alone: nothing is told when it happens."""
    if tx.now >= transaction["available_on"]:
        transaction["status"] = "available"
    return transaction


def _retrieve(call: Call) -> Body:
    return _shown(call.tx, call.tx.need("balance_transaction", call.object_id))


def _list(call: Call) -> Body:
    fields = {"source": "$.source", "type": "$.type", "currency": "$.currency"}
    conditions = _of_payout(call)
    found = page(
        call.tx, "balance_transaction", call.params, url=URL, fields=fields, conditions=conditions
    )
    found["data"] = [_shown(call.tx, transaction) for transaction in found["data"]]
    return found


def _of_payout(call: Call) -> list[Condition]:
    if "payout" not in call.params:
        return []
    payout = call.tx.need("payout", call.params["payout"], param="payout")
    if not payout["automatic"]:
        raise invalid(
            "Balance transaction history can only be filtered on automatic transfers, not manual.",
            param="payout",
        )
    # While Stripe still reconciles a payout, only its own transaction is told to be of it.
    if payout["reconciliation_status"] != "completed":
        return [Condition("id = ?", [payout["balance_transaction"]])]
    return [Condition("json_extract(hidden, '$.payout') = ?", [payout["id"]])]


ENDPOINTS = (
    Endpoint("GET", URL, "_balance_transaction_list_params:BalanceTransactionListParams", _list),
    Endpoint(
        "GET",
        f"{URL}/<object_id>",
        "_balance_transaction_retrieve_params:BalanceTransactionRetrieveParams",
        _retrieve,
    ),
)
