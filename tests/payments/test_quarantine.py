from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.models import Campaign, Period
from core.auditlog import COMMAND_LINE
from core.clock import MovableClock
from core.errors import Conflict, Invalid, NotFound
from payments import quarantine
from payments.models import QuarantinedPayment
from tests.conftest import MakeCampaign
from tests.payments.conftest import Books
from tests.payments.pages import look


@pytest.fixture(autouse=True)
def _campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


def raised(session: Session) -> int:
    return sum(look(session, select(Period.raised_minor)))


def release(books: Books, clock: MovableClock, reference: str, slug: str | None = None) -> None:
    facts = books.gather(reference)
    with books.session() as session:
        quarantine.release(
            session,
            facts.payments[0].payment,
            slug=slug,
            site_livemode=False,
            actor=COMMAND_LINE,
            now=clock.now(),
        )
        session.commit()
    books.apply(facts)


def test_foreign_money_counts_once_it_is_released(
    books: Books, session: Session, clock: MovableClock
) -> None:
    shop = books.gateway.foreign_payment(700)
    books.hear(shop.id)
    assert raised(session) == 0
    release(books, clock, shop.id, "support-us")
    assert raised(session) == 700
    books.hear(shop.id)
    books.gateway.refund(shop.id, 200)
    books.hear(shop.id)
    assert raised(session) == 500


def test_released_money_needs_a_campaign(books: Books, clock: MovableClock) -> None:
    shop = books.gateway.foreign_payment(700)
    books.hear(shop.id)
    with pytest.raises(Invalid, match="which campaign"):
        release(books, clock, shop.id)


def test_money_in_another_currency_is_never_mixed_in(
    books: Books, session: Session, clock: MovableClock
) -> None:
    shop = books.gateway.foreign_payment(700, "EUR")
    books.hear(shop.id)
    with pytest.raises(Invalid, match="counts USD, this is EUR"):
        release(books, clock, shop.id, "support-us")
    assert raised(session) == 0


def test_live_money_never_counts_on_a_test_site(books: Books, clock: MovableClock) -> None:
    shop = books.gateway.foreign_payment(700)
    books.gateway.change_payment(shop.id, livemode=True)
    books.hear(shop.id)
    with pytest.raises(Invalid, match="never mixed"):
        release(books, clock, shop.id, "support-us")


def test_other_amount_than_asked_counts_as_it_came_once_released(
    books: Books, session: Session, clock: MovableClock
) -> None:
    checkout = books.donate(2_000)
    payment = books.gateway.pay(checkout)
    books.gateway.change_payment(payment.id, received_minor=1_900)
    books.hear(checkout)
    assert raised(session) == 0
    release(books, clock, payment.id)
    assert raised(session) == 1_900
    (donation,) = books.donations()
    assert (donation.state, donation.amount_minor) == ("paid", 1_900)


def test_released_gift_takes_over_the_currency_it_was_paid_in(
    books: Books, session: Session, clock: MovableClock, make_campaign: MakeCampaign
) -> None:
    make_campaign("europe", currency="EUR")
    checkout = books.donate(2_000, frequency="month")
    first = books.gateway.subscribe(checkout)
    books.gateway.change_payment(first.id, currency="EUR")
    books.hear(checkout)
    release(books, clock, first.id, "europe")
    (donation,) = books.donations()
    assert (donation.state, donation.currency) == ("paid", "EUR")
    # Its next payment comes in dollars again: cents are not to be added to euro cents.
    plan = books.gateway.checkout(checkout).subscription_id
    assert plan is not None
    books.hear(books.gateway.renew(plan).id)
    assert raised(session) == 2_000
    assert sorted(look(session, select(QuarantinedPayment.state))) == ["held", "released"]


def test_refused_money_never_counts(books: Books, session: Session, clock: MovableClock) -> None:
    shop = books.gateway.foreign_payment(700)
    books.hear(shop.id)
    with books.session() as own:
        quarantine.refuse(own, shop.id, actor=COMMAND_LINE, now=clock.now())
        own.commit()
    books.hear(shop.id)
    assert raised(session) == 0
    assert look(session, select(QuarantinedPayment.state)) == ["refused"]
    with pytest.raises(Conflict, match="refused before"):
        release(books, clock, shop.id, "support-us")


def test_what_was_never_held_is_not_found(books: Books, clock: MovableClock) -> None:
    with books.session() as session, pytest.raises(NotFound):
        quarantine.refuse(session, "pi_nothing", actor=COMMAND_LINE, now=clock.now())
