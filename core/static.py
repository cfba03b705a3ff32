"""Static files, at addresses that change with them: whoever has one need never ask again."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from wsgiref.headers import Headers

from flask import Flask, Response, current_app
from whitenoise import WhiteNoise

FOLDER = Path(__file__).resolve().parents[1] / "static"
PLAIN_PATH = "/static/"
# How long, in seconds, a file may be kept whose address does not tell which one it is.
PLAIN_SECONDS = 60
_DIGEST_LETTERS = 16
_OF_ANOTHER_RELEASE = "static_of_another_release"
# What Flask itself answers of them: "static" is its own, for what is not there.
ENDPOINTS = frozenset({"static", _OF_ANOTHER_RELEASE})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


@cache
def static_path() -> str:
    """Return where the files of this release lie: `/static/<digest of all of them>`.

    One digest for all, so that a stylesheet or script may name its neighbours as it likes.
    """
    digest = hashlib.sha256()
    for file in sorted(file for file in FOLDER.rglob("*") if file.is_file()):
        for part in (file.relative_to(FOLDER).as_posix().encode(), file.read_bytes()):
            digest.update(len(part).to_bytes(8, "big") + part)
    return PLAIN_PATH + digest.hexdigest()[:_DIGEST_LETTERS]


def init_app(app: Flask) -> WhiteNoise:
    """Return `app`'s WSGI with the static files before it, which pass Flask by."""
    app.add_url_rule(
        f"{PLAIN_PATH}<string(length={_DIGEST_LETTERS}):digest>/<path:filename>",
        endpoint=_OF_ANOTHER_RELEASE,
        view_func=_static_of_another_release,
    )
    served = WhiteNoise(
        app.wsgi_app,
        max_age=PLAIN_SECONDS,
        add_headers_function=_fill_headers,
        immutable_file_test=lambda _file, url: url.startswith(static_path()),
    )
    for path in (PLAIN_PATH, static_path()):
        served.add_files(FOLDER, path)
    return served


def _static_of_another_release(digest: str, filename: str) -> Response:
    """Answer a page of the release before or after with what we have, which is not for keeping.

    While processes are changed one after the other, one writes the page and another is asked for
    its stylesheet.
    """
    del digest
    response = current_app.send_static_file(filename)
    response.headers["Cache-Control"] = f"public, max-age={PLAIN_SECONDS}"
    response.headers.update(_HEADERS)
    return response


def _fill_headers(headers: Headers, _path: str, _url: str) -> None:
    for name, value in _HEADERS.items():
        headers[name] = value
