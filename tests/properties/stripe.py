"""The fake Stripe, made talkative: whatever happens there has its events, sent and listed.

What we then get of them, and in which order, the test decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.clock import Clock
from core.settings import Settings
from payments.gateway import Dispute, Event, Payment, Refund, Subscription
from tests.fake_gateway import FakeGateway

EVENTS_KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Told:
    """All that Stripe says of one payment at one moment."""

    payment: Payment
    refunds: tuple[Refund, ...]
    disputes: tuple[Dispute, ...]
    plan: Subscription | None  # that made the payment
    is_first: bool


class TalkativeStripe(FakeGateway):
    """`sent` holds the events on their way to us, `asked_about` the payments we have fetched."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        super().__init__(settings, clock)
        self.sent: list[bytes] = []
        self.asked_about: list[str] = []
        self._begun_at: dict[str, list[datetime]] = {}

    def told(self, payment_id: str) -> Told:
        """Return the truth about a payment, without any call that could fail."""
        paid = self._of_payment(payment_id)
        plan, is_first = None, False
        for found in self._plans.values():
            for invoice in found.invoices:
                if payment_id in invoice.payment_ids:
                    plan, is_first = found.subscription, invoice.is_first
        return Told(paid.payment, tuple(paid.refunds), tuple(paid.disputes), plan, is_first)

    def all_payment_ids(self) -> Sequence[str]:
        return list(self._paid)

    # What we ask.

    def payment(self, payment_id: str) -> Payment:
        found = super().payment(payment_id)
        self.asked_about.append(payment_id)
        return found

    def events(self, since: datetime) -> Iterator[Event]:
        return super().events(max(since, self._clock.now() - EVENTS_KEPT))

    def payment_ids(self, since: datetime) -> Iterator[str]:
        self._called("payment_ids")
        for payment_id, instants in self._begun_at.items():
            if any(instant >= since for instant in instants):
                yield payment_id

    # What happens. Each tells of itself as Stripe does, often twice.

    def happen_payment(self, payment: Payment, checkout_id: str | None = None) -> None:
        """Tell of a payment that was just made, has gone through or has failed."""
        self._begin(payment.id)
        ending = {"succeeded": "succeeded", "processing": "processing"}
        self._tell(f"payment_intent.{ending.get(payment.status, 'payment_failed')}", payment.id)
        if checkout_id is not None:
            self._tell("checkout.session.completed", checkout_id)

    def happen_invoice(self, payment: Payment, checkout_id: str | None = None) -> None:
        """Tell of an invoice that a subscription has just paid."""
        self._begin(payment.id)
        for plan in self._plans.values():
            for invoice in plan.invoices:
                if payment.id in invoice.payment_ids:
                    self._tell("invoice.paid", invoice.id)
                    self._tell("customer.subscription.updated", plan.subscription.id)
        self._tell("payment_intent.succeeded", payment.id)
        if checkout_id is not None:
            self._tell("checkout.session.completed", checkout_id)

    def happen_refund(self, payment_id: str, refund: Refund, *, is_new: bool) -> None:
        """Tell of a refund that was made or has changed."""
        if is_new:
            self._begin(payment_id)
            self._tell("charge.refunded", "ch_1", payment_id)
        self._tell("refund.created" if is_new else "refund.updated", refund.id, payment_id)

    def happen_dispute(self, payment_id: str, dispute: Dispute, what: str) -> None:
        """Tell of a dispute that was opened, has moved money, or is closed."""
        if what == "created":
            self._begin(payment_id)
        self._tell(f"charge.dispute.{what}", dispute.id, payment_id)

    def happen_expiry(self, checkout_id: str) -> None:
        """Tell of a session whose time has run out."""
        self._tell("checkout.session.expired", checkout_id)

    def _begin(self, payment_id: str) -> None:
        self._begun_at.setdefault(payment_id, []).append(self._clock.now())

    def _tell(self, type_: str, object_id: str, payment_id: str | None = None) -> None:
        body = self.event(type_, object_id, payment_id=payment_id)
        self.listed_events.insert(0, body)
        self.sent.append(body)
