"""Asking Stripe: from whatever woke us to all that it now says of the payments concerned.

Only reads, over the network, and outside of any transaction of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from payments.gateway import (
    Checkout,
    Dispute,
    Event,
    Gateway,
    Invoice,
    Payment,
    Refund,
    Subscription,
)

# Which events tell of what: https://docs.stripe.com/api/events/types. Whatever is not here is kept
# as `unhandled`.
_OF_A_CHECKOUT = frozenset(
    f"checkout.session.{what}"
    for what in ("completed", "async_payment_succeeded", "async_payment_failed", "expired")
)
_OF_A_PAYMENT = frozenset(
    {
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
        "payment_intent.processing",
        "charge.succeeded",
        "charge.updated",
        "charge.failed",
        "charge.refunded",
        "refund.created",
        "refund.updated",
        "refund.failed",
        "charge.refund.updated",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
    }
)
_OF_AN_INVOICE = frozenset({"invoice.paid", "invoice.payment_succeeded"})
_OF_AN_INVOICE_PAYMENT = frozenset({"invoice_payment.paid"})
_OF_A_SUBSCRIPTION = frozenset(
    f"customer.subscription.{what}"
    for what in ("created", "updated", "deleted", "paused", "resumed")
)
HANDLED = (
    _OF_A_CHECKOUT | _OF_A_PAYMENT | _OF_AN_INVOICE | _OF_AN_INVOICE_PAYMENT | _OF_A_SUBSCRIPTION
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFacts:
    """What Stripe says of one payment: the money, what takes from it, and where it comes from."""

    payment: Payment
    refunds: Sequence[Refund] = ()
    disputes: Sequence[Dispute] = ()
    # Of a payment that a subscription made; such a payment names no donation itself.
    subscription: Subscription | None = None
    is_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What Stripe says at one moment of the objects that an event, a page or a check is about."""

    checkout: Checkout | None = None
    subscription: Subscription | None = None
    payments: Sequence[PaymentFacts] = ()


def gather_for_event(gateway: Gateway, event: Event) -> Facts | None:
    """Fetch what the event is about; None where nothing of ours follows from its type."""
    if event.type in _OF_A_CHECKOUT and event.object_id:
        return gather_for_checkout(gateway, event.object_id)
    if event.type in _OF_A_PAYMENT and event.payment_id:
        return gather_for_payment(gateway, event.payment_id)
    if event.type in _OF_AN_INVOICE and event.object_id:
        return _for_invoice(gateway, gateway.invoice(event.object_id))
    if event.type in _OF_AN_INVOICE_PAYMENT and event.invoice_id:
        return _for_invoice(gateway, gateway.invoice(event.invoice_id))
    if event.type in _OF_A_SUBSCRIPTION and event.object_id:
        return gather_for_subscription(gateway, event.object_id)
    return None


def gather_for_checkout(gateway: Gateway, checkout_id: str) -> Facts:
    """Fetch a session, and what was paid by it."""
    checkout = gateway.checkout(checkout_id)
    if checkout.payment_id is not None:
        return Facts(checkout=checkout, payments=[_payment(gateway, checkout.payment_id)])
    if checkout.invoice_id is not None:
        found = _for_invoice(gateway, gateway.invoice(checkout.invoice_id))
        return Facts(checkout=checkout, subscription=found.subscription, payments=found.payments)
    return Facts(checkout=checkout)


def gather_for_payment(gateway: Gateway, payment_id: str) -> Facts:
    """Fetch a payment, and the subscription behind it where it names no donation itself."""
    found = _payment(gateway, payment_id)
    if found.payment.donation_id is None:
        invoice = gateway.invoice_of(payment_id)
        if invoice is not None and invoice.subscription_id is not None:
            return _for_invoice(gateway, invoice)
    return Facts(payments=[found])


def gather_for_subscription(gateway: Gateway, subscription_id: str) -> Facts:
    """Fetch a subscription alone: it moves no money."""
    return Facts(subscription=gateway.subscription(subscription_id))


def _for_invoice(gateway: Gateway, invoice: Invoice) -> Facts:
    if invoice.subscription_id is None:
        # An invoice that no donation stands behind: its payments are foreign money.
        return Facts(payments=[_payment(gateway, found) for found in invoice.payment_ids])
    subscription = gateway.subscription(invoice.subscription_id)
    payments = [
        _payment(gateway, payment_id, subscription=subscription, is_first=invoice.is_first)
        for payment_id in invoice.payment_ids
    ]
    return Facts(subscription=subscription, payments=payments)


def _payment(
    gateway: Gateway,
    payment_id: str,
    *,
    subscription: Subscription | None = None,
    is_first: bool = False,
) -> PaymentFacts:
    payment = gateway.payment(payment_id)
    if not payment.succeeded:
        return PaymentFacts(payment=payment, subscription=subscription, is_first=is_first)
    return PaymentFacts(
        payment=payment,
        refunds=gateway.refunds(payment_id),
        disputes=gateway.disputes(payment_id),
        subscription=subscription,
        is_first=is_first,
    )
