"""`/admin/welcome/…`: what a one-time link opens; and `/admin/forgotten`, which mails one."""

from __future__ import annotations

from http import HTTPStatus
from typing import cast

from flask import Blueprint, Response, redirect, request, session
from flask_security.utils import hash_password, login_user
from flask_wtf.csrf import CSRFError

from admin.access import refuse_without_token, tell_nobody
from admin.factors import tell_user
from admin.first import link_address
from admin.links import find_link, issue_link, use_link
from admin.models import LinkPurpose, User
from admin.pages import render_admin, say
from admin.passwords import LEAST_CHARACTERS, checked_password
from admin.roles import Role
from admin.throttle import count_try, hold_back
from admin.users import UserNotFound, add_user, checked_address, find_user, set_password, user_by_id
from core.auditlog import Actor
from core.clock import now
from core.db import db, read_session
from core.errors import Invalid
from core.outbox import Mail, post_mail
from core.web import settings
from payments.edge import network_address

bp = Blueprint("admin_welcome", __name__, url_prefix="/admin")
bp.register_error_handler(CSRFError, refuse_without_token)
# What is guessed by whoever tries links: one account, as it were, for all.
_LINKS = "links"


@bp.after_request
def _no_trace(response: Response) -> Response:
    response = tell_nobody(response)
    response.headers["Referrer-Policy"] = "no-referrer"  # the link is in the address
    return response


@bp.get("/welcome/<token>")
def welcome(token: str) -> str:
    """Show the form. Changes nothing: mail programs open links by themselves."""
    database = read_session()
    link = find_link(database, token, now=now())
    user = None if link.user_id is None else user_by_id(database, link.user_id)
    return _form(user, link.purpose)


@bp.post("/welcome/<token>")
def choose(token: str) -> Response | tuple[str, int]:
    """Take the password that was chosen, use the link up, and sign in."""
    instant, network = now(), network_address()
    hold_back(db.session, _LINKS, network, now=instant)
    try:
        link = find_link(db.session, token, now=instant)
    except Exception:
        count_try(db.session, _LINKS, network, succeeded=False, now=instant)
        db.session.commit()
        raise
    user = None if link.user_id is None else user_by_id(db.session, link.user_id)
    typed = request.form.get("email", "")
    try:
        email = checked_address(typed) if user is None else user.email
        password = checked_password(
            request.form.get("password", ""), email=email, site_name=settings().site_name
        )
    except Invalid as error:
        return _form(user, link.purpose, error=error, typed=typed), HTTPStatus.UNPROCESSABLE_ENTITY
    use_link(db.session, token, now=instant)
    if user is None:
        user = add_user(
            db.session, email, Role.OWNER, actor=Actor("link", "the first link"), now=instant
        )
    had_one = user.password is not None
    set_password(db.session, user, hash_password(password), actor=user.actor, now=instant)
    if had_one:
        tell_user(user, "Your password was changed")
    if user.active and not user.has_second_factor:
        login_user(user)
        db.session.commit()
        return cast("Response", redirect("/admin/", code=HTTPStatus.SEE_OTHER))
    db.session.commit()
    say("Your password is set. Please sign in.")
    return cast("Response", redirect("/admin/sign-in", code=HTTPStatus.SEE_OTHER))


@bp.get("/forgotten")
def forgotten() -> str:
    """Show the form that asks for an address."""
    read_session()
    return render_admin(
        "admin/forgotten.html", section="account", can_mail=settings().mail_url is not None
    )


@bp.post("/forgotten")
def mail_link() -> str | tuple[str, int]:
    """Mail a link where somebody has the address; the answer is the same where not."""
    instant, network = now(), network_address()
    can_mail = settings().mail_url is not None
    typed = request.form.get("email", "")
    page = render_admin("admin/forgotten.html", section="account", can_mail=can_mail, sent=can_mail)
    if not can_mail:
        return page, HTTPStatus.SERVICE_UNAVAILABLE
    account = f"forgotten:{typed}"
    hold_back(db.session, account, network, now=instant)
    count_try(db.session, account, network, succeeded=False, now=instant)
    try:
        user = find_user(db.session, typed)
    except UserNotFound:
        user = None
    if user is not None and user.active:
        _post_link(user)
    db.session.commit()
    return page


def _post_link(user: User) -> None:
    token = issue_link(db.session, user, LinkPurpose.RESET, now=now())
    chosen = settings()
    text = (
        f"Somebody, probably you, asked to sign in to {chosen.site_name} with a new password."
        f" This link lets you choose it. It works once, for an hour:\n\n{link_address(token)}\n\n"
        "If it wasn't you, there is nothing to do: your password stays as it is.\n"
    )
    mail = Mail(
        key=f"account:{user.id}:link:{now().timestamp():.0f}",
        recipient=user.email,
        subject=f"A new password for {chosen.site_name}",
        text=text,
    )
    post_mail(db.session, mail, now=now())


def _form(user: User | None, purpose: str, *, error: Invalid | None = None, typed: str = "") -> str:
    # Whoever is signed in in this browser is somebody else until the form is sent.
    session.pop("_flashes", None)
    return render_admin(
        "admin/welcome.html",
        section="account",
        email=None if user is None else user.email,
        purpose=purpose,
        least=LEAST_CHARACTERS,
        error=error,
        typed=typed,
    )
