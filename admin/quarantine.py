"""`/admin/quarantine`: money that came in and is not counted; what it is, and what becomes of it.

Released it counts as a gift, refused it never does; refused money stays at Stripe unless it is
given back, which is asked for in the same step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice

from flask import redirect, request
from flask.typing import ResponseReturnValue

from admin.access import admin_blueprint, current_actor, needs
from admin.pages import render_admin, say
from admin.refund_words import REASONS, outcome, request_row, time_text
from admin.roles import Permission
from core.clock import now
from core.db import db
from core.errors import DomainError, Invalid
from core.money import exact_money
from core.web import settings
from payments.edge import current_gateway, open_session
from payments.errors import PaymentsNotSetUp
from payments.models import QuarantineState
from payments.quarantine import refuse as refuse_held
from payments.quarantine_view import HeldView, list_held, read_held, targets_of
from payments.refunding import ask_for_refund, request_whole_refunds
from payments.releasing import release_held

PAYMENTS_A_PAGE = 50
# So many are asked for while one waits; the scheduler asks for the rest within seconds.
MOST_ASKED_AT_ONCE = 3
MOST_TOLD = 5
STATES = {
    QuarantineState.HELD: "Held",
    QuarantineState.RELEASED: "Released",
    QuarantineState.REFUSED: "Refused",
}
_TONES = {
    QuarantineState.HELD: "",
    QuarantineState.RELEASED: "good",
    QuarantineState.REFUSED: "bad",
}

bp = admin_blueprint("quarantine", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Money in quarantine as pages show it."""

    reference: str
    amount: str
    paid_at: str
    seen_at: str
    decided_at: str
    reason: str
    campaign: str
    campaign_slug: str
    donation_id: str
    state: QuarantineState
    tone: str
    left: str  # what can be given back; empty where nothing can


@bp.get("/quarantine")
@needs(Permission.DECIDE_QUARANTINE)
def quarantine() -> str:
    """List what is held, or what was decided before."""
    asked = request.args.get("state", QuarantineState.HELD)
    state = QuarantineState(asked) if asked in set(QuarantineState) else None
    asked_after = request.args.get("after", "")
    after = int(asked_after) if asked_after.isascii() and asked_after.isdigit() else 0
    # One more than is shown tells whether there are more.
    found = list_held(
        db.session, state=state, before_id=min(after, 2**62) or None, limit=PAYMENTS_A_PAGE + 1
    )
    shown = found[:PAYMENTS_A_PAGE]
    return render_admin(
        "admin/quarantine.html",
        section="quarantine",
        rows=[_row(view) for view in shown],
        states=STATES,
        asked=state,
        after=after,
        following=shown[-1].held.id if len(found) > len(shown) else None,
    )


@bp.get("/quarantine/<reference>")
@needs(Permission.DECIDE_QUARANTINE)
def payment(reference: str) -> str:
    """Show one payment, and what may become of it."""
    return _page(read_held(db.session, reference))


@bp.post("/quarantine/<reference>/release")
@needs(Permission.DECIDE_QUARANTINE)
def release(reference: str) -> ResponseReturnValue:
    """Count it as a gift to a campaign; ask before."""
    view = read_held(db.session, reference)
    slug = request.form.get("campaign", "").strip()
    targets = targets_of(db.session, view)
    chosen = next((one for one in targets if one.slug == slug), None)
    if chosen is None:
        error = Invalid("Choose one of the campaigns that count its currency.", field="campaign")
        return _page(view, error=error), HTTPStatus.UNPROCESSABLE_ENTITY
    if not request.form.get("confirmed"):
        return _question("release", view, campaign=chosen)
    gateway = current_gateway()
    if gateway is None:
        raise PaymentsNotSetUp("There is no Stripe key: Stripe must be asked how it stands.")
    actor = current_actor()
    db.session.rollback()  # nobody has to wait for us while we wait for Stripe
    try:
        release_held(
            open_session,
            gateway,
            reference,
            slug=slug,
            actor=actor,
            livemode=settings().livemode,
            now=now,
        )
    except DomainError as error:
        return _page(read_held(db.session, reference), error=error), HTTPStatus.CONFLICT
    say(f"Released: it counts as a gift to {chosen.title}.")
    return redirect(f"/admin/quarantine/{reference}", code=303)


@bp.post("/quarantine/<reference>/refuse")
@needs(Permission.DECIDE_QUARANTINE)
def refuse(reference: str) -> ResponseReturnValue:
    """Decide that it never counts; its money stays at Stripe. Ask before."""
    view = read_held(db.session, reference)
    if not request.form.get("confirmed"):
        return _question("refuse", view)
    refuse_held(db.session, reference, actor=current_actor(), now=now())
    db.session.commit()
    say("Refused: it never counts. Its money is still in your Stripe account.")
    return redirect(f"/admin/quarantine/{reference}", code=303)


@bp.get("/quarantine/give-back")
@needs(Permission.REFUND, fresh=True)
def look_at_refunds() -> ResponseReturnValue:
    """Say in words what giving these back would do."""
    references = _ticked(request.args.getlist("payment"))
    views = [read_held(db.session, reference) for reference in references]
    if not views:
        say("Tick what is to go back first.", kind="problem")
        return redirect("/admin/quarantine", code=303)
    return render_admin(
        "admin/quarantine_give_back.html",
        section="quarantine",
        rows=[_row(view) for view in views],
        sums=_sums(views),
        reasons=REASONS,
    )


@bp.post("/quarantine/give-back")
@needs(Permission.REFUND, fresh=True)
def give_back() -> ResponseReturnValue:
    """Refuse these payments and give all of each back."""
    reason = request.form.get("reason", "")
    if reason not in REASONS:
        raise Invalid("Choose one of the reasons that are listed.", field="reason")
    gateway = current_gateway()
    if gateway is None:
        raise PaymentsNotSetUp("There is no Stripe key: Stripe can't be asked.")
    references = _ticked(request.form.getlist("payment"))
    actor = current_actor()
    db.session.rollback()  # each is a transaction of its own
    told = list(
        request_whole_refunds(
            open_session, references, requested_by=actor, reason=reason or None, now=now
        )
    )
    problems = [f"{one.subject[:80]}: {one.problem}" for one in told if one.problem is not None]
    # What is said on the next page is kept in a cookie: there is no room for all of many.
    for problem in problems[:MOST_TOLD]:
        say(problem, kind="problem")
    if len(problems) > MOST_TOLD:
        say(f"{len(problems) - MOST_TOLD} more could not be given back.", kind="problem")
    request_ids = [one.request_id for one in told if one.request_id is not None]
    for request_id in islice(request_ids, MOST_ASKED_AT_ONCE):
        asked = ask_for_refund(
            open_session, gateway, request_id, livemode=settings().livemode, now=now
        )
        message, kind = outcome(asked, exact_money(asked.amount_minor, asked.currency))
        say(message, kind=kind)
    rest = len(request_ids) - MOST_ASKED_AT_ONCE
    if rest > 0:
        say(f"{rest} more are written down; Stripe is asked for them within a minute.")
        return redirect("/admin/refunds", code=303)
    if len(references) == 1:
        return redirect(f"/admin/quarantine/{references[0]}", code=303)
    return redirect("/admin/quarantine", code=303)


def _ticked(references: Sequence[str]) -> list[str]:
    """Return what was ticked, each once and no more than a page holds."""
    return list(islice(dict.fromkeys(one.replace("\0", "") for one in references), PAYMENTS_A_PAGE))


def _sums(views: Sequence[HeldView]) -> list[str]:
    """Return what would go back in all, by currency."""
    sums: dict[str, int] = {}
    for view in views:
        currency = view.held.currency
        sums[currency] = sums.get(currency, 0) + view.left_minor
    return [exact_money(sums[currency], currency) for currency in sorted(sums)]


def _row(view: HeldView) -> Row:
    held, campaign = view.held, view.campaign
    state = QuarantineState(held.state)
    return Row(
        reference=held.reference,
        amount=exact_money(held.amount_minor, held.currency),
        paid_at=time_text(held.paid_at, campaign),
        seen_at=time_text(held.seen_at, campaign),
        decided_at=time_text(held.decided_at, campaign) if held.decided_at else "",
        reason=held.reason[:1].upper() + held.reason[1:],
        campaign=campaign.title if campaign else "",
        campaign_slug=campaign.slug if campaign else "",
        donation_id=held.donation_id or "",
        state=state,
        tone=_TONES[state],
        left=exact_money(view.left_minor, held.currency) if view.left_minor else "",
    )


def _page(view: HeldView, *, error: DomainError | None = None) -> str:
    return render_admin(
        "admin/quarantine_payment.html",
        section="quarantine",
        row=_row(view),
        states=STATES,
        targets=targets_of(db.session, view),
        meant=view.campaign.slug if view.campaign else "",
        currency=view.held.currency,
        error=error,
        rows=[request_row(one, view.campaign) for one in view.requests],
    )


def _question(what: str, view: HeldView, **values: object) -> str:
    return render_admin(
        "admin/quarantine_confirm.html", section="quarantine", what=what, row=_row(view), **values
    )
