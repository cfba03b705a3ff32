"""`/admin/users`: who may sign in, and as what."""

from __future__ import annotations

from http import HTTPStatus
from typing import cast

from flask import Response, redirect, request

from admin.access import admin_blueprint, current_actor, current_admin, needs
from admin.first import link_address
from admin.links import issue_link
from admin.models import LinkPurpose, User
from admin.pages import render_admin, say
from admin.roles import TOLD, Permission, Role
from admin.users import (
    add_user,
    change_role,
    disable_user,
    enable_user,
    list_users,
    reset_factors,
    user_by_id,
)
from core.auditlog import record
from core.clock import now
from core.db import db
from core.errors import Conflict, DomainError, Invalid
from core.outbox import Mail, post_mail
from core.web import settings

bp = admin_blueprint("users", __name__)


@bp.get("/users")
@needs(Permission.MANAGE_USERS)
def users() -> str:
    """Show all users."""
    return _list()


@bp.post("/users")
@needs(Permission.MANAGE_USERS, fresh=True)
def add() -> str | tuple[str, int]:
    """Make a user, and show the link by which they choose a password: once."""
    typed = request.form.get("email", "")
    try:
        user = add_user(db.session, typed, _role(), actor=current_actor(), now=now())
    except DomainError as error:
        db.session.rollback()
        return _list(error=error, typed=typed), HTTPStatus.UNPROCESSABLE_ENTITY
    return _with_link(user, LinkPurpose.INVITE)


@bp.post("/users/<int:user_id>/link")
@needs(Permission.MANAGE_USERS, fresh=True)
def link(user_id: int) -> str:
    """Make a new link for a user."""
    user = user_by_id(db.session, user_id)
    record(db.session, current_actor(), "user.link_made", subject=f"user:{user.id}", now=now())
    return _with_link(user, LinkPurpose.INVITE)


@bp.post("/users/<int:user_id>/role")
@needs(Permission.MANAGE_USERS, fresh=True)
def role(user_id: int) -> Response:
    """Give a user another role."""
    user = _somebody_else(user_id)
    change_role(db.session, user, _role(), actor=current_actor(), now=now())
    db.session.commit()
    say(f"{user.email} is {user.role} now.")
    return _back()


@bp.post("/users/<int:user_id>/disable")
@needs(Permission.MANAGE_USERS, fresh=True)
def disable(user_id: int) -> Response:
    """Let a user in no more."""
    user = _somebody_else(user_id)
    disable_user(db.session, user, actor=current_actor(), now=now())
    db.session.commit()
    say(f"{user.email} can’t sign in any more, and is signed in nowhere.")
    return _back()


@bp.post("/users/<int:user_id>/enable")
@needs(Permission.MANAGE_USERS, fresh=True)
def enable(user_id: int) -> Response:
    """Let a user in again."""
    user = user_by_id(db.session, user_id)
    enable_user(db.session, user, actor=current_actor(), now=now())
    db.session.commit()
    say(f"{user.email} can sign in again.")
    return _back()


@bp.post("/users/<int:user_id>/factors")
@needs(Permission.MANAGE_USERS, fresh=True)
def factors(user_id: int) -> Response:
    """Take away the second factors of a user who has lost them."""
    user = _somebody_else(user_id)
    reset_factors(db.session, user, actor=current_actor(), now=now())
    db.session.commit()
    say(f"{user.email} signs in by the password alone, until they set up something more.")
    return _back()


def _list(*, error: DomainError | None = None, typed: str = "", **values: object) -> str:
    return render_admin(
        "admin/users.html",
        section="users",
        users=list_users(db.session),
        roles=list(Role),
        told=TOLD,
        me=current_admin().id,
        error=error,
        typed=typed,
        **values,
    )


def _with_link(user: User, purpose: LinkPurpose) -> str:
    """Commit, and show the page with a new link on it, which is nowhere else to be found."""
    address, chosen = link_address(issue_link(db.session, user, purpose, now=now())), settings()
    if chosen.mail_url is not None:
        text = (
            f"{current_admin().email} lets you in to {chosen.site_name}. This link lets you choose"
            f" a password. It works once, for three days:\n\n{address}\n"
        )
        mail = Mail(
            key=f"account:{user.id}:link:{now().timestamp():.0f}",
            recipient=user.email,
            subject=f"You may sign in to {chosen.site_name}",
            text=text,
        )
        post_mail(db.session, mail, now=now())
    db.session.commit()
    return _list(link=address, link_for=user, mailed=chosen.mail_url is not None)


def _role() -> Role:
    try:
        return Role(request.form.get("role", ""))
    except ValueError:
        raise Invalid("Choose a role.", field="role") from None


def _somebody_else(user_id: int) -> User:
    user = user_by_id(db.session, user_id)
    if user.id == current_admin().id:
        raise Conflict("This is you. Let another owner do it.")
    return user


def _back() -> Response:
    return cast("Response", redirect("/admin/users", code=HTTPStatus.SEE_OTHER))
