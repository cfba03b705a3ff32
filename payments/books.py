"""Bringing a donation and the ledger to what Stripe now says of a payment.

Webhooks, the thank-you page and (later) reconciliation all end here: they differ in what woke
them, not in what they do. First the facts are fetched, outside of any transaction; then they
are applied within one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.ledger import Gift, Reduction, state_gift
from campaigns.models import Campaign, ReferenceKind
from payments.donating import known_donor
from payments.errors import DonationNotKnownYet
from payments.gateway import Checkout, Gateway, Payment, Refund
from payments.models import Donation, DonationState

_SETTLED = frozenset({DonationState.PAID, DonationState.QUARANTINED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What Stripe says at one moment: a session, a payment, or both, and the payment's refunds."""

    checkout: Checkout | None = None
    payment: Payment | None = None
    refunds: Sequence[Refund] = ()


def gather_facts(
    gateway: Gateway, *, checkout_id: str | None = None, payment_id: str | None = None
) -> Facts:
    """Ask Stripe for the session and the payment behind it. Several calls over the network."""
    checkout = gateway.checkout(checkout_id) if checkout_id else None
    if checkout is not None and checkout.payment_id:
        payment_id = checkout.payment_id
    if payment_id is None:
        return Facts(checkout=checkout)
    payment = gateway.payment(payment_id)
    refunds = gateway.refunds(payment_id) if payment.succeeded else ()
    return Facts(checkout=checkout, payment=payment, refunds=refunds)


def apply_facts(
    session: Session, facts: Facts, *, livemode: bool, cause: str, now: datetime
) -> str:
    """Bring the donation and the ledger to `facts`; return in words what came of it.

    Safe to repeat, in any order and at once: states are set, not added to, and the ledger posts
    differences only. Raises DonationNotKnownYet where the facts name a donation that we have not
    got.
    """
    donation = _donation_of(session, facts)
    if donation is None:
        return "not a donation of ours: nothing counted"
    payment = facts.payment
    if payment is not None and payment.succeeded:
        return _settle(session, donation, facts, livemode=livemode, cause=cause, now=now)
    if donation.state not in _SETTLED:
        donation.state = _unpaid_state(facts)
        session.flush()
    return f"donation {donation.state}"


def _donation_of(session: Session, facts: Facts) -> Donation | None:
    named = {
        source.donation_id for source in (facts.checkout, facts.payment) if source is not None
    } - {None}
    if not named:
        return None
    donation_id = named.pop()
    donation = session.scalars(
        select(Donation)
        .where(Donation.id == donation_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if donation is None:
        raise DonationNotKnownYet(f"donation {donation_id} is not in our books")
    return donation


def _unpaid_state(facts: Facts) -> DonationState:
    if facts.checkout is None or facts.checkout.status == "open":
        return DonationState.PENDING
    if facts.checkout.status == "expired":
        return DonationState.EXPIRED
    if facts.payment is not None and facts.payment.status in {
        "requires_payment_method",
        "canceled",
    }:
        return DonationState.FAILED
    return DonationState.PROCESSING


def _settle(
    session: Session,
    donation: Donation,
    facts: Facts,
    *,
    livemode: bool,
    cause: str,
    now: datetime,
) -> str:
    payment = facts.payment
    if payment is None or payment.paid_at is None:
        raise ValueError("only a payment that has succeeded can be settled")
    if donation.reference not in {None, payment.id}:
        return f"not counted: {donation.id} was paid before, by {donation.reference}"
    campaign = session.get_one(Campaign, donation.campaign_id)
    problem = _not_as_asked(donation, payment, livemode=livemode)
    donation.paid_at = payment.paid_at
    if problem is not None:
        donation.state = DonationState.QUARANTINED
        donation.quarantine_reason = problem
        session.flush()
        return f"quarantined: {problem}"
    if donation.donor_id is None:
        donation.donor_id = known_donor(session, email=payment.email, name=payment.name, now=now)
    donation.state = DonationState.PAID
    donation.reference = payment.id
    session.flush()
    left = state_gift(
        session,
        campaign,
        Gift(
            reference=payment.id,
            kind=ReferenceKind.PAYMENT,
            effect_minor=payment.received_minor,
            paid_at=payment.paid_at,
            donor_key=f"donor:{donation.donor_id}" if donation.donor_id else None,
        ),
        [
            Reduction(
                reference=refund.id,
                kind=ReferenceKind.REFUND,
                effect_minor=refund.effect_minor,
            )
            for refund in facts.refunds
        ],
        cause=cause,
        now=now,
    )
    return f"counted: {left} of {payment.received_minor} {payment.currency}"


def _not_as_asked(donation: Donation, payment: Payment, *, livemode: bool) -> str | None:
    if payment.livemode != livemode:
        return "test money on a live site" if livemode else "live money on a test site"
    if payment.currency != donation.currency:
        return f"paid in {payment.currency}, asked in {donation.currency}"
    if payment.received_minor != donation.amount_minor:
        return f"paid {payment.received_minor}, asked {donation.amount_minor}"
    return None
