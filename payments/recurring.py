"""Subscriptions: where each recurring gift stands. They move no money: their payments do."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.expected import expect_gift
from campaigns.models import Campaign
from core.db import insert_if_absent
from payments import gateway
from payments.errors import DonationNotKnownYet
from payments.models import OVER, Donation, Donor, Subscription
from payments.telling import standing_of, tell_change

# Of Stripe's states, those in which a next payment is to come.
_LIVE = frozenset({"active", "past_due", "trialing"})


def bring_along(session: Session, told: gateway.Subscription, *, now: datetime) -> str:
    """Bring our row to what Stripe says of a subscription; return in words what came of it.

    Raises DonationNotKnownYet where it names a donation that we have not got.
    """
    if told.donation_id is None:
        return f"{told.id} is no recurring gift of ours"
    origin = session.get(Donation, told.donation_id)
    if origin is None:
        raise DonationNotKnownYet(f"donation {told.donation_id} is not in our books")
    is_new = insert_if_absent(
        session,
        Subscription,
        {
            "stripe_id": told.id,
            "campaign_id": origin.campaign_id,
            "donor_id": origin.donor_id,
            "customer_id": told.customer_id,
            "status": told.status,
            "interval": told.interval,
            "amount_minor": told.amount_minor,
            "currency": told.currency,
            "created_at": now,
        },
        unique=("stripe_id",),
    )
    row = session.scalars(
        select(Subscription).where(Subscription.stripe_id == told.id).with_for_update()
    ).one()
    before = standing_of(row)
    row.status = told.status
    row.amount_minor = told.amount_minor
    row.renews_at = told.renews_at
    row.cancel_at = told.cancel_at
    row.donor_id = row.donor_id or origin.donor_id
    origin.subscription_id = row.id
    _learn_customer(session, row)
    session.flush()
    if not is_new:
        tell_change(session, row, before, now=now)
    _expect_renewal(session, row, origin)
    return f"{told.id} is {told.status}"


def _learn_customer(session: Session, row: Subscription) -> None:
    """Keep the customer that Checkout made for a donor: their next regular gift is of the same.

    Not from one that is over: a customer who is deleted at Stripe takes the subscriptions along,
    and is forgotten here when Stripe refuses it.
    """
    donor = session.get(Donor, row.donor_id) if row.donor_id and row.status not in OVER else None
    if donor is not None and donor.email is not None and donor.customer_id is None:
        donor.customer_id = row.customer_id


def _expect_renewal(session: Session, row: Subscription, origin: Donation) -> None:
    """Have the widget know of the next gift, where one is to come in the bar's currency.

    As on the bar, what covers its fees is no part of it.
    """
    as_before = row.amount_minor == origin.asked_minor
    amount_minor = origin.amount_minor if as_before else row.amount_minor
    campaign = session.get_one(Campaign, row.campaign_id)
    comes = (
        row.status in _LIVE
        and row.currency == campaign.currency
        and row.renews_at is not None
        and (row.cancel_at is None or row.cancel_at > row.renews_at)
    )
    expect_gift(
        session,
        row.stripe_id,
        campaign_id=row.campaign_id,
        amount_minor=amount_minor if comes else None,
        due_at=row.renews_at,
    )
