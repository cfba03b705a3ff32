"""How a subscription begins with a paid session, and goes on from period to period."""

from typing import cast

from sandbox.announce import announce
from sandbox.resources import collecting, invoice_payments, invoices, payment_methods, subscriptions
from sandbox.transaction import Body, Transaction

# Stripe leaves a renewal's invoice open to changes for an hour before it charges.
DRAFT_SECONDS = 3_600


def begin(tx: Transaction, session: Body, *, customer_id: str, method_id: str) -> Body:
    """Make a session's subscription and its first invoice, which is still to be paid.

    A trial's first invoice is of nothing and counts as paid at once.
    """
    hidden = tx.hidden(session["id"])
    data = cast("Body", hidden["subscription_data"])
    payment_methods.attach(tx, method_id, customer_id=customer_id)
    subscription = subscriptions.add(
        tx,
        items=cast("list[Body]", hidden["line_items"]),
        data=data,
        customer_id=customer_id,
        method_id=method_id,
    )
    on_trial = subscription["trial_end"] is not None
    invoice = invoices.add(tx, subscription, reason="subscription_create", free=on_trial)
    subscription["latest_invoice"] = invoice["id"]
    tx.save(subscription)
    invoices.finalize(tx, invoice)
    if on_trial:
        invoices.mark_paid(tx, invoice)
    tx.schedule(
        "renew_subscription", subscription["id"], due_at=subscriptions.period_end(subscription)
    )
    session |= {"subscription": subscription["id"], "invoice": invoice["id"]}
    return invoice


def settle_first(tx: Transaction, invoice: Body, *, intent_id: str) -> None:
    """Record that a subscription's first invoice was paid by the donor in person."""
    invoice_payment = invoice_payments.add(tx, invoice, intent_id=intent_id)
    collecting.settle(tx, invoice, invoice_payment)


def renew(tx: Transaction, subscription_id: str) -> None:
    """Begin the next period: draft its invoice, or end a subscription that was to end now."""
    subscription = tx.need("subscription", subscription_id)
    if subscription["status"] == "canceled" or subscriptions.period_end(subscription) > tx.now:
        return
    if subscription["cancel_at"] is not None and subscription["cancel_at"] <= tx.now:
        subscriptions.cancel(tx, subscription)
        return
    before = {name: subscription[name] for name in ("items", "latest_invoice", "status")}
    before["items"] = {"data": [dict(item) for item in subscription["items"]["data"]]}
    period_start = subscription["items"]["data"][0]["current_period_start"]
    subscriptions.begin_next_period(tx, subscription)
    invoice = invoices.add(tx, subscription, reason="subscription_cycle")
    invoice["period_start"] = period_start
    invoice["automatically_finalizes_at"] = tx.now + DRAFT_SECONDS
    tx.save(invoice)
    subscription["latest_invoice"] = invoice["id"]
    if subscription["status"] == "trialing":
        subscription["status"] = "active"
    announce(tx, "customer.subscription.updated", tx.save(subscription), previous=before)
    tx.schedule("finalize_invoice", invoice["id"], due_at=tx.clock_seconds + DRAFT_SECONDS)
    tx.schedule(
        "renew_subscription", subscription_id, due_at=subscriptions.period_end(subscription)
    )
