"""A Stripe that lives in memory, for tests that are about us: quick, and it fails on demand.

What Stripe itself does is the sandbox's business. This one keeps just enough to answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from core.clock import Clock
from core.settings import Settings
from payments.errors import CustomerGone, GatewayRefused, GatewayUnavailable
from payments.gateway import (
    Checkout,
    CheckoutRequest,
    Dispute,
    Embedding,
    Event,
    Invoice,
    Payment,
    Payout,
    PayoutLine,
    Refund,
    RefundOrder,
    Subscription,
)
from payments.stripe_checkout import checkout_key, embedding_at
from payments.stripe_gateway import StripeGateway
from tests.fake_events import WEBHOOK_SECRET, event_body, signed
from tests.fake_objects import Paid, Plan, Sale, a_month_after, charged_minor

ORIGIN = "https://checkout.stripe.com"
PORTAL = "https://billing.stripe.com"
Part = TypeVar("Part", Refund, Dispute)


class FakeGateway:
    """Implements `payments.gateway.Gateway`, and what a donor and Stripe would do.

    While `unavailable` is set, every call fails as when Stripe is down; `lost_answers` makes the
    next so many creations succeed at Stripe and fail for us; customers in `gone` are deleted at
    Stripe. `calls` counts calls by name.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.unavailable = False
        self.refused = False
        self.lost_answers = 0
        self.gone: set[str] = set()
        self.livemode = settings.livemode
        self.calls: dict[str, int] = {}
        self._clock = clock
        self.clock_of_stripe: datetime | None = None  # where it is not ours
        self._reader = StripeGateway(settings)
        self._numbers = itertools.count(1)
        self._sales: dict[str, Sale] = {}  # by idempotency key
        self._paid: dict[str, Paid] = {}
        self._plans: dict[str, Plan] = {}
        self._refund_orders: dict[str, tuple[RefundOrder, Refund]] = {}
        self.paid_out: dict[str, tuple[Payout, list[PayoutLine]]] = {}
        self.webhooks: dict[str, list[str]] = {}
        self.listed_events: list[bytes] = []  # what Stripe's event list holds, the newest first

    @property
    def checkout_origin(self) -> str:
        return ORIGIN

    @property
    def embedding(self) -> Embedding:
        return embedding_at(None)

    def create_checkout(self, request: CheckoutRequest) -> Checkout:
        self._called("create_checkout")
        if request.customer_id in self.gone:
            raise CustomerGone("Stripe has no such customer.")
        key = checkout_key(request)
        sale = self._sales.get(key)
        if sale is not None and sale.request != request:
            raise GatewayRefused("idempotency_error: the key was used with other parameters")
        if sale is None:
            number = next(self._numbers)
            checkout = Checkout(
                id=f"cs_test_{number}",
                url=None if request.embedded else f"{ORIGIN}/c/pay/cs_test_{number}",
                client_secret=f"cs_test_{number}_secret_x" if request.embedded else None,
                status="open",
                paid=False,
                payment_id=None,
                donation_id=request.donation_id,
            )
            sale = self._sales[key] = Sale(request, checkout)
        if self.lost_answers:
            self.lost_answers -= 1
            raise GatewayUnavailable("The payment service can't be reached just now.")
        return sale.checkout

    def expire_checkout(self, checkout_id: str) -> Checkout:
        self._called("expire_checkout")
        if self._of_checkout(checkout_id).checkout.status != "open":
            raise GatewayRefused("Stripe refused the call: it is not open")
        return self.expire(checkout_id)

    def asked(self, checkout_id: str) -> CheckoutRequest:
        """Return what a session was asked for with."""
        return self._of_checkout(checkout_id).request

    def checkout(self, checkout_id: str) -> Checkout:
        self._called("checkout")
        return self._of_checkout(checkout_id).checkout

    @property
    def portal_origin(self) -> str:
        return PORTAL

    def open_portal(self, customer_id: str, *, return_url: str) -> str:
        self._called("open_portal")
        return f"{PORTAL}/p/session/{customer_id}?return={return_url}"

    def payment(self, payment_id: str) -> Payment:
        self._called("payment")
        return self._of_payment(payment_id).payment

    def refunds(self, payment_id: str) -> Sequence[Refund]:
        self._called("refunds")
        return list(self._of_payment(payment_id).refunds)

    def create_refund(self, order: RefundOrder) -> Refund:
        self._called("create_refund")
        known = self._refund_orders.get(order.request_id)
        if known is not None and known[0] != order:
            raise GatewayRefused("idempotency_error: the key was used with other parameters")
        if known is None:
            paid = self._of_payment(order.payment_id)
            left_minor = paid.payment.received_minor + sum(r.effect_minor for r in paid.refunds)
            if order.amount_minor > left_minor:
                raise GatewayRefused("Stripe refused the call: greater than unrefunded amount")
            refund = Refund(
                id=f"re_{next(self._numbers)}",
                status="succeeded",
                amount_minor=order.amount_minor,
                request_id=order.request_id,
            )
            paid.refunds.append(refund)
            known = self._refund_orders[order.request_id] = (order, refund)
        if self.lost_answers:
            self.lost_answers -= 1
            raise GatewayUnavailable("The payment service can't be reached just now.")
        return known[1]

    def forget_keys(self) -> None:
        """Prune idempotency keys, as Stripe does after a day."""
        self._refund_orders.clear()

    def disputes(self, payment_id: str) -> Sequence[Dispute]:
        self._called("disputes")
        return list(self._of_payment(payment_id).disputes)

    def subscription(self, subscription_id: str) -> Subscription:
        self._called("subscription")
        return self._plans[subscription_id].subscription

    def invoice(self, invoice_id: str) -> Invoice:
        self._called("invoice")
        for plan in self._plans.values():
            for invoice in plan.invoices:
                if invoice.id == invoice_id:
                    return invoice
        raise GatewayRefused(f"Stripe refused the call: resource_missing: {invoice_id}")

    def invoice_of(self, payment_id: str) -> Invoice | None:
        self._called("invoice_of")
        for plan in self._plans.values():
            for invoice in plan.invoices:
                if payment_id in invoice.payment_ids:
                    return invoice
        return None

    def events(self, since: datetime) -> Iterator[Event]:
        self._called("events")
        for body in self.listed_events:
            event = self.parse_event(body)
            if event.occurred_at >= since.replace(microsecond=0):
                yield event

    def payment_ids(self, since: datetime) -> Iterator[str]:
        self._called("payment_ids")
        for paid in self._paid.values():
            if (paid.payment.paid_at or since) >= since:
                yield paid.payment.id

    def payouts(self, since: datetime) -> Iterator[Payout]:
        self._called("payouts")
        for payout, _ in reversed(self.paid_out.values()):
            if payout.created_at >= since.replace(microsecond=0):
                yield payout

    def payout(self, payout_id: str) -> Payout:
        self._called("payout")
        if payout_id not in self.paid_out:
            raise GatewayRefused(f"Stripe refused the call: resource_missing: {payout_id}")
        return self.paid_out[payout_id][0]

    def payout_lines(self, payout_id: str) -> Iterator[PayoutLine]:
        self._called("payout_lines")
        yield from self.paid_out[payout_id][1]

    def register_webhook(self, url: str, types: Sequence[str]) -> str | None:
        self._called("register_webhook")
        known = url in self.webhooks
        self.webhooks[url] = list(types)
        return None if known else "whsec_new"

    def told_at(self) -> datetime:
        self._called("told_at")
        return self.clock_of_stripe or self._clock.now()

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
        payment = Payment(
            id=payment_id,
            status=status,
            received_minor=charged_minor(sale.request) if succeeded else 0,
            currency=sale.request.currency,
            livemode=self.livemode,
            donation_id=sale.request.donation_id,
            campaign_slug=sale.request.campaign_slug,
            cover_minor=sale.request.cover_minor,
            paid_at=paid_at or self._clock.now(),
            email=email or sale.request.email,
            name=name,
        )
        sale.checkout = replace(
            sale.checkout, status="complete", url=None, paid=succeeded, payment_id=payment_id
        )
        self._paid.setdefault(payment_id, Paid(payment)).payment = payment
        return payment

    def subscribe(self, checkout_id: str, *, paid_at: datetime | None = None) -> Payment:
        """Pay a session for a recurring gift: a subscription, its first invoice, its payment."""
        sale = self._of_checkout(checkout_id)
        number = next(self._numbers)
        plan = self._plans[f"sub_{number}"] = Plan(
            Subscription(
                id=f"sub_{number}",
                status="active",
                donation_id=sale.request.donation_id,
                customer_id=sale.request.customer_id or f"cus_{number}",
                interval=sale.request.frequency,
                amount_minor=charged_minor(sale.request),
                currency=sale.request.currency,
                cancel_at=None,
                renews_at=a_month_after(paid_at or self._clock.now()),
                campaign_slug=sale.request.campaign_slug,
                cover_minor=sale.request.cover_minor,
            )
        )
        payment = self._invoice(plan, paid_at or self._clock.now())
        sale.checkout = replace(
            sale.checkout,
            status="complete",
            url=None,
            paid=True,
            subscription_id=plan.subscription.id,
            invoice_id=plan.invoices[0].id,
        )
        return payment

    def renew(self, subscription_id: str, *, paid_at: datetime | None = None) -> Payment:
        """Let a subscription take its next payment."""
        paid_at = paid_at or self._clock.now()
        self.change_subscription(subscription_id, renews_at=a_month_after(paid_at))
        return self._invoice(self._plans[subscription_id], paid_at)

    def change_subscription(self, subscription_id: str, **changes: Any) -> Subscription:
        """Let Stripe or the donor change a subscription: its status, its end."""
        plan = self._plans[subscription_id]
        plan.subscription = replace(plan.subscription, **changes)
        return plan.subscription

    def _invoice(self, plan: Plan, paid_at: datetime) -> Payment:
        payment = self.foreign_payment(
            plan.subscription.amount_minor, plan.subscription.currency, paid_at=paid_at
        )
        plan.invoices.append(
            Invoice(
                id=f"in_{next(self._numbers)}",
                subscription_id=plan.subscription.id,
                is_first=not plan.invoices,
                payment_ids=(payment.id,),
            )
        )
        return payment

    def foreign_payment(
        self, amount_minor: int, currency: str = "USD", *, paid_at: datetime | None = None
    ) -> Payment:
        """Take money that names no donation: a shop's, or a renewal's."""
        payment = Payment(
            id=f"pi_{next(self._numbers)}",
            status="succeeded",
            received_minor=amount_minor,
            currency=currency,
            livemode=self.livemode,
            donation_id=None,
            paid_at=paid_at or self._clock.now(),
            email=None,
            name=None,
        )
        self._paid[payment.id] = Paid(payment)
        return payment

    def dispute(
        self, payment_id: str, amount_minor: int | None = None, *, withdrawn: bool = True
    ) -> Dispute:
        """Let a bank ask for the money back; an inquiry withdraws nothing."""
        sale = self._of_payment(payment_id)
        dispute = Dispute(
            id=f"dp_{next(self._numbers)}",
            status="needs_response" if withdrawn else "warning_needs_response",
            amount_minor=sale.payment.received_minor if amount_minor is None else amount_minor,
            withdrawn=withdrawn,
        )
        sale.disputes.append(dispute)
        return dispute

    def change_dispute(self, dispute_id: str, **changes: Any) -> Dispute:
        """Let a dispute be won, lost, reinstated."""
        return _change((paid.disputes for paid in self._paid.values()), dispute_id, **changes)

    def change_payment(self, payment_id: str, **changes: Any) -> Payment:
        """Make a payment other than it was asked for: its currency, its amount, its mode."""
        paid = self._of_payment(payment_id)
        paid.payment = replace(paid.payment, **changes)
        return paid.payment

    def pay_out(
        self,
        lines: Iterable[PayoutLine] = (),
        *,
        amount_minor: int | None = None,
        automatic: bool = True,
        reconciled: bool = True,
        currency: str = "USD",
    ) -> Payout:
        """Send to the bank what these lines come to, or an amount that differs from them."""
        made = list(lines)
        now = self._clock.now()
        payout = Payout(
            id=f"po_{next(self._numbers)}",
            amount_minor=sum(line.net_minor for line in made)
            if amount_minor is None
            else amount_minor,
            currency=currency,
            status="in_transit",
            arrives_on=(now + timedelta(days=2)).date(),
            created_at=now,
            livemode=self.livemode,
            automatic=automatic,
            reconciled=automatic and reconciled,
        )
        self.paid_out[payout.id] = (payout, made)
        return payout

    def payout_line(
        self, payment: Payment | None, amount_minor: int, *, fee_minor: int = 0, **more: Any
    ) -> PayoutLine:
        """Return a line of a payout: of a payment, a charge where the amount is over zero."""
        number = next(self._numbers)
        kind, prefix = ("charge", "ch") if amount_minor > 0 else ("refund", "re")
        given: dict[str, Any] = {
            "category": kind if payment else "fee",
            "currency": "USD",
            "occurred_at": self._clock.now(),
            "source_id": f"{prefix}_{number}" if payment else None,
            "payment_id": payment.id if payment else None,
            "description": None,
        }
        return PayoutLine(
            id=f"txn_{number}",
            amount_minor=amount_minor,
            fee_minor=fee_minor,
            net_minor=amount_minor - fee_minor,
            **(given | more),
        )

    def change_payout(self, payout_id: str, **changes: Any) -> Payout:
        """Let a payout arrive, fail, be reconciled."""
        payout, lines = self.paid_out[payout_id]
        self.paid_out[payout_id] = (replace(payout, **changes), lines)
        return self.paid_out[payout_id][0]

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
        refund = Refund(
            id=f"re_{next(self._numbers)}",
            status=status,
            amount_minor=sale.payment.received_minor if amount_minor is None else amount_minor,
        )
        sale.refunds.append(refund)
        return refund

    def change_refund(self, refund_id: str, status: str) -> Refund:
        """Let a refund go through later, or fail."""
        return _change((paid.refunds for paid in self._paid.values()), refund_id, status=status)

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
        return event_body(
            type_,
            object_id,
            id_=id_ or f"evt_{next(self._numbers)}",
            payment_id=payment_id,
            livemode=self.livemode if livemode is None else livemode,
            at=self._clock.now(),
        )

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

    def _of_checkout(self, checkout_id: str) -> Sale:
        for sale in self._sales.values():
            if sale.checkout.id == checkout_id:
                return sale
        raise GatewayRefused(f"Stripe refused the call: resource_missing: {checkout_id}")

    def _of_payment(self, payment_id: str) -> Paid:
        if payment_id not in self._paid:
            raise GatewayRefused(f"Stripe refused the call: resource_missing: {payment_id}")
        return self._paid[payment_id]


def _change(lists: Iterable[list[Part]], part_id: str, **changes: Any) -> Part:
    for parts in lists:
        for place, part in enumerate(parts):
            if part.id == part_id:
                parts[place] = changed = replace(part, **changes)
                return changed
    raise AssertionError(f"no {part_id}")
