"""Balance transactions: what a charge or a refund does to the merchant's balance, net of fees."""

from sandbox.endpoint import Call, Endpoint
from sandbox.ids import new_id
from sandbox.listing import page
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
    found = page(call.tx, "balance_transaction", call.params, url=URL, fields=fields)
    found["data"] = [_shown(call.tx, transaction) for transaction in found["data"]]
    return found


ENDPOINTS = (
    Endpoint("GET", URL, "_balance_transaction_list_params:BalanceTransactionListParams", _list),
    Endpoint(
        "GET",
        f"{URL}/<object_id>",
        "_balance_transaction_retrieve_params:BalanceTransactionRetrieveParams",
        _retrieve,
    ),
)
