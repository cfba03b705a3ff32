"""Flask-Security as this site has it: which of its ways of signing in, and nothing of it elsewhere.

Its own views sign people in and out and look after second factors and passkeys; what they may do
once they are in is `admin.access`'s.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from typing import Any, cast
from urllib.parse import urlsplit

from flask import Flask, request
from flask_security import FSQLALiteUserDatastore, LoginForm, RoleMixin, Security, WebAuthnMixin
from flask_wtf.csrf import CSRFError

from admin.access import FRESH, refuse_without_token, tell_nobody
from admin.models import Passkey, User
from admin.pages import render_admin
from core import clock
from core.db import db, read_session
from core.settings import Settings

_BLUEPRINT = "security"


class Users(FSQLALiteUserDatastore):
    """Where Flask-Security finds and keeps users. There are no roles of its making."""

    def __init__(self) -> None:
        super().__init__(db, User, RoleMixin, Passkey)

    def find_user_from_webauthn(self, webauthn: WebAuthnMixin) -> User | None:
        """Return whose passkey it is."""
        passkey = cast("Passkey", webauthn)
        return db.session.get(User, passkey.user_id)


class SignIn(LoginForm):
    """Mail address and password. There is no cookie that outlives the session."""

    remember = None  # type: ignore[assignment] # so WTForms takes a field away


def init_app(app: Flask, settings: Settings) -> None:
    """Give `app` the views of signing in, below `/admin`."""
    app.config.update(
        {f"SECURITY_{name}": value for name, value in _configuration(settings).items()}
    )
    Security(app, Users(), login_form=SignIn, render_template=_render)
    _keep_to_the_admin(app)


def _render(template: str, **values: object) -> str:
    return render_admin(template, section="account", **values)


def _configuration(settings: Settings) -> dict[str, Any]:
    host = urlsplit(settings.base_url).hostname or "localhost"
    return {
        "URL_PREFIX": "/admin",
        "STATIC_FOLDER": None,
        "CLI_USERS_NAME": None,
        "CLI_ROLES_NAME": None,
        "JOIN_USER_ROLES": False,
        "DATETIME_FACTORY": clock.now,
        "LOGIN_USER_TEMPLATE": "admin/sign_in.html",
        "VERIFY_TEMPLATE": "admin/confirm.html",
        "LOGIN_URL": "/sign-in",
        "LOGOUT_URL": "/sign-out",
        "VERIFY_URL": "/confirm",
        "CHANGE_URL": "/account/password",
        "POST_LOGIN_VIEW": "/admin/",
        "POST_LOGOUT_VIEW": "/admin/sign-in",
        "POST_VERIFY_VIEW": "/admin/",
        "FRESHNESS": FRESH,
        "FRESHNESS_GRACE_PERIOD": timedelta(0),
        "PASSWORD_SALT": _derived(settings, "password"),
        "PASSWORD_SCHEMES": ["argon2"],
        "PASSWORD_SINGLE_HASH": ["argon2"],
        "DEPRECATED_PASSWORD_SCHEMES": [],
        "PASSWORD_LENGTH_MIN": 12,
        "RETURN_GENERIC_RESPONSES": True,
        "TOTP_SECRETS": {"1": _derived(settings, "totp")},
        "TOTP_ISSUER": f"{settings.site_name} ({host})",
        "API_ENABLED_METHODS": ["session"],
        "LOGOUT_METHODS": ["POST"],
        "FLASH_MESSAGES": True,
    }


def _derived(settings: Settings, purpose: str) -> str:
    """Return a secret of its own for a purpose, so that no two uses share a key."""
    key = settings.secret_key.get_secret_value().encode()
    return hmac.new(key, f"goalpost:{purpose}".encode(), hashlib.sha256).hexdigest()


def _keep_to_the_admin(app: Flask) -> None:
    """Take away what the extensions do on every request: readers' pages know of no user.

    Looking who is signed in would read the session, and ask the database, for each view of a bar,
    and have every answer vary by cookie, which keeps it out of caches.
    """
    foreign = ("flask_principal", "flask_login", "flask_security")

    def ours(functions: list[Any]) -> list[Any]:
        return [
            function
            for function in functions
            if not getattr(function, "__module__", "").startswith(foreign)
        ]

    for functions in (
        app.before_request_funcs,
        app.after_request_funcs,
        app.template_context_processors,
    ):
        everywhere = cast("dict[str | None, list[Any]]", functions)
        everywhere[None] = ours(everywhere.get(None, []))
    app.before_request_funcs.setdefault(_BLUEPRINT, []).append(_read_only)
    app.after_request_funcs.setdefault(_BLUEPRINT, []).append(tell_nobody)
    app.error_handler_spec[_BLUEPRINT][None][CSRFError] = refuse_without_token


def _read_only() -> None:
    if request.method in {"GET", "HEAD"}:
        read_session()
