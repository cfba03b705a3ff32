"""Headers by class of route: every address that can be read, and what it says of itself.

The classes are `docs/security.md`'s. An address that is new and in none of them is a page of ours.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from app import create_app
from core.clock import MovableClock
from tests.admin.conftest import SignIn, make_user, sign_in
from tests.conftest import MakeCampaign, make_settings

__all__ = ["make_user", "sign_in"]  # fixtures

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HTTPS = "https://goal.example"
# What stands on other people's pages.
EMBEDDED = (
    *("/embed/", "/api/v1/campaigns/", "/oembed"),
    *("/c/<slug>.", "/c/<slug>/card.png", "/c/<slug>/qr."),
)
# Of that, and of the rest, what scripts of theirs may read.
READ_BY_SCRIPTS = ("/embed/", "/api/v1/campaigns/", "/oembed", "/c/<slug>/closings", "/openapi")
# What is everybody's alike, so that any cache may keep it.
SHARED = (
    *(*EMBEDDED, *READ_BY_SCRIPTS),
    *("/c/<slug>/months", "/c/<slug>/<period:", "/static/"),
)
# What may stand in a frame. (tests/admin/test_campaign_edit.py holds the admin's preview, which
# answers a form.)
FRAMED = {"/embed/<slug>": "*"}
REFERRERS = {"strict-origin-when-cross-origin", "same-origin", "no-referrer"}
BLANKS = {"int": "1", "period": "2021-05", "any": "svg"}


def answers(app: Flask, client: FlaskClient, base_url: str) -> Iterator[tuple[str, Headers]]:
    """Ask for each address that takes GET, with its blanks filled in; yield it and its headers."""
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()):
            begin, *blanks = rule.rule.split("<")
            for kind, _, rest in (blank.partition(">") for blank in blanks):
                begin += BLANKS.get(kind.partition(":")[0].partition("(")[0], "support-us") + rest
            with client.get(begin, base_url=base_url) as answer:
                yield rule.rule, answer.headers


def may_frame(headers: Headers) -> str:
    """Return who may frame an answer: `'none'` where it says so."""
    policy = dict(
        part.strip().split(" ", 1)
        for part in headers["Content-Security-Policy"].split(";")
        if " " in part.strip()
    )
    return policy.get("frame-ancestors", "'none'" if len(policy) == 1 else "*")


def test_every_answer_says_what_may_be_done_with_it(
    clock: MovableClock, database_url: str, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    app = create_app(make_settings(database_url=database_url, base_url=HTTPS), clock=clock)
    for rule, headers in answers(app, app.test_client(), HTTPS):
        assert headers["X-Content-Type-Options"] == "nosniff", rule
        assert headers["Content-Security-Policy"].startswith("default-src 'none'"), rule
        assert "unsafe" not in headers["Content-Security-Policy"], rule
        assert headers["Referrer-Policy"] in REFERRERS, rule
        assert headers["Strict-Transport-Security"] == "max-age=31536000", rule

        is_embedded = rule.startswith(EMBEDDED) or rule.startswith("/static/")
        policy = headers["Cross-Origin-Resource-Policy"]
        assert (policy == "cross-origin") >= rule.startswith(EMBEDDED), rule
        assert (policy == "cross-origin") <= is_embedded, rule
        is_open = headers.get("Access-Control-Allow-Origin") == "*"
        assert is_open == rule.startswith(READ_BY_SCRIPTS), rule
        assert "Access-Control-Allow-Credentials" not in headers, rule

        is_kept = "public" in headers["Cache-Control"]
        assert is_kept <= rule.startswith(SHARED), rule
        assert is_kept or "no-store" in headers["Cache-Control"] or rule.endswith("/fees"), rule
        assert "Set-Cookie" not in headers or not rule.startswith(SHARED), rule
        assert may_frame(headers) == FRAMED.get(rule, "'none'"), rule


def test_the_admin_is_kept_by_nobody_and_shown_in_no_frame(
    app: Flask, sign_in: SignIn, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    seen = 0
    for rule, headers in answers(app, sign_in(), "http://localhost:8000"):
        if rule.startswith("/admin"):
            seen += 1
            assert headers["Cache-Control"] == "no-store", rule
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin", rule
            assert headers["Referrer-Policy"] in {"same-origin", "no-referrer"}, rule
            assert "Access-Control-Allow-Origin" not in headers, rule
            assert may_frame(headers) == "'none'", rule
    assert seen
