"""What we ask of Stripe, in our own words: the values, and the interface that speaks them.

Everything beyond this module is free of Stripe's types. `payments.stripe_gateway` is the one
implementation; the sandbox stands behind it in development and in the tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, Protocol

# The API version that our code is written for, and that the webhook endpoint is pinned to.
API_VERSION = "2026-10-28.endive"

Frequency = Literal["once", "month", "year"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutRequest:
    """A gift to be paid at Stripe, once or again each month or year."""

    donation_id: str
    campaign_slug: str
    label: str  # what the donor reads beside the amount
    amount_minor: int
    currency: str
    frequency: Frequency
    email: str | None
    cover_minor: int = 0  # what is paid on top, to cover the fees
    cover_label: str = ""  # what the donor reads beside that
    customer_id: str | None = None  # of somebody who gives regularly already
    locale: str = "en"  # the donor's language, as Babel writes it
    embedded: bool = False  # in our own page; else on Stripe's
    success_url: str  # where donors come to who have done their part
    cancel_url: str  # where Stripe's own page leads those who turn back
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A Checkout Session as Stripe now tells it."""

    id: str
    url: str | None  # of Stripe's own page; None once it is complete or expired
    status: str  # open, complete, expired
    paid: bool
    donation_id: str | None
    payment_id: str | None = None  # None until the donor has confirmed, and of a subscription
    invoice_id: str | None = None  # a subscription's first
    subscription_id: str | None = None
    # What mounts it in our own page. Whoever has it sees the donor's address: never log it.
    client_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """What a page needs so that donors can pay in it."""

    script_url: str
    # What its content security policy must let in, by directive.
    sources: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment intent as Stripe now tells it, with what its charge says."""

    id: str
    status: str
    received_minor: int
    currency: str
    livemode: bool
    donation_id: str | None  # None for renewals too: see Invoice
    paid_at: datetime | None  # the time of its charge
    email: str | None
    name: str | None
    # Stripe's fee and what is left of the charge, in minor units of the settlement currency;
    # None until Stripe knows them, which is never the same as zero.
    fee_minor: int | None = None
    net_minor: int | None = None
    settlement_currency: str | None = None
    # What else its donation was told as: what the donation is made anew from where we lost it.
    campaign_slug: str | None = None
    cover_minor: int = 0

    @property
    def succeeded(self) -> bool:
        """Whether the money has come in."""
        return self.status == "succeeded" and self.paid_at is not None and self.received_minor > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """A refund as Stripe now tells it."""

    id: str
    status: str  # pending, requires_action, succeeded, failed, canceled
    amount_minor: int
    request_id: str | None = None  # of the request of ours that made it

    @property
    def effect_minor(self) -> int:
        """What it takes from the gift: everything but failed and canceled ones count."""
        return 0 if self.status in {"failed", "canceled"} else -self.amount_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """A refund to be made. The request's id is its idempotency key, and goes into its metadata."""

    request_id: str
    payment_id: str
    amount_minor: int
    reason: str | None  # duplicate, fraudulent, requested_by_customer


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A dispute as Stripe now tells it."""

    id: str
    status: str
    amount_minor: int
    # Whether Stripe holds the money: withdrawn, and not given back.
    withdrawn: bool

    @property
    def effect_minor(self) -> int:
        """What it takes from the gift. An inquiry (`warning_…`) moves nothing."""
        return -self.amount_minor if self.withdrawn else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A recurring gift as Stripe now tells it; the amount is all that is taken at a time."""

    id: str
    status: str
    donation_id: str | None  # the donation that began it
    customer_id: str
    interval: str  # month, year
    amount_minor: int
    currency: str
    cancel_at: datetime | None
    renews_at: datetime | None
    campaign_slug: str | None = None  # as a payment's
    cover_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice as Stripe now tells it, and the payment intents that paid it.

    Money that was paid outside Stripe is in neither.
    """

    id: str
    subscription_id: str | None
    is_first: bool  # of its subscription
    payment_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """Money that Stripe sent to the bank, or took from it (under zero), as Stripe now tells it."""

    id: str
    amount_minor: int
    currency: str
    status: str  # pending, in_transit, paid, failed, canceled
    arrives_on: date
    created_at: datetime
    livemode: bool
    automatic: bool  # by the schedule; of others Stripe never tells the lines
    reconciled: bool  # whether Stripe tells the lines
    failure: str | None = None  # why the bank sent it back


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutLine:
    """A balance transaction that a payout is made of, in minor units of the payout's currency."""

    id: str
    category: str  # Stripe's reporting category: charge, refund, dispute, fee, …
    amount_minor: int
    fee_minor: int
    net_minor: int
    currency: str
    occurred_at: datetime
    source_id: str | None  # the charge, refund, dispute or payout that it comes from
    payment_id: str | None  # the payment that this one is of
    description: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event that Stripe signed. It says what to look at, never what to believe."""

    id: str
    type: str
    api_version: str | None
    livemode: bool
    occurred_at: datetime
    object_id: str | None
    # The payment and the invoice that the object is about, where it names them.
    payment_id: str | None
    invoice_id: str | None
    body: bytes


class Gateway(Protocol):
    """Stripe, as far as we need it.

    Every call may raise GatewayUnavailable (try again) or GatewayRefused (don't).
    """

    @property
    def checkout_origin(self) -> str:
        """The origin of the page where donors pay."""

    @property
    def embedding(self) -> Embedding:
        """What a page of ours needs for a session that is embedded in it."""

    def create_checkout(self, request: CheckoutRequest) -> Checkout:
        """Open a Checkout Session; repeating the same request gives the same one.

        Raises CustomerGone where the request names a customer that Stripe no longer has.
        """

    def expire_checkout(self, checkout_id: str) -> Checkout:
        """Close a session for good; raise GatewayRefused where it is not open any more."""

    def checkout(self, checkout_id: str) -> Checkout:
        """Fetch a Checkout Session."""

    @property
    def portal_origin(self) -> str:
        """The origin of the page where donors look after regular gifts."""

    def open_portal(self, customer_id: str, *, return_url: str) -> str:
        """Return the address of the portal for one customer; it is short-lived."""

    def payment(self, payment_id: str) -> Payment:
        """Fetch a payment."""

    def refunds(self, payment_id: str) -> Sequence[Refund]:
        """Fetch all refunds of a payment."""

    def create_refund(self, order: RefundOrder) -> Refund:
        """Give a payment back; repeating the same order within a day gives the same refund.

        GatewayRefused says that no money went back by this call.
        """

    def disputes(self, payment_id: str) -> Sequence[Dispute]:
        """Fetch all disputes of a payment."""

    def subscription(self, subscription_id: str) -> Subscription:
        """Fetch a subscription."""

    def invoice(self, invoice_id: str) -> Invoice:
        """Fetch an invoice and what paid it."""

    def invoice_of(self, payment_id: str) -> Invoice | None:
        """Fetch the invoice that a payment paid; None where it paid none."""

    def events(self, since: datetime) -> Iterator[Event]:
        """List the events since then, the newest first; Stripe keeps 30 days of them."""

    def payment_ids(self, since: datetime) -> Iterator[str]:
        """List the payments that were begun, refunded or disputed since then, each once or more."""

    def payouts(self, since: datetime) -> Iterator[Payout]:
        """List the payouts that were made since then, the newest first."""

    def payout(self, payout_id: str) -> Payout:
        """Fetch a payout."""

    def payout_lines(self, payout_id: str) -> Iterator[PayoutLine]:
        """List what a reconciled payout is made of, without its own transaction."""

    def register_webhook(self, url: str, types: Sequence[str]) -> str | None:
        """Have Stripe send these events to `url`; return the new endpoint's signing secret.

        Where there is an endpoint at `url` already, it gets these types and None is returned:
        Stripe tells a secret once only.
        """

    def told_at(self) -> datetime:
        """Ask for next to nothing, and return when Stripe says that it answered, to the second."""

    def read_event(self, body: bytes, signature: str, *, now: datetime) -> Event:
        """Verify the raw body of a webhook call and read it; raise UntrustedEvent."""

    def parse_event(self, body: bytes) -> Event:
        """Read a body that was verified before."""
