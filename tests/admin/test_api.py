"""The JSON API of the admin: whom it lets in, what it says, and what it writes."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from admin.api_access import PREFIX, RATE, scope_of
from admin.models import ApiToken
from admin.roles import Role
from admin.throttle import MOST_OF_NETWORK
from admin.tokens import Life, NewToken, Scope, issue_token, revoke_token
from app import create_app
from campaigns.audit import verify_ledger
from core.auditlog import COMMAND_LINE, AuditFilter, list_records
from core.clock import MovableClock
from core.db import db
from core.settings import Settings
from payments.models import Donation
from tests.admin.conftest import SignIn, Token
from tests.admin.test_matrix import address
from tests.conftest import START, Give, MakeCampaign, make_settings
from tests.fake_gateway import FakeGateway

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def api_rules(app: Flask) -> Iterator[tuple[str, Rule]]:
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(PREFIX):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield method, rule


def gift(**changes: Any) -> dict[str, Any]:
    return {"campaign": "support-us", "amount_minor": 52_000, "currency": "USD"} | changes


def post(
    client: FlaskClient, headers: dict[str, str], body: Any, key: str = "key-1"
) -> TestResponse:
    return client.post(
        f"{PREFIX}/donations", json=body, headers={**headers, "Idempotency-Key": key}
    )


@only_sqlite
def test_every_route_says_its_scope_and_holds_to_it(
    app: Flask, client: FlaskClient, session: Session, clock: MovableClock
) -> None:
    rules = list(api_rules(app))
    assert len(rules) >= 8
    headers = {}
    for scope in Scope:
        # Beside the others, so that none but the one that is missing decides.
        row = ApiToken(scopes=" ".join(set(Scope) - {scope}), name=scope, created_by="x")
        _, text = issue_token(
            session, NewToken(name=scope, scopes=tuple(Scope)), actor=COMMAND_LINE, now=clock.now()
        )
        found = session.scalars(select(ApiToken).where(ApiToken.name == scope)).one()
        found.scopes = row.scopes
        headers[scope] = {"Authorization": f"Bearer {text}"}
    session.commit()
    for method, rule in rules:
        wanted = scope_of(app.view_functions[rule.endpoint])
        assert wanted is not None, rule.rule
        for scope in Scope:
            answer = client.open(address(app, rule), method=method, headers=headers[scope])
            where = f"{method} {rule.rule} without {scope}: {answer.status}"
            if scope is wanted:
                assert answer.status_code == 403, where
                assert answer.json is not None
                assert answer.json["error"]["code"] == "scope_missing"
                assert f'scope="{wanted}"' in answer.headers["WWW-Authenticate"], where
            else:
                assert answer.status_code in {200, 404, 422}, where
            assert answer.headers["Cache-Control"] == "no-store", where
            assert "Access-Control-Allow-Origin" not in answer.headers, where
            assert "Set-Cookie" not in answer.headers, where


@only_sqlite
def test_nobody_gets_in_without_a_token_that_works(
    app: Flask,
    client: FlaskClient,
    token: Token,
    session: Session,
    clock: MovableClock,
    sign_in: SignIn,
) -> None:
    good = token()
    revoked, expired = token(), token(life=Life.MONTH)
    row = session.scalars(select(ApiToken).order_by(ApiToken.id)).all()[1]
    revoke_token(session, row, actor=COMMAND_LINE, now=clock.now())
    session.commit()
    clock.advance(timedelta(days=31))
    text = good["Authorization"].partition(" ")[2]
    owner = sign_in(Role.OWNER)  # whose cookie counts nothing here
    shown: list[dict[str, str]] = [
        {},
        revoked,
        expired,
        {"Authorization": text},
        {"Authorization": f"Basic {text}"},
        {"Authorization": f"Bearer {text[:-2]}__"},
    ]
    codes = set()
    for method, rule in api_rules(app):
        for headers in shown:
            for browser in (client, owner):
                answer = browser.open(address(app, rule), method=method, headers=headers)
                codes.add(answer.status_code)
                assert answer.status_code in {401, 429}, f"{method} {rule.rule} {headers}"
                assert "Access-Control-Allow-Origin" not in answer.headers
                if answer.status_code == 401:
                    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert codes == {401, 429}
    assert client.get(f"{PREFIX}/totals", headers=good).status_code == 200


@only_sqlite
def test_who_shows_wrong_tokens_waits_and_keeps_nobody_else_out(
    client: FlaskClient, token: Token, clock: MovableClock
) -> None:
    good, path = token(), f"{PREFIX}/totals"
    wrong = {"Authorization": f"Bearer gp_{'0' * 12}_{'A' * 43}"}
    for _ in range(MOST_OF_NETWORK):
        assert client.get(path, headers=wrong).status_code == 401
    answer = client.get(path, headers=wrong)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "900")
    assert client.get(path, headers=good).status_code == 200
    # Nor from the door that people come in by.
    assert client.get("/admin/sign-in").status_code == 200
    clock.advance(timedelta(minutes=16))
    assert client.get(path, headers=wrong).status_code == 401


@only_sqlite
def test_each_token_has_a_rate_of_its_own(
    settings: Settings, clock: MovableClock, fake_gateway: FakeGateway, token: Token
) -> None:
    limited = make_settings(database_url=settings.database_url, ratelimit_enabled=True)
    app = create_app(limited, clock=clock, gateway=fake_gateway)
    client, busy, other = app.test_client(), token(Scope.CAMPAIGNS_READ), token()
    path = f"{PREFIX}/totals"
    answers = [
        client.get(path, headers=busy).status_code for _ in range(int(RATE.partition(" ")[0]) + 1)
    ]
    assert set(answers[:-1]) == {403}
    assert answers[-1] == 429
    assert client.get(path, headers=other).status_code == 200
    with app.app_context():
        db.engine.dispose()


@only_sqlite
def test_use_is_written_down_and_seen_on_the_page(
    client: FlaskClient, token: Token, session: Session, clock: MovableClock
) -> None:
    headers = token()
    client.get(f"{PREFIX}/totals", headers=headers)
    assert session.scalars(select(ApiToken.used_at)).one() == START
    session.rollback()
    clock.advance(timedelta(seconds=30))
    client.get(f"{PREFIX}/totals", headers=headers)
    assert session.scalars(select(ApiToken.used_at)).one() == START


def test_totals_are_the_books(
    client: FlaskClient, token: Token, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    campaign = make_campaign()
    make_campaign("deux", currency="EUR", timezone="Europe/Paris")
    give(campaign, 52_000)
    clock.advance(timedelta(days=31))
    give(campaign, 1_234)
    headers = token(Scope.TOTALS_READ)
    body = client.get(f"{PREFIX}/campaigns/support-us/totals?limit=1", headers=headers).json
    assert body is not None
    (june,) = body["periods"]
    assert (june["period"], june["raised_minor"], june["gifts"]) == ("2021-06", 1_234, 1)
    assert june["is_running"]
    assert june["as_closed"] is None
    path = body["next"].removeprefix("http://localhost:8000")
    older = client.get(path, headers=headers).json
    assert older is not None
    (may,) = older["periods"]
    assert (may["gross_minor"], may["offline_minor"], may["net_minor"]) == (52_000,) * 3
    assert (may["currency"], may["donors"], older["next"]) == ("USD", 1, None)
    overall = client.get(f"{PREFIX}/totals", headers=headers).json
    assert overall is not None
    assert [one["currency"] for one in overall["totals"]] == ["EUR", "USD"]
    assert [month["raised_minor"] for month in overall["totals"][1]["months"]] == [1_234, 52_000]
    only = client.get(f"{PREFIX}/totals?currency=EUR", headers=headers).json
    assert only is not None
    assert [one["currency"] for one in only["totals"]] == ["EUR"]
    assert client.get(f"{PREFIX}/totals?currency=XXX", headers=headers).status_code == 422


def test_donations_are_gone_through_by_pages_and_hold_nobody_without_the_scope(
    client: FlaskClient, token: Token, make_campaign: MakeCampaign, give: Give, session: Session
) -> None:
    campaign, other = make_campaign(), make_campaign("other")
    made = [give(campaign, 100 + number).id for number in range(5)] + [give(other, 7).id]
    session.get_one(Donation, made[0]).message = "For the harbour"
    session.commit()
    headers, seen, path = token(Scope.DONATIONS_READ), [], f"{PREFIX}/donations?limit=2"
    while path:
        body = client.get(path, headers=headers).json
        assert body is not None
        assert len(body["donations"]) <= 2
        seen += body["donations"]
        path = (body["next"] or "").removeprefix("http://localhost:8000")
    assert {one["donation"] for one in seen} == set(made)
    assert len(seen) == len(made)
    assert sum(one["left_minor"] for one in seen) == 517
    assert all(one["is_offline"] and "donor" not in one for one in seen)
    narrow = client.get(f"{PREFIX}/donations?campaign=other&state=paid", headers=headers).json
    assert narrow is not None
    assert [one["donation"] for one in narrow["donations"]] == [made[-1]]
    one = client.get(f"{PREFIX}/donations/{made[0]}", headers=headers)
    assert "harbour" not in one.text
    known = client.get(f"{PREFIX}/donations/{made[0]}", headers=token()).json
    assert known is not None
    assert known["donor"]["message"] == "For the harbour"


def test_entries_are_those_of_the_ledger(
    client: FlaskClient, token: Token, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    campaign = make_campaign()
    given = [give(campaign, 100), give(campaign, 200)]
    clock.advance(timedelta(days=31))
    give(campaign, 300)
    headers = token(Scope.DONATIONS_READ)
    first = client.get(f"{PREFIX}/entries?period=2021-05&limit=1", headers=headers).json
    assert first is not None
    (entry,) = first["entries"]
    assert (entry["amount_minor"], entry["donation"]) == (100, given[0].id)
    second = client.get(first["next"], headers=headers).json
    assert second is not None
    assert [one["amount_minor"] for one in second["entries"]] == [200]
    assert second["next"] is None


@only_sqlite
def test_page_costs_the_same_however_many_there_are(
    app: Flask, client: FlaskClient, token: Token, make_campaign: MakeCampaign, give: Give
) -> None:
    headers, campaign = token(), make_campaign()
    client.get(f"{PREFIX}/totals", headers=headers)
    paths = ("donations", "entries", "campaigns/support-us/totals", "totals", "campaigns")

    def asked() -> list[int]:
        counts, statements = [], []

        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            statements.append(statement)

        with app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        for path in paths:
            statements.clear()
            assert client.get(f"{PREFIX}/{path}", headers=headers).status_code == 200
            counts.append(len(statements))
        event.remove(engine, "before_cursor_execute", note)
        return counts

    give(campaign, 100)
    few = asked()
    for number in range(20):
        give(campaign, 100 + number)
    assert asked() == few
    assert max(few) <= 10


def test_requests_at_once_with_one_key_are_one_gift(
    app: Flask, token: Token, make_campaign: MakeCampaign, session: Session
) -> None:
    make_campaign()
    headers = token(Scope.DONATIONS_WRITE)
    together = threading.Barrier(4)

    def send(_: int) -> TestResponse:
        client = app.test_client()
        together.wait()
        return post(client, headers, gift(paid_at="2021-05-10T12:00:00-04:00"))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert session.scalar(select(func.count()).select_from(Donation)) == 1
    assert len(list_records(session, AuditFilter(action="donation.recorded"))) == 1
    assert verify_ledger(session).differences == ()


def test_gift_is_recorded_once_however_often_it_is_sent(
    client: FlaskClient, token: Token, make_campaign: MakeCampaign, session: Session
) -> None:
    make_campaign()
    headers = token(Scope.DONATIONS_WRITE)
    body = gift(note="Rotary Club, cheque", paid_at="2021-05-10T12:00:00-04:00")
    answers = [post(client, headers, body) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    told = answers[0].json
    assert told is not None
    assert (told["amount_minor"], told["paid_at"]) == (52_000, "2021-05-10T16:00:00Z")
    assert (told["is_offline"], told["state"], told["period"]) == (True, "paid", "2021-05")
    assert post(client, headers, body | {"amount_minor": 1}).status_code == 409
    assert post(client, headers, body, key="key-2").json != told
    assert session.scalar(select(func.count()).select_from(Donation)) == 2
    assert verify_ledger(session).differences == ()
    lines = list_records(session, AuditFilter(action="donation.recorded"))
    assert [line.actor_id for line in lines] == ["token:1", "token:1"]
    assert lines[-1].subject == f"donation:{told['donation']}"
    assert lines[-1].actor_name == "The spreadsheet"


@only_sqlite
def test_gift_of_now_is_the_same_gift_later(
    client: FlaskClient, token: Token, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    make_campaign()
    headers = token(Scope.DONATIONS_WRITE)
    first = post(client, headers, gift())
    clock.advance(timedelta(minutes=5))
    assert post(client, headers, gift()).json == first.json


WRONG_GIFTS: list[tuple[dict[str, Any], int, str]] = [
    ({"campaign": "none"}, 404, "campaign"),
    ({"campaign": 7}, 422, "campaign"),
    ({"campaign": "\ud800"}, 404, "campaign"),
    ({"campaign": "a\0"}, 404, "campaign"),
    ({"currency": "EUR"}, 422, "currency"),
    ({"amount_minor": 0}, 422, "amount_minor"),
    ({"amount_minor": -1}, 422, "amount_minor"),
    ({"amount_minor": 5.5}, 422, "amount_minor"),
    ({"amount_minor": True}, 422, "amount_minor"),
    ({"amount_minor": "52000"}, 422, "amount_minor"),
    ({"amount_minor": 2**63}, 422, "amount_minor"),
    ({"paid_at": "2021-05-10"}, 422, "paid_at"),
    ({"paid_at": "2021-05-13T00:00:00Z"}, 422, "paid_at"),
    ({"paid_at": "0001-01-01T00:00:00+14:00"}, 422, "paid_at"),
    ({"note": "x" * 256}, 422, "note"),
    ({"note": "a\0b"}, 422, "note"),
    ({"note": "\ud800"}, 422, "note"),
    ({"amount": 5}, 422, "amount"),
]


def test_gift_that_can_not_be_names_its_field_and_writes_nothing(
    client: FlaskClient, token: Token, make_campaign: MakeCampaign, session: Session
) -> None:
    make_campaign()
    headers = token(Scope.DONATIONS_WRITE)
    for changes, status, field in WRONG_GIFTS:
        answer = post(client, headers, gift(**changes))
        assert answer.status_code == status, changes
        assert answer.json is not None
        assert answer.json["error"]["field"] == field, changes
    assert session.scalar(select(func.count()).select_from(Donation)) == 0


@only_sqlite
@pytest.mark.parametrize(
    "body", ["", "[]", "nonsense", "[" * 100_000, '{"amount_minor": NaN}', b"\xff"]
)
def test_body_that_is_no_object_is_told_so(
    client: FlaskClient, token: Token, body: str | bytes
) -> None:
    headers = token() | {"Content-Type": "application/json", "Idempotency-Key": "k"}
    answer = client.post(f"{PREFIX}/donations", data=body, headers=headers)
    assert answer.status_code == 422


@only_sqlite
@pytest.mark.parametrize("key", ["", "ä", "x" * 256])
def test_gift_without_a_key_is_not_recorded(
    client: FlaskClient, token: Token, make_campaign: MakeCampaign, key: str
) -> None:
    make_campaign()
    answer = post(client, token(), gift(), key=key.encode().decode("latin-1"))
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["error"]["field"] == "Idempotency-Key"


WRONG_ADDRESSES = [
    ("donations?limit=0", "limit"),
    ("donations?limit=101", "limit"),
    ("donations?limit=%D9%A1", "limit"),
    ("donations?perod=2021-05", "perod"),
    ("donations?period=soon", "period"),
    ("donations?state=gone", "state"),
    ("donations?from=yesterday", "from"),
    ("donations?from=2021-05-02&until=2021-05-01", "until"),
    ("donations?after=nonsense", "after"),
    ("donations?after=%C3%A9", "after"),
    ("donations?after=WzEsMl0", "after"),  # [1,2]
    ("donations?after=WzEsIjIwMjEtMDUtMDEiLCJhIl0", "after"),  # [1,"2021-05-01","a"]
    ("donations?after=W3RydWVd", "after"),  # [true]
    ("entries?after=W3RydWVd", "after"),
    ("entries?after=Wy0xXQ", "after"),  # [-1]
    ("entries?after=WzkyMjMzNzIwMzY4NTQ3NzU4MDhd", "after"),  # [2**63]
    ("entries?state=paid", "state"),
    ("campaigns/support-us/totals?before=x", "period"),
    ("campaigns/support-us?x=1", "x"),
]


def test_what_can_not_be_asked_names_its_parameter(
    client: FlaskClient, token: Token, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    headers = token()
    for path, field in WRONG_ADDRESSES:
        answer = client.get(f"{PREFIX}/{path}", headers=headers)
        assert answer.status_code == 422, path
        assert answer.json is not None
        assert answer.json["error"]["field"] == field, path


def test_what_is_not_there_is_not_found(client: FlaskClient, token: Token) -> None:
    headers = token()
    for path in ("campaigns/none", "campaigns/none/totals", "donations/don_x", "donations/%00"):
        assert client.get(f"{PREFIX}/{path}", headers=headers).status_code == 404, path


@only_sqlite
def test_paper_lists_every_route_with_its_scope(app: Flask) -> None:
    paper = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+) (/api/v1/admin\S+)` \| `(\S+)` \|", paper, re.MULTILINE)
    served = {
        (method, rule.rule, str(scope_of(app.view_functions[rule.endpoint])))
        for method, rule in api_rules(app)
    }
    assert set(told) == served
    assert f"{RATE.partition(' ')[0]} requests a minute" in paper
