"""Tokens: making them, showing them once, and what ends them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.models import ApiToken
from admin.roles import Role
from admin.tokens import (
    MOST_LIVE,
    TOLD,
    Life,
    NewToken,
    Scope,
    find_token,
    issue_token,
    list_tokens,
    needs_note,
    note_use,
    revoke_token,
)
from core.auditlog import COMMAND_LINE, AuditFilter, list_records
from core.clock import MovableClock
from core.errors import Conflict, Invalid
from tests.admin.conftest import SignIn
from tests.conftest import START

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PAGE = "/admin/tokens"
TOKEN = re.compile(r"gp_[0-9a-f]{12}_[\w-]{43}", re.ASCII)


@pytest.fixture
def owner(app: Flask, sign_in: SignIn) -> FlaskClient:
    app.config["WTF_CSRF_ENABLED"] = False
    return sign_in(Role.OWNER)


def issue(session: Session, *scopes: Scope, life: Life = Life.QUARTER) -> tuple[ApiToken, str]:
    new = NewToken(name="The spreadsheet", scopes=scopes or (Scope.TOTALS_READ,), life=life)
    return issue_token(session, new, actor=COMMAND_LINE, now=START)


def test_token_is_shown_once_and_only_its_hash_is_kept(
    owner: FlaskClient, session: Session
) -> None:
    assert "No program may read these books yet." in owner.get(PAGE).text
    fields = {"name": " The  spreadsheet ", "scopes": ["totals:read", "campaigns:read"]}
    page = owner.post(PAGE, data={**fields, "life": "90"}).text
    (text,) = TOKEN.findall(page)
    assert TOKEN.findall(owner.get(PAGE).text) == []
    token = find_token(session, text, now=START)
    assert token is not None
    assert (token.name, token.scopes) == ("The spreadsheet", "totals:read campaigns:read")
    assert token.created_by == "owner@courier.example"
    assert token.expires_at == START + timedelta(days=90)
    secret = text.rpartition(token.public_id + "_")[2]
    assert secret not in str({column: getattr(token, column) for column in ("secret_hash",)})
    (line,) = list_records(session, AuditFilter(action="token.made"))
    assert line.subject == f"token:{token.id}"
    assert line.told["scopes"] == token.scopes
    assert secret not in line.details


def test_revoking_asks_first_and_holds_at_once(
    owner: FlaskClient, session: Session, clock: MovableClock
) -> None:
    token, text = issue(session)
    session.commit()
    path = f"{PAGE}/{token.id}/revoke"
    assert "Revoke “The spreadsheet”?" in owner.get(path).text
    session.expire_all()
    assert find_token(session, text, now=clock.now()) is not None
    session.rollback()
    answer = owner.post(path, follow_redirects=True)
    assert "lets nobody in any more" in answer.text
    assert '<span class="tag bad">revoked</span>' in answer.text
    owner.post(path)
    session.expire_all()
    assert find_token(session, text, now=clock.now()) is None
    assert len(list_records(session, AuditFilter(action="token.revoked"))) == 1


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"name": " ", "scopes": ["totals:read"], "life": "90"}, "name", "Name what will use it"),
        ({"name": "x" * 81, "scopes": ["totals:read"], "life": "90"}, "name", "80 letters"),
        ({"name": "a\0b", "scopes": ["totals:read"], "life": "90"}, "name", "Name what"),
        ({"name": "x", "life": "90"}, "scopes", "at least one"),
        ({"name": "x", "scopes": ["books:burn"], "life": "90"}, "scopes", "among these"),
        ({"name": "x", "scopes": ["donors:read"], "life": "90"}, "scopes", "donations:read, too"),
        ({"name": "x", "scopes": ["totals:read"], "life": "1000"}, "life", "one of these"),
    ],
)
def test_what_can_not_be_is_said_beside_its_field_and_the_rest_is_kept(
    owner: FlaskClient, session: Session, fields: dict[str, object], field: str, told: str
) -> None:
    answer = owner.post(PAGE, data=fields)
    assert answer.status_code == 422
    assert re.search(rf'id="{field}-error">[^<]*{told}', answer.text)
    if "scopes" in fields and field != "scopes":
        assert re.search(r'value="totals:read" checked', answer.text)
    assert session.scalars(select(ApiToken)).all() == []


def test_expired_token_lets_nobody_in_and_is_told_so(
    sign_in: SignIn, session: Session, clock: MovableClock
) -> None:
    _, text = issue(session, life=Life.MONTH)
    _, for_ever = issue(session, life=Life.FOREVER)
    session.commit()
    clock.advance(timedelta(days=30) - timedelta(microseconds=1))
    assert find_token(session, text, now=clock.now()) is not None
    clock.advance(timedelta(microseconds=1))
    assert find_token(session, text, now=clock.now()) is None
    assert find_token(session, for_ever, now=clock.now()) is not None
    session.rollback()
    assert '<span class="tag">expired</span>' in sign_in().get(PAGE).text


def test_text_that_is_no_token_is_none(session: Session) -> None:
    _, text = issue(session)
    last = "A" if text[-1] != "A" else "B"
    wrong = ("", "gp_", text[:-1], text[:-1] + last, text + "A", text.upper(), " " + text, "gp_é")
    assert [one for one in wrong if find_token(session, one, now=START)] == []
    other = text.replace(text[3:15], "0" * 12)
    assert find_token(session, other, now=START) is None


def test_use_is_to_be_written_down_once_a_minute(session: Session) -> None:
    token, _ = issue(session)
    assert needs_note(token, now=START)
    note_use(session, token.id, now=START)
    session.expire_all()
    assert token.used_at == START
    assert not needs_note(token, now=START + timedelta(seconds=59))
    assert needs_note(token, now=START + timedelta(seconds=60))


def test_those_that_work_come_first_and_there_is_an_end_to_them(session: Session) -> None:
    token, _ = issue(session)
    revoke_token(session, token, actor=COMMAND_LINE, now=START)
    for _ in range(MOST_LIVE):
        issue(session)
    with pytest.raises(Conflict, match="Revoke one first"):
        issue(session)
    listed = list_tokens(session, now=START)
    assert len(listed) == MOST_LIVE + 1
    assert listed[-1] is token


def test_every_scope_is_told_and_none_means_nothing(session: Session) -> None:
    assert list(TOLD) == list(Scope)
    with pytest.raises(Invalid):
        issue_token(session, NewToken(name="x", scopes=()), actor=COMMAND_LINE, now=START)


def test_paper_tells_the_scopes_as_the_page_does(database_url: str) -> None:
    assert database_url
    paper = (Path(__file__).parents[2] / "docs" / "admin.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `([a-z]+:[a-z]+)` \| (.*) \|$", paper, re.MULTILINE))
    assert list(told) == list(Scope)
    for scope, words in TOLD.items():
        assert told[scope].startswith(words)


def test_commands_make_show_once_and_revoke(
    app: Flask, client: FlaskClient, clock: MovableClock
) -> None:
    runner = app.test_cli_runner()
    assert "There are no tokens" in runner.invoke(args=["tokens", "list"]).output
    scopes = ["--scope", "donations:read", "--scope", "totals:read"]
    made = runner.invoke(args=["tokens", "create", "CRM", *scopes, "--days", "30"])
    assert made.exit_code == 0
    assert made.stderr.startswith("Number 1, until 2021-06-11. It is shown this once:")
    token = made.stdout.strip()
    ask = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/admin/totals", headers=ask).status_code == 200
    told = runner.invoke(args=["tokens", "list"]).output
    assert re.search(
        r"1 +CRM +totals:read donations:read +\S.* +until 2021-06-11 +2021-05-12", told
    )
    assert token.rpartition("_")[2] not in told
    for _ in range(2):
        assert runner.invoke(args=["tokens", "revoke", "1"]).output == (
            "CRM is not let in any more.\n"
        )
    assert client.get("/api/v1/admin/totals", headers=ask).status_code == 401
    assert "revoked 2021-05-12" in runner.invoke(args=["tokens", "list"]).output
    runner.invoke(args=["tokens", "create", "Till", *scopes, "--days", "30"])
    clock.advance(timedelta(days=30))
    assert re.search(r"Till .* ended 2021-06-11", runner.invoke(args=["tokens", "list"]).output)
    for words, said in (
        (["revoke", "9"], "There is no such token."),
        (["create", "CRM", "--scope", "donors:read"], "choose donations:read, too"),
        (["create", " ", "--scope", "totals:read"], "Name what will use it"),
    ):
        refused = runner.invoke(args=["tokens", *words])
        assert (refused.exit_code, said in refused.output) == (1, True)
