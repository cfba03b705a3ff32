"""The challenge in a form that is guarded: shown, verified on the server, and never skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from core.clock import MovableClock
from core.settings import Settings
from payments.challenge import Challenge
from payments.errors import ChallengeUnavailable
from payments.guarding import Limits, look
from payments.models import CheckoutCount
from tests.conftest import MakeCampaign, make_settings
from tests.fake_gateway import FakeGateway
from tests.payments.pages import open_form
from tests.sandbox_process import SandboxProcess, running_sandbox

ANSWER = {"turnstile": "cf-turnstile-response", "hcaptcha": "h-captcha-response"}
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("challenge") / "sandbox.sqlite") as sandbox:
        yield sandbox


@pytest.fixture(params=["turnstile", "hcaptcha"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(database_url: str, sandbox: SandboxProcess, kind: str) -> Settings:
    return make_settings(
        database_url=database_url,
        ratelimit_enabled=True,
        challenge=kind,
        challenge_site_key="site-key",
        challenge_secret_key="secret",
        challenge_api_base=sandbox.url,
    )


@pytest.fixture
def guard(session: Session, clock: MovableClock, make_campaign: MakeCampaign) -> None:
    """A campaign whose form is guarded."""
    campaign = make_campaign()
    session.add(
        CheckoutCount(
            bucket_at=clock.now(), campaign_id=campaign.id, begun=80, paid=0, agreed=0, failed=0,
            refused=0,
        )
    )  # fmt: skip
    session.commit()


@pytest.fixture
def send(client: FlaskClient, kind: str) -> Callable[[str], tuple[int, str]]:
    def send(answer: str, **typed: str) -> tuple[int, str]:
        form = open_form(client) | {"amount": "20", "name": "Ann Typed", ANSWER[kind]: answer}
        response = client.post("/c/support-us/donate", data=form | typed)
        return response.status_code, response.text

    return send


@pytest.mark.usefixtures("guard")
def test_honest_donor_gets_through_by_solving_it(
    send: Callable[[str], tuple[int, str]], fake_gateway: FakeGateway, kind: str
) -> None:
    assert send(f"pass-{kind}-first")[0] == 303
    assert fake_gateway.calls == {"create_checkout": 1}


@pytest.mark.parametrize("answer", ["", "fail-this", "x" * 10_000])
@pytest.mark.usefixtures("guard")
def test_false_answer_gets_the_form_back_with_what_was_typed(
    answer: str, send: Callable[[str], tuple[int, str]], fake_gateway: FakeGateway
) -> None:
    status, page = send(answer)

    assert status == 422
    assert "Please show that you are a person" in page
    assert 'value="Ann Typed"' in page
    assert fake_gateway.calls == {}


@pytest.mark.usefixtures("guard")
def test_answer_is_good_for_one_form(
    send: Callable[[str], tuple[int, str]], fake_gateway: FakeGateway, kind: str
) -> None:
    assert send(f"pass-{kind}-twice")[0] == 303
    assert send(f"pass-{kind}-twice")[0] == 422
    assert fake_gateway.calls == {"create_checkout": 1}


@pytest.mark.usefixtures("guard")
def test_form_that_was_let_through_may_be_sent_again_with_its_used_answer(
    client: FlaskClient, kind: str
) -> None:
    form = open_form(client) | {"amount": "20", ANSWER[kind]: f"pass-{kind}-again"}

    answers = [client.post("/c/support-us/donate", data=form) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].location == answers[1].location


@pytest.mark.usefixtures("guard")
def test_who_solves_it_is_counted_all_the_same(
    send: Callable[[str], tuple[int, str]],
    session: Session,
    clock: MovableClock,
    kind: str,
) -> None:
    send(f"pass-{kind}-counted")

    campaign, _ = look(session, 1, Limits(campaign=60, site=90), now=clock.now()).standings
    assert campaign.counts.begun == 81


@pytest.mark.usefixtures("guard")
def test_guarded_page_allows_what_the_challenge_needs_and_tells_so(
    client: FlaskClient, sandbox: SandboxProcess
) -> None:
    response = client.get("/c/support-us")

    assert f'<script src="{sandbox.url}' in response.text
    assert f"script-src 'self' {sandbox.url};" in response.headers["Content-Security-Policy"]
    assert "Nothing on this page is loaded from elsewhere." not in response.text


def test_calm_page_loads_nothing_from_elsewhere(
    client: FlaskClient, make_campaign: MakeCampaign, sandbox: SandboxProcess
) -> None:
    make_campaign()
    response = client.get("/c/support-us")

    assert sandbox.url not in response.text + response.headers["Content-Security-Policy"]
    assert "Nothing on this page is loaded from elsewhere." in response.text


@pytest.mark.usefixtures("guard")
def test_nobody_gets_through_while_the_verifier_is_down(
    app: Flask, client: FlaskClient, fake_gateway: FakeGateway, kind: str
) -> None:
    form = open_form(client) | {"amount": "20", "name": "Ann Typed", ANSWER[kind]: "pass-down"}
    changed = {"challenge_api_base": "http://127.0.0.1:9"}  # where nothing listens
    app.extensions["goalpost.settings"] = app.extensions["goalpost.settings"].model_copy(
        update=changed
    )

    response = client.post("/c/support-us/donate", data=form)

    assert response.status_code == 503
    assert "try again in a minute" in response.text
    assert 'value="Ann Typed"' in response.text
    assert fake_gateway.calls == {}


def test_wrong_secret_lets_nobody_through(settings: Settings) -> None:
    challenge = Challenge.of(settings)
    assert challenge is not None

    with pytest.raises(ChallengeUnavailable):
        challenge.verify("pass-well", secret="wrong-secret")


def test_policy_names_the_makers_own_hosts(database_url: str, kind: str) -> None:
    challenge = Challenge.of(
        make_settings(
            database_url=database_url,
            challenge=kind,
            challenge_site_key="site-key",
            challenge_secret_key="secret",
        )
    )
    assert challenge is not None
    allowed = challenge.allowed("default-src 'none'; script-src 'self'; style-src 'self'")

    assert (
        allowed
        == {
            "turnstile": "default-src 'none'; script-src 'self' https://challenges.cloudflare.com;"
            " style-src 'self'; frame-src https://challenges.cloudflare.com",
            "hcaptcha": "default-src 'none';"
            " script-src 'self' https://hcaptcha.com https://*.hcaptcha.com;"
            " style-src 'self' https://hcaptcha.com https://*.hcaptcha.com;"
            " frame-src https://hcaptcha.com https://*.hcaptcha.com;"
            " connect-src https://hcaptcha.com https://*.hcaptcha.com",
        }[kind]
    )
