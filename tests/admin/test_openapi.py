"""`/openapi.json` is valid, describes what there is, and what is answered is what it describes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from admin.api_access import PREFIX
from admin.tokens import Scope
from core.clock import MovableClock
from tests.admin.conftest import Token
from tests.campaigns.books import JULY, fill
from tests.conftest import Give, MakeCampaign

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

APIS = ("/api/", "/oembed", "/livez", "/readyz", "/openapi.json", "/embed/v1.json")
GIFT = {"campaign": "support-us", "amount_minor": 52_000, "currency": "USD", "note": "Rotary"}
JSON = "application/json"


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(client.get("/openapi.json").text)
    return told


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def test_it_is_valid_and_any_page_may_read_it(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")
    answer = client.get("/openapi.json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    again = client.get("/openapi.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == HTTPStatus.NOT_MODIFIED


def test_every_route_of_the_apis_is_in_it_and_nothing_else(
    app: Flask, document: dict[str, Any]
) -> None:
    served = {
        (rule.rule.replace("<", "{").replace(">", "}"), method)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(APIS)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(path, method) for path, method, _ in operations(document)} == served
    assert all(operation["summary"].endswith(".") for _, _, operation in operations(document))


def test_what_wants_a_token_says_its_scope(document: dict[str, Any]) -> None:
    scopes = {path: operation.get("security") for path, _, operation in operations(document)}
    assert scopes[f"{PREFIX}/totals"] == [{"token": [Scope.TOTALS_READ]}]
    assert {path for path, wanted in scopes.items() if wanted is None} == {
        path for path in scopes if not path.startswith(PREFIX)
    }


class Asked:
    """Asks, and holds each answer to the document."""

    def __init__(self, client: FlaskClient, document: dict[str, Any]) -> None:
        self._client = client
        self._document = document
        self.seen: set[tuple[str, str, int]] = set()

    def __call__(self, template: str, method: str = "GET", **more: Any) -> TestResponse:
        names = {"slug": "support-us", "key": "2021-05", "donation_id": more.pop("id", "don_x")}
        path = template.format(**names)
        query = more.pop("query", "")
        answer = self._client.open(f"{path}?{query}", method=method, **more)
        self.hold(template, method, answer)
        return answer

    def hold(self, template: str, method: str, answer: TestResponse) -> None:
        """Assert that the answer is one that the document describes."""
        operation = self._document["paths"][template][method.lower()]
        status = str(answer.status_code)
        assert status in operation["responses"], f"{method} {template} answers {status}"
        self.seen.add((template, method, answer.status_code))
        content = operation["responses"][status].get("content")
        if content is None:
            assert answer.data == b""
            return
        assert answer.mimetype in content
        if answer.mimetype == JSON:
            schema = {**content[JSON]["schema"], "components": self._document["components"]}
            check = Draft202012Validator(closed(schema), format_checker=FormatChecker())
            check.validate(answer.json)


def closed(schema: Any) -> Any:
    """Return the schema with no room for a field that it does not name."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    shut = {"additionalProperties": False} if "properties" in schema else {}
    return shut | {name: closed(one) for name, one in schema.items()}


@pytest.fixture
def asked(client: FlaskClient, document: dict[str, Any]) -> Asked:
    return Asked(client, document)


def test_answers_are_as_described(
    asked: Asked, document: dict[str, Any], make_campaign: MakeCampaign, give: Give,
    token: Token, session: Session, clock: MovableClock,
) -> None:  # fmt: skip
    campaign = make_campaign()
    fill(session, campaign, seed=7, gifts=30)
    session.commit()
    clock.set(JULY)
    given = give(campaign, 52_000)
    given.message = "For the harbour"
    session.commit()
    everything = token()
    known = asked(f"{PREFIX}/donations", headers=everything).json
    assert known is not None
    (one,) = known["donations"]
    assert one["donor"]["message"] == "For the harbour"
    for path, method, operation in operations(document):
        headers = everything if "security" in operation else {}
        if method == "GET":
            query = "url=http://localhost:8000/c/support-us" if path == "/oembed" else ""
            answer = asked(path, headers=headers, query=query, id=one["donation"])
            assert answer.status_code == HTTPStatus.OK, path
            if "304" in operation["responses"]:
                tag = {"If-None-Match": answer.headers["ETag"]}
                assert asked(path, headers=tag).status_code == HTTPStatus.NOT_MODIFIED
    asked("/api/v1/campaigns/{slug}", query="with=face&lang=de")
    asked("/oembed", query="url=http://localhost:8000/c/support-us&format=xml")
    gift = {**everything, "Idempotency-Key": "transfer-1"}
    donations = f"{PREFIX}/donations"
    assert asked(donations, "POST", headers=gift, json=GIFT).status_code == HTTPStatus.CREATED


def test_errors_are_as_described(
    asked: Asked, document: dict[str, Any], make_campaign: MakeCampaign, token: Token
) -> None:
    everything = token()
    little = {scope: token(scope) for scope in (Scope.CAMPAIGNS_READ, Scope.TOTALS_READ)}
    for path, method, operation in operations(document):
        if "security" in operation:
            assert asked(path, method).status_code == HTTPStatus.UNAUTHORIZED
            (wanted,) = operation["security"][0]["token"]
            lacks = next(shown for scope, shown in little.items() if scope != wanted)
            assert asked(path, method, headers=lacks).status_code == HTTPStatus.FORBIDDEN
            wrong = asked(path, method, headers=everything, query="no=such")
            assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    for path in document["paths"]:
        if "{slug}" in path:  # there is none yet
            assert asked(path, headers=everything).status_code == HTTPStatus.NOT_FOUND
    assert asked("/oembed").status_code == HTTPStatus.BAD_REQUEST
    assert asked("/oembed", query="url=x&format=y").status_code == HTTPStatus.NOT_IMPLEMENTED
    assert asked("/oembed", query="url=http://x/").status_code == HTTPStatus.NOT_FOUND
    for path in (f"{PREFIX}/donations", f"{PREFIX}/entries"):
        assert asked(path, headers=everything, query="campaign=none").status_code == 404
    make_campaign()
    donations, gift = f"{PREFIX}/donations", {**everything, "Idempotency-Key": "transfer-1"}
    unknown = GIFT | {"campaign": "none"}
    assert asked(donations, "POST", headers=gift, json=unknown).status_code == 404
    asked(donations, "POST", headers=gift, json=GIFT)
    other = GIFT | {"amount_minor": 1}
    assert asked(donations, "POST", headers=gift, json=other).status_code == HTTPStatus.CONFLICT
