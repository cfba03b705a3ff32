"""`/admin/donations/<id>/refund`: a gift is given back, after a look at what that does.

What is wanted is written down and committed, then Stripe is asked. The form's token changes with
each request: a double click, or a second tab, asks once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import partial
from http import HTTPStatus

from flask import redirect, request
from flask.typing import ResponseReturnValue

from admin.access import admin_blueprint, current_actor, needs
from admin.pages import LOCALE, render_admin, say
from admin.refund_words import REASONS, outcome, request_row, time_text
from admin.roles import Permission
from campaigns.labels import money_label, span_label
from core.clock import now
from core.db import db
from core.errors import Conflict, DomainError, Invalid
from core.money import parse_amount, typed_amount
from core.web import settings
from payments.edge import current_gateway, open_session
from payments.errors import PaymentsNotSetUp
from payments.refund_view import RefundView, held_payment_of, read_refund_view
from payments.refunding import RefundWish, ask_for_refund, request_refund

bp = admin_blueprint("refund_page", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What giving so much back would do, in the campaign's own words."""

    amount: str
    leaves: str
    period: str
    is_closed: bool
    falls_by: str
    falls_from: str
    falls_to: str
    cover: str
    fee: str


@bp.get("/donations/<donation_id>/refund")
@needs(Permission.REFUND, fresh=True)
def refund(donation_id: str) -> ResponseReturnValue:
    """Ask how much is to go back, and why; tell what was asked for before."""
    view = read_refund_view(db.session, donation_id)
    held = held_payment_of(db.session, view.donation)
    if held is not None:
        return redirect(f"/admin/quarantine/{held}", code=303)
    return _form(view)


@bp.post("/donations/<donation_id>/refund")
@needs(Permission.REFUND, fresh=True)
def give_back(donation_id: str) -> ResponseReturnValue:
    """Say in words what would happen; where that was confirmed, write it down and ask Stripe."""
    view = read_refund_view(db.session, donation_id)
    try:
        wish = _read(view)
    except Invalid as error:
        return _form(view, error=error), HTTPStatus.UNPROCESSABLE_ENTITY
    # What was sent before has perhaps left nothing: the service then finds what it made.
    if not request.form.get("confirmed"):
        if view.hindrance is not None:
            return _form(view), HTTPStatus.CONFLICT
        return _question(view, wish)
    gateway = current_gateway()
    if gateway is None:
        raise PaymentsNotSetUp("There is no Stripe key: Stripe can't be asked.")
    try:
        row = request_refund(db.session, donation_id, wish, now=now())
    except (Invalid, Conflict) as error:
        db.session.rollback()
        anew = read_refund_view(db.session, donation_id)
        status = HTTPStatus.CONFLICT
        if isinstance(error, Invalid):
            status = HTTPStatus.UNPROCESSABLE_ENTITY
        return _form(anew, error=error), status
    db.session.commit()
    asked = ask_for_refund(open_session, gateway, row.id, livemode=settings().livemode, now=now)
    message, kind = outcome(asked, money_label(view.campaign, asked.amount_minor))
    say(message, kind=kind)
    return redirect(f"/admin/donations/{donation_id}/refund", code=303)


def _read(view: RefundView) -> RefundWish:
    """Read what was typed; raise Invalid, naming the field."""
    currency = view.donation.currency
    typed = request.form.get("amount", "")
    amount_minor = parse_amount(typed, currency, locale=view.campaign.locale)
    token = request.form.get("form", "")[:64]
    if amount_minor == 0:
        raise Invalid("The amount must be more than zero.", field="amount")
    # A form that was sent before is for the service to know, whatever is left by now.
    if token == view.form_token and amount_minor > view.left_minor > 0:
        left = money_label(view.campaign, view.left_minor)
        raise Invalid(f"No more than {left} is left of it.", field="amount")
    reason = request.form.get("reason", "")
    if reason not in REASONS:
        raise Invalid("Choose one of the reasons that are listed.", field="reason")
    return RefundWish(
        form_token=token,
        amount_minor=amount_minor,
        currency=currency,
        requested_by=current_actor(),
        reason=reason or None,
    )


def _form(view: RefundView, *, error: DomainError | None = None) -> str:
    problems = {} if error is None else {error.field or "": error.message}
    left = typed_amount(view.left_minor, view.donation.currency, locale=view.campaign.locale)
    return _page(
        "admin/refund.html",
        view,
        typed={
            "amount": request.form.get("amount", left),
            "reason": request.form.get("reason", ""),
        },
        problems=problems,
        reasons=REASONS,
        rows=[request_row(one, view.campaign) for one in view.requests],
    )


def _question(view: RefundView, wish: RefundWish) -> str:
    values = {
        "amount": request.form.get("amount", ""),
        "reason": wish.reason or "",
        "form": wish.form_token,
    }
    return _page(
        "admin/refund_confirm.html",
        view,
        values=values,
        reason=REASONS[wish.reason or ""],
        effect=_effect(view, wish.amount_minor or 0),
    )


def _page(template: str, view: RefundView, **values: object) -> str:
    paid_at = view.donation.paid_at
    return render_admin(
        template,
        section="donations",
        view=view,
        donation=view.donation,
        campaign=view.campaign,
        money=partial(money_label, view.campaign),
        period=_period_name(view),
        paid_at=time_text(paid_at, view.campaign) if paid_at else "",
        **values,
    )


def _effect(view: RefundView, amount_minor: int) -> Effect:
    money = partial(money_label, view.campaign)
    fall_minor = view.fall_minor(amount_minor)
    raised_minor = view.period.raised_minor if view.period else 0
    cover_minor = amount_minor - fall_minor
    donation = view.donation
    fee = ""
    # In another currency of settlement the fee is no amount that stands beside these.
    if donation.fee_minor and donation.settlement_currency == donation.currency:
        fee = money(donation.fee_minor)
    left_minor = view.left_minor - amount_minor
    return Effect(
        amount=money(amount_minor),
        leaves=money(left_minor) if left_minor else "",
        period=_period_name(view),
        is_closed=view.period is not None and view.period.closed_at is not None,
        falls_by=money(fall_minor) if fall_minor else "",
        falls_from=money(raised_minor),
        falls_to=money(max(0, raised_minor - fall_minor)),
        cover=money(cover_minor) if cover_minor else "",
        fee=fee,
    )


def _period_name(view: RefundView) -> str:
    period = view.period
    if period is None:
        return ""
    last_day = date.fromisoformat(period.last_day) if period.last_day else None
    return span_label(view.campaign, period.key, last_day, locale=LOCALE, capitals=False)
