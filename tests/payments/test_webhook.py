from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import NoReturn

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.audit import verify_ledger
from campaigns.ledger_models import LedgerEntry
from campaigns.models import Campaign, Period
from core.clock import MovableClock
from ops import jobs
from payments import webhook_routes
from payments.gateway import Refund
from payments.models import Donation, InboxEvent, QuarantinedPayment
from tests.conftest import MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.pages import give_online, inbox, look


@pytest.fixture(autouse=True)
def _campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


def raised(session: Session) -> int:
    (minor,) = look(session, select(Period.raised_minor))
    return minor


def entries(session: Session) -> list[int]:
    return list(look(session, select(LedgerEntry.amount_minor).order_by(LedgerEntry.id)))


def only_donation(session: Session) -> Donation:
    (donation,) = look(session, select(Donation))
    return donation


def test_payment_moves_the_bar(
    post: Callable[..., int], paid: str, fake_gateway: FakeGateway, session: Session
) -> None:
    assert raised(session) == 0
    assert post(fake_gateway.event("payment_intent.succeeded", paid)) == 200
    assert raised(session) == 2_000
    donation = only_donation(session)
    assert (donation.state, donation.reference) == ("paid", paid)
    assert verify_ledger(session).differences == ()


def test_second_delivery_does_not_count_twice(
    post: Callable[..., int], paid: str, fake_gateway: FakeGateway, session: Session
) -> None:
    body = fake_gateway.event("payment_intent.succeeded", paid)
    for _ in range(5):
        assert post(body) == 200
    assert entries(session) == [2_000]


def test_two_events_of_one_payment_count_once(
    post: Callable[..., int], paid: str, fake_gateway: FakeGateway, session: Session
) -> None:
    post(fake_gateway.event("checkout.session.completed", "cs_test_1", payment_id=paid))
    post(fake_gateway.event("payment_intent.succeeded", paid))
    assert entries(session) == [2_000]


def test_fifty_deliveries_at_once_count_once(
    client: FlaskClient, paid: str, fake_gateway: FakeGateway, session: Session
) -> None:
    bodies = [
        fake_gateway.event("payment_intent.succeeded", paid, id_=f"evt_{number % 5}")
        for number in range(50)
    ]

    def deliver(body: bytes) -> int:
        response = client.application.test_client().post(
            "/webhooks/stripe", data=body, headers=fake_gateway.signed(body)
        )
        response.close()
        return response.status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(deliver, bodies)) == {200}
    with client.application.app_context():
        jobs.work_inbox()  # what the web process had no thread to spare for
    assert entries(session) == [2_000]
    assert raised(session) == 2_000
    assert set(inbox(session).values()) == {"done"}


def test_slow_stripe_takes_two_threads_and_no_more(
    post: Callable[..., int],
    client: FlaskClient,
    paid: str,
    fake_gateway: FakeGateway,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook_routes, "_at_work", threading.BoundedSemaphore(1))
    with webhook_routes._at_work:  # noqa: SLF001 - as if a thread waited for Stripe
        assert post(fake_gateway.event("payment_intent.succeeded", paid, id_="evt_a")) == 200
    assert inbox(session) == {"evt_a": "waiting"}
    with client.application.app_context():
        assert jobs.work_inbox() == 1
    assert inbox(session) == {"evt_a": "done"}


def test_refund_told_before_its_payment_ends_the_same(
    post: Callable[..., int], paid: str, fake_gateway: FakeGateway, session: Session
) -> None:
    refund = fake_gateway.refund(paid, 500)
    post(fake_gateway.event("refund.created", refund.id, payment_id=paid))
    post(fake_gateway.event("payment_intent.succeeded", paid))
    assert entries(session) == [2_000, -500]
    assert raised(session) == 1_500


def test_refunds_in_part_and_whole_follow(
    post: Callable[..., int], paid: str, fake_gateway: FakeGateway, session: Session
) -> None:
    post(fake_gateway.event("payment_intent.succeeded", paid))
    fake_gateway.refund(paid, 500)
    post(fake_gateway.event("charge.refunded", "ch_1", payment_id=paid))
    assert raised(session) == 1_500
    fake_gateway.refund(paid, 1_500)
    post(fake_gateway.event("charge.refunded", "ch_1", payment_id=paid))
    assert raised(session) == 0


def test_refund_that_fails_is_restored(
    post: Callable[..., int], paid: str, fake_gateway: FakeGateway, session: Session
) -> None:
    refund = fake_gateway.refund(paid, status="pending")
    post(fake_gateway.event("refund.created", refund.id, payment_id=paid))
    assert raised(session) == 0
    fake_gateway.change_refund(refund.id, "failed")
    post(fake_gateway.event("refund.failed", refund.id, payment_id=paid))
    assert raised(session) == 2_000


def test_completed_but_unpaid_session_counts_nothing(
    post: Callable[..., int], client: FlaskClient, fake_gateway: FakeGateway, session: Session
) -> None:
    give_online(client, amount="20")
    fake_gateway.pay("cs_test_1", status="processing")
    post(fake_gateway.event("checkout.session.completed", "cs_test_1"))
    assert raised(session) == 0
    assert only_donation(session).state == "processing"
    fake_gateway.pay("cs_test_1")
    post(fake_gateway.event("checkout.session.async_payment_succeeded", "cs_test_1"))
    assert entries(session) == [2_000]


def test_delayed_payment_that_fails_counts_nothing(
    post: Callable[..., int], client: FlaskClient, fake_gateway: FakeGateway, session: Session
) -> None:
    give_online(client, amount="20")
    fake_gateway.pay("cs_test_1", status="requires_payment_method")
    post(fake_gateway.event("checkout.session.async_payment_failed", "cs_test_1"))
    assert entries(session) == []
    assert only_donation(session).state == "failed"


def test_expired_session_counts_nothing(
    post: Callable[..., int], client: FlaskClient, fake_gateway: FakeGateway, session: Session
) -> None:
    give_online(client, amount="20")
    fake_gateway.expire("cs_test_1")
    post(fake_gateway.event("checkout.session.expired", "cs_test_1"))
    assert entries(session) == []
    assert only_donation(session).state == "expired"


def test_late_event_counts_in_the_month_of_the_payment(
    post: Callable[..., int],
    client: FlaskClient,
    fake_gateway: FakeGateway,
    session: Session,
    clock: MovableClock,
) -> None:
    give_online(client, amount="20")
    payment = fake_gateway.pay("cs_test_1")
    clock.advance(timedelta(days=25))  # June by now
    post(fake_gateway.event("payment_intent.succeeded", payment.id))
    (may,) = look(session, select(Period.raised_minor).where(Period.key == "2021-05"))
    assert may == 2_000


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"received_minor": 1_999}, "paid 19.99, asked 20.00"),
        ({"currency": "EUR"}, "paid in EUR, asked in USD"),
        ({"livemode": True}, "live money on a test site"),
    ],
)
def test_money_that_is_not_as_asked_is_quarantined(
    post: Callable[..., int],
    paid: str,
    fake_gateway: FakeGateway,
    session: Session,
    changes: dict[str, object],
    reason: str,
) -> None:
    fake_gateway.change_payment(paid, **changes)
    post(fake_gateway.event("payment_intent.succeeded", paid))
    assert entries(session) == []
    assert only_donation(session).state == "quarantined"
    (held,) = look(session, select(QuarantinedPayment))
    assert (held.state, held.reason) == ("held", reason)


def test_money_that_is_no_donation_is_quarantined(
    post: Callable[..., int], fake_gateway: FakeGateway, session: Session
) -> None:
    shop = fake_gateway.foreign_payment(700)
    post(fake_gateway.event("payment_intent.succeeded", shop.id))
    assert entries(session) == []
    (held,) = look(session, select(QuarantinedPayment))
    assert (held.reference, held.reason) == (shop.id, "no donation of ours")


def test_unknown_type_is_kept_and_shown(
    post: Callable[..., int], fake_gateway: FakeGateway, session: Session
) -> None:
    assert post(fake_gateway.event("customer.updated", "cus_1", id_="evt_a")) == 200
    assert inbox(session) == {"evt_a": "unhandled"}


def test_event_of_a_donation_not_here_yet_is_tried_again(
    post: Callable[..., int],
    paid: str,
    fake_gateway: FakeGateway,
    session: Session,
    clock: MovableClock,
    client: FlaskClient,
) -> None:
    real = fake_gateway.payment(paid).donation_id
    fake_gateway.change_payment(paid, donation_id="don_elsewhere")
    assert post(fake_gateway.event("payment_intent.succeeded", paid, id_="evt_a")) == 200
    assert inbox(session) == {"evt_a": "failed"}
    (outcome,) = look(session, select(InboxEvent.outcome))
    assert "don_elsewhere is not in our books" in str(outcome)
    fake_gateway.change_payment(paid, donation_id=real)
    clock.advance(timedelta(seconds=10))
    with client.application.app_context():
        assert jobs.work_inbox() == 1
    assert entries(session) == [2_000]


def test_stripe_being_down_loses_nothing(
    post: Callable[..., int],
    paid: str,
    fake_gateway: FakeGateway,
    session: Session,
    client: FlaskClient,
    clock: MovableClock,
) -> None:
    fake_gateway.unavailable = True
    assert post(fake_gateway.event("payment_intent.succeeded", paid, id_="evt_a")) == 200
    assert inbox(session) == {"evt_a": "failed"}
    fake_gateway.unavailable = False
    with client.application.app_context():
        assert jobs.work_inbox() == 0  # not before its time
        clock.advance(timedelta(seconds=10))
        assert jobs.work_inbox() == 1
    assert inbox(session) == {"evt_a": "done"}
    assert raised(session) == 2_000


def test_event_that_was_acknowledged_but_not_worked_is_worked_by_the_scheduler(
    client: FlaskClient, paid: str, fake_gateway: FakeGateway, session: Session
) -> None:
    body = fake_gateway.event("payment_intent.succeeded", paid)
    # The answer is never closed: the process died between the acknowledgement and the work.
    client.post("/webhooks/stripe", data=body, headers=fake_gateway.signed(body))
    assert entries(session) == []
    with client.application.app_context():
        assert jobs.work_inbox() == 1
    assert entries(session) == [2_000]


def test_event_whose_worker_died_is_worked_after_its_lease(
    post: Callable[..., int],
    client: FlaskClient,
    paid: str,
    fake_gateway: FakeGateway,
    session: Session,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(_: str) -> NoReturn:
        raise SystemExit

    with monkeypatch.context() as killed:
        killed.setattr(fake_gateway, "payment", die)
        with pytest.raises(SystemExit):
            post(fake_gateway.event("payment_intent.succeeded", paid))
    with client.application.app_context():
        assert jobs.work_inbox() == 0  # it may still be alive
        clock.advance(timedelta(minutes=2))
        assert jobs.work_inbox() == 1
    assert entries(session) == [2_000]


def test_facts_that_were_asked_for_earlier_never_undo_newer_ones(
    post: Callable[..., int],
    paid: str,
    fake_gateway: FakeGateway,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refund = fake_gateway.refund(paid, status="pending")
    slow = fake_gateway.event("refund.created", refund.id, payment_id=paid)
    quick = fake_gateway.event("refund.failed", refund.id, payment_id=paid)
    answers = fake_gateway.refunds

    def overtaken(payment_id: str) -> Sequence[Refund]:
        """Answer the slow worker with a pending refund; before it goes on, the refund fails."""
        told = answers(payment_id)
        monkeypatch.setattr(fake_gateway, "refunds", answers)
        fake_gateway.change_refund(refund.id, "failed")
        assert post(quick) == 200
        return told

    monkeypatch.setattr(fake_gateway, "refunds", overtaken)
    assert post(slow) == 200
    assert raised(session) == 2_000
    assert set(inbox(session).values()) == {"done"}


def test_poisoned_event_holds_nobody_up(
    post: Callable[..., int],
    client: FlaskClient,
    paid: str,
    fake_gateway: FakeGateway,
    session: Session,
    clock: MovableClock,
) -> None:
    for number in range(3):  # Stripe knows of no such payment, and never will
        post(fake_gateway.event("payment_intent.succeeded", "pi_poison", id_=f"evt_{number}"))
    assert post(fake_gateway.event("payment_intent.succeeded", paid, id_="evt_good")) == 200
    assert raised(session) == 2_000
    with client.application.app_context():
        for _ in range(5):
            clock.advance(timedelta(minutes=5))
            jobs.work_inbox()
    (first, *_) = look(session, select(InboxEvent).order_by(InboxEvent.id))
    assert first.state == "failed"
    assert "pi_poison" in str(first.outcome)
    assert first.attempts >= 5
    assert first.next_attempt_at > clock.now()


def test_work_that_nobody_expected_to_fail_is_recorded_and_tried_again(
    post: Callable[..., int],
    client: FlaskClient,
    paid: str,
    fake_gateway: FakeGateway,
    session: Session,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise ZeroDivisionError("a bug of ours")

    with monkeypatch.context() as broken:
        broken.setattr("payments.books.state_gift", fail)
        assert post(fake_gateway.event("payment_intent.succeeded", paid, id_="evt_a")) == 200
    assert inbox(session) == {"evt_a": "failed"}
    assert only_donation(session).state == "pending"  # the whole transaction went back
    clock.advance(timedelta(minutes=1))
    with client.application.app_context():
        assert jobs.work_inbox() == 1
    assert raised(session) == 2_000
