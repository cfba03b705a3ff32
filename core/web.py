"""The web's edge, for every blueprint: settings at hand, headers by class of route, error pages."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlencode

from babel import Locale
from flask import Flask, Request, Response, current_app, jsonify, render_template, request
from markupsafe import Markup
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from werkzeug.datastructures import FileStorage, ImmutableMultiDict
from werkzeug.exceptions import HTTPException

from core import logs
from core.errors import (
    Conflict,
    DomainError,
    Forbidden,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from core.settings import Settings
from core.words import (
    N_,
    SOURCE_LANGUAGE,
    best_locale,
    direction_of,
    language_tag,
    languages,
    words_of,
)

EXTENSION = "goalpost.settings"

_STATUS: tuple[tuple[type[DomainError], HTTPStatus], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (TooMany, HTTPStatus.TOO_MANY_REQUESTS),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (Conflict, HTTPStatus.CONFLICT),
    (Invalid, HTTPStatus.UNPROCESSABLE_ENTITY),
)
_HINTS = {
    HTTPStatus.NOT_FOUND: N_("Check the address, or ask the page that sent you here."),
    HTTPStatus.BAD_REQUEST: N_("Go back, load the page anew, and try again."),
    HTTPStatus.METHOD_NOT_ALLOWED: N_("Go back and use the page's own buttons."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: N_("Go back and send less at once."),
    HTTPStatus.TOO_MANY_REQUESTS: N_("Wait a few minutes, then try again."),
    HTTPStatus.SERVICE_UNAVAILABLE: N_("Please try again in a minute."),
    HTTPStatus.INTERNAL_SERVER_ERROR: N_("We have noted it. Please try again in a minute."),
}
_TITLES = {
    HTTPStatus.NOT_FOUND: N_("Nothing here"),
    HTTPStatus.TOO_MANY_REQUESTS: N_("Too often"),
    HTTPStatus.SERVICE_UNAVAILABLE: N_("Not just now"),
}
_OTHER_TITLE = N_("This did not work")
_MESSAGES = {
    HTTPStatus.BAD_REQUEST: N_("We can't make sense of what was sent."),
    HTTPStatus.METHOD_NOT_ALLOWED: N_("This address does not take what was sent to it."),
    HTTPStatus.NOT_FOUND: N_("There is nothing at this address."),
    HTTPStatus.TOO_MANY_REQUESTS: N_("That was too often in a short time."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: N_("That was more than we can take in."),
    HTTPStatus.INTERNAL_SERVER_ERROR: N_("Something went wrong on our side."),
}
# What a database says of a wrong statement; all else it says of itself: locked, full, broken, gone.
_OUR_MISTAKES = (DataError, IntegrityError, ProgrammingError)
# Every page of ours loads from itself only; nobody may frame it. Faces that may be framed set
# their own policy, and the values here fill only what is not set.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)


class FieldsRequest(Request):
    """A request whose forms hold text alone.

    No form of ours takes a file. WTForms would find one that was sent in the place of a text, and
    every validator would fail over it.
    """

    @property
    def files(self) -> ImmutableMultiDict[str, FileStorage]:
        """None, whatever was sent."""
        return ImmutableMultiDict()


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageLink:
    """The page in another language, which is named in itself."""

    tag: str
    name: str
    direction: str
    href: str
    is_current: bool


def settings() -> Settings:
    """Return the settings of the current application."""
    return cast("Settings", current_app.extensions[EXTENSION])


def reader_locale(default: str) -> str:
    """Return the language that the request wants: that of `?lang=`, then the browser's own.

    It is one that is spoken, in the reader's own country's way of writing, else `default`. A form
    says it in its address: a body that is too long, or signed, must not be read for it.
    """
    asked = request.args.get("lang", "").replace("_", "-")
    wanted = [tag for tag, quality in request.accept_languages if quality > 0]
    return best_locale([asked, *wanted], default)


def render_page(template: str, *, locale: str, **values: object) -> str:
    """Render one of our pages in a language.

    Templates say `_("…")` and `ngettext("…", "…", count)`, and fill in blanks by `.format(…)`. A
    text with markup in it is said by `said("… <a href={link}>…</a>", link=…)`, which escapes what
    is filled in and is not for texts of others.
    """
    words = words_of(locale)
    return render_template(
        template,
        _=words.gettext,
        ngettext=words.ngettext,
        said=lambda text, **blanks: Markup(words.gettext(text)).format(**blanks),  # noqa: S704 - our own texts; `format` escapes the rest
        lang=language_tag(locale),
        locale=locale,
        direction=direction_of(locale),
        site_name=settings().site_name,
        language_links=_language_links(locale),
        **values,
    )


def _language_links(locale: str) -> list[LanguageLink]:
    """Return this page in each language that is spoken; none where it answers a form.

    The rest of the address stays as it is, so that no choice is lost with the language.
    """
    if request.method != "GET":
        return []
    others = [(name, value) for name, value in request.args.items(multi=True) if name != "lang"]
    return [
        LanguageLink(
            tag=language_tag(code),
            name=Locale.parse(code).get_display_name(code) or code,
            direction=direction_of(code),
            href=f"{request.path}?{urlencode([*others, ('lang', language_tag(code))])}",
            is_current=code.partition("_")[0] == locale.partition("_")[0],
        )
        for code in languages()
    ]


def init_app(app: Flask) -> None:
    """Give `app` its headers and error pages, and requests without files."""
    app.request_class = FieldsRequest
    app.after_request(_fill_headers)
    app.register_error_handler(DomainError, answer_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(DBAPIError, _database_error)


def status_of(error: DomainError) -> HTTPStatus:
    """Return the HTTP status that stands for `error`."""
    return next(
        (status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.BAD_REQUEST
    )


def answer_error(error: DomainError) -> tuple[Response, int]:
    """Answer with what `error` says, in the reader's language: as a page, or as JSON."""
    words = words_of(reader_locale(SOURCE_LANGUAGE))
    return _answer(status_of(error), error.code, error.told(words), error.hint, field=error.field)


def _fill_headers(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
    headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    if "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store"
    if settings().https:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    return response


def _http_error(error: HTTPException) -> Response | tuple[Response, int]:
    if error.code is None or error.response is not None:  # a redirect, or an answer made elsewhere
        return cast("Response", error.get_response())
    status = HTTPStatus(error.code)
    answer, code = _answer(
        status, status.name.lower(), _MESSAGES.get(status, f"{status.phrase}."), ""
    )
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            answer.headers[name] = value
    return answer, code


def _database_error(error: DBAPIError) -> tuple[Response, int]:
    if isinstance(error, _OUR_MISTAKES):
        raise error
    current_app.logger.error("the database does not answer: %s", logs.told(error))
    return _answer(
        HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", N_("We can't reach our books just now."), ""
    )


def _answer(
    status: HTTPStatus, code: str, message: str, hint: str, *, field: str | None = None
) -> tuple[Response, int]:
    """Answer in the reader's language; a message that is told already stays as it is."""
    locale = reader_locale(SOURCE_LANGUAGE)
    words = words_of(locale)
    message = words.gettext(message)
    hint = hint or _HINTS.get(status, "")
    hint = words.gettext(hint) if hint else ""  # gettext's answer to nothing is the file's head
    answer: Any
    if _wants_json():
        told = {"code": code, "message": message, "hint": hint}
        answer = jsonify(error=told if field is None else {**told, "field": field})
        answer.headers["Access-Control-Allow-Origin"] = "*"
    else:
        page = render_page(
            "error.html",
            locale=locale,
            status=status.value,
            code=code,
            title=words.gettext(_TITLES.get(status, _OTHER_TITLE)),
            message=message,
            hint=hint,
        )
        answer = current_app.make_response(page)
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = "60"
    return answer, status.value


def _wants_json() -> bool:
    if request.path.startswith(("/api/", "/webhooks/", "/livez", "/metrics", "/readyz")):
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return best == "application/json"
