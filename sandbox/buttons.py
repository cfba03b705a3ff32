"""The controls that change one object in one transaction: what banks, time and donors do to it.

Each takes the id that stands in the address and the JSON that was sent, and gives the object.
"""

from collections.abc import Callable
from typing import Any

from sandbox import currencies, delayed, paying
from sandbox.errors import invalid
from sandbox.resources import collecting, disputes, metadata, subscriptions
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
}
