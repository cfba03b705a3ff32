"""Signing in and out: what lets in, what does not, and what ends it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_security.utils import hash_password
from passlib.totp import TOTP
from sqlalchemy import event, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from admin import throttle
from admin.models import AdminSession, User
from admin.roles import Role
from admin.users import change_role, disable_user
from core.auditlog import COMMAND_LINE, list_records
from core.clock import MovableClock
from core.db import db
from core.outbox import OutboxMail
from tests.admin.conftest import MakeUser, SignIn, csrf_token
from tests.conftest import MakeCampaign

PASSWORD = "a quiet harbour at noon"
EMAIL = "ann@courier.example"
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def ann(app: Flask, session: Session, make_user: MakeUser) -> User:
    user = make_user(Role.OWNER, email=EMAIL)
    with app.app_context():
        user.password = hash_password(PASSWORD)
    session.commit()
    return user


def sign_in_by_form(
    client: FlaskClient, email: str = EMAIL, password: str = PASSWORD, **options: str
) -> TestResponse:
    token = csrf_token(client, "/admin/sign-in")
    return client.post(
        "/admin/sign-in",
        data={"csrf_token": token, "email": email, "password": password},
        environ_overrides={"REMOTE_ADDR": options.get("network", "192.0.2.1")},
    )


def is_in(client: FlaskClient) -> bool:
    return client.get("/admin/").status_code == 200


@pytest.mark.usefixtures("ann")
def test_password_lets_in_and_signing_out_ends_it_for_copies_of_the_cookie_too(
    client: FlaskClient, app: Flask, session: Session
) -> None:
    response = sign_in_by_form(client)
    assert response.headers["Location"] == "/admin/"
    assert is_in(client)
    cookie = client.get_cookie("goalpost")
    assert cookie is not None
    thief = app.test_client()
    thief.set_cookie("goalpost", cookie.value)
    assert is_in(thief)

    client.post("/admin/sign-out", data={"csrf_token": csrf_token(client)})

    assert not is_in(client)
    assert not is_in(thief)
    actions = [row.action for row in list_records(session)]
    assert actions[:2] == ["user.signed_out", "user.signed_in"]


@only_sqlite
@pytest.mark.usefixtures("ann")
def test_cookie_is_kept_from_scripts_and_other_sites(client: FlaskClient) -> None:
    header = sign_in_by_form(client).headers["Set-Cookie"]

    assert "HttpOnly" in header
    assert "SameSite=Lax" in header


@only_sqlite
@pytest.mark.usefixtures("ann")
def test_unknown_address_and_wrong_password_get_the_same_answer(client: FlaskClient) -> None:
    wrong = sign_in_by_form(client, password="another one entirely")
    unknown = sign_in_by_form(client, email="nobody@courier.example")

    told = [
        re.findall(r'class="error"[^>]*>([^<]*)<', response.text) for response in (wrong, unknown)
    ]
    assert told[0] == told[1] != []
    assert wrong.status_code == unknown.status_code
    assert not is_in(client)


@pytest.mark.usefixtures("ann")
def test_guessing_is_held_back_and_the_owner_gets_in_from_where_they_were_before(
    app: Flask, client: FlaskClient, clock: MovableClock
) -> None:
    sign_in_by_form(client, network="192.0.2.1")
    clock.advance(timedelta(minutes=1))
    for number in range(throttle.MOST_OF_ACCOUNT):
        guesser = app.test_client()
        sign_in_by_form(guesser, password=f"guess number {number}", network=f"198.51.100.{number}")

    stranger, owner = app.test_client(), app.test_client()
    held = sign_in_by_form(stranger, network="203.0.113.9")
    assert "Somebody tries to get in here" in held.text
    assert not is_in(stranger)
    sign_in_by_form(owner, network="192.0.2.1")
    assert is_in(owner)


@pytest.mark.usefixtures("ann")
def test_right_password_after_too_many_wrong_ones_waits_a_quarter_of_an_hour(
    app: Flask, clock: MovableClock
) -> None:
    client = app.test_client()
    for _ in range(throttle.MOST_OF_BOTH):
        sign_in_by_form(client, password="wrong wrong wrong")
    assert "too many tries" in sign_in_by_form(client).text
    assert not is_in(client)

    clock.advance(throttle.WINDOW)
    sign_in_by_form(client)
    assert is_in(client)


@only_sqlite
@pytest.mark.usefixtures("ann")
def test_tries_from_one_network_are_held_back_whatever_the_account(app: Flask) -> None:
    for number in range(throttle.MOST_OF_NETWORK):
        sign_in_by_form(app.test_client(), email=f"guess{number}@courier.example")

    client = app.test_client()
    sign_in_by_form(client)
    assert not is_in(client)


@pytest.mark.usefixtures("ann")
def test_tries_are_forgotten_after_a_month(
    client: FlaskClient, session: Session, clock: MovableClock
) -> None:
    sign_in_by_form(client, password="wrong wrong wrong")
    assert throttle.forget_old(session, now=clock.now()) == 0
    session.commit()
    clock.advance(throttle.KEPT + timedelta(seconds=1))

    assert throttle.forget_old(session, now=clock.now()) == 1


@pytest.mark.parametrize("how", ["idle", "old"])
def test_session_ends_by_itself(sign_in: SignIn, clock: MovableClock, how: str) -> None:
    client = sign_in(Role.VIEWER)
    if how == "idle":
        clock.advance(timedelta(hours=12, seconds=1))
    else:
        for _ in range(61):
            clock.advance(timedelta(hours=11, minutes=59))
            client.get("/admin/")

    assert not is_in(client)


@only_sqlite
def test_session_that_is_used_goes_on(sign_in: SignIn, clock: MovableClock) -> None:
    client = sign_in(Role.VIEWER)
    for _ in range(3):
        clock.advance(timedelta(hours=11))
        assert is_in(client)


def test_other_role_and_being_disabled_end_sessions(
    sign_in: SignIn, session: Session, clock: MovableClock
) -> None:
    sign_in(Role.OWNER)
    for email, change in (("one@courier.example", "role"), ("two@courier.example", "disabled")):
        client = sign_in(Role.EDITOR, email=email)
        user = session.scalars(select(User).where(User.email == email)).one()
        if change == "role":
            change_role(session, user, Role.VIEWER, actor=COMMAND_LINE, now=clock.now())
        else:
            disable_user(session, user, actor=COMMAND_LINE, now=clock.now())
        session.commit()

        assert not is_in(client), change


@only_sqlite
@pytest.mark.usefixtures("ann")
def test_signing_out_elsewhere_leaves_this_browser_alone(
    app: Flask, client: FlaskClient, session: Session
) -> None:
    other = app.test_client()
    for browser in (client, other):
        sign_in_by_form(browser)

    client.post("/admin/account/sign-out-others", data={"csrf_token": csrf_token(client)})

    assert is_in(client)
    assert not is_in(other)
    assert len(session.scalars(select(AdminSession)).all()) == 2


@only_sqlite
@pytest.mark.usefixtures("ann")
def test_another_password_ends_what_the_old_one_began_and_is_told_by_mail(
    app: Flask, client: FlaskClient, session: Session
) -> None:
    other = app.test_client()
    for browser in (client, other):
        sign_in_by_form(browser)

    response = client.post(
        "/admin/account/password",
        data={"csrf_token": csrf_token(client), "password": "seven grey herons wait"},
    )

    assert response.status_code == 303
    assert is_in(client)
    assert not is_in(other)
    subject = session.scalars(select(OutboxMail.subject)).one()
    session.rollback()
    assert subject.startswith("Your password was changed")
    assert not is_in_with(app, PASSWORD)
    assert is_in_with(app, "seven grey herons wait")


def is_in_with(app: Flask, password: str) -> bool:
    client = app.test_client()
    sign_in_by_form(client, password=password)
    return is_in(client)


@only_sqlite
@pytest.mark.usefixtures("ann")
def test_next_address_leads_nowhere_else(client: FlaskClient) -> None:
    token = csrf_token(client, "/admin/sign-in")
    for evil in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        response = client.post(
            f"/admin/sign-in?next={evil}",
            data={"csrf_token": token, "email": EMAIL, "password": PASSWORD, "next": evil},
        )
        assert "evil" not in response.headers.get("Location", ""), evil
        assert "javascript" not in response.headers.get("Location", ""), evil
        client.delete_cookie("goalpost")
        token = csrf_token(client, "/admin/sign-in")


@only_sqlite
@pytest.mark.usefixtures("ann")
def test_readers_pages_know_nothing_of_users(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    sign_in_by_form(client)
    asked: list[str] = []
    with client.application.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    for path in ("/", "/api/v1/campaigns/support-us", "/embed/support-us", "/c/support-us.svg"):
        response = client.get(path)

        assert response.status_code == 200, path
        assert "Cookie" not in response.headers.get("Vary", ""), path
    assert not [statement for statement in asked if "users" in statement]


@only_sqlite
@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize("email", [EMAIL, "nobody@courier.example"])
def test_password_of_any_length_is_wrong_and_no_error(client: FlaskClient, email: str) -> None:
    refused = sign_in_by_form(client, email=email, password=PASSWORD + "x" * 100_000)
    assert refused.status_code == 200
    assert not is_in(client)
    sign_in_by_form(client)
    # Asked for once more, by who is in.
    token = csrf_token(client, "/admin/confirm")
    again = client.post("/admin/confirm", data={"csrf_token": token, "password": "x" * 100_000})
    assert again.status_code == 200


# Codes and recovery


def set_up_codes(client: FlaskClient) -> tuple[TOTP, str]:
    """Set codes up by the pages, and return what makes them and the one that was spent on it."""
    page = client.post(
        "/admin/account/codes",
        data={"csrf_token": csrf_token(client), "setup": "authenticator"},
    ).text
    key = page.split('class="key">')[1].split("<")[0]
    action = re.findall(r'action="(/admin/account/codes/[^"]+)"', page)[0]
    totp = TOTP(key=key.replace("-", ""), format="base32")
    code = totp.generate().token
    response = client.post(action, data={"csrf_token": csrf_token(client), "code": code})
    assert response.headers["Location"] == "/admin/account"
    return totp, code


@pytest.mark.usefixtures("ann")
def test_code_is_asked_for_and_works_once(
    app: Flask, client: FlaskClient, session: Session
) -> None:
    sign_in_by_form(client)
    totp, spent = set_up_codes(client)
    mails = list(session.scalars(select(OutboxMail.subject)))
    assert any("Codes from an app" in subject for subject in mails)
    session.rollback()

    again = app.test_client()
    response = sign_in_by_form(again)
    assert response.headers["Location"].startswith("/admin/sign-in/code")
    assert not is_in(again)
    assert enter_code(again, spent).status_code == 200
    assert not is_in(again)
    enter_code(again, totp.generate(time=totp.now() + 30).token)
    assert is_in(again)


def enter_code(client: FlaskClient, code: str) -> TestResponse:
    token = csrf_token(client, "/admin/sign-in/code")
    return client.post("/admin/sign-in/code", data={"csrf_token": token, "code": code})


@pytest.mark.usefixtures("ann")
def test_codes_are_not_guessed(app: Flask, client: FlaskClient) -> None:
    sign_in_by_form(client)
    totp, _ = set_up_codes(client)
    guesser = app.test_client()
    sign_in_by_form(guesser)
    for number in range(throttle.MOST_OF_BOTH):
        enter_code(guesser, f"{number:06}")

    assert "too many tries" in enter_code(guesser, totp.generate(time=totp.now() + 30).token).text
    assert not is_in(guesser)


@pytest.mark.usefixtures("ann")
def test_recovery_code_lets_in_once(app: Flask, client: FlaskClient) -> None:
    sign_in_by_form(client)
    set_up_codes(client)
    page = client.post(
        "/admin/account/recovery-codes",
        data={"csrf_token": csrf_token(client), "generate_new_codes": "y"},
    ).text
    codes = re.findall(r"<li><code>([0-9a-f-]+)</code>", page)
    assert len(codes) == len(set(codes)) == 10

    for expected in (True, False):
        lost = app.test_client()
        sign_in_by_form(lost)
        token = csrf_token(lost, "/admin/sign-in/recovery")
        lost.post(
            "/admin/sign-in/recovery", data={"csrf_token": token, "code": f" {codes[3].upper()} "}
        )
        assert is_in(lost) is expected


@only_sqlite
@pytest.mark.usefixtures("ann")
def test_secrets_of_factors_are_kept_encrypted(client: FlaskClient, session: Session) -> None:
    sign_in_by_form(client)
    totp, _ = set_up_codes(client)
    client.post(
        "/admin/account/recovery-codes",
        data={"csrf_token": csrf_token(client), "generate_new_codes": "y"},
    )
    kept = session.scalars(
        select(User).where(User.email == EMAIL).execution_options(populate_existing=True)
    ).one()

    assert totp.base32_key not in (kept.tf_totp_secret or "")
    assert all(len(code) > 50 for code in kept.mf_recovery_codes or [])
