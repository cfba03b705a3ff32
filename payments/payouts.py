"""Bringing Stripe's payouts in, each with what it is made of, matched to our donations.

Nothing of this is part of the ledger: a payout moves money that was booked before. It shows that
what the bank got is what the books say. Safe to repeat, beside itself too, and to break off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from core.db import OpenSession, in_transaction, insert_if_absent
from core.money import exact_money
from core.notices import Notice, notify
from core.subscribers import Topic
from payments.gateway import Gateway, Payout
from payments.gateway import PayoutLine as ToldLine
from payments.models import Donation, ReconcileCursor
from payments.payout_models import KINDS, BankPayout, LineKind, PayoutLine

CURSOR = "payouts"
# Banks send payouts back days after they were told to have arrived; Stripe tells the lines of one
# within days. https://docs.stripe.com/payouts#payout-failures
LOOK_BACK = timedelta(days=30)
# Money in quarantine becomes a donation when somebody decides so: lines are matched anew.
MATCHED_FOR = timedelta(days=90)
BATCH = 200
# How many payouts' lines a tick brings in: the rest waits for the next.
MOST_AT_ONCE = 50
_LONGEST = 255
_FAILED = "failed"

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BroughtIn:
    """What became of the payouts that Stripe told of."""

    since: datetime
    seen: int
    completed: int  # of which the lines came in now
    matched: int  # lines whose donation was found later
    is_whole: bool  # else some wait for the next time


def bring_payouts(
    open_session: OpenSession,
    gateway: Gateway,
    *,
    livemode: bool,
    now: Callable[[], datetime],
    since: datetime | None = None,
    most: int | None = None,
    step: Step = lambda _: None,
) -> BroughtIn:
    """Bring in the payouts made since the cursor (or `since`), and the lines that are told by now.

    Commits as it goes. The cursor moves once all was gone through: with `most`, no more payouts
    than that get their lines, and what is left is found again. `step` is told of each payout.
    """
    begun_at = now()
    start = since or in_transaction(open_session, lambda session: _start(session, begun_at))
    seen = completed = 0
    is_whole = True
    for payout in gateway.payouts(start):
        if payout.livemode != livemode:
            continue
        seen += 1
        step(payout.id)
        if not in_transaction(open_session, partial(_note, told=payout, now=begun_at)):
            continue
        if most is not None and completed >= most:
            is_whole = False
            continue
        _bring_lines(open_session, gateway, payout.id, now=now)
        completed += 1
    matched = in_transaction(open_session, lambda session: match_anew(session, now=begun_at))
    if is_whole and since is None:
        in_transaction(open_session, lambda session: _move_cursor(session, begun_at))
    return BroughtIn(start, seen, completed, matched, is_whole)


def match_anew(session: Session, *, now: datetime) -> int:
    """Match lines of the last months whose payment has become a donation since; return how many."""
    found = session.execute(
        select(PayoutLine.id, PayoutLine.payout_id, Donation.id)
        .join(Donation, Donation.reference == PayoutLine.payment_id)
        .join(BankPayout, BankPayout.id == PayoutLine.payout_id)
        .where(
            PayoutLine.donation_id.is_(None),
            PayoutLine.payment_id.is_not(None),
            BankPayout.complete_at.is_not(None),
            BankPayout.created_at >= now - MATCHED_FOR,
        )
        .order_by(PayoutLine.id)
    ).all()
    for line_id, _, donation_id in found:
        session.execute(
            update(PayoutLine).where(PayoutLine.id == line_id).values(donation_id=donation_id)
        )
    for payout_id in sorted({payout_id for _, payout_id, _ in found}):
        _sum_up(session, _locked(session, payout_id))
    session.flush()
    return len(found)


def _start(session: Session, now: datetime) -> datetime:
    cursor = session.get(ReconcileCursor, CURSOR)
    if cursor is not None:
        return cursor.reached_at - LOOK_BACK
    # Never done before: since the first donation that Stripe could know of.
    first = session.scalar(
        select(func.min(Donation.created_at)).where(Donation.form_key.is_not(None))
    )
    return first or now - LOOK_BACK


def _move_cursor(session: Session, reached_at: datetime) -> None:
    insert_if_absent(
        session, ReconcileCursor, {"name": CURSOR, "reached_at": reached_at}, unique=("name",)
    )
    cursor = session.get_one(ReconcileCursor, CURSOR, with_for_update=True)
    cursor.reached_at = max(cursor.reached_at, reached_at)
    session.flush()


def _note(session: Session, told: Payout, now: datetime) -> bool:
    """Write down what Stripe says of a payout; tell whether its lines are to be asked for.

    Admins are told where it has failed since, in the same transaction, and once.
    """
    values = {
        "amount_minor": told.amount_minor,
        "currency": told.currency,
        "status": told.status[:32],
        "arrives_on": told.arrives_on.isoformat(),
        "created_at": told.created_at,
        "automatic": told.automatic,
        "failure": told.failure and told.failure[:_LONGEST],
    }
    is_new = insert_if_absent(session, BankPayout, {"id": told.id, **values}, unique=("id",))
    payout = _locked(session, told.id)
    had_failed = not is_new and payout.status == _FAILED
    if told.status == _FAILED and not had_failed and now - told.created_at <= LOOK_BACK:
        notify(session, _failed_notice(told), now=now)
    for name, value in values.items():
        setattr(payout, name, value)
    session.flush()
    return told.reconciled and payout.complete_at is None


def _failed_notice(told: Payout) -> Notice:
    money = exact_money(told.amount_minor, told.currency)
    return Notice(
        topic=Topic.PAYOUT,
        key=f"payout:{told.id}:{_FAILED}",
        subject=f"A payout of {money} did not reach the bank",
        text=(
            f"The bank sent {told.id} back ({told.failure or 'Stripe names no cause'}). The money"
            " is at Stripe, and the books are as they were: look after the bank account in"
            " Stripe's Dashboard, which pays out no more until then."
        ),
        data={
            "payout": told.id,
            "amount_minor": told.amount_minor,
            "currency": told.currency,
            "failure": told.failure,
            "arrives_on": told.arrives_on.isoformat(),
        },
    )


def _bring_lines(
    open_session: OpenSession, gateway: Gateway, payout_id: str, *, now: Callable[[], datetime]
) -> None:
    """Write a payout's lines as they come, then what they come to: Stripe never adds to them."""
    told = gateway.payout_lines(payout_id)
    while batch := list(islice(told, BATCH)):
        in_transaction(
            open_session,
            lambda session, batch=batch: _write_lines(session, payout_id, batch),  # type: ignore[misc]
        )

    def complete(session: Session) -> None:
        payout = _locked(session, payout_id)
        payout.complete_at = payout.complete_at or now()
        _sum_up(session, payout)
        session.flush()

    in_transaction(open_session, complete)


def _write_lines(session: Session, payout_id: str, told: Sequence[ToldLine]) -> None:
    """Write lines that are not there yet, matched to our donations."""
    # Whoever else is at this payout waits here, so that no line is written twice.
    _locked(session, payout_id)
    known = set(
        session.scalars(
            select(PayoutLine.transaction_id).where(
                PayoutLine.transaction_id.in_([line.id for line in told])
            )
        )
    )
    donations = _donations(session, told)
    rows = [
        {
            "payout_id": payout_id,
            "transaction_id": line.id,
            "kind": KINDS.get(line.category, LineKind.OTHER),
            "category": line.category[:64],
            "amount_minor": line.amount_minor,
            "fee_minor": line.fee_minor,
            "net_minor": line.net_minor,
            "currency": line.currency,
            "occurred_at": line.occurred_at,
            "source_id": line.source_id,
            "payment_id": line.payment_id,
            "donation_id": donations.get(line.payment_id or ""),
            # What somebody wrote on a payment may name a person: it is of no use here.
            "description": None if line.payment_id else (line.description or "")[:_LONGEST] or None,
        }
        for line in told
        if line.id not in known
    ]
    if rows:
        session.execute(insert(PayoutLine), rows)


def _donations(session: Session, told: Iterable[ToldLine]) -> dict[str, str]:
    """Return our donations by the payments that lines are of."""
    payment_ids = {line.payment_id for line in told if line.payment_id is not None}
    found = session.execute(
        select(Donation.reference, Donation.id).where(Donation.reference.in_(payment_ids))
    )
    return {reference: donation_id for reference, donation_id in found if reference}


def _locked(session: Session, payout_id: str) -> BankPayout:
    return session.get_one(BankPayout, payout_id, with_for_update=True, populate_existing=True)


def _sum_up(session: Session, payout: BankPayout) -> None:
    """Bring a payout's sums to its lines; one of another currency is part of none."""
    session.flush()
    is_matched = PayoutLine.donation_id.is_not(None)
    found = session.execute(
        select(
            PayoutLine.kind,
            is_matched,
            PayoutLine.currency,
            func.count(),
            func.sum(PayoutLine.amount_minor),
            func.sum(PayoutLine.fee_minor),
        )
        .where(PayoutLine.payout_id == payout.id)
        .group_by(PayoutLine.kind, is_matched, PayoutLine.currency)
    )
    sums = dict.fromkeys(_PARTS, 0)
    line_count = foreign_count = 0
    for kind, matched, currency, count, amount_minor, fee_minor in found:
        is_foreign = not matched and kind not in _NOBODYS
        line_count += count
        foreign_count += count if is_foreign else 0
        if currency == payout.currency:
            sums["foreign_minor" if is_foreign else _PART_OF[LineKind(kind)]] += int(amount_minor)
            sums["fees_minor"] -= int(fee_minor)
    payout.line_count, payout.foreign_count = line_count, foreign_count
    for name, minor in sums.items():
        setattr(payout, name, minor)


# Lines that belong to no payment, and so to nobody.
_NOBODYS = (LineKind.FEE, LineKind.OTHER)
_PART_OF = {
    LineKind.GIFT: "gifts_minor",
    LineKind.REFUND: "refunds_minor",
    LineKind.DISPUTE: "disputes_minor",
    LineKind.FEE: "fees_minor",
    LineKind.OTHER: "other_minor",
}
_PARTS = (*_PART_OF.values(), "foreign_minor")
