"""What pages tell of money in quarantine: what it is, what it was meant for, what may be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.errors import NotFound
from payments.models import QuarantinedPayment, QuarantineState
from payments.refund_models import RefundRequest, RefundRequestState
from payments.refunding import list_refund_requests

# Beyond so many, a list to choose from is of no use.
MOST_TARGETS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldView:
    """A payment in quarantine, the campaign that it was meant for, and what can go back of it."""

    held: QuarantinedPayment
    campaign: Campaign | None
    # Of released money nothing goes back from here: its donation is given back.
    left_minor: int
    requests: Sequence[RefundRequest] = ()


def list_held(
    session: Session,
    *,
    state: QuarantineState | None,
    before_id: int | None = None,
    limit: int,
) -> Sequence[HeldView]:
    """Return what is on record, the newest first; `before_id` is the last of the page before."""
    statement = _with_campaign().order_by(QuarantinedPayment.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(QuarantinedPayment.state == state)
    if before_id is not None:
        statement = statement.where(QuarantinedPayment.id < before_id)
    found = session.execute(statement).all()
    asked = _asked_minor(session, [held.reference for held, _ in found])
    return [
        HeldView(
            held=held,
            campaign=campaign,
            left_minor=_left_minor(held, asked.get(held.reference, 0)),
        )
        for held, campaign in found
    ]


def read_held(session: Session, reference: str) -> HeldView:
    """Return one payment with what was asked for of it; raise NotFound."""
    row = session.execute(
        _with_campaign().where(QuarantinedPayment.reference == reference)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such payment in quarantine.")
    held, campaign = row
    asked_minor = _asked_minor(session, [reference]).get(reference, 0)
    return HeldView(
        held=held,
        campaign=campaign,
        left_minor=_left_minor(held, asked_minor),
        requests=list_refund_requests(session, reference),
    )


def targets_of(session: Session, view: HeldView) -> Sequence[Campaign]:
    """Return the campaigns that held money may be released to: those that count its currency."""
    if view.held.state != QuarantineState.HELD:
        return ()
    return session.scalars(
        select(Campaign)
        .where(Campaign.currency == view.held.currency)
        .order_by(Campaign.title, Campaign.id)
        .limit(MOST_TARGETS)
    ).all()


def _with_campaign() -> Select[*tuple[Any, ...]]:
    # An outer join, which the types of a Select don't know.
    return select(QuarantinedPayment, Campaign).outerjoin(
        Campaign, Campaign.id == QuarantinedPayment.campaign_id
    )


def _asked_minor(session: Session, references: Sequence[str]) -> dict[str, int]:
    """Return what was asked for of each payment, less what was refused or failed."""
    asked = session.execute(
        select(RefundRequest.reference, func.sum(RefundRequest.amount_minor))
        .where(
            RefundRequest.reference.in_(references),
            RefundRequest.state != RefundRequestState.REFUSED,
            or_(
                RefundRequest.refund_status.is_(None),
                RefundRequest.refund_status.not_in(["failed", "canceled"]),
            ),
        )
        .group_by(RefundRequest.reference)
    ).all()
    return {reference: int(sum_minor) for reference, sum_minor in asked}


def _left_minor(held: QuarantinedPayment, asked_minor: int) -> int:
    if held.state == QuarantineState.RELEASED:
        return 0
    return max(0, held.amount_minor - asked_minor)
