"""Every route of the admin, with every role: who gets in, and that nothing is left undeclared."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from admin.access import need_of
from admin.roles import GRANTS, Permission, Role
from tests.admin.conftest import MakeUser, SignIn
from tests.conftest import MakeCampaign

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
# What stands for the blanks of addresses: nothing that is there, so that whoever may look finds
# nothing (404) and whoever may not is refused before (403).
SAMPLE_NUMBER = 999_999


def rules(app: Flask) -> Iterator[tuple[str, Rule]]:
    """Yield each address of the admin with each method that it takes."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/admin"):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield method, rule


def address(app: Flask, rule: Rule, text: str = "nothing-here") -> str:
    blanks = re.findall(r"<(?:(\w+):)?(\w+)>", rule.rule)
    values = {name: SAMPLE_NUMBER if kind == "int" else text for kind, name in blanks}
    return str(app.url_map.bind("localhost").build(rule.endpoint, values))


def is_public(rule: Rule) -> bool:
    """Tell whether a view is for people who can't sign in yet."""
    return str(rule.endpoint).startswith("admin_welcome.")


def is_foreign(rule: Rule) -> bool:
    """Tell whether a view is Flask-Security's, which has rules of its own."""
    return str(rule.endpoint).startswith("security.")


@only_sqlite
def test_every_view_of_the_admin_says_whom_it_is_for(app: Flask) -> None:
    silent = [
        rule.rule
        for _, rule in rules(app)
        if not is_foreign(rule)
        and not is_public(rule)
        and need_of(app.view_functions[rule.endpoint]) is None
    ]

    assert silent == []


@only_sqlite
@pytest.mark.parametrize("role", list(Role))
def test_each_role_gets_where_it_may_and_nowhere_else(
    app: Flask, sign_in: SignIn, role: Role
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    client = sign_in(role)
    for method, rule in rules(app):
        need = need_of(app.view_functions[rule.endpoint])
        if is_foreign(rule) or need is None or rule.endpoint == "admin_account.sign_out":
            continue
        response = client.open(address(app, rule), method=method)
        where = f"{role} {method} {rule.rule}: {response.status}"
        if need.permission in GRANTS[role]:
            assert response.status_code != 403, where
            assert response.status_code < 500, where
            assert "/admin/sign-in" not in response.headers.get("Location", ""), where
        else:
            assert response.status_code == 403, where


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_name_that_postgresql_can_not_hold_is_not_found(app: Flask, sign_in: SignIn) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    client = sign_in(Role.OWNER)
    for method, rule in rules(app):
        where = address(app, rule, "a\0b")
        if "%00" in where and not is_foreign(rule) and not is_public(rule):
            response = client.open(where, method=method)

            assert response.status_code == 404, f"{method} {rule.rule}: {response.status}"


@only_sqlite
def test_nobody_gets_in_without_signing_in(app: Flask, client: FlaskClient) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    for method, rule in rules(app):
        if is_foreign(rule) or is_public(rule):
            continue
        response = client.open(address(app, rule), method=method)

        assert response.status_code == 303, f"{method} {rule.rule}"
        assert response.headers["Location"].startswith("/admin/sign-in"), rule.rule


# What Flask-Security's own views answer to who is not signed in, and to who is.
FOREIGN = {
    "security.login": (200, 302),
    "security.verify": (302, 200),
    "security.two_factor_setup": (302, 200),
    "security.two_factor_setup_validate": (302, 302),
    "security.two_factor_token_validation": (302, 302),
    "security.two_factor_rescue": (404, 404),
    "security.tf_select": (302, 302),
    "security.mf_recovery": (302, 302),
    "security.mf_recovery_codes": (302, 200),
    "security.wan_register": (302, 200),
    "security.wan_register_response": (302, 302),
    "security.wan_signin": (200, 302),
    "security.wan_signin_response": (302, 302),
    "security.wan_delete": (404, 404),
    "security.wan_verify": (302, 200),
    "security.wan_verify_response": (302, 302),
}


@only_sqlite
def test_views_of_the_library_let_nobody_further_than_ours(
    app: Flask, make_user: MakeUser, sign_in: SignIn
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    make_user(Role.OWNER)
    foreign = [(method, rule) for method, rule in rules(app) if is_foreign(rule)]
    assert {rule.endpoint for _, rule in foreign} == set(FOREIGN)
    for method, rule in foreign:
        # A browser of its own for each: some of them sign out who comes where nobody led them.
        signed_in = sign_in(Role.VIEWER, email=f"{method}.{rule.endpoint}@courier.example")
        for client, expected in zip(
            (app.test_client(), signed_in), FOREIGN[rule.endpoint], strict=True
        ):
            response = client.open(address(app, rule), method=method)

            where = (
                f"{method} {rule.endpoint}: {response.status} {response.headers.get('Location')}"
            )
            assert response.status_code == expected, where


@only_sqlite
def test_nothing_is_changed_without_the_token_of_a_form(app: Flask, sign_in: SignIn) -> None:
    client = sign_in(Role.OWNER)
    for method, rule in rules(app):
        if method != "GET":
            response = client.open(address(app, rule), method=method)

            assert response.status_code == 403, f"{method} {rule.rule}"


@only_sqlite
def test_what_wants_a_fresh_sign_in_asks_for_the_password_again(
    app: Flask, sign_in: SignIn
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    client = sign_in(Role.OWNER, fresh=False)
    for method, rule in rules(app):
        need = need_of(app.view_functions[rule.endpoint])
        if need is not None and need.fresh:
            response = client.open(address(app, rule), method=method)

            assert response.status_code == 303, f"{method} {rule.rule}"
            assert response.headers["Location"].startswith("/admin/confirm"), rule.rule


@only_sqlite
def test_refunds_and_users_want_a_fresh_sign_in(app: Flask) -> None:
    for method, rule in rules(app):
        need = need_of(app.view_functions[rule.endpoint])
        if need is None or method == "GET":
            continue
        if need.permission in {Permission.REFUND, Permission.MANAGE_USERS}:
            assert need.fresh, f"{method} {rule.rule}"


@only_sqlite
def test_every_link_of_the_first_pages_leads_somewhere(
    sign_in: SignIn, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    client = sign_in(Role.OWNER)
    places = (
        "/admin/",
        "/admin/campaigns",
        "/admin/campaigns/support-us",
        "/admin/months",
        "/admin/exports",
    )
    links = {
        link
        for place in places
        for link in re.findall(r'href="(/admin/[^"#?]*)', client.get(place).text)
    }

    assert len(links) > len(places)
    for link in sorted(links):
        assert client.get(link).status_code == 200, link
