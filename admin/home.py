"""`/admin/`: the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from flask import redirect, request
from flask.typing import ResponseReturnValue

from admin.access import admin_blueprint, current_actor, current_admin, may, needs
from admin.home_view import GiftView, charts, gift_views, standing_views
from admin.pages import render_admin
from admin.roles import Permission
from admin.setup import HIDDEN, SHOWN, SUBJECT, Setup, read_setup
from admin.signs import Sign, read_signs
from campaigns.overview import read_last_months, read_standings
from core.auditlog import record
from core.clock import now
from core.db import db
from core.web import settings
from payments.last_gifts import newest_entry_id, read_last_gifts

MOST_CAMPAIGNS = 12
MOST_GIFTS = 10

bp = admin_blueprint("home", __name__)


@bp.get("/")
@needs(Permission.SEE_TOTALS)
def home() -> str:
    """Show where the site stands."""
    signs = read_signs(db.session, now=now())
    return render_admin(
        "admin/home.html",
        section="home",
        **_live(),
        signs=signs,
        setup=_setup(signs) if may(Permission.SET_UP) else None,
    )


@bp.post("/setup")
@needs(Permission.SET_UP)
def set_up() -> ResponseReturnValue:
    """Put the steps of the first hour away, or show them again."""
    action = SHOWN if request.form.get("show") else HIDDEN
    record(db.session, current_actor(), action, subject=SUBJECT, now=now())
    db.session.commit()
    return redirect("/admin/", code=HTTPStatus.SEE_OTHER)


@bp.get("/live")
@needs(Permission.SEE_TOTALS)
def live() -> ResponseReturnValue:
    """Show bars and gifts anew to a page that stays open; nothing where nothing was booked since.

    Asked every few seconds, it reads one number as long as nothing happens.
    """
    if request.args.get("seen") == str(newest_entry_id(db.session)):
        return "", HTTPStatus.NO_CONTENT
    return render_admin("admin/_home_live.html", section="home", **_live())


def _setup(signs: Sequence[Sign]) -> Setup:
    return read_setup(
        db.session,
        settings(),
        has_second_factor=current_admin().has_second_factor,
        scheduler_runs=any(sign.name == "Scheduler" and sign.ok for sign in signs),
    )


def _live() -> dict[str, object]:
    session, instant = db.session, now()
    seen = newest_entry_id(session)  # before the rest is read: what comes meanwhile comes anew
    standings, open_count = read_standings(
        session, now=instant, base_url=settings().base_url, limit=MOST_CAMPAIGNS
    )
    gifts: Sequence[GiftView] = ()
    if may(Permission.SEE_DONATIONS):
        with_donors = may(Permission.SEE_DONORS)
        gifts = gift_views(read_last_gifts(session, limit=MOST_GIFTS, with_donors=with_donors))
    return {
        "seen": seen,
        "standings": standing_views(standings),
        "open_count": open_count,
        "charts": charts(read_last_months(session, now=instant)),
        "gifts": gifts,
    }
