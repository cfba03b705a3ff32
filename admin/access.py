"""Who gets to a page of the admin: every view says what it asks for, and one guard holds it to it.

    @bp.post("/donations/<donation_id>/refunds")
    @needs(Permission.REFUND, fresh=True)
    def refund(donation_id: str) -> Response: ...

A view that says nothing is open to nobody: the guard refuses to serve it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_security.utils import check_and_update_authn_fresh
from flask_wtf.csrf import CSRFError

from admin.models import User
from admin.roles import Permission, grants
from core.auditlog import Actor
from core.db import read_session
from core.errors import Forbidden, NotFound
from core.web import answer_error, settings

F = TypeVar("F", bound=Callable[..., Any])
FRESH = timedelta(minutes=15)
# Where the cookie holds the token of the session: see `admin.sessions`.
SESSION_KEY = "admin_session"
_NEEDS = "goalpost_needs"


class WrongRole(Forbidden):
    """Whoever is signed in may not do this."""

    hint = "Ask an owner of this site for another role."


class NoToken(Forbidden):
    """A form came without the token that only our own pages have."""

    hint = "Go back, load the page anew, and try again."


@dataclass(frozen=True, slots=True)
class Need:
    """What a view asks of whoever opens it; `fresh`: to have signed in within a quarter hour."""

    permission: Permission
    fresh: bool = False


def needs(permission: Permission, *, fresh: bool = False) -> Callable[[F], F]:
    """Say what a view asks for."""

    def mark(view: F) -> F:
        setattr(view, _NEEDS, Need(permission, fresh))
        return view

    return mark


def need_of(view: Callable[..., Any]) -> Need | None:
    """Return what a view asks for, None where it does not say."""
    return cast("Need | None", getattr(view, _NEEDS, None))


def admin_blueprint(name: str, import_name: str) -> Blueprint:
    """Return a blueprint below `/admin` that lets nobody in but whom its views want."""
    bp = Blueprint(f"admin_{name}", import_name, url_prefix="/admin")
    bp.before_request(_guard)
    bp.after_request(tell_nobody)
    bp.register_error_handler(CSRFError, refuse_without_token)
    return bp


def current_admin() -> User:
    """Return whoever is signed in; for views behind the guard only."""
    return cast("User", current_user._get_current_object())  # noqa: SLF001 - werkzeug's own way


def current_actor() -> Actor:
    """Return whoever is signed in, as the audit log names them."""
    return current_admin().actor


def may(permission: Permission) -> bool:
    """Tell whether whoever is signed in may do that."""
    user = current_admin()
    return user.is_authenticated and grants(user.rank, permission)


def tell_nobody(response: Response) -> Response:
    """Keep what the admin shows out of caches, and its addresses to ourselves."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def refuse_without_token(_: CSRFError) -> tuple[Response, int]:
    """Answer a form that did not come from a page of ours, or is older than its session."""
    return answer_error(NoToken("This form is too old, or not one of ours."))


def _guard() -> ResponseReturnValue | None:
    need = need_of(current_app.view_functions[request.endpoint or ""])
    if need is None:
        raise RuntimeError(f"{request.endpoint} does not say whom it is for")
    if request.method in {"GET", "HEAD"}:
        read_session()  # before the user is looked up: a page that is read takes no write lock
    if not current_user.is_authenticated:
        return _to_sign_in()
    if not may(need.permission):
        raise WrongRole("Your role does not allow this.")
    if any("\0" in str(value) for value in (request.view_args or {}).values()):
        raise NotFound("There is nothing at this address.")  # no name holds it; PostgreSQL fails
    if _wants_second_factor(need):
        return redirect(url_for("admin_account.account"), code=303)
    if need.fresh and not check_and_update_authn_fresh(FRESH, timedelta(0)):
        return redirect(url_for("security.verify", next=_back()), code=303)
    return None


def _wants_second_factor(need: Need) -> bool:
    """Tell whether one has to set up a second factor before anything else."""
    return (
        settings().second_factor == "required"
        and need.permission is not Permission.OWN_ACCOUNT
        and not current_admin().has_second_factor
    )


def _to_sign_in() -> ResponseReturnValue:
    return redirect(url_for("security.login", next=_back()), code=303)


def _back() -> str:
    """Return where to come back to: this page, or the one that a form was sent from."""
    if request.method in {"GET", "HEAD"}:
        query = request.query_string.decode("ascii", "ignore")
        return f"{request.path}?{query}" if query else request.path
    # Only the path of it is used, and only of ours: nobody is led elsewhere.
    sent_from = urlsplit(request.referrer or "")
    if sent_from.netloc == request.host and sent_from.path.startswith("/admin/"):
        return f"{sent_from.path}?{sent_from.query}" if sent_from.query else sent_from.path
    return url_for("admin_home.home")
