"""Flask-Security as this site has it: which of its ways of signing in, and nothing of it elsewhere.

Its own views sign people in and look after second factors and passkeys; what they may do once they
are in is `admin.access`'s. See docs/adr/0019-the-admins-door.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast
from urllib.parse import urlsplit

from flask import Flask, Response, abort, after_this_request, request, session
from flask.typing import ResponseReturnValue
from flask_security import (
    FSQLALiteUserDatastore,
    RoleMixin,
    Security,
    WebAuthnMixin,
    tf_disabled,
    tf_profile_changed,
    user_authenticated,
    wan_registered,
)
from flask_security.utils import set_request_attr
from flask_wtf.csrf import CSRFError

from admin import first, sign_in
from admin.access import FRESH, SESSION_KEY, refuse_without_token, tell_nobody
from admin.factors import Totp, Webauthn, WebauthnFactor, factor_changed
from admin.models import Passkey, User
from admin.pages import render_admin
from admin.sessions import ASKED_BY_PAGES, SEEN_EVERY, begin_session, find_session, touch_session
from core import clock
from core.auditlog import record
from core.db import db, read_session
from core.settings import Settings

_BLUEPRINT = "security"
# Views of the library's that nobody is led to.
_CLOSED = ("security.two_factor_rescue", "security.wan_delete")
# What hashing a password costs: https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
HASHING = {"argon2__memory_cost": 19_456, "argon2__time_cost": 2, "argon2__parallelism": 1}


class Users(FSQLALiteUserDatastore):
    """Where Flask-Security finds and keeps users. There are no roles of its making."""

    def __init__(self) -> None:
        super().__init__(db, User, RoleMixin, Passkey)

    def find_user_from_webauthn(self, webauthn: WebAuthnMixin) -> User | None:
        """Return whose passkey it is."""
        passkey = cast("Passkey", webauthn)
        return db.session.get(User, passkey.user_id)

    def create_webauthn(self, user: Any, *args: Any, **kwargs: Any) -> None:
        """Keep a new passkey, with when it was made."""
        super().create_webauthn(user, *args, create_datetime=clock.now(), **kwargs)


def init_app(app: Flask, settings: Settings) -> None:
    """Give `app` the views of signing in, below `/admin`."""
    app.config.update(
        {f"SECURITY_{name}": value for name, value in _configuration(settings).items()}
    )
    security = Security(
        app,
        Users(),
        login_form=sign_in.SignIn,
        verify_form=sign_in.Confirm,
        two_factor_verify_code_form=sign_in.Code,
        mf_recovery_form=sign_in.Recovery,
        wan_signin_form=sign_in.PasskeySignIn,
        wan_signin_response_form=sign_in.PasskeyAnswer,
        render_template=_render,
        totp_cls=Totp,
        webauthn_util_cls=Webauthn,
    )
    security.want_json(lambda _: False)  # its views are pages; the API is another (docs/api.md)
    app.login_manager.user_loader(_load_user)  # type: ignore[attr-defined]
    app.login_manager.request_loader(lambda _: None)  # type: ignore[attr-defined]
    user_authenticated.connect(_begin, app)
    tf_profile_changed.connect(_factor_set, app)
    tf_disabled.connect(_factor_off, app)
    wan_registered.connect(_passkey_added, app)
    for endpoint in _CLOSED:
        app.view_functions[endpoint] = _closed
    _keep_to_the_admin(app)


def _configuration(settings: Settings) -> dict[str, Any]:
    host = urlsplit(settings.base_url).hostname or "localhost"
    pages = {
        "LOGIN_USER": "sign_in",
        "VERIFY": "confirm",
        "TWO_FACTOR_SETUP": "codes_setup",
        "TWO_FACTOR_VERIFY_CODE": "code",
        "TWO_FACTOR_SELECT": "choose_factor",
        "MULTI_FACTOR_RECOVERY": "recovery",
        "MULTI_FACTOR_RECOVERY_CODES": "recovery_codes",
        "WAN_REGISTER": "passkey_new",
        "WAN_SIGNIN": "passkey_sign_in",
        "WAN_VERIFY": "passkey_confirm",
    }
    addresses = {
        "LOGIN": "/sign-in",
        "VERIFY": "/confirm",
        "TWO_FACTOR_SETUP": "/account/codes",
        "TWO_FACTOR_TOKEN_VALIDATION": "/sign-in/code",
        "TWO_FACTOR_SELECT": "/sign-in/factor",
        "TWO_FACTOR_RESCUE": "/sign-in/rescue",
        "MULTI_FACTOR_RECOVERY": "/sign-in/recovery",
        "MULTI_FACTOR_RECOVERY_CODES": "/account/recovery-codes",
        "WAN_REGISTER": "/account/passkeys",
        "WAN_DELETE": "/account/passkeys-delete",
        "WAN_SIGNIN": "/sign-in/passkey",
        "WAN_VERIFY": "/confirm/passkey",
    }
    return (
        {f"{name}_TEMPLATE": f"admin/{page}.html" for name, page in pages.items()}
        | {f"{name}_URL": address for name, address in addresses.items()}
        | {
            "URL_PREFIX": "/admin",
            "STATIC_FOLDER": None,
            "CLI_USERS_NAME": None,
            "CLI_ROLES_NAME": None,
            "JOIN_USER_ROLES": False,
            "DATETIME_FACTORY": clock.now,
            "POST_LOGIN_VIEW": "/admin/",
            "POST_VERIFY_VIEW": "/admin/",
            "TWO_FACTOR_POST_SETUP_VIEW": "/admin/account",
            "TWO_FACTOR_ERROR_VIEW": "/admin/sign-in",
            "WAN_POST_REGISTER_VIEW": "/admin/account",
            "LOGOUT_METHODS": None,  # `admin.account` ends the session on the server, too
            "FRESHNESS": FRESH,
            "FRESHNESS_GRACE_PERIOD": timedelta(0),
            "PASSWORD_SALT": _derived(settings, "password"),
            "PASSWORD_SCHEMES": ["argon2"],
            "PASSWORD_SINGLE_HASH": ["argon2"],
            "DEPRECATED_PASSWORD_SCHEMES": [],
            "PASSWORD_HASH_PASSLIB_OPTIONS": dict(HASHING),
            "RETURN_GENERIC_RESPONSES": True,
            "TWO_FACTOR": True,
            "WEBAUTHN": True,
            "TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
            # Codes of the half minute before and after are good: clocks differ.
            "TWO_FACTOR_AUTHENTICATOR_VALIDITY": 30,
            "TWO_FACTOR_IMPLEMENTATIONS": {
                "code": "flask_security.twofactor.CodeTfPlugin",
                "webauthn": f"{WebauthnFactor.__module__}.{WebauthnFactor.__qualname__}",
            },
            "TOTP_SECRETS": {"1": _derived(settings, "totp")},
            "TOTP_ISSUER": f"{settings.site_name} ({host})",
            "MULTI_FACTOR_RECOVERY_CODES": True,
            "MULTI_FACTOR_RECOVERY_CODES_N": 10,
            "MULTI_FACTOR_RECOVERY_CODES_KEYS": [_fernet_key(settings, "recovery codes")],
            "WAN_RP_NAME": settings.site_name,
            "WAN_ALLOW_USER_HINTS": False,
            "API_ENABLED_METHODS": ["session"],
            "FLASH_MESSAGES": True,
            # It writes `no-store=True`, which no browser knows; `tell_nobody` says it right.
            "CACHE_CONTROL": None,
        }
    )


def _derived(settings: Settings, purpose: str) -> str:
    """Return a secret of its own for a purpose, so that no two uses share a key."""
    return _digest(settings, purpose).hex()


def _fernet_key(settings: Settings, purpose: str) -> bytes:
    return base64.urlsafe_b64encode(_digest(settings, purpose))


def _digest(settings: Settings, purpose: str) -> bytes:
    key = settings.secret_key.get_secret_value().encode()
    return hmac.new(key, f"goalpost:{purpose}".encode(), hashlib.sha256).digest()


def _render(template: str, **values: object) -> str:
    return render_admin(template, section="account", **values)


def _closed(*_: object, **__: object) -> ResponseReturnValue:
    abort(404)


def _load_user(uniquifier: str) -> User | None:
    """Return who is signed in in this browser; None where the session is over."""
    token, now = session.get(SESSION_KEY), clock.now()
    found = find_session(db.session, token, str(uniquifier), now=now) if token else None
    if found is None:
        return None
    row, user = found
    # What a page that lies open asks for by itself is nobody's doing.
    by_hand = request.method in {"GET", "HEAD"} and request.endpoint not in ASKED_BY_PAGES
    if by_hand and now - row.seen_at >= SEEN_EVERY:
        _touch_afterwards(row.id)
    set_request_attr("fs_authn_via", "session")
    set_request_attr("fs_paa", session.get("fs_paa", 0))
    return user


def _touch_afterwards(session_id: int) -> None:
    """Write down that a session was seen, when the page's own transaction has ended.

    Before, on an SQLite that can't do both at once, the write would wait for the page.
    """

    @after_this_request
    def touch(response: Response) -> Response:
        db.session.rollback()
        with db.sessionmaker() as own:
            touch_session(own, session_id, now=clock.now())
            own.commit()
        return response


def _begin(_: Flask, user: User, **__: object) -> None:
    """Begin a session on the server for who has just signed in; the view commits."""
    session.pop("csrf_token", None)  # forms that were open before are another person's
    browser = request.user_agent.string
    session[SESSION_KEY] = begin_session(db.session, user, browser=browser, now=clock.now())
    record(db.session, user.actor, "user.signed_in", subject=f"user:{user.id}", now=clock.now())


def _factor_set(_: Flask, user: User, **__: object) -> None:
    factor_changed(
        user, "user.codes_set_up", "Codes from an app are now asked for when you sign in"
    )


def _factor_off(_: Flask, user: User, **__: object) -> None:
    factor_changed(user, "user.codes_off", "Codes from an app are no longer asked for")


def _passkey_added(_: Flask, user: User, name: str, **__: object) -> None:
    factor_changed(user, "user.passkey_added", f"A passkey was added: {name}")


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
    before = cast("dict[str | None, list[Callable[..., Any]]]", app.before_request_funcs)
    before.setdefault(_BLUEPRINT, []).extend([_read_only, first.before_sign_in])
    app.after_request_funcs.setdefault(_BLUEPRINT, []).append(tell_nobody)
    app.error_handler_spec[_BLUEPRINT][400][CSRFError] = refuse_without_token


def _read_only() -> None:
    if request.method in {"GET", "HEAD"}:
        read_session()
