"""`/admin/account`: one's own password, factors and sessions; and signing out."""

from __future__ import annotations

from http import HTTPStatus
from typing import cast

from flask import Response, redirect, request, session
from flask_login import logout_user
from flask_security.utils import hash_password, login_user

from admin.access import SESSION_KEY, admin_blueprint, current_admin, needs
from admin.factors import factor_changed, tell_user
from admin.models import Passkey
from admin.pages import render_admin, say
from admin.passwords import LEAST_CHARACTERS, checked_password
from admin.roles import TOLD, Permission
from admin.sessions import end_session, end_sessions, is_session, live_sessions
from admin.users import set_password
from core.auditlog import record
from core.clock import now
from core.db import db
from core.errors import Invalid, NotFound
from core.web import settings

bp = admin_blueprint("account", __name__)


@bp.get("/account")
@needs(Permission.OWN_ACCOUNT)
def account() -> str:
    """Show how one signs in, and where one is signed in."""
    user, token = current_admin(), session.get(SESSION_KEY, "")
    return render_admin(
        "admin/account.html",
        section="account",
        user=user,
        role_told=TOLD[user.rank],
        passkeys=user.webauthn,
        codes_left=len(user.mf_recovery_codes or ()),
        sessions=[
            (row, is_session(row, token)) for row in live_sessions(db.session, user, now=now())
        ],
        factor_is_required=settings().second_factor == "required",
    )


@bp.post("/sign-out")
@needs(Permission.OWN_ACCOUNT)
def sign_out() -> Response:
    """End this session, on the server too."""
    user = current_admin()
    end_session(db.session, session.get(SESSION_KEY, ""), now=now())
    record(db.session, user.actor, "user.signed_out", subject=f"user:{user.id}", now=now())
    db.session.commit()
    logout_user()
    session.clear()
    return _to("/admin/sign-in")


@bp.post("/account/sign-out-others")
@needs(Permission.OWN_ACCOUNT)
def sign_out_others() -> Response:
    """End all other sessions."""
    user = current_admin()
    end_sessions(db.session, user, but_token=session.get(SESSION_KEY, ""), now=now())
    record(db.session, user.actor, "user.signed_out_others", subject=f"user:{user.id}", now=now())
    db.session.commit()
    say("You are signed in nowhere else now.")
    return _to("/admin/account")


@bp.get("/account/password")
@needs(Permission.OWN_ACCOUNT, fresh=True)
def password() -> str:
    """Show the form for another password."""
    return render_admin("admin/password.html", section="account", least=LEAST_CHARACTERS)


@bp.post("/account/password")
@needs(Permission.OWN_ACCOUNT, fresh=True)
def change_password() -> Response | tuple[str, int]:
    """Take another password; all other sessions end."""
    user = current_admin()
    try:
        chosen = checked_password(
            request.form.get("password", ""), email=user.email, site_name=settings().site_name
        )
    except Invalid as error:
        page = render_admin(
            "admin/password.html", section="account", least=LEAST_CHARACTERS, error=error
        )
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    set_password(db.session, user, hash_password(chosen), actor=user.actor, now=now())
    tell_user(user, "Your password was changed")
    login_user(user)
    db.session.commit()
    say("Your password is changed. You are signed in nowhere else now.")
    return _to("/admin/account")


@bp.post("/account/passkeys/<int:passkey_id>/delete")
@needs(Permission.OWN_ACCOUNT, fresh=True)
def delete_passkey(passkey_id: int) -> Response:
    """Take a passkey away."""
    user, passkey = current_admin(), db.session.get(Passkey, passkey_id)
    if passkey is None or passkey.user_id != user.id:
        raise NotFound("There is no such passkey.")
    name = passkey.name
    db.session.delete(passkey)
    factor_changed(user, "user.passkey_removed", f"A passkey was removed: {name}")
    db.session.commit()
    say(f"“{name}” does not let you in any more.")
    return _to("/admin/account")


def _to(address: str) -> Response:
    return cast("Response", redirect(address, code=HTTPStatus.SEE_OTHER))
