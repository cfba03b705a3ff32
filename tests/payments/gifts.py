"""Gifts that are in the books, with all that may belong to one: cover, refunds, disputes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from campaigns.ledger import Gift, Reduction, state_gift
from campaigns.ledger_models import ReferenceKind
from campaigns.models import Campaign
from core.clock import MovableClock
from payments.donating import known_donor, new_donation_id
from payments.models import Donation, DonationState
from tests.payments.conftest import Books

REFUND, DISPUTE = ReferenceKind.REFUND, ReferenceKind.DISPUTE


def give_with_cover(
    books: Books,
    campaign: Campaign,
    clock: MovableClock,
    *,
    amount_minor: int,
    cover_minor: int = 0,
    taken: Sequence[tuple[ReferenceKind, int]] = (),
    paid_at: datetime | None = None,
    email: str = "ann@example.org",
) -> str:
    """Write down a paid gift and what was taken from it; return the donation's id."""
    with books.session() as session:
        campaign = session.merge(campaign)
        now = clock.now()
        donor_id = known_donor(session, email=email, name="Ann <Example>", now=now)
        donation = Donation(
            id=new_donation_id(),
            campaign_id=campaign.id,
            state=DonationState.PAID,
            amount_minor=amount_minor,
            cover_minor=cover_minor,
            currency=campaign.currency,
            created_at=now,
            paid_at=paid_at or now,
            donor_id=donor_id,
        )
        donation.reference = f"pi_{donation.id}"
        session.add(donation)
        session.flush()
        state_gift(
            session,
            campaign,
            Gift(
                reference=donation.reference,
                kind=ReferenceKind.PAYMENT,
                effect_minor=amount_minor,
                cover_minor=cover_minor,
                paid_at=paid_at or now,
                donor_key=f"donor:{donor_id}",
            ),
            [
                Reduction(
                    reference=f"{kind}_{number}_{donation.id}",
                    kind=kind,
                    effect_minor=-minor,
                )
                for number, (kind, minor) in enumerate(taken)
            ],
            cause="test",
            now=now,
        )
        session.commit()
        return donation.id
