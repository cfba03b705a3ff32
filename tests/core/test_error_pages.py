"""Error pages: what happened and what to do next, in the reader's language, and no internals."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from core.errors import Conflict, Invalid
from payments.errors import FormTooOld, LinkExpired

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def breaking(app: Flask) -> FlaskClient:
    """A site with pages that fail."""
    app.testing = False  # as for readers: what is not foreseen becomes a page

    def fail(kind: str) -> str:
        raise {
            "database": OperationalError("SELECT secret FROM vault", {}, Exception("locked")),
            "bug": RuntimeError("secret"),
            "conflict": Conflict("<b>{told}</b>", told="<script>alert(1)</script>"),
            "invalid": Invalid("Nothing is right."),
            "link": LinkExpired(),
            "form": FormTooOld(),
        }[kind]

    app.add_url_rule("/fail/<kind>", view_func=fail)
    return app.test_client()


@pytest.mark.parametrize(
    ("path", "status", "said", "next_step"),
    [
        ("/nothing", 404, "There is nothing at this address.", 'href="/"'),
        ("/c/nothing", 404, "There is no campaign “nothing”.", 'href="/"'),
        ("/c/%00", 404, "There is no campaign", 'href="/"'),
        ("/fail/database", 503, "reach our books just now.", 'href=""'),
        ("/fail/bug", 500, "Something went wrong on our side.", 'href=""'),
        ("/fail/link", 404, "This link does not work any more.", 'href="/manage"'),
        ("/fail/form", 400, "This page was open for too long", "press the button once more"),
        ("/fail/invalid", 422, "Nothing is right.", 'href="/"'),
    ],
)
def test_page_says_what_happened_and_what_to_do_next(
    breaking: FlaskClient, path: str, status: int, said: str, next_step: str
) -> None:
    page = breaking.get(path)
    assert page.status_code == status
    assert said in page.text
    assert next_step in page.text
    assert "noindex" in page.text
    assert "secret" not in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_page_is_in_the_reader_s_language(breaking: FlaskClient) -> None:
    for language in ("de", "fr", "ja"):
        page = breaking.get("/nothing", headers={"Accept-Language": language})
        assert f'lang="{language}"' in page.text
    assert 'dir="rtl"' in breaking.get("/nothing?lang=ar").text


def test_wrong_method_is_told_without_jargon(client: FlaskClient) -> None:
    page = client.put("/manage")
    assert page.status_code == 405
    assert "This address does not take what was sent to it." in page.text
    assert "GET" in page.headers["Allow"]


def test_what_is_filled_in_is_escaped(breaking: FlaskClient) -> None:
    page = breaking.get("/fail/conflict")
    assert page.status_code == 409
    assert "<script>alert" not in page.text
    assert "&lt;b&gt;" in page.text


def test_machines_get_json(breaking: FlaskClient) -> None:
    answer = breaking.get("/fail/link", headers={"Accept": "application/json"})
    assert answer.status_code == 404
    assert answer.json is not None
    assert answer.json["error"]["code"] == "link_expired"
    assert (
        answer.json["error"]["hint"]
        == "Links work for an hour. Ask for a new one: it takes a minute."
    )


def test_unavailable_says_when_to_come_back(breaking: FlaskClient) -> None:
    assert breaking.get("/fail/database").headers["Retry-After"] == "60"
