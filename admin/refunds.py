"""`/admin/refunds`: what is asked of Stripe and has no good end yet, and all that ever was."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import redirect, request
from flask.typing import ResponseReturnValue

from admin.access import admin_blueprint, current_actor, needs
from admin.pages import render_admin, say
from admin.refund_words import outcome, request_row
from admin.roles import Permission
from core.clock import now
from core.db import db
from core.errors import Invalid
from core.money import exact_money
from core.web import settings
from payments.edge import current_gateway, open_session
from payments.errors import PaymentsNotSetUp
from payments.refund_view import Which, list_requests
from payments.refunding import ask_for_refund, log_asked_again

REQUESTS_A_PAGE = 50

bp = admin_blueprint("refunds", __name__)


@bp.get("/refunds")
@needs(Permission.REFUND)
def refunds() -> str:
    """List the requests that somebody may have to look after, or all of them."""
    which = Which.ALL if request.args.get("which") == Which.ALL else Which.OPEN
    asked_after = request.args.get("after", "")
    after = _place(asked_after) if asked_after else None
    # One more than is shown tells whether there are more.
    found = list_requests(db.session, which, after=after, limit=REQUESTS_A_PAGE + 1)
    shown = found[:REQUESTS_A_PAGE]
    last = shown[-1].request if len(found) > len(shown) else None
    return render_admin(
        "admin/refunds.html",
        section="quarantine",
        which=which,
        rows=[request_row(one.request, one.campaign) for one in shown],
        after=asked_after,
        following=f"{last.requested_at.isoformat()}_{last.id}" if last else None,
    )


@bp.post("/refunds/<request_id>/ask")
@needs(Permission.REFUND, fresh=True)
def ask_again(request_id: str) -> ResponseReturnValue:
    """Ask Stripe once more for what was given up, under the same key: it goes back once."""
    log_asked_again(db.session, request_id, actor=current_actor(), now=now())
    gateway = current_gateway()
    if gateway is None:
        raise PaymentsNotSetUp("There is no Stripe key: Stripe can't be asked.")
    db.session.commit()
    asked = ask_for_refund(
        open_session, gateway, request_id, livemode=settings().livemode, now=now, by_hand=True
    )
    message, kind = outcome(asked, exact_money(asked.amount_minor, asked.currency))
    say(message, kind=kind)
    return redirect("/admin/refunds", code=303)


def _place(after: str) -> tuple[datetime, str]:
    """Read where a page begins; raise Invalid where the address was changed by hand."""
    at, _, request_id = after.partition("_")
    try:
        return datetime.fromisoformat(at).astimezone(UTC), request_id.replace("\0", "")
    except (ValueError, OverflowError):
        raise Invalid("There is no such page. Begin with the first.", field="after") from None
