"""Subscriptions: where each recurring gift stands. They move no money: their payments do."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.db import insert_if_absent
from payments import gateway
from payments.errors import DonationNotKnownYet
from payments.models import Donation, Subscription


def bring_along(session: Session, told: gateway.Subscription, *, now: datetime) -> str:
    """Bring our row to what Stripe says of a subscription; return in words what came of it.

    Raises DonationNotKnownYet where it names a donation that we have not got.
    """
    if told.donation_id is None:
        return f"{told.id} is no recurring gift of ours"
    origin = session.get(Donation, told.donation_id)
    if origin is None:
        raise DonationNotKnownYet(f"donation {told.donation_id} is not in our books")
    insert_if_absent(
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
    row.status = told.status
    row.amount_minor = told.amount_minor
    row.renews_at = told.renews_at
    row.cancel_at = told.cancel_at
    row.donor_id = row.donor_id or origin.donor_id
    origin.subscription_id = row.id
    session.flush()
    return f"{told.id} is {told.status}"
