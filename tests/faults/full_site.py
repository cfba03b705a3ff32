"""A site that holds at least one of everything, and those who come to it.

It lies in one SQLite file, so that whatever was done to it can be undone by a copy.
"""

from __future__ import annotations

import re
import shutil
from datetime import timedelta
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from flask_security.utils import hash_password
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from admin.links import issue_link
from admin.models import LinkPurpose, Passkey, User
from admin.roles import Role
from admin.tokens import Life, NewToken, Scope, issue_token
from admin.users import add_user
from campaigns.catalog import NewCampaign, create_campaign, find_campaign
from campaigns.plans import Plan, plan_period
from campaigns.rolling import roll_due
from core.auditlog import COMMAND_LINE
from core.calls import OutboxCall
from core.clock import MovableClock
from core.db import db
from core.notices import post_test
from core.outbox import OutboxMail
from core.sending import SendState
from core.subscribers import list_subscribers
from payments.donating import OfflineGift, record_offline_gift
from payments.models import Donation, Donor, InboxEvent
from payments.payouts import bring_payouts
from payments.refund_models import RefundRequest, RefundRequestState
from tests.admin.conftest import csrf_token, sign_in_as
from tests.admin.test_signing_in import set_up_codes, sign_in_by_form
from tests.conftest import START
from tests.fake_gateway import FakeGateway
from tests.live_site import free_port
from tests.payments.conftest import Books
from tests.payments.pages import fields_of, give_online
from tests.subscribers import subscribe

OWNER, KEYS, PLAIN = "owner@courier.example", "keys@courier.example", "plain@courier.example"
PASSWORD = "a quiet harbour at noon"
DONOR = "ann@example.org"
_LINK = re.compile(r"http://localhost:8000(/manage/\S+)")


class FullSite:
    """The site, its visitors by name, and where each of them begins to look around."""

    def __init__(self, app: Flask, gateway: FakeGateway, clock: MovableClock, file: Path) -> None:
        self.app, self.gateway, self.clock = app, gateway, clock
        self._file, self._copy = file, file.with_suffix(".copy")
        self._cookies: dict[str, str] = {}
        self.roots: dict[str, list[str]] = {}
        self.books = Books(app, gateway, clock)
        clock.set(START - timedelta(days=40))
        self._open_campaigns()
        clock.set(START)
        with self.books.session() as session:
            roll_due(session, now=clock.now())
            session.commit()
            users = self._users(session)
        self._give_and_fail()
        with self.books.session() as session:
            self._tell(session)
            self._refunds(session)
            self._plan(session)
        self._visitors(users)
        self._let_go()
        shutil.copyfile(self._file, self._copy)

    def visitor(self, name: str) -> FlaskClient:
        """Return a browser of its own, as the visitor's was when the copy was made."""
        client = self.app.test_client()
        if cookie := self._cookies.get(name):
            client.set_cookie("goalpost", cookie)
        return client

    def undo(self) -> None:
        """Bring the site back to what it was when it was made."""
        self._let_go()
        shutil.copyfile(self._copy, self._file)

    def _let_go(self) -> None:
        """Close the database: what lies beside the file is brought into it."""
        with self.app.app_context():
            db.engine.dispose()
        for name in ("-wal", "-shm"):
            self._file.with_name(self._file.name + name).unlink(missing_ok=True)

    def _open_campaigns(self) -> None:
        with self.books.session() as session:
            for slug in ("support-us", "second"):
                new = NewCampaign(
                    slug=slug,
                    title="Support us",
                    currency="USD",
                    timezone="America/New_York",
                    tiers_minor=(250_000, 500_000),
                )
                create_campaign(session, new, now=self.clock.now())
            gift = OfflineGift(amount_minor=5_000, paid_at=self.clock.now())
            record_offline_gift(session, "support-us", gift, now=self.clock.now())
            session.commit()

    def _users(self, session: Session) -> list[User]:
        users = []
        for email, role in ((OWNER, Role.OWNER), (KEYS, Role.OWNER), (PLAIN, Role.OWNER)):
            user = add_user(session, email, role, actor=COMMAND_LINE, now=START)
            with self.app.app_context():
                user.password = hash_password(PASSWORD)
            users.append(user)
        new = NewToken(name="The spreadsheet", scopes=tuple(Scope), life=Life.YEAR)
        issue_token(session, new, actor=COMMAND_LINE, now=START)
        invited = add_user(
            session, "new@courier.example", Role.VIEWER, actor=COMMAND_LINE, now=START
        )
        self._invitation = issue_link(session, invited, LinkPurpose.INVITE, now=START)
        session.commit()
        session.expunge_all()
        return users

    def _give_and_fail(self) -> None:
        """Take gifts once and each month, a dispute, money to decide about, a payout, an event."""
        books, gateway = self.books, self.gateway
        once = books.donate(2_000, cover_minor=91, form="once", email=DONOR)
        gift = gateway.pay(once, email=DONOR, name="Ann")
        books.hear(once)
        monthly = books.donate(1_000, frequency="month", form="monthly", email=DONOR)
        gateway.subscribe(monthly)
        books.hear(monthly)
        gateway.dispute(gateway.pay(books.donate(700, form="d", email="bo@example.org")).id)
        for payment in (gateway.foreign_payment(700), gateway.foreign_payment(800)):
            books.hear(payment.id)
        odd = books.donate(3_000, form="odd", email="bo@example.org")
        gateway.change_payment(gateway.pay(odd).id, received_minor=1_900)
        books.hear(odd)
        gateway.pay_out([gateway.payout_line(gift, 2_091, fee_minor=91)])
        with self.app.app_context():
            maker = db.sessionmaker
        bring_payouts(maker, gateway, livemode=False, now=self.clock.now)
        reader = self.app.test_client()
        about = give_online(reader, amount="20", email="cy@example.org")
        self._keep("guest", reader)
        self._pay_page = about.location.removeprefix("http://localhost:8000")
        paid = books.donate(900, form="cy", email="dee@example.org")
        gateway.pay(paid, email="dee@example.org", name="Dee")
        books.hear(paid)
        body = gateway.event("checkout.session.completed", paid)
        reader.post("/webhooks/stripe", data=body, headers=gateway.signed(body)).close()
        with books.session() as session:
            # One that names somebody, and could not be worked.
            session.execute(update(InboxEvent).values(state="failed", body=b"dee@example.org"))
            session.commit()

    def _tell(self, session: Session) -> None:
        """Have people and services told of things, which fails."""
        subscribe(session, f"http://127.0.0.1:{free_port()}/hook", local=True)
        subscribe(session, "desk@courier.example")
        session.commit()
        for found in list_subscribers(session):
            for _ in range(2):
                self.clock.advance(timedelta(seconds=1))
                now = self.clock.now()
                site = "http://localhost:8000"
                post_test(session, found, site=site, actor=COMMAND_LINE, now=now)
        for kind in (OutboxCall, OutboxMail):
            session.execute(update(kind).values(state=SendState.FAILED, tried_at=START))
        session.commit()

    def _refunds(self, session: Session) -> None:
        """Ask for a refund that Stripe never answered."""
        donation = session.scalars(select(Donation).where(Donation.amount_minor == 2_000)).first()
        assert donation is not None
        session.add(
            RefundRequest(
                id="rr_given_up",
                reference=donation.reference,
                donation_id=donation.id,
                amount_minor=100,
                currency="USD",
                requested_by=OWNER,
                requested_at=START,
                form_key="given-up",
                state=RefundRequestState.WAITING,
                attempts=9,
                next_attempt_at=None,
            )
        )
        session.commit()

    def _plan(self, session: Session) -> None:

        campaign = find_campaign(session, "support-us")
        for key in ("2021-06", "2039-01"):
            plan_period(session, campaign, key, Plan(title="Ahead", tiers_minor=(700_000,)))
        session.commit()

    def _visitors(self, users: list[User]) -> None:
        with self.books.session() as session:
            owner, keys, plain = (session.merge(user) for user in users)
            for name, user, fresh in (
                ("owner", owner, True),
                ("stale", plain, False),
                ("plain", plain, True),
                ("keys", keys, True),
                ("keys, stale", keys, False),
            ):
                client = self.app.test_client()
                sign_in_as(client, session, user, self.clock, fresh=fresh)
                # What forms are sent with belongs to the cookie from the first page on.
                assert csrf_token(client)
                self._keep(name, client)
            session.commit()
            keys_id = keys.id
            offline = session.scalar(select(Donation.id).where(Donation.amount_minor == 5_000))
            donors = sorted(session.scalars(select(Donor.id)))
        holder = self.visitor("keys")
        set_up_codes(holder)
        made = fields_of(holder.get("/admin/account/recovery-codes"))
        made |= {"generate_new_codes": "y"}
        assert "<code>" in holder.post("/admin/account/recovery-codes", data=made).text
        # Somebody who is asked for a code, and somebody who has the choice.
        self._half_way("a code")
        self._keep_passkey(keys_id)
        self._half_way("a choice")
        guest = self.visitor("guest")
        asked = fields_of(guest.get("/manage")) | {"email": DONOR}
        assert guest.post("/manage", data=asked).status_code == 200
        with self.books.session() as session:
            texts = " ".join(mail.text for mail in session.scalars(select(OutboxMail)))
        link = _LINK.search(texts)
        assert link is not None
        self.manage = link[1]
        self.roots = {
            "guest": [
                *("/c/support-us", "/embed/support-us", "/demo/article", self._pay_page),
                *(self.manage, f"/admin/welcome/{self._invitation}"),
            ],
            "owner": [
                f"/admin/donations/{offline}",
                *(f"/admin/donors/{number}" for number in donors),
                *(f"/admin/donors/{number}/erase" for number in donors),
            ],
            "plain": ["/admin/account"],
            "stale": ["/admin/confirm", "/admin/users"],
            "keys": ["/admin/account", "/admin/account/codes"],
            "keys, stale": ["/admin/confirm", "/admin/confirm/passkey"],
            "a code": ["/admin/sign-in/code", "/admin/sign-in/recovery"],
            "a choice": ["/admin/sign-in/factor"],
        }

    def _half_way(self, name: str) -> None:
        client = self.app.test_client()
        assert sign_in_by_form(client, KEYS, PASSWORD).status_code == 302
        self._keep(name, client)

    def _keep_passkey(self, user_id: int) -> None:
        with self.books.session() as session:
            session.add(
                Passkey(
                    credential_id=b"credential",
                    public_key=b"key",
                    name="My laptop",
                    usage="first",
                    backup_state=False,
                    device_type="single_device",
                    create_datetime=START,
                    lastuse_datetime=START,
                    user_id=user_id,
                )
            )
            user = session.get(User, user_id)
            assert user is not None
            user.fs_webauthn_user_handle = "0123456789abcdef"
            session.commit()

    def _keep(self, name: str, client: FlaskClient) -> None:
        cookie = client.get_cookie("goalpost")
        assert cookie is not None, name
        self._cookies[name] = cookie.value
