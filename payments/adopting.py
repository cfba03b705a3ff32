"""Donations that Stripe tells of and our books have lost: made anew from what Stripe holds.

A donation is committed before Stripe hears of it. So one that is named at Stripe and is not in the
books was written after the backup that they were restored from, or belongs to another site that
shares the Stripe account. Nobody but a person knows which: it is done when it is asked for.
"""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.db import insert_if_absent
from payments.gateway import Payment, Subscription
from payments.models import Donation, DonationState

_DONATION_ID = re.compile(r"don_[0-9a-f]{32}", re.ASCII)
NOTE = "made anew from Stripe's books"


def adopt(session: Session, told: Payment | Subscription, *, now: datetime) -> bool:
    """Have the donation that Stripe names in the books; tell whether it is there.

    It is not where its campaign is not, or counts another currency. Safe to repeat, and beside
    others. What Stripe was never told is lost: the article, the message, the wish to be named.
    """
    donation_id, slug = told.donation_id, told.campaign_slug
    if donation_id is None or session.get(Donation, donation_id) is not None:
        return donation_id is not None
    if slug is None or not _DONATION_ID.fullmatch(donation_id):
        return False
    campaign = session.scalars(select(Campaign).where(Campaign.slug == slug)).one_or_none()
    if campaign is None or campaign.currency != told.currency:
        return False
    if isinstance(told, Payment):
        received_minor, frequency, created_at = told.received_minor, "once", told.paid_at or now
    else:
        received_minor, frequency, created_at = told.amount_minor, told.interval, now
    cover_minor = told.cover_minor if 0 <= told.cover_minor < received_minor else 0
    values = {
        "id": donation_id,
        "campaign_id": campaign.id,
        "state": DonationState.PENDING,
        "amount_minor": received_minor - cover_minor,
        "cover_minor": cover_minor,
        "currency": told.currency,
        "frequency": frequency,
        "created_at": created_at,
        # They were thanked when they gave.
        "thanked_at": now,
        "anonymous": True,
        "note": NOTE,
    }
    insert_if_absent(session, Donation, values, unique=("id",))
    return True
