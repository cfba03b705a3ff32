"""Our books beside Stripe's, object by object: where they differ, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.ledger import cover_left_minor, shares_minor
from campaigns.ledger_models import Reference, ReferenceKind
from core.db import OpenSession, in_transaction
from payments.facts import PaymentFacts, gather_for_payment
from payments.gateway import Gateway
from payments.models import QuarantinedPayment, QuarantineState

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Drift:
    """One object's effect in our books and at Stripe, in minor units of its currency."""

    reference: str
    ours_minor: int
    stripes_minor: int
    currency: str

    @property
    def difference_minor(self) -> int:
        """How much our books have too much (over zero) or too little."""
        return self.ours_minor - self.stripes_minor


def find_drift(
    open_session: OpenSession,
    gateway: Gateway,
    *,
    since: datetime,
    step: Step = lambda _: None,
) -> Iterator[Drift]:
    """Compare every payment since then, with its refunds and disputes; yield what differs.

    Money in quarantine counts nothing in either column. Reads only.
    """
    seen: set[str] = set()
    for payment_id in gateway.payment_ids(since):
        if payment_id in seen:
            continue
        seen.add(payment_id)
        step(payment_id)
        for found in gather_for_payment(gateway, payment_id).payments:
            (ours, cover_minor), uncounted = in_transaction(
                open_session,
                lambda session, found=found: (  # type: ignore[misc]
                    _ours(session, found.payment.id),
                    _is_uncounted(session, found.payment.id),
                ),
            )
            theirs = {} if uncounted else _stripes(found, cover_minor=cover_minor)
            for reference in sorted(ours.keys() | theirs.keys()):
                drift = Drift(
                    reference,
                    ours.get(reference, 0),
                    theirs.get(reference, 0),
                    found.payment.currency,
                )
                if drift.difference_minor:
                    yield drift


def _stripes(found: PaymentFacts, *, cover_minor: int) -> dict[str, int]:
    """Return what each object's effect should be; `cover_minor` of the payment is no gift to us."""
    if not found.payment.succeeded:
        return {}
    gift_minor = found.payment.received_minor - cover_minor
    stated = {
        refund.id: (ReferenceKind.REFUND, refund.effect_minor) for refund in found.refunds
    } | {dispute.id: (ReferenceKind.DISPUTE, dispute.effect_minor) for dispute in found.disputes}
    asked_minor = sum(effect for _, effect in stated.values())
    cover_left = cover_left_minor(gift_minor, cover_minor, asked_minor)
    return {found.payment.id: gift_minor + cover_left} | shares_minor(gift_minor, stated)


def _ours(session: Session, payment_id: str) -> tuple[dict[str, int], int]:
    """Return the effects in our books, the gift's with its cover, and the cover as stated."""
    gift = session.scalars(select(Reference).where(Reference.name == payment_id)).one_or_none()
    if gift is None:
        return {}, 0
    parts = session.scalars(select(Reference).where(Reference.gift_id == gift.id))
    effects = {row.name: row.posted_minor + row.cover_posted_minor for row in (gift, *parts)}
    return effects, gift.cover_stated_minor


def _is_uncounted(session: Session, payment_id: str) -> bool:
    state = session.scalars(
        select(QuarantinedPayment.state).where(QuarantinedPayment.reference == payment_id)
    ).one_or_none()
    return state is not None and state != QuarantineState.RELEASED
