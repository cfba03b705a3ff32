"""Refunds that an admin asks for: written down, asked of Stripe, and booked by what Stripe says.

Stripe's answer never touches the ledger: the refund comes into the books by its events, or by
looking, with the same code. A request without an answer may have been heard: it is asked again
under the same key, and, as Stripe forgets keys after a day, only after looking whether the refund
is there already.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from campaigns.ledger_models import Reference, ReferenceKind
from core.auditlog import Actor, record
from core.db import OpenSession, in_transaction, insert_if_absent
from core.errors import Conflict, DomainError, Invalid, NotFound
from core.money import charge_step_minor
from payments import quarantine
from payments.books import Occasion, apply_facts, look_and_apply
from payments.errors import DonationNotFound, GatewayRefused
from payments.facts import Facts, gather_for_payment
from payments.gateway import Gateway, Refund, RefundOrder
from payments.models import Donation, DonationState, QuarantinedPayment, QuarantineState
from payments.refund_models import RefundRequest, RefundRequestState, note_refunds

REASONS = ("requested_by_customer", "duplicate", "fraudulent")
# Longer than one call with all its retries can take, so that two never ask at once.
LEASE = timedelta(minutes=5)
# 2 s, 4 s … an hour: about a day and a half. Then a person looks.
MOST_ATTEMPTS = 45
MOST_BACK_OFF = timedelta(hours=1)
MOST_LISTED = 100

log = logging.getLogger("goalpost.refunds")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundWish:
    """What an admin submitted: `amount_minor` None is all that is left."""

    form_token: str  # see `refund_form_token`
    amount_minor: int | None
    currency: str
    requested_by: Actor
    reason: str | None = None


def refund_form_token(session: Session, reference: str) -> str:
    """Return what a refund form of this payment carries: the same in every tab.

    It changes once a refund is requested, so that two open tabs make one refund, not two.
    """
    count = session.scalar(
        select(func.count()).select_from(RefundRequest).where(RefundRequest.reference == reference)
    )
    return f"refund-{count}"


def refundable_minor(session: Session, donation: Donation) -> int:
    """Return what can still be given back of a counted donation, its cover included.

    That is what was paid, less refunds and disputes, less requests that the ledger has not yet.
    """
    gift = _gift_of(session, donation.reference)
    if gift is None or gift.kind != ReferenceKind.PAYMENT:
        return 0
    parts = session.scalars(select(Reference).where(Reference.gift_id == gift.id)).all()
    taken_minor = sum(part.stated_minor for part in parts)
    booked = {part.name for part in parts}
    pending_minor = sum(
        row.amount_minor
        for row in _open_requests(session, gift.name)
        if row.refund_id not in booked
    )
    return max(0, gift.stated_minor + gift.cover_stated_minor + taken_minor - pending_minor)


def refundable_held_minor(session: Session, held: QuarantinedPayment) -> int:
    """Return what can still be given back of money in quarantine, by the requests made here."""
    asked_minor = sum(row.amount_minor for row in _open_requests(session, held.reference))
    return max(0, held.amount_minor - asked_minor)


def request_refund(
    session: Session, donation_id: str, wish: RefundWish, *, now: datetime
) -> RefundRequest:
    """Write down that a donation is to be given back, in part or whole; Stripe is asked after.

    The same form gives the request that it gave before. Money of the donation that is still in
    quarantine is refused and given back in one. Raises DonationNotFound, Invalid and Conflict.
    """
    donation = session.scalars(
        select(Donation)
        .where(Donation.id == donation_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if donation is None:
        raise DonationNotFound
    if donation.state == DonationState.QUARANTINED and donation.reference is None:
        held_reference = session.scalars(
            select(QuarantinedPayment.reference).where(
                QuarantinedPayment.donation_id == donation.id
            )
        ).first()
        if held_reference is not None:
            return refuse_and_request_refund(session, held_reference, wish, now=now)
    reference = donation.reference or ""
    found = _same_form(session, reference, wish)
    if found is not None:
        return found
    hindrance = refund_hindrance(session, donation)
    if hindrance is not None:
        raise Conflict(hindrance)
    return _write_down(
        session,
        wish,
        reference=reference,
        donation_id=donation.id,
        currency=donation.currency,
        left_minor=refundable_minor(session, donation),
        now=now,
    )


def refund_hindrance(session: Session, donation: Donation) -> str | None:
    """Return why a donation can't be given back from here, in a sentence; None where it can."""
    if (donation.reference or "").startswith("offline:"):
        return "This gift came without Stripe: correct it by an entry instead."
    if donation.state != DonationState.PAID:
        return "Nothing was paid that could be given back."
    gift = _gift_of(session, donation.reference)
    if gift is not None and _is_disputed(session, gift):
        return "The donor's bank has taken this money back: answer the dispute at Stripe."
    if refundable_minor(session, donation) == 0:
        return "Nothing is left that could be given back."
    return None


def refuse_and_request_refund(
    session: Session, reference: str, wish: RefundWish, *, now: datetime
) -> RefundRequest:
    """Decide that money in quarantine never counts, and write down that it is given back."""
    held = quarantine.find(session, reference)
    if held is None:
        raise NotFound(f"{reference[:80]} is not in quarantine.")
    found = _same_form(session, reference, wish)
    if found is not None:
        return found
    if held.state == QuarantineState.RELEASED:
        raise Conflict(f"{reference} was released: give its donation back.")
    if held.state == QuarantineState.HELD:
        quarantine.refuse(session, reference, actor=wish.requested_by, now=now)
    return _write_down(
        session,
        wish,
        reference=reference,
        donation_id=held.donation_id,
        currency=held.currency,
        left_minor=refundable_held_minor(session, held),
        now=now,
    )


def ask_for_refund(
    open_session: OpenSession,
    gateway: Gateway,
    request_id: str,
    *,
    livemode: bool,
    now: Callable[[], datetime],
    by_hand: bool = False,
) -> RefundRequest:
    """Ask Stripe for a refund that was committed before; return how it stands now.

    Safe to repeat and to race: one at a time asks, under the request's own key. Where an answer
    was lost Stripe is looked at first. `by_hand` asks also where it was given up.
    """
    claimed = in_transaction(
        open_session, partial(_claim, request_id=request_id, now=now(), by_hand=by_hand)
    )
    if claimed is None:
        return in_transaction(open_session, partial(_detached, request_id=request_id))
    order, attempts = claimed
    refund, refusal, error = _ask(gateway, order, is_first=attempts == 1)
    settled = partial(
        _settle, request_id=request_id, refund=refund, refusal=refusal, error=error, now=now()
    )
    in_transaction(open_session, settled)
    if refund is not None or refusal is not None:
        # Most of what Stripe refuses was given back there, and the books have not heard of it yet.
        _look(open_session, gateway, order, livemode=livemode, now=now)
    return in_transaction(open_session, partial(_detached, request_id=request_id))


def log_asked_again(session: Session, request_id: str, *, actor: Actor, now: datetime) -> None:
    """Write down that somebody has a refund asked for once more; raise NotFound."""
    row = session.get(RefundRequest, request_id)
    if row is None:
        raise NotFound("There is no such request.")
    subject = _subject(row.reference, row.donation_id)
    details = {"request": row.id}
    record(session, actor, "refund.asked_again", subject=subject, details=details, now=now)


def due_refund_ids(session: Session, *, now: datetime, limit: int = 20) -> Sequence[str]:
    """Return the requests that Stripe is to be asked for now, the oldest first."""
    return session.scalars(
        select(RefundRequest.id)
        .where(
            RefundRequest.state == RefundRequestState.WAITING,
            RefundRequest.next_attempt_at <= now,
        )
        .order_by(RefundRequest.next_attempt_at, RefundRequest.id)
        .limit(limit)
    ).all()


def list_refund_requests(session: Session, reference: str) -> Sequence[RefundRequest]:
    """Return what was asked for of one payment, the newest first."""
    return session.scalars(
        select(RefundRequest)
        .where(RefundRequest.reference == reference)
        .order_by(RefundRequest.requested_at.desc(), RefundRequest.id)
        .limit(MOST_LISTED)
    ).all()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundedOne:
    """What became of one of several that are given back whole."""

    subject: str  # a donation's id, or a payment's in quarantine
    request_id: str | None
    problem: str | None


def request_whole_refunds(
    open_session: OpenSession,
    subjects: Sequence[str],
    *,
    requested_by: Actor,
    reason: str | None,
    now: Callable[[], datetime],
) -> Iterator[RefundedOne]:
    """Write down that each of these is given back whole; yield what came of each.

    `subjects` are donations (`don_…`) and payments in quarantine (`pi_…`). Each is a request and a
    transaction of its own: one that can't be given back holds up no other. Repeating it asks for
    nothing twice, unless Stripe has refused it or its money came back. The job, or
    `ask_for_refund`, then asks Stripe.
    """
    for subject in dict.fromkeys(subjects):
        work = partial(
            _request_whole, subject=subject, requested_by=requested_by, reason=reason, now=now()
        )
        try:
            request_id = in_transaction(open_session, work)
        except DomainError as error:
            yield RefundedOne(subject=subject, request_id=None, problem=error.message)
        else:
            yield RefundedOne(subject=subject, request_id=request_id, problem=None)


def _request_whole(
    session: Session, *, subject: str, requested_by: Actor, reason: str | None, now: datetime
) -> str:
    held = quarantine.find(session, subject)
    donation = None if held is not None else session.get(Donation, subject)
    if held is None and donation is None:
        raise DonationNotFound
    currency = held.currency if held is not None else donation.currency if donation else ""
    reference = held.reference if held is not None else donation.reference if donation else None
    wish = RefundWish(
        form_token=f"whole-{_count_dead(session, reference or '')}",
        amount_minor=None,
        currency=currency,
        requested_by=requested_by,
        reason=reason,
    )
    if held is not None:
        return refuse_and_request_refund(session, subject, wish, now=now).id
    return request_refund(session, subject, wish, now=now).id


def _count_dead(session: Session, reference: str) -> int:
    """Return how many requests of a payment gave nothing back: after each, it is asked for anew."""
    all_of_it = select(func.count()).where(RefundRequest.reference == reference)
    return (session.scalar(all_of_it) or 0) - len(_open_requests(session, reference))


def _same_form(session: Session, reference: str, wish: RefundWish) -> RefundRequest | None:
    found = session.scalars(
        select(RefundRequest).where(RefundRequest.form_key == _form_key(reference, wish))
    ).one_or_none()
    if found is None:
        return None
    if wish.amount_minor not in {None, found.amount_minor} or wish.reason != found.reason:
        raise Conflict("This form was sent before with another choice: load the page anew.")
    return found


def _write_down(
    session: Session,
    wish: RefundWish,
    *,
    reference: str,
    donation_id: str | None,
    currency: str,
    left_minor: int,
    now: datetime,
) -> RefundRequest:
    if wish.currency != currency:
        raise Invalid(f"This was paid in {currency}.", field="amount")
    if wish.reason is not None and wish.reason not in REASONS:
        raise Invalid("Choose one of the reasons that are listed.", field="reason")
    if left_minor <= 0:
        raise Conflict("Nothing is left that could be given back.")
    amount_minor = left_minor if wish.amount_minor is None else wish.amount_minor
    if not 0 < amount_minor <= left_minor:
        raise Invalid(
            "The amount must be more than zero, and no more than is left.", field="amount"
        )
    if amount_minor % charge_step_minor(currency):
        raise Invalid("This currency has no such small change.", field="amount")
    key = _form_key(reference, wish)
    values = {
        "id": f"rfr_{secrets.token_hex(16)}",
        "reference": reference,
        "donation_id": donation_id,
        "amount_minor": amount_minor,
        "currency": currency,
        "reason": wish.reason,
        "requested_by": wish.requested_by.name[:255],
        "requested_at": now,
        "form_key": key,
        "state": RefundRequestState.WAITING,
        "attempts": 0,
        "next_attempt_at": now,
    }
    if insert_if_absent(session, RefundRequest, values, unique=("form_key",)):
        record(
            session,
            wish.requested_by,
            "refund.requested",
            subject=_subject(reference, donation_id),
            details={
                "request": values["id"],
                "amount_minor": amount_minor,
                "currency": currency,
                "reason": wish.reason,
            },
            now=now,
        )
    return session.scalars(select(RefundRequest).where(RefundRequest.form_key == key)).one()


def _subject(reference: str, donation_id: str | None) -> str:
    """Return what a refund is of, as the log names it."""
    return f"quarantine:{reference}" if donation_id is None else f"donation:{donation_id}"


def _form_key(reference: str, wish: RefundWish) -> str:
    return hashlib.sha256(repr((reference, wish.form_token)).encode()).hexdigest()


def _gift_of(session: Session, reference: str | None) -> Reference | None:
    return session.scalars(
        select(Reference).where(Reference.name == reference, Reference.gift_id.is_(None))
    ).one_or_none()


def _is_disputed(session: Session, gift: Reference) -> bool:
    found = select(Reference.id).where(
        Reference.gift_id == gift.id,
        Reference.kind == ReferenceKind.DISPUTE,
        Reference.stated_minor < 0,
    )
    return session.scalars(found.limit(1)).first() is not None


def _open_requests(session: Session, reference: str) -> Sequence[RefundRequest]:
    """Return the requests that take from a payment, or may: not what was refused or failed."""
    return session.scalars(
        select(RefundRequest).where(
            RefundRequest.reference == reference,
            RefundRequest.state != RefundRequestState.REFUSED,
            or_(
                RefundRequest.refund_status.is_(None),
                RefundRequest.refund_status.not_in(["failed", "canceled"]),
            ),
        )
    ).all()


def _claim(
    session: Session, *, request_id: str, now: datetime, by_hand: bool
) -> tuple[RefundOrder, int] | None:
    is_due = RefundRequest.next_attempt_at <= now
    if by_hand:
        is_due = or_(is_due, RefundRequest.next_attempt_at.is_(None))
    claimed = session.scalars(
        update(RefundRequest)
        .where(
            RefundRequest.id == request_id,
            RefundRequest.state == RefundRequestState.WAITING,
            is_due,
        )
        .values(next_attempt_at=now + LEASE, attempts=RefundRequest.attempts + 1)
        .returning(RefundRequest)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).one_or_none()
    if claimed is None:
        return None
    order = RefundOrder(
        request_id=claimed.id,
        payment_id=claimed.reference,
        amount_minor=claimed.amount_minor,
        reason=claimed.reason,
    )
    return order, claimed.attempts


def _ask(
    gateway: Gateway, order: RefundOrder, *, is_first: bool
) -> tuple[Refund | None, str | None, str | None]:
    """Return the refund, or Stripe's refusal of it, or why nothing is known yet."""
    if not is_first:
        try:
            for refund in gateway.refunds(order.payment_id):
                if refund.request_id == order.request_id:
                    return refund, None, None
        except DomainError as error:
            # Not to be told from a refusal of the refund, which an earlier call may have made.
            return None, None, error.message
    try:
        return gateway.create_refund(order), None, None
    except GatewayRefused as error:
        return None, error.message, None
    except DomainError as error:
        return None, None, error.message


def _settle(
    session: Session,
    *,
    request_id: str,
    refund: Refund | None,
    refusal: str | None,
    error: str | None,
    now: datetime,
) -> None:
    row = session.get_one(RefundRequest, request_id, with_for_update=True)
    if row.state != RefundRequestState.WAITING:
        return  # its event was quicker than the answer
    if refund is not None:
        note_refunds(session, [refund])
    elif refusal is not None:
        row.state = RefundRequestState.REFUSED
        row.next_attempt_at = None
        row.error = refusal[:500]
    else:
        row.error = (error or "")[:500]
        pause = min(timedelta(seconds=2 ** min(row.attempts, 12)), MOST_BACK_OFF)
        row.next_attempt_at = now + pause if row.attempts < MOST_ATTEMPTS else None
    session.flush()


def _look(
    open_session: OpenSession,
    gateway: Gateway,
    order: RefundOrder,
    *,
    livemode: bool,
    now: Callable[[], datetime],
) -> None:
    def apply(session: Session, /, *, facts: Facts, seen: Mapping[str, int]) -> str:
        cause = f"refund {order.request_id}"
        occasion = Occasion(cause=cause, livemode=livemode, now=now(), seen=seen)
        return apply_facts(session, facts, occasion)

    try:
        look_and_apply(
            open_session,
            partial(gather_for_payment, gateway, order.payment_id),
            apply,
            payment_id=order.payment_id,
        )
    except DomainError as error:
        log.warning("refund %s is left to its events: %s", order.request_id, error.message)


def _detached(session: Session, *, request_id: str) -> RefundRequest:
    row = session.get(RefundRequest, request_id)
    if row is None:
        raise NotFound("There is no such request.")
    session.expunge(row)
    return row
