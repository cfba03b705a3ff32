"""The table of refunds that admins ask for from here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base
from payments.gateway import Refund


class RefundRequestState(StrEnum):
    """What Stripe said of a request. Stored by value."""

    WAITING = "waiting"  # Stripe has not answered yet: asked again, or by hand
    ACCEPTED = "accepted"  # Stripe has the refund; its events bring it into the books
    REFUSED = "refused"  # Stripe refused: no money went back


class RefundRequest(Base):
    """A refund that an admin asked for. Written before Stripe hears of it.

    The id is ours, random, the idempotency key at Stripe, and in the refund's metadata. What the
    refund takes from a gift is not here but in the ledger.
    """

    __tablename__ = "refund_requests"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'accepted', 'refused')", name="state"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint(
            "reason IN ('duplicate', 'fraudulent', 'requested_by_customer')", name="reason"
        ),
        CheckConstraint(
            "(state = 'accepted') = (refund_id IS NOT NULL)", name="accepted_has_its_id"
        ),
        Index("ix_refund_requests_reference", "reference"),
        Index("ix_refund_requests_state_next_attempt_at", "state", "next_attempt_at"),
        {"sqlite_strict": True},
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    # The payment that is given back, and the donation that it is of; foreign money has none.
    reference: Mapped[str] = mapped_column(String(255))
    donation_id: Mapped[str | None] = mapped_column(ForeignKey("donations.id"))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[str | None] = mapped_column(String(32))
    # Whoever asked, in words of the admin's: opaque here.
    requested_by: Mapped[str] = mapped_column(String(255))
    requested_at: Mapped[datetime]
    # One submitted form is one request, however often it is sent.
    form_key: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    # Not to be asked before; null where nothing is asked any more unless somebody says so.
    next_attempt_at: Mapped[datetime | None]
    refund_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    # Stripe's own word on the refund: pending, succeeded, failed, …
    refund_status: Mapped[str | None] = mapped_column(String(32))
    error: Mapped[str | None] = mapped_column(String(500))


def note_refunds(session: Session, refunds: Iterable[Refund]) -> None:
    """Write down which requests Stripe has made refunds of, and how these stand.

    An event may come before the answer to our own call, or in its stead. Safe to repeat.
    """
    told = {refund.request_id: refund for refund in refunds if refund.request_id is not None}
    if not told:
        return
    rows = session.scalars(
        select(RefundRequest)
        .where(RefundRequest.id.in_(told))
        .order_by(RefundRequest.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for row in rows:
        refund = told[row.id]
        row.state = RefundRequestState.ACCEPTED
        row.refund_id = refund.id
        row.refund_status = refund.status
        row.next_attempt_at = None
        row.error = None
    session.flush()
