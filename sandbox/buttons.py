"""The controls that change one object in one transaction: what banks, time and donors do to it.

Each takes the id that stands in the address and the JSON that was sent, and gives the object.
"""

from collections.abc import Callable
from typing import Any

from sandbox import currencies, delayed, paying
from sandbox.errors import invalid, refused
from sandbox.resources import (
    balance_transactions,
    collecting,
    disputes,
    metadata,
    payouts,
    subscriptions,
)
from sandbox.transaction import Body, Transaction

Button = Callable[[Transaction, str, Body], Body]


def settle(tx: Transaction, intent_id: str, _given: Body) -> Body:
    """Have the money of a bank debit arrive."""
    return delayed.settle(tx, tx.need("payment_intent", intent_id))


def fail(tx: Transaction, intent_id: str, _given: Body) -> Body:
    """Have a bank debit fail."""
    return delayed.fail(tx, tx.need("payment_intent", intent_id))


def pay_without_session(tx: Transaction, _no_id: str, given: Body) -> Body:
    """Take money that is no donation of ours: `{"amount": …, "currency": "usd"}`, and more.

    `metadata` and `description` may be given.
    """
    amount_minor = _read(given, "amount", int)
    currency = _read(given, "currency", str, otherwise="usd").lower()
    notes = _read(given, "metadata", dict, otherwise={})
    if not all(isinstance(value, str) for value in notes.values()):
        raise invalid("Metadata holds texts only.", param="metadata")
    if currency not in currencies.SUPPORTED:
        raise invalid(f"Invalid currency: {currency[:20]}.", param="currency")
    if amount_minor is None or not 0 < amount_minor <= currencies.MOST_MINOR:
        raise invalid("Invalid positive integer", param="amount")
    return paying.pay_without_session(
        tx,
        amount_minor=amount_minor,
        currency=currency,
        data={
            "metadata": metadata.merge({"metadata": notes}),
            "description": _read(given, "description", str),
        },
    )


def dispute(tx: Transaction, intent_id: str, given: Body) -> Body:
    """Dispute a payment: `{"amount": …, "kind": "dispute" or "inquiry", "reason": …}`."""
    return disputes.open_dispute(
        tx,
        tx.need("payment_intent", intent_id),
        amount_minor=_read(given, "amount", int),
        kind=_read(given, "kind", str, otherwise="dispute"),
        reason=_read(given, "reason", str, otherwise="fraudulent"),
    )


def win(tx: Transaction, dispute_id: str, given: Body) -> Body:
    """Win a dispute; `{"reinstated": false}` leaves the money where it is for now."""
    return disputes.win(
        tx,
        tx.need("dispute", dispute_id),
        reinstated=_read(given, "reinstated", bool, otherwise=True),
    )


def cancel(tx: Transaction, subscription_id: str, given: Body) -> Body:
    """Cancel a subscription; `{"at_period_end": true}` as the donor does in the portal."""
    subscription = tx.need("subscription", subscription_id)
    if _read(given, "at_period_end", bool, otherwise=False):
        return subscriptions.cancel_at_period_end(tx, subscription, wanted=True, flagged=False)
    return subscriptions.cancel(tx, subscription)


def pay_outside(tx: Transaction, invoice_id: str, _given: Body) -> Body:
    """Mark an invoice as paid by money that never went through Stripe."""
    return collecting.pay_outside(tx, tx.need("invoice", invoice_id))


def pay_out(tx: Transaction, _no_id: str, given: Body) -> Body:
    """Pay out the balance of a currency: `{"currency": "usd", "pending": true}`.

    By the schedule, of what is available; with `pending` of all. `{"amount": …}` pays that out by
    hand.
    """
    currency = _read(given, "currency", str, otherwise="usd").lower()
    amount_minor = _read(given, "amount", int)
    if amount_minor is not None:
        return payouts.pay_out_by_hand(tx, amount_minor=amount_minor, currency=currency)
    pending = _read(given, "pending", bool, otherwise=False)
    return payouts.pay_out_all(tx, currency=currency, pending=pending)


def pay_out_every_currency(tx: Transaction, _no_id: str, _given: Body) -> Body:
    """Pay out all that is on the balance, a payout for each currency; refuse where none can be."""
    sums = dict(
        tx.connection.execute(
            "SELECT json_extract(body, '$.currency'), sum(json_extract(body, '$.net'))"
            " FROM objects WHERE kind = 'balance_transaction'"
            " AND json_extract(hidden, '$.payout') IS NULL GROUP BY 1 ORDER BY 1"
        ).fetchall()
    )
    able = [currency for currency, minor in sums.items() if minor > 0]
    if not able:
        raise refused("There is nothing on the balance to pay out.")
    return [payouts.pay_out_all(tx, currency=currency, pending=True) for currency in able][-1]


def bill_own_fee(tx: Transaction, _no_id: str, given: Body) -> Body:
    """Have Stripe bill something of its own: `{"amount": …, "currency": "usd"}`."""
    amount_minor = _read(given, "amount", int)
    currency = _read(given, "currency", str, otherwise="usd").lower()
    if amount_minor is None or amount_minor < 1 or currency not in currencies.SUPPORTED:
        raise invalid("Invalid positive integer", param="amount")
    return balance_transactions.add_own_fee(tx, amount_minor=amount_minor, currency=currency)


def _on_payout(change: Callable[[Transaction, str], Body]) -> Button:
    return lambda tx, payout_id, _given: change(tx, payout_id)


def _on_dispute(change: Callable[[Transaction, Body], Body]) -> Button:
    return lambda tx, dispute_id, _given: change(tx, tx.need("dispute", dispute_id))


def _read(given: Body, name: str, kind: type, *, otherwise: Any = None) -> Any:
    """Give a value of exactly this type: a boolean is no number here."""
    value = given.get(name, otherwise)
    if type(value) is not kind and value is not otherwise:
        raise invalid(f"{name} is not a JSON value of the right kind.", param=name)
    return value


BUTTONS: dict[str, Button] = {
    "/payments": pay_without_session,
    "/payments/<object_id>/settle": settle,
    "/payments/<object_id>/fail": fail,
    "/payments/<object_id>/dispute": dispute,
    "/disputes/<object_id>/win": win,
    "/disputes/<object_id>/lose": _on_dispute(disputes.lose),
    "/disputes/<object_id>/respond": _on_dispute(disputes.respond),
    "/disputes/<object_id>/escalate": _on_dispute(disputes.escalate),
    "/disputes/<object_id>/close_inquiry": _on_dispute(disputes.close_inquiry),
    "/disputes/<object_id>/reinstate": _on_dispute(disputes.reinstate),
    "/subscriptions/<object_id>/cancel": cancel,
    "/invoices/<object_id>/pay_outside": pay_outside,
    "/fees": bill_own_fee,
    "/payouts": pay_out,
    "/payouts/<object_id>/reconcile": _on_payout(payouts.reconcile),
    "/payouts/<object_id>/arrive": _on_payout(payouts.arrive),
    "/payouts/<object_id>/fail": _on_payout(payouts.fail),
}
