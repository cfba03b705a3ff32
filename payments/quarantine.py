"""Money that came in and is not counted: held, until a person releases or refuses it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TypeGuard

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.catalog import find_campaign
from campaigns.models import Campaign
from core.auditlog import Actor, record
from core.db import insert_if_absent
from core.errors import Conflict, Invalid, NotFound
from payments.gateway import Payment
from payments.models import Donation, DonationState, QuarantinedPayment, QuarantineState

MOST_LISTED = 1000
# What the books need of it: who decided what.
Decision = QuarantinedPayment


def find(session: Session, reference: str) -> Decision | None:
    """Return what is on record about a payment, locked; None where it was never held."""
    return session.scalars(
        select(QuarantinedPayment)
        .where(QuarantinedPayment.reference == reference)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def is_released(decision: Decision | None) -> TypeGuard[Decision]:
    """Tell whether a person has decided that the money counts."""
    return decision is not None and decision.state == QuarantineState.RELEASED


def hold(
    session: Session,
    payment: Payment,
    *,
    reason: str,
    now: datetime,
    donation: Donation | None = None,
) -> None:
    """Put a payment on record as held. Repeating it changes nothing that a person decided."""
    values = {
        "reference": payment.id,
        "reason": reason[:255],
        "state": QuarantineState.HELD,
        "campaign_id": donation.campaign_id if donation is not None else None,
        "donation_id": donation.id if donation is not None else None,
        "amount_minor": payment.received_minor,
        "currency": payment.currency,
        "paid_at": payment.paid_at,
        "seen_at": now,
    }
    insert_if_absent(session, QuarantinedPayment, values, unique=("reference",))


def find_held(session: Session, reference: str) -> Decision:
    """Return held money, locked; raise NotFound, or Conflict where it was decided before."""
    decision = find(session, reference)
    if decision is None:
        raise NotFound(f"{reference[:80]} is not in quarantine.")
    if decision.state != QuarantineState.HELD:
        raise Conflict(f"{reference} was {decision.state} before.")
    return decision


def release(
    session: Session,
    payment: Payment,
    *,
    slug: str | None,
    site_livemode: bool,
    actor: Actor,
    now: datetime,
) -> Decision:
    """Decide that held money counts, as a gift to the campaign it was meant for or that is named.

    The caller then applies the payment's facts. Raises Invalid where it can't ever count.
    """
    decision = find_held(session, payment.id)
    if payment.livemode != site_livemode:
        raise Invalid("Test money and live money are never mixed: refuse it.")
    if slug is not None:
        decision.campaign_id = find_campaign(session, slug, drafts=True).id
    if decision.campaign_id is None:
        raise Invalid("Say which campaign it is for.", field="campaign")
    campaign = session.get_one(Campaign, decision.campaign_id)
    if campaign.currency != payment.currency:
        raise Invalid(
            f"{campaign.slug} counts {campaign.currency}, this is {payment.currency}:"
            " refuse it here, and record what it was worth as an offline gift."
        )
    decision.state = QuarantineState.RELEASED
    decision.decided_at = now
    # From here the money is its own donation: the one that was asked for may be paid otherwise.
    if decision.donation_id is None or _paid_otherwise(session, decision):
        decision.donation_id = donation_for(session, payment, decision, now=now).id
    else:
        donation = session.get_one(Donation, decision.donation_id)
        donation.campaign_id = campaign.id
        # Its later payments are held against what is written here. What was to cover fees in
        # another currency covers none in this one.
        if donation.currency != campaign.currency:
            donation.cover_minor = 0
        donation.amount_minor, donation.cover_minor = donation.parts_minor(payment.received_minor)
        donation.currency = campaign.currency
    session.flush()
    _log(session, actor, "quarantine.released", decision, campaign=campaign.slug, now=now)
    return decision


def refuse(session: Session, reference: str, *, actor: Actor, now: datetime) -> Decision:
    """Decide that held money never counts."""
    decision = find_held(session, reference)
    decision.state = QuarantineState.REFUSED
    decision.decided_at = now
    session.flush()
    _log(session, actor, "quarantine.refused", decision, now=now)
    return decision


def list_quarantined(
    session: Session, *, state: QuarantineState | None = None
) -> Sequence[QuarantinedPayment]:
    """Return what is on record, the newest first."""
    statement = select(QuarantinedPayment).order_by(QuarantinedPayment.id.desc()).limit(MOST_LISTED)
    if state is not None:
        statement = statement.where(QuarantinedPayment.state == state)
    return session.scalars(statement).all()


def donation_for(
    session: Session, payment: Payment, decision: Decision, *, now: datetime
) -> Donation:
    """Return the donation that released money is kept as; its id follows from the payment's."""
    donation_id = f"don_{hashlib.sha256(payment.id.encode()).hexdigest()[:32]}"
    values = {
        "id": donation_id,
        "campaign_id": decision.campaign_id,
        "state": DonationState.PENDING,
        "amount_minor": payment.received_minor,
        "currency": payment.currency,
        "frequency": "once",
        "created_at": now,
        "anonymous": True,
        "note": "released from quarantine",
    }
    insert_if_absent(session, Donation, values, unique=("id",))
    return session.scalars(
        select(Donation).where(Donation.id == donation_id).with_for_update()
    ).one()


def _log(
    session: Session, actor: Actor, action: str, decision: Decision, *, now: datetime, **more: str
) -> None:
    """Write down who decided what about which money."""
    details: dict[str, object] = {
        "amount_minor": decision.amount_minor,
        "currency": decision.currency,
        "held": decision.reason,
        **more,
    }
    if decision.donation_id is not None:
        details["donation"] = decision.donation_id
    subject = f"quarantine:{decision.reference}"
    record(session, actor, action, subject=subject, details=details, now=now)


def _paid_otherwise(session: Session, decision: Decision) -> bool:
    donation = session.get_one(Donation, decision.donation_id)
    return donation.reference not in {None, decision.reference}
