"""One-time links, and how the first owner comes to be."""

from __future__ import annotations

import logging
import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin import throttle
from admin.links import FORGOTTEN, INVITED
from admin.models import User
from admin.roles import Role
from core.clock import MovableClock
from core.outbox import OutboxMail
from core.settings import Settings
from tests.admin.conftest import MakeUser, csrf_token
from tests.conftest import make_settings

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PASSWORD = "a quiet harbour at noon"


def run(app: Flask, *arguments: str) -> str:
    result = app.test_cli_runner().invoke(args=list(arguments))
    assert result.exit_code == 0, result.output
    output: str = result.output
    return output


def path_in(text: str) -> str:
    paths: list[str] = re.findall(r"http://localhost:8000(/admin/welcome/[\w-]+)", text)
    return paths[0]


def choose(client: FlaskClient, path: str, **fields: str) -> int:
    token = csrf_token(client, path)
    data = {"csrf_token": token, "password": PASSWORD, **fields}
    return client.post(path, data=data).status_code


def test_first_link_makes_the_owner_and_signs_in_once(
    app: Flask, client: FlaskClient, session: Session
) -> None:
    path = path_in(run(app, "users", "first-link"))
    assert client.get(path).status_code == client.get(path).status_code == 200

    assert choose(client, path, email="Ann@Courier.example") == 303

    user = session.scalars(select(User)).one()
    assert (user.email, user.rank) == ("ann@courier.example", Role.OWNER)
    session.rollback()
    assert client.get("/admin/").status_code == 200
    assert app.test_client().get(path).status_code == 404
    assert run(app, "users", "first-link") == ""


@only_sqlite
def test_whoever_opens_the_admin_of_an_empty_site_has_the_link_logged_once(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        page = client.get("/admin/", follow_redirects=True)
        client.get("/admin/sign-in")

    assert "Nobody may sign in yet" in page.text
    assert "/admin/welcome/" not in page.text
    links = re.findall(r"/admin/welcome/[\w-]+", caplog.text)
    assert len(links) == 1
    assert choose(client, links[0], email="ann@courier.example") == 303


def test_link_of_a_user_works_once_and_not_for_ever(
    app: Flask, client: FlaskClient, clock: MovableClock
) -> None:
    path = path_in(run(app, "users", "create", "ann@courier.example", "--role", "editor"))
    other = path_in(run(app, "users", "link", "ann@courier.example"))
    assert client.get(path).status_code == 404  # a newer one takes its place
    clock.advance(INVITED)
    assert client.get(other).status_code == 404
    clock.advance(-timedelta(seconds=1))
    assert choose(client, other) == 303
    assert client.get(other).status_code == 404


@only_sqlite
def test_used_expired_and_made_up_links_get_the_same_answer(
    app: Flask, client: FlaskClient, clock: MovableClock
) -> None:
    used = path_in(run(app, "users", "create", "ann@courier.example"))
    choose(client, used)
    expired = path_in(run(app, "users", "create", "bo@courier.example"))
    clock.advance(INVITED)

    stranger = app.test_client()
    paths = (used, expired, "/admin/welcome/made-up")
    pages = {stranger.get(path).text.replace(path, "") for path in paths}
    assert len(pages) == 1
    assert "does not work any more" in pages.pop()


@only_sqlite
def test_common_password_is_refused_and_the_link_still_works(
    app: Flask, client: FlaskClient
) -> None:
    path = path_in(run(app, "users", "create", "ann@courier.example"))

    assert choose(client, path, password="password1234") == 422
    assert choose(client, path) == 303


@only_sqlite
def test_links_are_not_guessed(client: FlaskClient, make_user: MakeUser) -> None:
    make_user()
    token = csrf_token(client, "/admin/sign-in")
    for _ in range(throttle.MOST_OF_BOTH):
        answer = client.post("/admin/welcome/guess", data={"csrf_token": token})
        assert answer.status_code == 404
    assert client.post("/admin/welcome/guess", data={"csrf_token": token}).status_code == 429


class TestForgotten:
    @pytest.fixture
    def settings(self, database_url: str) -> Settings:
        return make_settings(
            database_url=database_url,
            mail_url="smtp://localhost:2525",
            mail_from="The Courier <support@courier.example>",
        )

    def test_link_is_mailed_and_nobody_learns_who_has_an_account(
        self, client: FlaskClient, session: Session, make_user: MakeUser, clock: MovableClock
    ) -> None:
        make_user(email="ann@courier.example")
        answers = []
        for email in ("Ann@courier.example", "nobody@courier.example"):
            token = csrf_token(client, "/admin/forgotten")
            answer = client.post("/admin/forgotten", data={"csrf_token": token, "email": email})
            answers.append((answer.status_code, answer.text))
        assert answers[0] == answers[1]

        ((recipient, text),) = session.execute(select(OutboxMail.recipient, OutboxMail.text)).all()
        session.rollback()
        assert recipient == "ann@courier.example"
        clock.advance(FORGOTTEN)
        assert client.get(path_in(text)).status_code == 404
        clock.advance(-timedelta(seconds=1))
        assert choose(client, path_in(text)) == 303
        assert client.get("/admin/").status_code == 200


@only_sqlite
def test_site_that_sends_no_mail_says_who_can_help(
    client: FlaskClient, make_user: MakeUser
) -> None:
    make_user()

    assert "users link" in client.get("/admin/forgotten").text
