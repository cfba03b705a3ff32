from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.audit import verify_ledger
from campaigns.expected import expected_minor
from campaigns.ledger_models import LedgerEntry
from campaigns.models import Campaign, Period
from core.cadence import MONTHLY
from core.clock import MovableClock
from payments.errors import DonationNotKnownYet
from payments.models import QuarantinedPayment, Subscription
from tests.conftest import MakeCampaign
from tests.payments.conftest import Books
from tests.payments.pages import look

JUNE = datetime(2021, 6, 12, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


def raised(session: Session) -> dict[str, tuple[int, int, int]]:
    return {
        period.key: (period.raised_minor, period.donation_count, period.donor_count)
        for period in look(session, select(Period))
    }


def test_first_invoice_settles_the_donation_that_began_it(books: Books, session: Session) -> None:
    checkout = books.donate(frequency="month")
    payment = books.gateway.subscribe(checkout)
    books.hear(checkout)
    books.hear(payment.id)
    (donation,) = books.donations()
    assert (donation.state, donation.reference) == ("paid", payment.id)
    assert raised(session) == {"2021-05": (2_000, 1, 1)}
    (subscription,) = look(session, select(Subscription))
    assert (subscription.status, subscription.interval) == ("active", "month")
    assert donation.subscription_id == subscription.id


def test_renewal_is_a_donation_of_its_own_in_its_own_month(
    books: Books, session: Session, clock: MovableClock
) -> None:
    checkout = books.donate(frequency="month")
    books.gateway.subscribe(checkout)
    books.hear(checkout)
    clock.set(JUNE)
    renewal = books.gateway.renew("sub_2")
    for _ in range(3):
        books.hear(renewal.id)
    first, second = books.donations()
    assert (first.frequency, second.frequency) == ("month", "once")
    assert second.donor_id == first.donor_id
    assert second.subscription_id == first.subscription_id
    assert raised(session) == {"2021-05": (2_000, 1, 1), "2021-06": (2_000, 1, 1)}


def test_renewal_that_is_told_first_ends_the_same(
    books: Books, session: Session, clock: MovableClock
) -> None:
    checkout = books.donate(frequency="month")
    first = books.gateway.subscribe(checkout)
    clock.set(JUNE)
    renewal = books.gateway.renew("sub_2")
    books.hear(renewal.id)
    books.hear(checkout)
    assert [donation.reference for donation in books.donations()] == [first.id, renewal.id]
    assert raised(session) == {"2021-05": (2_000, 1, 1), "2021-06": (2_000, 1, 1)}


def test_refund_of_a_renewal_lowers_its_month(
    books: Books, session: Session, clock: MovableClock
) -> None:
    checkout = books.donate(frequency="month")
    books.gateway.subscribe(checkout)
    books.hear(checkout)
    clock.set(JUNE)
    renewal = books.gateway.renew("sub_2")
    books.hear(renewal.id)
    books.gateway.refund(renewal.id, 500)
    books.hear(renewal.id)
    assert raised(session)["2021-06"] == (1_500, 1, 1)


def test_subscription_itself_moves_no_money(books: Books, session: Session) -> None:
    checkout = books.donate(frequency="month")
    books.gateway.subscribe(checkout)
    books.hear("sub_2")
    assert look(session, select(LedgerEntry)) == []


def test_cancellation_is_seen(books: Books, session: Session) -> None:
    checkout = books.donate(frequency="month")
    books.gateway.subscribe(checkout)
    books.hear(checkout)
    books.gateway.change_subscription("sub_2", status="canceled", cancel_at=JUNE)
    books.hear("sub_2")
    (subscription,) = look(session, select(Subscription))
    assert (subscription.status, subscription.cancel_at) == ("canceled", JUNE)


def test_subscription_of_an_unknown_donation_is_tried_again(books: Books) -> None:
    checkout = books.donate(frequency="month")
    books.gateway.subscribe(checkout)
    books.gateway.change_subscription("sub_2", donation_id=f"don_{'0' * 32}")
    with pytest.raises(DonationNotKnownYet):
        books.hear("sub_2")


def test_foreign_subscription_is_quarantined(books: Books, session: Session) -> None:
    checkout = books.donate(frequency="month")
    payment = books.gateway.subscribe(checkout)
    books.gateway.change_subscription("sub_2", donation_id=None)
    books.hear(payment.id)
    (held,) = look(session, select(QuarantinedPayment))
    assert held.reference == payment.id
    assert verify_ledger(session).differences == ()


def still_to_come(session: Session, clock: MovableClock) -> int:
    """Return what the month of the clock still expects."""
    session.rollback()
    month = MONTHLY.span_holding(clock.now(), ZoneInfo("America/New_York"))
    zone = ZoneInfo("America/New_York")
    campaign = session.scalars(select(Campaign)).one()
    found = expected_minor(
        session, campaign.id, starts_at=month.starts_at(zone), ends_at=month.ends_at(zone)
    )
    session.rollback()
    return found


def test_renewal_is_expected_until_it_is_paid(
    books: Books, session: Session, clock: MovableClock
) -> None:
    checkout = books.donate(frequency="month")
    books.gateway.subscribe(checkout)
    books.hear(checkout)
    assert still_to_come(session, clock) == 0  # this month's has come
    clock.set(JUNE)
    assert still_to_come(session, clock) == 2_000
    books.hear(books.gateway.renew("sub_2").id)
    books.hear("sub_2")
    assert still_to_come(session, clock) == 0
    assert raised(session)["2021-06"] == (2_000, 1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "canceled"},
        {"status": "unpaid"},
        {"cancel_at": datetime(2021, 6, 1, tzinfo=UTC)},
        {"renews_at": None},
    ],
    ids=str,
)
def test_nothing_is_expected_of_what_will_not_come(
    books: Books, session: Session, clock: MovableClock, changes: dict[str, Any]
) -> None:
    checkout = books.donate(frequency="month")
    books.gateway.subscribe(checkout)
    books.hear(checkout)
    clock.set(JUNE)
    assert still_to_come(session, clock) == 2_000
    books.gateway.change_subscription("sub_2", **changes)
    books.hear("sub_2")
    assert still_to_come(session, clock) == 0


def test_nothing_is_expected_in_another_currency_than_the_bar_s(
    books: Books, session: Session, clock: MovableClock
) -> None:
    checkout = books.donate(frequency="month")
    books.gateway.subscribe(checkout)
    books.hear(checkout)
    with books.session() as own:
        own.query(Subscription).update({"currency": "EUR"})
        own.commit()
    books.hear("sub_2")
    clock.set(JUNE)
    assert still_to_come(session, clock) == 0
