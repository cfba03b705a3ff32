"""`/admin/log`: the audit log, the newest first, and as a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from flask import Response, request
from flask.typing import ResponseReturnValue

from admin.access import admin_blueprint, needs
from admin.log_view import log_file, log_lines
from admin.log_words import told_action
from admin.pages import render_admin
from admin.roles import Permission
from core.auditlog import MOST_LISTED, AuditFilter, list_actions, list_actors, list_records
from core.clock import now
from core.dates import begin_of, end_of
from core.db import db
from core.errors import Invalid
from core.sheets import Format
from core.zones import load_zone

FIELDS = ("actor", "action", "subject", "from", "until")
_MOST_FIELD_CHARACTERS = 255
# More digits than the number of any line has.
_MOST_DIGITS = 18

bp = admin_blueprint("log", __name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, as it was typed, and what the log understands of it."""

    typed: Mapping[str, str]
    wanted: AuditFilter
    problems: Mapping[str, str]


@bp.get("/log")
@needs(Permission.SEE_AUDIT_LOG)
def log() -> ResponseReturnValue:
    """Show who did what, a page at a time."""
    session, asked = db.session, _asked(request.args)
    before_id = _number(request.args.get("before", ""))
    # One more than is shown tells whether there are more.
    found = (
        []
        if asked.problems
        else list_records(session, asked.wanted, before_id=before_id, limit=MOST_LISTED + 1)
    )
    shown = found[:MOST_LISTED]
    page = render_admin(
        "admin/log.html",
        section="log",
        lines=log_lines(session, shown),
        actors=list_actors(session),
        actions=[(action, told_action(action)) for action in list_actions(session)],
        typed=asked.typed,
        chosen={name: text for name, text in asked.typed.items() if text},
        problems=asked.problems,
        is_first=before_id is None,
        following=shown[-1].id if len(found) > len(shown) else None,
    )
    return page, HTTPStatus.UNPROCESSABLE_ENTITY if asked.problems else HTTPStatus.OK


@bp.get("/log.csv")
@needs(Permission.SEE_AUDIT_LOG)
def log_csv() -> Response:
    """Send the lines that are asked for as a file, while it is made."""
    asked = _asked(request.args)
    for field, problem in asked.problems.items():
        raise Invalid(problem, field=field)
    name = f"log-{now():%Y-%m-%d}.csv"
    db.session.rollback()  # the file has sessions of its own, once this request is over
    response = Response(log_file(db.sessionmaker, asked.wanted), content_type=Format.CSV.media_type)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _asked(form: Mapping[str, str]) -> Asked:
    typed = {
        name: form.get(name, "").replace("\0", "").strip()[:_MOST_FIELD_CHARACTERS]
        for name in FIELDS
    }
    problems, days = {}, {}
    for name, read in (("from", begin_of), ("until", end_of)):
        if typed[name]:
            try:
                days[name] = read(typed[name], load_zone("UTC"), field=name)
            except Invalid as error:
                problems[name] = error.message
    wanted = AuditFilter(
        actor_id=typed["actor"] or None,
        action=typed["action"] or None,
        subject=typed["subject"] or None,
        since=days.get("from"),
        until=days.get("until"),
    )
    return Asked(typed, wanted, problems)


def _number(text: str) -> int | None:
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    return int(text) if is_number else None
