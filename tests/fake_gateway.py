"""A Stripe that lives in memory, for tests that are about us: quick, and it fails on demand.

What Stripe itself does is the sandbox's business. This one keeps just enough to answer.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from core.clock import Clock
from core.settings import Settings
from payments.errors import GatewayRefused, GatewayUnavailable
from payments.gateway import API_VERSION, Checkout, CheckoutRequest, Event, Payment, Refund
from payments.stripe_gateway import StripeGateway

ORIGIN = "https://checkout.stripe.com"
WEBHOOK_SECRET = "whsec_test"


@dataclass
class _Sale:
    request: CheckoutRequest
    checkout: Checkout
    payment: Payment | None = None
    refunds: list[Refund] = field(default_factory=list)


class FakeGateway:
    """Implements `payments.gateway.Gateway`, and what a donor and Stripe would do.

    While `unavailable` is set, every call fails as when Stripe is down; `lost_answers` makes the
    next so many creations succeed at Stripe and fail for us. `calls` counts calls by name.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.unavailable = False
        self.refused = False
        self.lost_answers = 0
        self.livemode = settings.livemode
        self.calls: dict[str, int] = {}
        self._clock = clock
        self._reader = StripeGateway(settings)
        self._numbers = itertools.count(1)
        self._sales: dict[str, _Sale] = {}  # by donation

    @property
    def checkout_origin(self) -> str:
        return ORIGIN

    def create_checkout(self, request: CheckoutRequest) -> Checkout:
        self._called("create_checkout")
        sale = self._sales.get(request.donation_id)
        if sale is not None and sale.request != request:
            raise GatewayRefused("idempotency_error: the key was used with other parameters")
        if sale is None:
            number = next(self._numbers)
            checkout = Checkout(
                id=f"cs_test_{number}",
                url=f"{ORIGIN}/c/pay/cs_test_{number}",
                status="open",
                paid=False,
                payment_id=None,
                donation_id=request.donation_id,
            )
            sale = self._sales[request.donation_id] = _Sale(request, checkout)
        if self.lost_answers:
            self.lost_answers -= 1
            raise GatewayUnavailable("The payment service can't be reached just now.")
        return sale.checkout

    def checkout(self, checkout_id: str) -> Checkout:
        self._called("checkout")
        return self._of_checkout(checkout_id).checkout

    def payment(self, payment_id: str) -> Payment:
        self._called("payment")
        payment = self._of_payment(payment_id).payment
        assert payment is not None
        return payment

    def refunds(self, payment_id: str) -> Sequence[Refund]:
        self._called("refunds")
        return list(self._of_payment(payment_id).refunds)

    def read_event(self, body: bytes, signature: str, *, now: datetime) -> Event:
        return self._reader.read_event(body, signature, now=now)

    def parse_event(self, body: bytes) -> Event:
        return self._reader.parse_event(body)

    # What a donor, a bank and an admin do at Stripe.

    def pay(
        self,
        checkout_id: str,
        *,
        paid_at: datetime | None = None,
        status: str = "succeeded",
        email: str | None = None,
        name: str | None = None,
    ) -> Payment:
        """Pay a session; `status` "processing" leaves the money on its way."""
        sale = self._of_checkout(checkout_id)
        succeeded = status == "succeeded"
        payment_id = sale.checkout.payment_id or f"pi_{next(self._numbers)}"
        sale.payment = Payment(
            id=payment_id,
            status=status,
            received_minor=sale.request.amount_minor if succeeded else 0,
            currency=sale.request.currency,
            livemode=self.livemode,
            donation_id=sale.request.donation_id,
            paid_at=paid_at or self._clock.now(),
            email=email or sale.request.email,
            name=name,
        )
        sale.checkout = replace(
            sale.checkout, status="complete", url=None, paid=succeeded, payment_id=payment_id
        )
        return sale.payment

    def change_payment(self, payment_id: str, **changes: Any) -> Payment:
        """Make a payment other than it was asked for: its currency, its amount, its mode."""
        sale = self._of_payment(payment_id)
        assert sale.payment is not None
        sale.payment = replace(sale.payment, **changes)
        return sale.payment

    def expire(self, checkout_id: str) -> Checkout:
        """Let a session's time run out."""
        sale = self._of_checkout(checkout_id)
        sale.checkout = replace(sale.checkout, status="expired", url=None)
        return sale.checkout

    def refund(
        self, payment_id: str, amount_minor: int | None = None, *, status: str = "succeeded"
    ) -> Refund:
        """Give a payment back, whole or in part."""
        sale = self._of_payment(payment_id)
        assert sale.payment is not None
        refund = Refund(
            id=f"re_{next(self._numbers)}",
            status=status,
            amount_minor=sale.payment.received_minor if amount_minor is None else amount_minor,
        )
        sale.refunds.append(refund)
        return refund

    def change_refund(self, refund_id: str, status: str) -> Refund:
        """Let a refund go through later, or fail."""
        for sale in self._sales.values():
            for place, refund in enumerate(sale.refunds):
                if refund.id == refund_id:
                    sale.refunds[place] = changed = replace(refund, status=status)
                    return changed
        raise AssertionError(f"no refund {refund_id}")

    def event(
        self,
        type_: str,
        object_id: str,
        *,
        id_: str | None = None,
        payment_id: str | None = None,
        livemode: bool | None = None,
    ) -> bytes:
        """Return the body of an event about an object, as Stripe would send it now."""
        kind = "checkout.session" if object_id.startswith("cs_") else "payment_intent"
        subject: dict[str, Any] = {"id": object_id, "object": kind}
        if object_id.startswith(("re_", "ch_")):
            subject = {"id": object_id, "object": {"re": "refund", "ch": "charge"}[object_id[:2]]}
        if payment_id is not None:
            subject["payment_intent"] = payment_id
        body = {
            "id": id_ or f"evt_{next(self._numbers)}",
            "object": "event",
            "type": type_,
            "api_version": API_VERSION,
            "created": int(self._clock.now().timestamp()),
            "livemode": self.livemode if livemode is None else livemode,
            "data": {"object": subject},
        }
        return json.dumps(body).encode()

    def signed(
        self, body: bytes, *, secret: str = WEBHOOK_SECRET, at: datetime | None = None
    ) -> dict[str, str]:
        """Return the headers with which Stripe would post `body`."""
        return signed(body, secret=secret, at=at or self._clock.now())

    def _called(self, name: str) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1
        if self.unavailable:
            raise GatewayUnavailable("The payment service can't be reached just now.")
        if self.refused:
            raise GatewayRefused("Stripe refused the call: parameter_invalid: none")

    def _of_checkout(self, checkout_id: str) -> _Sale:
        for sale in self._sales.values():
            if sale.checkout.id == checkout_id:
                return sale
        raise GatewayRefused(f"Stripe refused the call: resource_missing: {checkout_id}")

    def _of_payment(self, payment_id: str) -> _Sale:
        for sale in self._sales.values():
            if sale.payment is not None and sale.payment.id == payment_id:
                return sale
        raise GatewayRefused(f"Stripe refused the call: resource_missing: {payment_id}")


def signed(body: bytes, *, at: datetime, secret: str = WEBHOOK_SECRET) -> dict[str, str]:
    """Return the headers with which Stripe would post `body` at that time.

    https://docs.stripe.com/webhooks#verify-manually
    """
    timestamp = int(at.timestamp())
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": f"t={timestamp},v1={mac.hexdigest()}",
    }
