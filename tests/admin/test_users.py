from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.models import User
from admin.roles import GRANTS, TOLD, Permission, Role
from admin.users import LastOwner, change_role, disable_user, user_by_id
from core.auditlog import COMMAND_LINE, list_records
from core.clock import MovableClock
from core.db import db
from core.settings import Settings
from tests.admin.conftest import MakeUser, SignIn, csrf_token, sign_in_as
from tests.conftest import make_settings

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def post(client: FlaskClient, path: str, **fields: str) -> str:
    token = csrf_token(client)
    answer = client.post(path, data={"csrf_token": token, **fields}, follow_redirects=True)
    return answer.text


@only_sqlite
def test_owner_lets_somebody_in_changes_what_they_may_do_and_keeps_them_out(
    app: Flask, sign_in: SignIn, session: Session
) -> None:
    owner = sign_in(Role.OWNER)
    page = post(owner, "/admin/users", email="Bo@courier.example", role="editor")
    path = re.findall(r"/admin/welcome/[\w-]+", page)[0]
    assert "/admin/welcome/" not in owner.get("/admin/users").text
    bo = app.test_client()
    token = csrf_token(bo, path)
    bo.post(path, data={"csrf_token": token, "password": "a quiet harbour at noon"})
    assert bo.get("/admin/").status_code == 200
    number = session.scalars(select(User.id).where(User.email == "bo@courier.example")).one()
    session.rollback()

    assert "viewer now" in post(owner, f"/admin/users/{number}/role", role="viewer")
    assert bo.get("/admin/").status_code == 303
    assert "can’t sign in any more" in post(owner, f"/admin/users/{number}/disable")
    assert "can sign in again" in post(owner, f"/admin/users/{number}/enable")
    actions = {row.action for row in list_records(session)}
    assert {"user.added", "user.role_changed", "user.disabled", "user.enabled"} <= actions


@only_sqlite
@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"email": "no address", "role": "editor"}, "is no address of mail"),
        ({"email": "bo@courier.example", "role": "king"}, "Choose a role"),
        ({"email": "owner@courier.example", "role": "editor"}, "There is a user"),
    ],
)
def test_what_can_not_be_is_said(sign_in: SignIn, fields: dict[str, str], told: str) -> None:
    assert told in post(sign_in(Role.OWNER), "/admin/users", **fields)


@only_sqlite
def test_nobody_changes_themselves_by_accident(sign_in: SignIn, session: Session) -> None:
    client = sign_in(Role.OWNER)
    me = session.scalars(select(User.id)).one()
    session.rollback()
    for what in ("role", "disable", "factors"):
        assert "This is you" in post(client, f"/admin/users/{me}/{what}", role="viewer")
    assert client.get("/admin/users").status_code == 200


def test_last_owner_stays_whoever_takes_owners_away_at_once(
    app: Flask, session: Session, make_user: MakeUser, clock: MovableClock
) -> None:
    numbers = [make_user(email=f"{name}@courier.example").id for name in ("ann", "bo")]
    refused = []

    def take_away(number: int) -> None:
        with app.app_context(), db.sessionmaker() as own:
            try:
                user = user_by_id(own, number)
                disable_user(own, user, actor=COMMAND_LINE, now=clock.now())
                own.commit()
            except LastOwner:
                refused.append(number)

    threads = [threading.Thread(target=take_away, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 1
    assert len(session.scalars(select(User).where(User.active)).all()) == 1


@only_sqlite
def test_last_owner_can_not_become_something_else(
    session: Session, make_user: MakeUser, clock: MovableClock
) -> None:
    user = make_user()
    with pytest.raises(LastOwner):
        change_role(session, user, Role.VIEWER, actor=COMMAND_LINE, now=clock.now())


def test_every_role_is_told_and_grants_less_than_the_owner() -> None:
    assert set(TOLD) == set(GRANTS) == set(Role)
    assert GRANTS[Role.OWNER] == set(Permission)
    for role in set(Role) - {Role.OWNER}:
        assert GRANTS[role] < GRANTS[Role.OWNER]
        assert not GRANTS[role] & {Permission.MANAGE_USERS, Permission.MANAGE_TOKENS}


class TestSecondFactorRequired:
    @pytest.fixture
    def settings(self, database_url: str) -> Settings:
        return make_settings(database_url=database_url, second_factor="required")

    @only_sqlite
    def test_nothing_else_opens_before_one_is_set_up(
        self, app: Flask, session: Session, make_user: MakeUser, clock: MovableClock
    ) -> None:
        user, client = make_user(), app.test_client()
        sign_in_as(client, session, user, clock)

        assert client.get("/admin/users").headers["Location"] == "/admin/account"
        assert "asks for more than a password" in client.get("/admin/account").text
        user.tf_primary_method = "authenticator"
        session.commit()
        assert client.get("/admin/users").status_code == 200


def test_the_paper_tells_the_roles_as_the_page_does() -> None:
    paper = (Path(__file__).resolve().parents[2] / "docs" / "admin.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", paper, re.MULTILINE))

    assert told == {role.value: text for role, text in TOLD.items()}
