"""Sending a donor to pay: one session a donation, on Stripe's page or embedded in ours.

Whoever calls has committed the donation and commits what is written here. Nothing waits for Stripe
with a transaction open.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns.models import Campaign
from payments.donating import Wish, checkout_request, frequency_of, start_donation
from payments.errors import CustomerGone, GatewayRefused
from payments.gateway import Checkout, Gateway
from payments.models import Donation, DonationState, Donor


def open_checkout(
    session: Session,
    gateway: Gateway,
    campaign: Campaign,
    donation: Donation,
    *,
    email: str | None,
    base_url: str,
    embedded: bool,
) -> Checkout | None:
    """Return the donation's session, opening it where there is none yet; None where it is over.

    Where there is one, Stripe is asked how it stands, and no second one is opened. A repeat sends
    the same request under the same key, and gets the same session.
    """
    checkout_id = donation.checkout_session_id
    if checkout_id is not None:
        session.rollback()
        return gateway.checkout(checkout_id)
    if donation.state != DonationState.PENDING:
        return None
    donor = _known_customer(session, donation)
    wanted = checkout_request(
        campaign,
        donation,
        email=email,
        base_url=base_url,
        customer_id=None if donor is None else donor.customer_id,
        embedded=embedded,
    )
    session.rollback()  # what was read is read; a donation that is not committed is lost here
    try:
        checkout = gateway.create_checkout(wanted)
    except CustomerGone:
        # Somebody deleted the customer at Stripe. Checkout makes another.
        checkout = gateway.create_checkout(replace(wanted, customer_id=None))
        if donor is not None:
            donor.customer_id = None
    donation.checkout_session_id = checkout.id
    return checkout


def _known_customer(session: Session, donation: Donation) -> Donor | None:
    """Return the donor, where this is a regular gift of one whom Stripe knows as a customer.

    Only then: a gift given once is nobody's business but the giver's, and anybody may have typed
    the address.
    """
    if donation.frequency == "once" or donation.donor_id is None:
        return None
    donor = session.get(Donor, donation.donor_id)
    return donor if donor is not None and donor.customer_id else None


def close_checkout(gateway: Gateway, checkout_id: str) -> Checkout:
    """Close a session for good, and return how it ended: it may have been paid just now."""
    try:
        return gateway.expire_checkout(checkout_id)
    except GatewayRefused:
        return gateway.checkout(checkout_id)


def start_again(
    session: Session, campaign: Campaign, donation: Donation, *, now: datetime
) -> tuple[Donation, str | None]:
    """Write the wish of a donation down as another one; return it, and the donor's address.

    Only for one whose session is closed, so that there are never two that can be paid. However
    often it is called, it is one other donation.
    """
    donor = None if donation.donor_id is None else session.get(Donor, donation.donor_id)
    email = None if donor is None else donor.email
    wish = Wish(
        form_token=f"again-{donation.id}",
        amount_minor=donation.amount_minor,
        cover_minor=donation.cover_minor,
        frequency=frequency_of(donation),
        email=email,
        name=donation.public_name,
        anonymous=donation.anonymous,
        message=donation.message,
        dedication=donation.dedication,
        consent_text=donation.consent_text,
        locale=donation.locale,
        source=donation.source,
        slot=donation.slot,
    )
    return start_donation(session, campaign, wish, now=now), email
