from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from campaigns.ledger_models import LedgerEntry, Reference
from campaigns.models import Campaign, Period
from core.clock import MovableClock
from payments.drift import Drift, find_drift
from payments.errors import GatewayUnavailable
from payments.models import InboxEvent, ReconcileCursor
from payments.reconcile import Reconciled, reconcile
from tests.conftest import MakeCampaign
from tests.payments.conftest import Books
from tests.payments.pages import look


@pytest.fixture(autouse=True)
def _campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


def run(books: Books, clock: MovableClock) -> Reconciled:
    return reconcile(books.session, books.gateway, livemode=False, now=clock.now)


def drift(books: Books, clock: MovableClock) -> list[Drift]:
    since = clock.now() - timedelta(days=100)
    return list(find_drift(books.session, books.gateway, since=since))


def raised(session: Session) -> int:
    return sum(look(session, select(Period.raised_minor)))


def test_lost_webhook_is_made_good_from_the_event_list(
    books: Books, session: Session, clock: MovableClock
) -> None:
    checkout = books.donate()
    payment = books.gateway.pay(checkout)
    books.gateway.listed_events.append(
        books.gateway.event("payment_intent.succeeded", payment.id, id_="evt_lost")
    )
    clock.advance(timedelta(days=5))
    found = run(books, clock)
    assert (found.by, found.looked_at, found.new, found.failed) == ("events", 1, 1, 0)
    assert raised(session) == 2_000
    again = run(books, clock)
    assert again.new == 0
    assert look(session, select(LedgerEntry.amount_minor)) == [2_000]


def test_past_thirty_days_the_payments_themselves_are_asked(
    books: Books, session: Session, clock: MovableClock
) -> None:
    checkout = books.donate()
    payment = books.gateway.pay(checkout)
    books.gateway.refund(payment.id, 500)
    clock.advance(timedelta(days=45))
    found = run(books, clock)
    assert found.by == "objects"
    assert raised(session) == 1_500
    assert drift(books, clock) == []


def test_cursor_moves_only_when_all_is_done(
    books: Books, session: Session, clock: MovableClock
) -> None:
    run(books, clock)
    first = look(session, select(ReconcileCursor.reached_at))
    clock.advance(timedelta(hours=3))
    books.gateway.unavailable = True
    with pytest.raises(GatewayUnavailable):
        run(books, clock)
    assert look(session, select(ReconcileCursor.reached_at)) == first
    books.gateway.unavailable = False
    run(books, clock)
    assert look(session, select(ReconcileCursor.reached_at)) == [clock.now()]


def test_clock_that_jumped_back_does_not_move_the_cursor_back(
    books: Books, session: Session, clock: MovableClock
) -> None:
    run(books, clock)
    before = look(session, select(ReconcileCursor.reached_at))
    clock.advance(timedelta(days=-400))
    run(books, clock)
    assert look(session, select(ReconcileCursor.reached_at)) == before


def test_one_payment_that_can_not_be_booked_holds_up_no_other(
    books: Books, session: Session, clock: MovableClock
) -> None:
    odd = books.gateway.pay(books.donate(form="odd"))
    books.gateway.change_payment(odd.id, donation_id=f"don_{'0' * 32}")
    books.gateway.pay(books.donate(form="good"))
    clock.advance(timedelta(days=45))
    found = run(books, clock)
    assert found.failed == 1
    assert raised(session) == 2_000


def test_old_backup_is_brought_to_parity_and_nothing_twice(
    books: Books, session: Session, clock: MovableClock
) -> None:
    kept = books.donate(form="kept")
    books.gateway.pay(kept)
    books.hear(kept)
    payment = books.gateway.pay(books.donate(500, form="lost"))
    books.gateway.refund(payment.id, 100)
    clock.advance(timedelta(days=40))
    run(books, clock)
    assert raised(session) == 2_400
    assert drift(books, clock) == []


def test_drift_is_told_by_object(books: Books, session: Session, clock: MovableClock) -> None:
    checkout = books.donate()
    payment = books.gateway.pay(checkout)
    books.hear(checkout)
    refund = books.gateway.refund(payment.id, 500)
    (found,) = drift(books, clock)
    assert (found.reference, found.ours_minor, found.stripes_minor) == (refund.id, 0, -500)
    assert found.difference_minor == 500
    books.hear(payment.id)
    assert drift(books, clock) == []
    session.execute(update(Reference).where(Reference.name == payment.id).values(posted_minor=1))
    session.commit()
    (found,) = drift(books, clock)
    assert (found.reference, found.difference_minor) == (payment.id, -1_999)


def test_money_in_quarantine_is_no_drift(books: Books, clock: MovableClock) -> None:
    shop = books.gateway.foreign_payment(700)
    books.hear(shop.id)
    assert drift(books, clock) == []


def test_events_of_the_other_mode_are_left_out(
    books: Books, session: Session, clock: MovableClock
) -> None:
    books.donate()
    books.gateway.listed_events.append(
        books.gateway.event("payment_intent.succeeded", "pi_1", livemode=True)
    )
    assert run(books, clock).new == 0
    assert look(session, select(InboxEvent)) == []
