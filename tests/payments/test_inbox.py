"""The inbox as its workers see it: who takes an event, for how long, and what is left by a fall."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from campaigns.ledger_models import LedgerEntry
from campaigns.models import Campaign, Period
from core.clock import MovableClock
from core.db import db
from core.settings import Settings
from payments.books import Occasion, apply_facts
from payments.donating import known_donor
from payments.gateway import Payment
from payments.inbox import MOST_BACK_OFF, accept_event, back_off, due_event_ids, work_event
from payments.models import InboxEvent, InboxState, QuarantinedPayment
from payments.reconcile import reconcile
from tests.conftest import START, MakeCampaign, make_settings
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books
from tests.payments.pages import look


@pytest.fixture(autouse=True)
def _campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


@pytest.fixture
def paid(books: Books) -> str:
    """Return the id of a payment of which an event waits in the inbox."""
    gateway = books.gateway
    payment = gateway.pay(books.donate())
    told = gateway.parse_event(gateway.event("payment_intent.succeeded", payment.id, id_="evt_1"))
    with books.session() as session:
        accept_event(session, told, now=START)
        session.commit()
    return payment.id


@pytest.fixture
def work(books: Books, clock: MovableClock, paid: str) -> Callable[[], InboxState | None]:
    assert paid
    return lambda: work_event(books.session, books.gateway, "evt_1", livemode=False, now=clock.now)


def entries(session: Session) -> list[int]:
    return list(look(session, select(LedgerEntry.amount_minor).order_by(LedgerEntry.id)))


def test_fall_between_the_books_and_the_inbox_leaves_neither(
    app: Flask,
    work: Callable[[], InboxState | None],
    session: Session,
    clock: MovableClock,
) -> None:
    falls = [RuntimeError("killed")]

    def fall(*told: Any) -> None:
        statement, parameters = told[2], str(told[3])
        if statement.startswith("UPDATE inbox_events SET state") and "done" in parameters and falls:
            raise falls.pop()

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", fall)
    assert work() is InboxState.FAILED
    assert not falls
    assert entries(session) == []
    clock.advance(timedelta(seconds=3))
    assert work() is InboxState.DONE
    assert entries(session) == [2_000]


def test_event_that_is_worked_is_nobody_elses(
    books: Books, work: Callable[[], InboxState | None], session: Session
) -> None:
    others: list[InboxState | None] = []

    class Slow(FakeGateway):
        """Meanwhile, another worker has come to the same event."""

        def payment(self, payment_id: str) -> Payment:
            if not others:
                others.append(None)
                others[0] = work()
            return super().payment(payment_id)

    books.gateway.__class__ = Slow
    assert work() is InboxState.DONE
    assert others == [None]
    assert look(session, select(InboxEvent.attempts)) == [1]


def test_event_that_failed_is_left_alone_for_a_while(
    books: Books, work: Callable[[], InboxState | None], session: Session, clock: MovableClock
) -> None:
    books.gateway.unavailable = True
    assert work() is InboxState.FAILED
    assert due_event_ids(session, now=clock.now()) == []
    assert due_event_ids(session, now=clock.now() + timedelta(seconds=2)) == ["evt_1"]


def test_back_off_doubles_up_to_an_hour() -> None:
    assert [back_off(attempts).seconds for attempts in (1, 2, 3, 4)] == [2, 4, 8, 16]
    assert back_off(12) == back_off(1_000) == MOST_BACK_OFF


def test_second_payment_of_one_donation_is_quarantined(books: Books, session: Session) -> None:
    first = books.gateway.pay(books.donate())
    second = books.gateway.foreign_payment(2_000)
    books.gateway.change_payment(second.id, donation_id=first.donation_id)
    for payment in (first, second, first, second):
        books.hear(payment.id)
    assert sum(look(session, select(Period.raised_minor))) == 2_000
    assert look(session, select(QuarantinedPayment.reference)) == [second.id]


def test_donor_is_known_however_the_address_is_written(session: Session) -> None:
    ids = {
        known_donor(session, email=email, name=None, now=START)
        for email in ("Ada@Example.org", "ada@example.org ", "ADA@EXAMPLE.ORG")
    }
    assert len(ids) == 1


def test_what_happens_during_a_reconciliation_is_asked_for_by_the_next(
    books: Books, session: Session, clock: MovableClock
) -> None:
    gateway = books.gateway
    known = gateway.pay(books.donate(form="first"))
    gateway.listed_events.append(gateway.event("payment_intent.succeeded", known.id))
    missed: list[bytes] = []

    def step(_: str) -> None:  # the run takes hours, and meanwhile somebody gives
        if not missed:
            payment = gateway.pay(books.donate(form="second"))
            missed.append(gateway.event("payment_intent.succeeded", payment.id))
            clock.advance(timedelta(hours=3))

    reconcile(books.session, gateway, livemode=False, now=clock.now, step=step)
    gateway.listed_events[:0] = missed
    reconcile(books.session, gateway, livemode=False, now=clock.now)
    assert sum(look(session, select(Period.raised_minor))) == 4_000


class TestOnALiveSite:
    @pytest.fixture
    def settings(self, database_url: str) -> Settings:
        return make_settings(
            database_url=database_url,
            secret_key="s" * 32,
            base_url="https://goal.example.org",
            stripe_secret_key="sk_live_fake",
            demo=False,
        )

    def test_test_money_does_not_count(self, books: Books, session: Session) -> None:
        payment = books.gateway.pay(books.donate())
        books.gateway.change_payment(payment.id, livemode=False)
        with books.session() as own:
            facts = books.gather(payment.id)
            apply_facts(own, facts, Occasion(cause="test", livemode=True, now=START))
            own.commit()
        assert entries(session) == []
        assert look(session, select(QuarantinedPayment.reference)) == [payment.id]

    def test_test_event_is_refused_without_a_row(
        self, client: FlaskClient, fake_gateway: FakeGateway, session: Session
    ) -> None:
        body = fake_gateway.event("payment_intent.succeeded", "pi_1", livemode=False)
        answer = client.post("/webhooks/stripe", data=body, headers=fake_gateway.signed(body))
        assert answer.status_code == 400
        assert look(session, select(InboxEvent)) == []
