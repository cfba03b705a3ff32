"""What we ask of Stripe, in our own words: the values, and the interface that speaks them.

Everything beyond this module is free of Stripe's types. `payments.stripe_gateway` is the one
implementation; the sandbox stands behind it in development and in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

# The API version that our code is written for, and that the webhook endpoint is pinned to.
API_VERSION = "2026-10-28.endive"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutRequest:
    """A one-off gift to be paid on Stripe's page."""

    donation_id: str
    campaign_slug: str
    label: str  # what the donor reads beside the amount
    amount_minor: int
    currency: str
    email: str | None
    success_url: str
    cancel_url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A Checkout Session as Stripe now tells it."""

    id: str
    url: str | None  # None once it is complete or expired
    status: str  # open, complete, expired
    paid: bool
    payment_id: str | None  # None until the donor has confirmed
    donation_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment intent as Stripe now tells it, with what its charge says."""

    id: str
    status: str
    received_minor: int
    currency: str
    livemode: bool
    donation_id: str | None
    paid_at: datetime | None  # the time of its charge
    email: str | None
    name: str | None

    @property
    def succeeded(self) -> bool:
        """Whether the money has come in."""
        return self.status == "succeeded" and self.paid_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """A refund as Stripe now tells it."""

    id: str
    status: str  # pending, requires_action, succeeded, failed, canceled
    amount_minor: int

    @property
    def effect_minor(self) -> int:
        """What it takes from the gift: everything but failed and canceled ones count."""
        return 0 if self.status in {"failed", "canceled"} else -self.amount_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event that Stripe signed. It says what to look at, never what to believe."""

    id: str
    type: str
    api_version: str | None
    livemode: bool
    occurred_at: datetime
    object_id: str | None
    payment_id: str | None  # of the payment that the object is about, where it names one
    body: bytes


class Gateway(Protocol):
    """Stripe, as far as we need it.

    Every call may raise GatewayUnavailable (try again) or GatewayRefused (don't).
    """

    @property
    def checkout_origin(self) -> str:
        """The origin of the page where donors pay."""

    def create_checkout(self, request: CheckoutRequest) -> Checkout:
        """Open a Checkout Session; repeating it with the same donation gives the same one."""

    def checkout(self, checkout_id: str) -> Checkout:
        """Fetch a Checkout Session."""

    def payment(self, payment_id: str) -> Payment:
        """Fetch a payment."""

    def refunds(self, payment_id: str) -> Sequence[Refund]:
        """Fetch all refunds of a payment."""

    def read_event(self, body: bytes, signature: str, *, now: datetime) -> Event:
        """Verify the raw body of a webhook call and read it; raise UntrustedEvent."""

    def parse_event(self, body: bytes) -> Event:
        """Read a body that was verified before."""
