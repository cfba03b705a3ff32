from __future__ import annotations

import time
from typing import Protocol

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from admin.access import SESSION_KEY
from admin.models import User
from admin.roles import Role
from admin.sessions import begin_session
from admin.tokens import Life, NewToken, Scope, issue_token
from admin.users import add_user
from core.auditlog import COMMAND_LINE
from core.clock import MovableClock


class SignIn(Protocol):
    """Returns a client in which a user of that role is signed in; makes the user."""

    def __call__(
        self, role: Role = Role.OWNER, *, email: str | None = None, fresh: bool = True
    ) -> FlaskClient: ...


@pytest.fixture
def make_user(session: Session, clock: MovableClock) -> MakeUser:
    def make(role: Role = Role.OWNER, *, email: str | None = None) -> User:
        user = add_user(
            session,
            email or f"{role}@courier.example",
            role,
            actor=COMMAND_LINE,
            now=clock.now(),
        )
        session.commit()
        return user

    return make


class MakeUser(Protocol):
    """Makes a user of that role, and commits."""

    def __call__(self, role: Role = Role.OWNER, *, email: str | None = None) -> User: ...


@pytest.fixture
def sign_in(app: Flask, session: Session, clock: MovableClock, make_user: MakeUser) -> SignIn:
    # No form: to hash a password each time would take longer than most tests.
    def sign(
        role: Role = Role.OWNER, *, email: str | None = None, fresh: bool = True
    ) -> FlaskClient:
        user = make_user(role, email=email)
        client = app.test_client()
        sign_in_as(client, session, user, clock, fresh=fresh)
        return client

    return sign


def sign_in_as(
    client: FlaskClient, session: Session, user: User, clock: MovableClock, *, fresh: bool = True
) -> None:
    """Begin a session of the user in this client, as signing in does."""
    token = begin_session(session, user, browser="Firefox/140.0 (X11; Linux)", now=clock.now())
    session.commit()
    with client.session_transaction() as cookie:
        cookie[SESSION_KEY] = token
        cookie["_user_id"] = user.fs_uniquifier
        cookie["_fresh"] = True
        cookie["fs_paa"] = time.time() - (0 if fresh else 3600)


class Token(Protocol):
    """Makes a token with these scopes, all without any; returns the header that shows it."""

    def __call__(self, *scopes: Scope, life: Life = Life.YEAR) -> dict[str, str]: ...


@pytest.fixture
def token(session: Session, clock: MovableClock) -> Token:
    def make(*scopes: Scope, life: Life = Life.YEAR) -> dict[str, str]:
        new = NewToken(name="The spreadsheet", scopes=scopes or tuple(Scope), life=life)
        _, text = issue_token(session, new, actor=COMMAND_LINE, now=clock.now())
        session.commit()
        return {"Authorization": f"Bearer {text}"}

    return make


def csrf_token(client: FlaskClient, path: str = "/admin/") -> str:
    """Return the token that the forms of a page carry."""
    page = client.get(path).text
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]
