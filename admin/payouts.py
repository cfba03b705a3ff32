"""`/admin/payouts`: what Stripe sent to the bank, and the gifts that each payout is made of."""

from __future__ import annotations

from enum import StrEnum

from flask import Response, redirect, request
from flask.typing import ResponseReturnValue

from admin.access import admin_blueprint, current_actor, needs
from admin.export_view import PAYOUT_TAKEN_OUT
from admin.pages import render_admin, say
from admin.payout_view import line_row, payout_row, share_row
from admin.roles import Permission
from core.auditlog import record
from core.clock import now
from core.db import db
from core.errors import Invalid
from core.sheets import Format
from core.web import settings
from payments.edge import current_gateway, open_session
from payments.errors import GatewayRefused, GatewayUnavailable, PaymentsNotSetUp
from payments.payout_reading import find_payout, list_lines, list_payouts, shares, was_asked
from payments.payout_rows import payout_file
from payments.payouts import bring_payouts

PAYOUTS_A_PAGE = 50
LINES_A_PAGE = 100
# How many get their lines while somebody waits; the scheduler brings the rest.
MOST_WHILE_ONE_WAITS = 5

bp = admin_blueprint("payouts", __name__)


class Empty(StrEnum):
    """Why there is no payout to show."""

    NO_KEY = "no_key"
    NOT_ASKED = "not_asked"
    NONE_YET = "none_yet"


@bp.get("/payouts")
@needs(Permission.EXPORT)
def payouts() -> str:
    """List the payouts, those that arrive last first."""
    after = _after(request.args.get("after", ""))
    found = list_payouts(db.session, after=after, limit=PAYOUTS_A_PAGE + 1)
    shown = found[:PAYOUTS_A_PAGE]
    last = shown[-1] if len(found) > len(shown) else None
    return render_admin(
        "admin/payouts.html",
        section="payouts",
        rows=[payout_row(payout) for payout in shown],
        after=after,
        following=f"{last.arrives_on}.{last.id}" if last else None,
        empty=None if shown else _why_empty(),
        can_ask=current_gateway() is not None,
    )


@bp.post("/payouts")
@needs(Permission.EXPORT)
def ask() -> ResponseReturnValue:
    """Ask Stripe for its payouts now, and not within the hour."""
    gateway = current_gateway()
    if gateway is None:
        raise PaymentsNotSetUp("There is no Stripe key: Stripe can't be asked.")
    record(db.session, current_actor(), "stripe.payouts_asked", subject="site", now=now())
    db.session.commit()
    try:
        found = bring_payouts(
            open_session,
            gateway,
            livemode=settings().livemode,
            now=now,
            most=MOST_WHILE_ONE_WAITS,
        )
    except (GatewayUnavailable, GatewayRefused) as error:
        say(f"Stripe could not be asked. {error.message}", kind="problem")
    else:
        number = found.completed
        came = f"{number} {'payout' if number == 1 else 'payouts'} came in with all lines."
        say(came if found.is_whole else f"{came} The rest follows within hours.")
    return redirect("/admin/payouts", code=303)


@bp.get("/payouts/<payout_id>")
@needs(Permission.EXPORT)
def payout(payout_id: str) -> str:
    """Show what a payout is made of, by kind, by campaign, and line by line."""
    found = find_payout(db.session, payout_id)
    asked = request.args.get("after", "")
    after = int(asked) if asked.isascii() and asked.isdigit() and len(asked) <= _DIGITS else 0
    lines = list_lines(db.session, payout_id, after=after, limit=LINES_A_PAGE + 1)
    shown = lines[:LINES_A_PAGE]
    return render_admin(
        "admin/payout.html",
        section="payouts",
        payout=payout_row(found),
        shares=[share_row(share, found) for share in shares(db.session, found)],
        lines=[line_row(line, found) for line in shown],
        after=after,
        following=shown[-1].line.id if len(lines) > len(shown) else None,
    )


@bp.post("/payouts/<payout_id>/lines")
@needs(Permission.EXPORT)
def take_out(payout_id: str) -> ResponseReturnValue:
    """Send all lines of a payout as a file, while it is read."""
    find_payout(db.session, payout_id)
    try:
        format_ = Format(request.form.get("format", ""))
    except ValueError:
        raise Invalid("Choose one of these.", field="format") from None
    record(
        db.session,
        current_actor(),
        PAYOUT_TAKEN_OUT,
        subject=f"payout:{payout_id}",
        details={"format": format_.value},
        now=now(),
    )
    db.session.commit()
    # The file is read once this request is over: it has sessions of its own.
    pieces = payout_file(db.sessionmaker, payout_id, format_)
    response = Response(pieces, content_type=format_.media_type)
    name = f"payout-{payout_id}.{format_}"
    response.headers.set("Content-Disposition", "attachment", filename=name)
    # nginx would keep what the browser is too slow for in files on its disk.
    response.headers["X-Accel-Buffering"] = "no"
    return response


_DIGITS = 18


def _after(asked: str) -> tuple[str, str] | None:
    day, dot, payout_id = asked.replace("\0", "").partition(".")
    return (day, payout_id) if dot else None


def _why_empty() -> Empty:
    if current_gateway() is None:
        return Empty.NO_KEY
    return Empty.NONE_YET if was_asked(db.session) else Empty.NOT_ASKED
