"""Payouts: what is on the balance goes to the merchant's bank, and which transactions that was.

Stripe tells the transactions of automatic payouts only, and only once it has reconciled them.
https://docs.stripe.com/payouts/reconciliation
"""

from sandbox import currencies
from sandbox.announce import announce
from sandbox.endpoint import Call, Endpoint
from sandbox.errors import invalid, refused
from sandbox.ids import new_id
from sandbox.listing import COMPARISONS, Condition, page
from sandbox.resources import balance_transactions
from sandbox.transaction import Body, Transaction

URL = "/v1/payouts"
DAY_SECONDS = 24 * 3_600
ARRIVES_AFTER_SECONDS = 2 * DAY_SECONDS
RECONCILED_AFTER_SECONDS = 1.0
FAILURE_CODE = "account_closed"
FAILURE_MESSAGE = "The bank account has been closed."


def pay_out_all(tx: Transaction, *, currency: str, pending: bool) -> Body:
    """Pay out what is available of a currency, as the automatic schedule does.

    With `pending` also what is on the balance but not available yet: a demo need not wait for it.
    """
    lines = balance_transactions.not_paid_out(tx, currency, pending=pending)
    amount_minor = sum(line["net"] for line in lines)
    _check(amount_minor, currency)
    payout = _pay(tx, amount_minor=amount_minor, currency=currency, automatic=True)
    balance_transactions.note_payout(tx, [line["id"] for line in lines], payout["id"])
    tx.schedule(
        "reconcile_payout", payout["id"], due_at=tx.clock_seconds + RECONCILED_AFTER_SECONDS
    )
    announce(tx, "payout.created", payout)
    return payout


def pay_out_by_hand(tx: Transaction, *, amount_minor: int, currency: str) -> Body:
    """Pay out an amount that somebody asked for: Stripe does not tell what it was made of."""
    lines = balance_transactions.not_paid_out(tx, currency, pending=True)
    _check(amount_minor, currency)
    if amount_minor > sum(line["net"] for line in lines):
        raise refused("You have insufficient funds in your Stripe account.", param="amount")
    payout = _pay(tx, amount_minor=amount_minor, currency=currency, automatic=False)
    announce(tx, "payout.created", payout)
    return payout


def reconcile(tx: Transaction, payout_id: str) -> Body:
    """Have Stripe know which transactions an automatic payout is made of."""
    payout = tx.need("payout", payout_id)
    if payout["reconciliation_status"] == "in_progress":
        _change(tx, payout, reconciliation_status="completed")
        announce(tx, "payout.reconciliation_completed", payout)
    return payout


def arrive(tx: Transaction, payout_id: str) -> Body:
    """Have the money arrive at the bank; one that failed stays failed."""
    payout = tx.need("payout", payout_id)
    if payout["status"] == "in_transit":
        _change(tx, payout, status="paid", trace_id={"status": "unsupported", "value": None})
        announce(tx, "payout.paid", payout)
    return payout


def fail(tx: Transaction, payout_id: str) -> Body:
    """Have the bank send the money back, be it days after it was told to have arrived.

    It is on the balance again, by a transaction of its own, and goes into the next payout.
    """
    payout = tx.need("payout", payout_id)
    if payout["status"] not in ("in_transit", "paid"):
        raise refused(f"This payout cannot fail: its status is {payout['status']}.")
    back = balance_transactions.add_for_payout(tx, payout, came_back=True)
    _change(
        tx,
        payout,
        status="failed",
        failure_balance_transaction=back["id"],
        failure_code=FAILURE_CODE,
        failure_message=FAILURE_MESSAGE,
    )
    announce(tx, "payout.failed", payout)
    return payout


def _check(amount_minor: int, currency: str) -> None:
    if currency not in currencies.SUPPORTED:
        raise invalid(f"Invalid currency: {currency[:20]}.", param="currency")
    if amount_minor <= 0:
        raise refused(f"There is nothing on the balance to pay out in {currency.upper()}.")


def _pay(tx: Transaction, *, amount_minor: int, currency: str, automatic: bool) -> Body:
    payout: Body = {
        "id": new_id("po_"),
        "object": "payout",
        "amount": amount_minor,
        "application_fee": None,
        "application_fee_amount": None,
        # Midnight, UTC, of the day.
        "arrival_date": (tx.now + ARRIVES_AFTER_SECONDS) // DAY_SECONDS * DAY_SECONDS,
        "automatic": automatic,
        "balance_transaction": None,
        "created": tx.now,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": "ba_sandbox",
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress" if automatic else "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "in_transit",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
    }
    tx.add(payout)
    own = balance_transactions.add_for_payout(tx, payout)
    payout["balance_transaction"] = own["id"]
    if automatic:  # Stripe lists an automatic payout's own transaction among those it is made of
        balance_transactions.note_payout(tx, [own["id"]], payout["id"])
    tx.save(payout)
    tx.schedule("arrive_payout", payout["id"], due_at=payout["arrival_date"])
    return payout


def _change(tx: Transaction, payout: Body, **changes: object) -> None:
    previous = {name: payout[name] for name in changes}
    payout |= changes
    tx.save(payout)
    announce(tx, "payout.updated", payout, previous=previous)


def _retrieve(call: Call) -> Body:
    return call.tx.need("payout", call.object_id)


def _list(call: Call) -> Body:
    fields = {"destination": "$.destination", "status": "$.status"}
    conditions = _arrives(call.params)
    return page(call.tx, "payout", call.params, url=URL, fields=fields, conditions=conditions)


def _arrives(params: Body) -> list[Condition]:
    asked = params.get("arrival_date", {})
    bounds = {"eq": asked} if isinstance(asked, int) else asked
    signs = {**COMPARISONS, "eq": "="}
    return [
        Condition(f"json_extract(body, '$.arrival_date') {signs[name]} ?", [value])
        for name, value in bounds.items()
    ]


ENDPOINTS = (
    Endpoint("GET", URL, "_payout_list_params:PayoutListParams", _list),
    Endpoint(
        "GET", f"{URL}/<object_id>", "_payout_retrieve_params:PayoutRetrieveParams", _retrieve
    ),
)
