"""Who gets to the JSON API of the admin: programs that show a token whose scopes allow it.

    @bp.get("/totals")
    @allowed_to(Scope.TOTALS_READ)
    def totals() -> Response: ...

No cookie counts here, so no other site's page can use a browser that is signed in, and no form's
token is asked for. What it answers is for nobody's cache and no foreign page's script.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar, cast
from urllib.parse import urlencode

from flask import Blueprint, Response, after_this_request, current_app, g, request

from admin.models import ApiToken
from admin.throttle import TooManyTries, count_try, hold_back_network
from admin.tokens import Scope, find_token, needs_note, note_use
from campaigns.errors import CampaignNotFound
from core.clock import now
from core.db import db, read_session
from core.errors import Forbidden, Invalid, Unauthenticated
from core.openapi import Parameter, described, operation_of
from core.web import answer_error, settings
from payments.edge import csrf, limiter, network_address

F = TypeVar("F", bound=Callable[..., Any])
PREFIX = "/api/v1/admin"
MOST_ROWS = 100
_DEFAULT_ROWS = 50
RATE = "300 per minute"
_SCOPE = "goalpost_scope"
LIMIT = Parameter(
    "limit",
    "How many rows a page has at most.",
    {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": _DEFAULT_ROWS},
)
SLUG = Parameter("slug", "The campaign's name in addresses.", where="path")
# How any of these may fail, beside what is its own.
_ERRORS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


class TokenRefused(Unauthenticated):
    """No token, or one that is wrong, revoked or expired: nobody learns which."""

    code = "token_refused"
    hint = "Send a token of this site as `Authorization: Bearer gp_…`; an owner makes one."

    def __init__(self) -> None:
        super().__init__("There is no token here that works.")


class ScopeMissing(Forbidden):
    """The token works, but not for this."""

    code = "scope_missing"
    hint = "An owner of this site makes tokens with other scopes."

    def __init__(self, scope: Scope) -> None:
        super().__init__(f"This wants a token with the scope {scope}.")
        self.scope = scope


class TooManyTokens(TooManyTries):
    """A program shows tokens that don't work, again and again."""

    hint = "A token that works is let in all the same."


def allowed_to(scope: Scope) -> Callable[[F], F]:
    """Say which scope a view asks for."""

    def mark(view: F) -> F:
        setattr(view, _SCOPE, scope)
        return view

    return mark


def tells(
    answer: Any, *parameters: Parameter, errors: tuple[HTTPStatus, ...] = (), **more: Any
) -> Callable[[F], F]:
    """Say what a view answers, and which parameters it takes: these and no others.

    Stands above `allowed_to`, whose scope it tells.
    """

    def mark(view: F) -> F:
        may_fail = tuple(sorted({*_ERRORS, *errors}))
        said = described(answer, *parameters, errors=may_fail, scope=scope_of(view), **more)
        return said(view)

    return mark


def scope_of(view: Callable[..., Any]) -> Scope | None:
    """Return which scope a view asks for, None where it does not say."""
    return cast("Scope | None", getattr(view, _SCOPE, None))


def api_blueprint(name: str, import_name: str) -> Blueprint:
    """Return a blueprint below `/api/v1/admin` that lets in tokens alone."""
    bp = Blueprint(f"api_{name}", import_name, url_prefix=PREFIX)
    bp.before_request(_guard)
    bp.after_request(_tell_nobody_else)
    bp.register_error_handler(CampaignNotFound, _no_campaign)
    limiter.shared_limit(RATE, scope="api", key_func=_whose_rate)(bp)
    csrf.exempt(bp)
    return bp


def current_token() -> ApiToken:
    """Return the token that was shown; for views behind the guard only."""
    return cast("ApiToken", g.api_token)


def may_see_donors() -> bool:
    """Tell whether the token shows who gave."""
    return Scope.DONORS_READ in current_token().scope_names


def asked() -> Mapping[str, str]:
    """Return the parameters of the address, which are those that the view tells; raise Invalid.

    One that is misspelt would otherwise narrow nothing, and nobody would notice.
    """
    operation = operation_of(current_app.view_functions[request.endpoint or ""])
    told = operation.parameters if operation else ()
    names = [one.name for one in told if one.where == "query"]
    for name in request.args:
        if name not in names:
            known = ", ".join(names) or "none"
            raise Invalid(f"There is no “{name[:40]}” here. There are: {known}.", field=name[:40])
    return {name: text for name, text in request.args.items() if text}


def rows_asked(values: Mapping[str, str]) -> int:
    """Return how many rows a page is to have; raise Invalid."""
    text = values.get("limit", str(_DEFAULT_ROWS))
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 0 < int(text) <= MOST_ROWS):  # noqa: PLR2004 - digits enough
        raise Invalid(f"`limit` is a number from 1 to {MOST_ROWS}.", field="limit")
    return int(text)


def answer(body: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Answer with JSON."""
    response = cast("Response", current_app.json.response(dict(body)))
    response.status_code = status
    return response


def next_page(values: dict[str, str] | None) -> str | None:
    """Return the address of the page with these parameters, None where there is none."""
    return f"{settings().base_url}{request.path}?{urlencode(values)}" if values else None


def _guard() -> None:
    scope = scope_of(current_app.view_functions[request.endpoint or ""])
    if scope is None:
        raise RuntimeError(f"{request.endpoint} does not say which scope it asks for")
    session = read_session() if request.method in {"GET", "HEAD"} else db.session
    shown = request.headers.get("Authorization", "")
    kind, _, text = shown.partition(" ")
    token = find_token(session, text.strip(), now=now()) if kind.lower() == "bearer" else None
    if token is None:
        _refuse(was_shown=bool(shown))
    elif scope not in token.scope_names:
        g.api_refused = scope
        raise ScopeMissing(scope)
    else:
        g.api_token = token
        if needs_note(token, now=now()):
            after_this_request(partial(_note_use, token.id))


def _refuse(*, was_shown: bool) -> None:
    """Count a token that does not work, and refuse it.

    Nobody guesses 256 bits. This keeps a program that was left with an old one from asking on and
    on; a network's people still sign in, and its tokens that work are let in all the same.
    """
    db.session.rollback()
    if was_shown:
        network = f"api {network_address()}"
        with db.sessionmaker() as own:
            try:
                hold_back_network(own, network, now=now())
            except TooManyTries as error:
                raise TooManyTokens(error.message) from None
            count_try(own, "api token", network, succeeded=False, now=now())
            own.commit()
    raise TokenRefused


def _note_use(token_id: int, response: Response) -> Response:
    """Write down that the token was used, when the request's own transaction has ended."""
    db.session.rollback()
    with db.sessionmaker() as own:
        note_use(own, token_id, now=now())
        own.commit()
    return response


def _tell_nobody_else(response: Response) -> Response:
    headers = response.headers
    headers["Cache-Control"] = "no-store"
    headers["Vary"] = "Authorization"
    # Errors of the public API may be read by any page's script; these may not.
    headers.pop("Access-Control-Allow-Origin", None)
    # https://www.rfc-editor.org/rfc/rfc6750#section-3
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        wrong = ', error="invalid_token"' if "Authorization" in request.headers else ""
        headers["WWW-Authenticate"] = f'Bearer realm="Goalpost"{wrong}'
    elif "api_refused" in g:
        headers["WWW-Authenticate"] = (
            f'Bearer realm="Goalpost", error="insufficient_scope", scope="{g.api_refused}"'
        )
    elif response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        headers.setdefault("Retry-After", "900")
    return response


def _no_campaign(error: CampaignNotFound) -> tuple[Response, int]:
    """Name the field as it is called here."""
    error.field = "campaign"
    return answer_error(error)


def _whose_rate() -> str:
    """Return what a rate is counted by: a token, hashed, so that nobody uses up another's."""
    shown = request.headers.get("Authorization", "")
    return hashlib.sha256(shown.encode()).hexdigest() if shown else network_address()
