"""66: whatever people do here and whatever goes wrong, no log names them, and none holds a secret.

One site is driven through all that donors, admins, programs and Stripe do with it, and through
what fails meanwhile. Each word that they bring is looked for in all that was logged, from DEBUG on.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from flask_security.utils import hash_password
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.models import User
from admin.roles import Role
from core.auditlog import COMMAND_LINE
from core.db import db
from core.notices import post_test
from core.outbox import OutboxMail
from core.settings import Settings
from core.subscribers import list_subscribers
from ops.jobs import JOBS, run_job
from payments.errors import GatewayRefused
from tests.admin.conftest import MakeUser, SignIn, Token, make_user, sign_in, token
from tests.admin.test_signing_in import sign_in_by_form
from tests.conftest import START, MakeCampaign, make_settings
from tests.fake_events import WEBHOOK_SECRET
from tests.fake_gateway import FakeGateway
from tests.live_site import free_port
from tests.log_lines import Lines, caught
from tests.payments.pages import fields_of, give_online, look
from tests.subscribers import subscribe

__all__ = ["make_user", "sign_in", "token"]  # fixtures

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NAME = "Zebediah Quux"
EMAIL = "zebediah@planted.example"
MESSAGE = "From the flamingo at number nine, card 4242 4242 4242 4242"
ADMIN = "editor@planted.example"
PASSWORD = "a quiet harbour at noon"
WRONG = "a loud harbour at dusk"
NETWORK = "203.0.113.77"
BROWSER = "Flamingo/9.1"
MAIL_PASSWORD = "mail-flamingo"
HOOK = "T0FLAMINGO"
KEY = "sk_test_flamingo"
PLANTED = {
    *(NAME, EMAIL, MESSAGE, "flamingo", "4242 4242", ADMIN, PASSWORD, WRONG, NETWORK, BROWSER),
    *(MAIL_PASSWORD, HOOK, KEY, WEBHOOK_SECRET, "planted.example"),
}
LINKS = re.compile(r"/(?:manage|admin/welcome)/([\w.-]{20,})")


@pytest.fixture
def settings(database_url: str) -> Settings:
    return make_settings(
        database_url=database_url,
        stripe_secret_key=KEY,
        # Nobody listens there.
        mail_url=f"smtp://site:{MAIL_PASSWORD}@127.0.0.1:{free_port()}",
        mail_from="The Courier <support@courier.example>",
        log_level="DEBUG",
    )


@pytest.fixture
def lines() -> Iterator[Lines]:
    with caught() as lines:
        yield lines


class Story:
    """What people, programs and Stripe do with one site; each method is a chapter."""

    def __init__(self, app: Flask, session: Session, gateway: FakeGateway) -> None:
        app.testing = False
        self.app, self.session, self.gateway = app, session, gateway
        self.reader = app.test_client()
        self.reader.environ_base |= {"REMOTE_ADDR": NETWORK, "HTTP_USER_AGENT": BROWSER}
        # Links, cookies, tokens: what was made anew and must not be told either.
        self.secrets: set[str] = set()

    def give(self) -> int:
        typed = {"name": NAME, "email": EMAIL, "message": MESSAGE}
        return give_online(self.reader, amount="20", **typed).status_code

    def hear(self, type_: str, about: str) -> None:
        body = self.gateway.event(type_, about)
        headers = self.gateway.signed(body)
        self.reader.post("/webhooks/stripe", data=body, headers=headers).close()

    def open_last_link(self) -> None:
        words = " ".join(mail.text for mail in look(self.session, select(OutboxMail)))
        *_, last = LINKS.finditer(words)
        self.secrets.add(last[1])
        self.reader.get(last[0])

    def donors_come(self) -> None:
        assert self.give() == 303
        payment = self.gateway.pay("cs_test_1", email=EMAIL, name=NAME)
        self.hear("checkout.session.completed", "cs_test_1")
        self.gateway.refund(payment.id, 500)
        self.hear("charge.refunded", payment.id)
        forged = {"Stripe-Signature": EMAIL}
        self.reader.post("/webhooks/stripe", data=NAME, headers=forged)
        form = fields_of(self.reader.get("/manage"))
        assert self.reader.post("/manage", data=form | {"email": EMAIL}).status_code == 200
        self.open_last_link()
        self.reader.get(f"/{NAME}/{EMAIL}", query_string={"token": PASSWORD})

    def editor_signs_in(self, editor: User) -> None:
        with self.app.app_context():
            editor.password = hash_password(PASSWORD)
        self.session.commit()
        for password in (WRONG, PASSWORD):
            sign_in_by_form(self.reader, ADMIN, password, network=NETWORK)
        cookie = self.reader.get_cookie("goalpost")
        assert cookie is not None
        self.secrets.add(cookie.value)
        guest = self.app.test_client()
        form = fields_of(guest.get("/admin/forgotten"))
        assert guest.post("/admin/forgotten", data=form | {"email": ADMIN}).status_code == 200
        self.open_last_link()

    def subscribers_are_told(self) -> None:
        hook = f"http://127.0.0.1:{free_port()}/services/{HOOK}"
        subscribe(self.session, hook, local=True)
        subscribe(self.session, EMAIL)
        self.session.commit()
        site = "http://localhost:8000"
        for found in list_subscribers(self.session):
            post_test(self.session, found, site=site, actor=COMMAND_LINE, now=START)
        self.session.commit()

    def donor_is_erased(self, accountant: FlaskClient) -> None:
        form = fields_of(accountant.get("/admin/donors"))
        page = accountant.post("/admin/donors", data=form | {"email": EMAIL}).headers["Location"]
        sure = fields_of(accountant.get(f"{page}/erase"))
        assert accountant.post(f"{page}/erase", data=sure).status_code == 303

    def programs_ask(self, shown: dict[str, str]) -> None:
        wrong = {"Authorization": "Bearer gp_0123456789ab_" + "f" * 43}
        for headers, status in ((shown, 200), (wrong, 401)):
            answer = self.reader.get("/api/v1/admin/donations", headers=headers)
            assert answer.status_code == status
            self.secrets.add(headers["Authorization"].rpartition(" ")[2])

    def everything_fails(self, patch: pytest.MonkeyPatch) -> None:
        """Stripe refuses, and says whom; our own code fails over what was typed; so do jobs."""

        def refuse(_: object) -> None:
            raise GatewayRefused(f"Stripe refused the call: Invalid email address: {EMAIL}")

        def fail(_: object = None) -> None:
            raise ValueError(f"{NAME} <{EMAIL}> {MESSAGE}") from KeyError(NAME)

        for broken in (refuse, fail):
            patch.setattr(self.gateway, "create_checkout", broken)
            assert self.give() >= 500
        patch.setattr(self.gateway, "payment", fail)
        self.hear("payment_intent.succeeded", "pi_2")
        for name in JOBS:  # nobody takes mail or calls
            run_job(self.app, name)
        patch.setattr("ops.jobs.JOBS", {"mail": (fail, None)})
        run_job(self.app, "mail")
        with self.app.app_context():
            db.engine.dispose()


@pytest.fixture
def story(
    app: Flask,
    session: Session,
    fake_gateway: FakeGateway,
    make_campaign: MakeCampaign,
    make_user: MakeUser,
    sign_in: SignIn,
    token: Token,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], set[str]]:
    """Everything that happens; returns the secrets that were made."""

    def tell() -> set[str]:
        make_campaign()
        story = Story(app, session, fake_gateway)
        story.donors_come()
        story.editor_signs_in(make_user(Role.OWNER, email=ADMIN))
        story.subscribers_are_told()
        story.programs_ask(token())
        story.donor_is_erased(sign_in(Role.ACCOUNTANT, email=f"2{ADMIN}"))
        story.everything_fails(monkeypatch)
        return story.secrets

    return tell


def leaks(said: str, planted: set[str]) -> set[str]:
    """Return what of it stands in a log, in capitals or not."""
    return {word for word in planted if word.lower() in said.lower()}


@only_sqlite
def test_no_log_names_anybody_or_holds_a_secret(
    story: Callable[[], set[str]], lines: Lines, capfd: pytest.CaptureFixture[str]
) -> None:
    secrets = story()
    assert len(secrets) >= 5
    said = [line["message"] for line in lines.told()]
    # All of it happened, and was told of.
    for part in (
        *("POST /c/<slug>/donate 303", "POST /webhooks/stripe 200", "POST /webhooks/stripe 400"),
        *("GET /manage/<token> 200", "POST /admin/sign-in", "POST /admin/forgotten 200"),
        *("GET /admin/welcome/<token> 200", "/erase 303", "/api/v1/admin/donations 401"),
        *("no checkout for", "the request failed", ": failed", "job mail failed", ": done"),
    ):
        assert any(part in message for message in said), (part, said)
    printed = "".join(capfd.readouterr())
    for where in (lines.text, lines.json, printed):
        assert leaks(where, PLANTED | secrets) == set()


@only_sqlite
def test_who_logs_what_was_typed_is_found_out(
    app: Flask, story: Callable[[], set[str]], lines: Lines
) -> None:
    @app.before_request
    def leak() -> None:
        given = (request.path, request.remote_addr, request.user_agent, dict(request.form))
        logging.getLogger("goalpost").debug("a request: %s %s %s %s", *given)

    secrets = story()
    for where in (lines.text, lines.json):
        found = leaks(where, PLANTED | secrets)
        assert {NAME, MESSAGE, PASSWORD, WRONG, NETWORK, BROWSER} <= found
        assert found & secrets  # links
