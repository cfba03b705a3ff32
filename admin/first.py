"""The first owner: who opens the admin of a site that has no user is told where the link is."""

from __future__ import annotations

from flask import current_app, request
from flask.typing import ResponseReturnValue

from admin.links import first_link, has_users
from admin.pages import render_admin
from core.clock import now
from core.db import db, read_session
from core.web import settings


def before_sign_in() -> ResponseReturnValue | None:
    """Show, in place of the form to sign in, how the first owner comes to be."""
    if request.endpoint != "security.login" or request.method not in {"GET", "HEAD"}:
        return None
    if has_users(db.session):
        return None
    db.session.rollback()
    with db.sessionmaker() as session:
        token = first_link(session, now=now(), again=False)
        session.commit()
    if token is not None:
        current_app.logger.warning(
            "Nobody may sign in to the admin yet. This link makes the first owner, once: %s",
            link_address(token),
        )
    read_session()
    return render_admin("admin/nobody.html", section="account")


def link_address(token: str) -> str:
    """Return the address of a one-time link."""
    return f"{settings().base_url}/admin/welcome/{token}"
