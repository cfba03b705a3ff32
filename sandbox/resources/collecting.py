"""Collecting: charge the stored card for an invoice, once and again, or take that it was paid."""

from sandbox.announce import announce
from sandbox.endpoint import Call, Endpoint
from sandbox.errors import ApiError, refused, unspoken
from sandbox.resources import (
    charges,
    invoice_payments,
    invoices,
    payment_intents,
    payment_methods,
    subscriptions,
)
from sandbox.transaction import Body, Transaction

DAY_SECONDS = 24 * 3_600
# Stripe's own times are clever and not told; when these are over, the subscription ends.
RETRY_AFTER_DAYS = (3, 5, 7)
DESCRIPTIONS = {"subscription_create": "Subscription creation"}


def add_intent(tx: Transaction, invoice: Body) -> Body:
    """Make the payment intent of an invoice: none of our metadata comes along."""
    return payment_intents.add(
        tx,
        amount_minor=invoice["amount_due"],
        currency=invoice["currency"],
        data={"description": describe(invoice["billing_reason"])},
        customer_id=invoice["customer"],
    )


def describe(billing_reason: str) -> str:
    """Give the description that Stripe puts on an invoice's payment."""
    return DESCRIPTIONS.get(billing_reason, "Subscription update")


def finalize(tx: Transaction, invoice_id: str) -> None:
    """Close a draft whose hour is over, and charge the stored card for it."""
    invoice = tx.need("invoice", invoice_id)
    if invoice["status"] != "draft" or not invoice["auto_advance"]:
        return
    invoices.finalize(tx, invoice)
    intent = add_intent(tx, invoice)
    invoice_payments.add(tx, invoice, intent_id=intent["id"])
    collect(tx, invoice)


def retry(tx: Transaction, invoice_id: str) -> None:
    """Charge the stored card once more, unless that was settled or given up since."""
    invoice = tx.need("invoice", invoice_id)
    due_at = invoice["next_payment_attempt"]
    if invoice["status"] == "open" and due_at is not None and due_at <= tx.now:
        collect(tx, invoice)


def collect(tx: Transaction, invoice: Body) -> bool:
    """Charge the stored card for an open invoice; say whether that went well."""
    subscription = tx.need("subscription", invoices.subscription_id_of(invoice))
    invoice_payment = _open_payment(tx, invoice)
    intent = tx.need("payment_intent", invoice_payment["payment"]["payment_intent"])
    method = tx.need("payment_method", subscription["default_payment_method"])
    entry = payment_methods.entry_of(tx, method["id"])
    decline = entry.card.renewal_decline or entry.card.decline
    if decline is not None:
        charge = charges.fail(tx, intent, method_id=method["id"], entry=entry, decline=decline)
        error = payment_intents.error_of(decline, method=method, charge_id=charge["id"])
        payment_intents.fail(tx, intent, error=error, charge_id=charge["id"])
        _fail(tx, invoice, subscription)
        return False
    charge = charges.succeed(tx, intent, method_id=method["id"], entry=entry, authenticated=False)
    payment_intents.succeed(tx, intent, charge=charge)
    settle(tx, invoice, invoice_payment)
    return True


def settle(tx: Transaction, invoice: Body, invoice_payment: Body) -> Body:
    """Record that an invoice's payment arrived; its subscription is in good standing again."""
    invoices.mark_paid(tx, invoice)
    invoice_payments.pay(tx, invoice_payment, amount_minor=invoice["amount_due"])
    return _reactivate(tx, invoice)


def pay_outside(tx: Transaction, invoice: Body) -> Body:
    """Take an invoice as paid by money that never went through Stripe."""
    if invoice["status"] == "draft":
        invoices.finalize(tx, invoice)
    if invoice["status"] != "open":
        raise _not_open(invoice)
    for invoice_payment in invoice_payments.of_invoice(tx, invoice["id"]):
        intent = tx.need("payment_intent", invoice_payment["payment"]["payment_intent"])
        payment_intents.cancel(tx, intent)
    invoice_payments.cancel_open(tx, invoice)
    outside = invoice_payments.add_outside(tx, invoice)
    invoices.mark_paid(tx, invoice, outside=True)
    invoice_payments.pay(tx, outside, amount_minor=invoice["amount_due"])
    _reactivate(tx, invoice)
    return invoice


def _reactivate(tx: Transaction, invoice: Body) -> Body:
    subscription = tx.need("subscription", invoices.subscription_id_of(invoice))
    is_latest = subscription["latest_invoice"] == invoice["id"]
    if is_latest and subscription["status"] in ("incomplete", "past_due", "trialing"):
        return subscriptions.change(tx, subscription, {"status": "active"})
    return subscription


def _fail(tx: Transaction, invoice: Body, subscription: Body) -> None:
    attempts = invoice["attempt_count"]
    again = attempts < len(RETRY_AFTER_DAYS)
    next_at = tx.now + RETRY_AFTER_DAYS[attempts] * DAY_SECONDS if again else None
    if subscription["status"] == "canceled":
        invoices.count_attempt(tx, invoice, next_attempt_at=None)
        return
    invoices.count_attempt(tx, invoice, next_attempt_at=next_at)
    if next_at is None:
        subscriptions.cancel(tx, subscription, reason="payment_failed")
        return
    tx.schedule("retry_invoice", invoice["id"], due_at=next_at)
    announce(tx, "invoice.updated", invoice, previous={"next_payment_attempt": None})
    subscriptions.change(tx, subscription, {"status": "past_due"})


def _open_payment(tx: Transaction, invoice: Body) -> Body:
    payments = invoice_payments.of_invoice(tx, invoice["id"])
    return next(payment for payment in payments if payment["status"] == "open")


def _not_open(invoice: Body) -> ApiError:
    if invoice["status"] == "paid":
        return refused("Invoice is already paid", code="invoice_already_paid")
    return refused(f"This invoice is {invoice['status']} and cannot be paid.")


def _pay(call: Call) -> Body:
    """Pay an invoice now. Unlike Stripe's, an attempt that is declined here leaves no trace."""
    for name in call.params:
        if name not in ("expand", "off_session", "paid_out_of_band"):
            raise unspoken(name)
    invoice = call.tx.need("invoice", call.object_id)
    if call.params.get("paid_out_of_band", False):
        return pay_outside(call.tx, invoice)
    if invoice["status"] != "open":
        raise _not_open(invoice)
    if not collect(call.tx, invoice):
        raise ApiError(
            "Your card was declined.",
            status=402,
            error_type="card_error",
            code="card_declined",
            saved=True,
        )
    return invoice


ENDPOINTS = (
    Endpoint(
        "POST", f"{invoices.URL}/<object_id>/pay", "_invoice_pay_params:InvoicePayParams", _pay
    ),
)
