"""Bringing our books to what Stripe now says.

Webhooks, the thank-you page, reconciliation and a released quarantine all end here: they differ
in what woke them, not in what they do. The facts were fetched before (`payments.facts`); here
they are applied, within one transaction of the caller's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.errors import StaleFacts
from campaigns.ledger import Gift, Reduction, gift_versions, state_gift
from campaigns.ledger_models import ReferenceKind
from campaigns.models import Campaign
from campaigns.parts import Origin
from campaigns.recent import name_gift
from core.db import OpenSession, in_transaction, insert_if_absent
from core.money import exact_money, to_major
from payments import gateway, quarantine, recurring
from payments.adopting import adopt
from payments.donating import known_donor
from payments.errors import DonationNotKnownYet
from payments.facts import Facts, PaymentFacts
from payments.fee_sums import fee_of, move_fee
from payments.gateway import Payment
from payments.models import Donation, DonationState, Subscription
from payments.refund_models import note_refunds
from payments.tallies import count_agreed, count_paid

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
# Each look loses only to somebody who has brought the same payment along meanwhile.
MOST_LOOKS = 5
_SETTLED = frozenset({DonationState.PAID, DonationState.QUARANTINED})


class Apply(Protocol[T_co]):
    """Applies facts within a transaction; `seen` belongs into the Occasion."""

    def __call__(self, session: Session, /, *, facts: Facts, seen: Mapping[str, int]) -> T_co:
        """Bring the books along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Why the books are brought along now: `cause` is written into the entries."""

    cause: str
    livemode: bool  # of this site
    now: datetime
    # How often each payment had been stated before the facts were asked for, 0 where it is not
    # named; None where nobody else can be at work.
    seen: Mapping[str, int] | None = None
    # Whether donations that are not in the books are made anew: see `payments.adopting`.
    adopt: bool = False


def look_and_apply(
    open_session: OpenSession,
    gather: Callable[[], Facts | None],
    apply: Apply[T],
    *,
    payment_id: str | None = None,
) -> T | None:
    """Ask Stripe and apply what it says, in a transaction; again where others were quicker.

    Two workers may ask about one payment, and what the first of them heard may be older than
    what the second has already applied: a refund that was pending then and has failed since.
    So the payments' versions are read before Stripe is asked and hold at the end, or the facts
    are asked for anew. `payment_id` is the payment that it is probably about: knowing it saves a
    second look. Returns None where `gather` does.
    """
    expected = [payment_id] if payment_id else []
    for _ in range(MOST_LOOKS):
        names = tuple(expected)
        seen = in_transaction(open_session, partial(gift_versions, references=names))
        facts = gather()
        if facts is None:
            return None
        try:
            return in_transaction(open_session, partial(apply, facts=facts, seen=seen))
        except StaleFacts:
            expected = [found.payment.id for found in facts.payments]
    raise StaleFacts("Others were quicker each time.")


def apply_facts(session: Session, facts: Facts, occasion: Occasion) -> str:
    """Bring donations, subscriptions and the ledger to `facts`; return in words what came of it.

    Safe to repeat, in any order and at once: states are set, not added to, and the ledger posts
    differences only. Raises DonationNotKnownYet where the facts name a donation that we have not
    got.
    """
    outcomes = []
    if facts.subscription is not None:
        if occasion.adopt:
            adopt(session, facts.subscription, now=occasion.now)
        outcomes.append(recurring.bring_along(session, facts.subscription, now=occasion.now))
    outcomes += [_apply_payment(session, found, occasion) for found in facts.payments]
    if facts.checkout is not None and facts.checkout.donation_id is not None:
        donation = _locked(session, facts.checkout.donation_id)
        if donation.state not in _SETTLED:
            before, donation.state = donation.state, _unpaid_state(facts)
            session.flush()
            if before != donation.state == DonationState.PROCESSING:
                count_agreed(session, donation, now=occasion.now)
            outcomes.append(f"donation {donation.state}")
    return "; ".join(outcomes) or "nothing of ours"


def _apply_payment(session: Session, found: PaymentFacts, occasion: Occasion) -> str:
    payment = found.payment
    if not payment.succeeded:
        return f"{payment.id} is {payment.status}: nothing counted"
    note_refunds(session, found.refunds)
    decision = quarantine.find(session, payment.id)
    donation = _donation_of(session, found, decision, occasion)
    if donation is None:
        quarantine.hold(session, payment, reason="no donation of ours", now=occasion.now)
        return f"{payment.id} quarantined: no donation of ours"
    problem = _not_as_asked(donation, found, occasion)
    if problem is not None and not quarantine.is_released(decision):
        quarantine.hold(session, payment, reason=problem, donation=donation, now=occasion.now)
        if donation.reference in {None, payment.id}:
            donation.state = DonationState.QUARANTINED
            donation.paid_at = payment.paid_at
        session.flush()
        return f"{payment.id} quarantined: {problem}"
    return _settle(session, donation, found, occasion)


def _donation_of(
    session: Session,
    found: PaymentFacts,
    decision: quarantine.Decision | None,
    occasion: Occasion,
) -> Donation | None:
    """Return the donation that a payment belongs to, locked; a renewal's is made here."""
    payment = found.payment
    by_reference = session.scalars(
        select(Donation).where(Donation.reference == payment.id).with_for_update()
    ).one_or_none()
    if by_reference is not None:
        return by_reference
    if payment.donation_id is not None:
        if occasion.adopt and not adopt(session, payment, now=occasion.now):
            return None  # held: a person says which campaign it is for
        named = _locked(session, payment.donation_id)
        if decision is None or decision.donation_id in {None, named.id}:
            return named
    if found.subscription is not None and found.subscription.donation_id is not None:
        return _of_subscription(session, found.subscription, found, occasion)
    if quarantine.is_released(decision):
        return quarantine.donation_for(session, payment, decision, now=occasion.now)
    return None


def _locked(session: Session, donation_id: str) -> Donation:
    donation = session.scalars(
        select(Donation)
        .where(Donation.id == donation_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if donation is None:
        raise DonationNotKnownYet(f"donation {donation_id} is not in our books")
    return donation


def _of_subscription(
    session: Session, told: gateway.Subscription, found: PaymentFacts, occasion: Occasion
) -> Donation:
    """Return the donation that began a subscription, or that of one of its later payments."""
    origin = _locked(session, told.donation_id or "")
    if found.is_first:
        return origin
    kept = session.scalars(select(Subscription).where(Subscription.stripe_id == told.id)).one()
    # A plan that was changed at Stripe is paid without a word of what covers the fees.
    received_minor = found.payment.received_minor
    as_before = received_minor == origin.asked_minor
    # Its id follows from the payment's, so that two workers make the same row.
    values = {
        "id": f"don_{hashlib.sha256(found.payment.id.encode()).hexdigest()[:32]}",
        "campaign_id": origin.campaign_id,
        "state": DonationState.PENDING,
        "amount_minor": origin.amount_minor if as_before else received_minor,
        "cover_minor": origin.cover_minor if as_before else 0,
        "currency": origin.currency,
        "frequency": "once",
        "subscription_id": kept.id,
        "created_at": occasion.now,
        "source": origin.source,
        "slot": origin.slot,
        "donor_id": kept.donor_id,
        "anonymous": origin.anonymous,
        "public_name": origin.public_name,
    }
    insert_if_absent(session, Donation, values, unique=("id",))
    return _locked(session, str(values["id"]))


def _not_as_asked(donation: Donation, found: PaymentFacts, occasion: Occasion) -> str | None:
    payment = found.payment
    if payment.livemode != occasion.livemode:
        return "test money on a live site" if occasion.livemode else "live money on a test site"
    if payment.currency != donation.currency:
        return f"paid in {payment.currency}, asked in {donation.currency}"
    if donation.reference not in {None, payment.id}:
        return f"the donation was paid before, by {donation.reference}"
    if payment.received_minor != donation.asked_minor:
        paid = to_major(payment.received_minor, payment.currency)
        return f"paid {paid}, asked {to_major(donation.asked_minor, donation.currency)}"
    return None


def _unpaid_state(facts: Facts) -> DonationState:
    checkout = facts.checkout
    if checkout is None or checkout.status == "open":
        return DonationState.PENDING
    if checkout.status == "expired":
        return DonationState.EXPIRED
    statuses = {found.payment.status for found in facts.payments}
    if statuses & {"requires_payment_method", "canceled"}:
        return DonationState.FAILED
    return DonationState.PROCESSING


def _settle(session: Session, donation: Donation, found: PaymentFacts, occasion: Occasion) -> str:
    payment = found.payment
    if payment.paid_at is None:
        raise ValueError("only a payment that has succeeded can be settled")
    if donation.donor_id is None and donation.erased_at is None:
        donation.donor_id = known_donor(
            session, email=payment.email, name=payment.name, now=occasion.now
        )
    was_open = donation.state not in {DonationState.PAID, DonationState.PROCESSING}
    donation.state = DonationState.PAID
    donation.paid_at = payment.paid_at
    donation.reference = payment.id
    fee_before = fee_of(donation)
    _learn_fee(donation, payment)
    session.flush()
    reductions = [
        Reduction(reference=refund.id, kind=ReferenceKind.REFUND, effect_minor=refund.effect_minor)
        for refund in found.refunds
    ] + [
        Reduction(
            reference=dispute.id, kind=ReferenceKind.DISPUTE, effect_minor=dispute.effect_minor
        )
        for dispute in found.disputes
    ]
    gift_minor, cover_minor = donation.parts_minor(payment.received_minor)
    left = state_gift(
        session,
        session.get_one(Campaign, donation.campaign_id),
        Gift(
            reference=payment.id,
            kind=ReferenceKind.PAYMENT,
            effect_minor=gift_minor,
            cover_minor=cover_minor,
            paid_at=payment.paid_at,
            donor_key=f"donor:{donation.donor_id}" if donation.donor_id else None,
            origin=Origin(
                source=donation.source,
                slot=donation.slot,
                is_regular=donation.frequency != "once" or donation.subscription_id is not None,
            ),
        ),
        reductions,
        cause=occasion.cause,
        now=occasion.now,
        seen_version=None if occasion.seen is None else occasion.seen.get(payment.id, 0),
    )
    move_fee(session, payment.id, fee_before, fee_of(donation))
    if donation.public_name is not None:
        name_gift(session, payment.id, donation.public_name)
    if was_open:  # last, so that the tally's row is held for no longer than it takes to commit
        count_paid(session, donation, now=occasion.now)
    currency = payment.currency
    outcome = f"{payment.id} counted: {to_major(left, currency)} of"
    outcome += f" {exact_money(gift_minor, currency)}"
    if cover_minor:
        outcome += f", and {exact_money(cover_minor, currency)} to cover fees"
    if payment.received_minor + sum(part.effect_minor for part in reductions) < 0:
        outcome += ", refunds and disputes ask for more than the gift"
    return outcome


def _learn_fee(donation: Donation, payment: Payment) -> None:
    """Take over the fee once Stripe knows it; what is unknown forgets nothing."""
    if payment.fee_minor is not None:
        donation.fee_minor = payment.fee_minor
        donation.net_minor = payment.net_minor
        donation.settlement_currency = payment.settlement_currency
