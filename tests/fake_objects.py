"""What the fake gateway keeps of payments, sessions and subscriptions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from payments.gateway import (
    Checkout,
    CheckoutRequest,
    Dispute,
    Invoice,
    Payment,
    Refund,
    Subscription,
)


@dataclass
class Paid:
    """A payment, and what takes from it."""

    payment: Payment
    refunds: list[Refund] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)


@dataclass
class Sale:
    """A session for a donation; its payment is among the paid ones."""

    request: CheckoutRequest
    checkout: Checkout


def charged_minor(request: CheckoutRequest) -> int:
    """Return what the card is charged: the gift, and what covers its fees."""
    return request.amount_minor + request.cover_minor


@dataclass
class Plan:
    """A subscription, its invoices, and what paid them."""

    subscription: Subscription
    invoices: list[Invoice] = field(default_factory=list)


def a_month_after(instant: datetime) -> datetime:
    """Return the same day of the next month, as Stripe's renewals are; at most its 28th."""
    first = instant.replace(day=1) + timedelta(days=32)
    return first.replace(day=min(instant.day, 28))
