"""The way in, in a real browser: link, password, codes, passkey; each page held to axe."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from passlib.totp import TOTP
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect
from werkzeug.serving import make_server

from core.settings import Settings
from tests.admin.pages import look_at
from tests.conftest import make_settings
from tests.live_site import free_port

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def settings(database_url: str, port: int) -> Settings:
    return make_settings(
        database_url=database_url,
        base_url=f"http://localhost:{port}",
        mail_url="smtp://localhost:2525",
        mail_from="The Courier <support@courier.example>",
        site_name="The Harrow Bay Courier",
    )


@pytest.fixture
def site(app: Flask, settings: Settings, port: int) -> Iterator[str]:
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield settings.base_url
    server.shutdown()
    thread.join()
    server.server_close()


def test_from_the_first_link_to_a_passkey(  # noqa: PLR0915 - one walk
    app: Flask, site: str, page: Tab
) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
            }
        },
    )
    complained: list[str] = []
    page.on("console", lambda said: complained.append(said.text) if said.type == "error" else None)

    page.goto(f"{site}/admin/")
    expect(page.get_by_role("heading", name="Nobody may sign in yet")).to_be_visible()
    look_at(page, "nobody")
    link = app.test_cli_runner().invoke(args=["users", "first-link"]).output.strip()
    page.goto(link)
    look_at(page, "welcome")
    page.get_by_label("Mail address").fill("ann@courier.example")
    page.get_by_label("Password").fill("password1234")
    page.get_by_role("button", name="Make me the owner").click()
    expect(page.get_by_text("first that thieves try")).to_be_visible()
    page.get_by_label("Password").fill("a quiet harbour at noon")
    page.get_by_role("button", name="Make me the owner").click()
    page.wait_for_url(f"{site}/admin/")

    page.get_by_role("link", name="ann@courier.example").click()
    look_at(page, "account")
    page.get_by_role("link", name="set up codes from an app").click()
    look_at(page, "codes")
    page.get_by_role("button", name="Set it up").click()
    look_at(page, "codes-key")
    totp = TOTP(key=page.locator(".key").inner_text().replace("-", ""), format="base32")
    page.get_by_label("Code that the app shows").fill(totp.generate().token)
    page.get_by_role("button", name="Use codes from now on").click()
    page.get_by_role("link", name="recovery codes", exact=True).click()
    page.get_by_role("button", name="Make new codes").click()
    expect(page.locator("#codes li")).to_have_count(10)
    look_at(page, "recovery-codes")
    page.get_by_role("link", name="Back to your account").click()
    page.get_by_role("link", name="Make a passkey").click()
    look_at(page, "passkey")
    page.get_by_label("What you call it").fill("My laptop")
    page.get_by_role("button", name="Make it").click()
    page.wait_for_url(f"{site}/admin/account")
    expect(page.get_by_role("rowheader", name="My laptop")).to_be_visible()
    look_at(page, "account-full")
    page.goto(f"{site}/admin/users")
    look_at(page, "users")

    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{site}/admin/sign-in")
    look_at(page, "sign-in")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(f"{site}/admin/")

    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Mail address").fill("ann@courier.example")
    page.get_by_label("Password").fill("a quiet harbour at noon")
    page.get_by_role("button", name="Sign in", exact=True).click()
    look_at(page, "factor")
    page.get_by_label("A code from an app").check()
    page.get_by_role("button", name="Go on").click()
    look_at(page, "code")
    page.get_by_label("Code of six digits").fill("000000")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Code of six digits").fill(totp.generate(time=totp.now() + 30).token)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"{site}/admin/")
    page.goto(f"{site}/admin/forgotten")
    # Chromium complains of each answer that is no 200: a refused password is a 422.
    assert [text for text in complained if "status of 422" not in text] == []
