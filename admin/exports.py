"""`/admin/exports`: what to take out, the file, and what was taken out before."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import TypeVar

from flask import Response, request
from flask.typing import ResponseReturnValue

from admin.access import admin_blueprint, current_actor, may, needs
from admin.export_view import export_form, run_views
from admin.pages import is_partial, render_admin
from admin.roles import Permission
from core.cadence import checked_key
from core.clock import current_clock, now
from core.dates import day_of
from core.db import db, read_session
from core.errors import Forbidden, Invalid, NotFound
from core.sheets import Format
from payments.export_filters import Export, What, file_name
from payments.exporting import begin_export
from payments.models import DonationState

bp = admin_blueprint("exports", __name__)


class DonorsNotForYou(Forbidden):
    """Whoever asks may take data out, but nobody's name."""

    hint = "Take it out without donors’ names, or ask an owner of this site."


@bp.get("/exports")
@needs(Permission.EXPORT)
def exports() -> str:
    """Show what can be taken out and what was; to htmx, the latter alone."""
    session = db.session
    runs = run_views(session, now=now())
    if is_partial():
        return render_admin("admin/_export_runs.html", section="exports", runs=runs)
    form = export_form(session, {})
    return render_admin("admin/exports.html", section="exports", form=form, runs=runs)


@bp.post("/exports")
@needs(Permission.EXPORT)
def take_out() -> ResponseReturnValue:
    """Send a file while it is made; say in the form what is wrong with what was asked for."""
    actor, clock, instant = current_actor(), current_clock(), now()
    # The file has sessions of its own, once this request is over; this one must not hold them up.
    db.session.commit()
    try:
        export = _read(request.form)
        if export.personal and not may(Permission.SEE_DONORS):
            raise DonorsNotForYou("Your role does not show you donors.")
        stream = begin_export(db.sessionmaker, export, actor=actor, clock=clock.now)
    except (Invalid, NotFound) as error:
        session = read_session()
        form, runs = (
            export_form(session, request.form, error=error),
            run_views(session, now=instant),
        )
        answer = render_admin("admin/exports.html", section="exports", form=form, runs=runs)
        return answer, HTTPStatus.UNPROCESSABLE_ENTITY
    response = Response(stream, content_type=export.format.media_type)
    response.headers.set(
        "Content-Disposition", "attachment", filename=file_name(export, now=instant)
    )
    # nginx would keep what the browser is too slow for in files on its disk.
    response.headers["X-Accel-Buffering"] = "no"
    return response


E = TypeVar("E", bound=StrEnum)


def _choice(kind: type[E], form: Mapping[str, str], field: str) -> E:
    try:
        return kind(form.get(field, ""))
    except ValueError:
        raise Invalid("Choose one of these.", field=field) from None


def _read(form: Mapping[str, str]) -> Export:
    """Read what is asked for; raise Invalid, naming the field."""
    what = _choice(What, form, "what")
    of_donations = what is What.DONATIONS
    since, until, period = (form.get(name, "").strip() for name in ("from", "until", "period"))
    state = form.get("state", "") if of_donations else ""
    return Export(
        what=what,
        format=_choice(Format, form, "format"),
        slug=form.get("campaign", "").strip() or None,
        period=checked_key(period) if period else None,
        since=day_of(since, field="from") if since else None,
        until=day_of(until, field="until") if until else None,
        state=_choice(DonationState, form, "state") if state else None,
        personal=of_donations and "personal" in form,
    )
