"""The payment page in a real browser, without script, on a telephone and on a desk."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import Browser

from tests.sandbox.donor import CARD, create_session
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_donor_pays_with_three_d_secure(
    browser: Browser, sandbox: SandboxProcess, width: int, scheme: Literal["light", "dark"]
) -> None:
    session = create_session(sandbox, success_url=sandbox.url + "/?paid={CHECKOUT_SESSION_ID}")
    with browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=False
    ) as context:
        page = context.new_page()
        page.goto(session["url"])
        for field, value in CARD.items():
            page.fill(f"#{field}", value)
        page.fill("#card_number", "4000 0025 0000 3155")
        form = page.locator("form.card-form").bounding_box()
        assert form is not None
        assert form["x"] + form["width"] <= width
        page.click("button[type=submit]#pay")
        page.click("#complete")
        assert page.url == f"{sandbox.url}/?paid={session['id']}"
        assert "This is not Stripe." in page.inner_text("body")
