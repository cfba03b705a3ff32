"""A donor's way through a form that is guarded: the challenge, solved in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session

from core.clock import Clock, SystemClock
from core.settings import Settings
from payments.models import CheckoutCount
from payments.stripe_gateway import StripeGateway
from tests.conftest import MakeCampaign, make_settings
from tests.sandbox_process import SandboxProcess, running_sandbox

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path / "sandbox.sqlite") as sandbox:
        yield sandbox


@pytest.fixture
def clock() -> Clock:
    return SystemClock()


@pytest.fixture
def settings(database_url: str, port: int, sandbox: SandboxProcess) -> Settings:
    return make_settings(
        database_url=database_url,
        base_url=f"http://localhost:{port}",
        stripe_api_base=sandbox.url,
        ratelimit_enabled=True,
        challenge="turnstile",
        challenge_site_key="site-key",
        challenge_secret_key="secret",
        challenge_api_base=sandbox.url,
    )


@pytest.fixture
def fake_gateway(settings: Settings) -> StripeGateway:
    return StripeGateway(settings)


def test_donor_solves_the_challenge_and_pays(
    site: str,
    sandbox: SandboxProcess,
    page: Page,
    make_campaign: MakeCampaign,
    session: Session,
    clock: Clock,
) -> None:
    campaign = make_campaign()
    attack = {"begun": 80, "paid": 0, "agreed": 0, "failed": 0, "refused": 0}
    session.add(CheckoutCount(bucket_at=clock.now(), campaign_id=campaign.id, **attack))
    session.commit()
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if "Policy" in said.text else None)

    page.goto(f"{site}/c/support-us")
    page.locator("[name=amount]").fill("20")
    page.get_by_role("button", name="Continue to payment").click()
    expect(page.locator("#challenge-error")).to_contain_text("show that you are a person")
    expect(page.locator("[name=amount]")).to_have_value("20")

    page.get_by_label("I am a person").check()
    page.get_by_role("button", name="Continue to payment").click()
    page.wait_for_url(f"{sandbox.url}/pay/**")
    assert refused == []
