"""What donors add to cover fees, from the payment to the books."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.audit import verify_ledger
from campaigns.catalog import find_campaign
from campaigns.expected import expected_minor
from campaigns.models import Campaign, Period
from core.auditlog import COMMAND_LINE
from core.cadence import MONTHLY
from core.clock import MovableClock
from core.errors import Invalid
from payments import quarantine
from payments.donating import Wish, list_donations, start_donation
from payments.drift import find_drift
from payments.models import Donation, QuarantinedPayment
from tests.conftest import START, MakeCampaign
from tests.payments.conftest import Books
from tests.payments.pages import look

JUNE = datetime(2021, 6, 12, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


def months(session: Session) -> dict[str, tuple[int, int, int]]:
    """Return, by month, what was raised, in how many gifts, and what covered fees."""
    assert verify_ledger(session).differences == ()
    return {
        period.key: (period.raised_minor, period.donation_count, period.cover_minor)
        for period in look(session, select(Period))
    }


def drifts(books: Books) -> list[tuple[str, int, int]]:
    return [
        (drift.reference, drift.ours_minor, drift.stripes_minor)
        for drift in find_drift(books.session, books.gateway, since=START)
    ]


def release(books: Books, payment_id: str, *, slug: str | None = None) -> str:
    """Decide that held money counts, and apply its facts, as the command does."""
    facts = books.gather(payment_id)
    with books.session() as session:
        quarantine.release(
            session,
            facts.payments[0].payment,
            slug=slug,
            site_livemode=False,
            actor=COMMAND_LINE,
            now=START,
        )
        session.commit()
    return books.apply(facts)


def test_card_is_charged_both_and_the_bar_shows_the_gift(books: Books, session: Session) -> None:
    checkout = books.donate(cover_minor=91)
    payment = books.gateway.pay(checkout)
    assert payment.received_minor == 2_091
    told = f"{payment.id} counted: 20.00 of 20.00 USD, and 0.91 USD to cover fees"
    assert books.hear(checkout) == told
    books.hear(payment.id)
    assert months(session) == {"2021-05": (2_000, 1, 91)}
    assert drifts(books) == []
    (listed,) = list_donations(session, "support-us")
    assert (listed.counted_minor, listed.cover_counted_minor) == (2_000, 91)


def test_gift_that_was_paid_without_its_cover_is_held(books: Books, session: Session) -> None:
    payment = books.gateway.pay(books.donate(cover_minor=91))
    books.gateway.change_payment(payment.id, received_minor=2_000)
    assert books.hear(payment.id) == f"{payment.id} quarantined: paid 20.00, asked 20.91"
    assert months(session) == {"2021-05": (0, 0, 0)}
    assert drifts(books) == []


@pytest.mark.parametrize(
    ("refunded", "expected"),
    [(500, (1_500, 1, 91)), (2_000, (0, 0, 91)), (2_040, (0, 0, 51)), (2_091, (0, 0, 0))],
)
def test_refunds_take_from_the_gift_first(
    books: Books, session: Session, refunded: int, expected: tuple[int, int, int]
) -> None:
    payment = books.gateway.pay(books.donate(cover_minor=91))
    books.gateway.refund(payment.id, refunded)
    outcome = books.hear(payment.id)
    assert "ask for more" not in outcome
    assert months(session) == {"2021-05": expected}
    assert drifts(books) == []


def test_refund_and_dispute_of_more_than_both_are_told(books: Books, session: Session) -> None:
    payment = books.gateway.pay(books.donate(cover_minor=91))
    books.gateway.refund(payment.id, 91)
    books.gateway.dispute(payment.id, 2_091)
    assert books.hear(payment.id).endswith("refunds and disputes ask for more than the gift")
    assert months(session) == {"2021-05": (0, 0, 0)}
    assert drifts(books) == []


def test_drift_of_a_covered_gift_is_seen(books: Books) -> None:
    payment = books.gateway.pay(books.donate(cover_minor=91))
    books.hear(payment.id)
    refund = books.gateway.refund(payment.id, 2_050)
    assert drifts(books) == [(payment.id, 2_091, 2_041), (refund.id, 0, -2_000)]


def test_renewal_is_gift_and_cover_as_before(
    books: Books, session: Session, clock: MovableClock
) -> None:
    checkout = books.donate(cover_minor=91, frequency="month")
    books.gateway.subscribe(checkout)
    books.hear(checkout)
    clock.set(JUNE)
    renewal = books.gateway.renew("sub_2")
    for _ in range(2):
        books.hear(renewal.id)
    assert months(session) == {"2021-05": (2_000, 1, 91), "2021-06": (2_000, 1, 91)}
    assert [(kept.amount_minor, kept.cover_minor) for kept in books.donations()] == [
        (2_000, 91), (2_000, 91),
    ]  # fmt: skip
    assert drifts(books) == []


def test_renewal_of_a_changed_plan_is_all_gift(
    books: Books, session: Session, clock: MovableClock
) -> None:
    checkout = books.donate(cover_minor=91, frequency="month")
    books.gateway.subscribe(checkout)
    books.hear(checkout)
    clock.set(JUNE)
    books.gateway.change_subscription("sub_2", amount_minor=3_000)
    books.hear(books.gateway.renew("sub_2").id)
    assert months(session)["2021-06"] == (3_000, 1, 0)


@pytest.mark.parametrize(("plan_minor", "expected"), [(2_091, 2_000), (3_000, 3_000)])
def test_expected_is_the_gift_without_its_cover(
    books: Books, session: Session, clock: MovableClock, plan_minor: int, expected: int
) -> None:
    checkout = books.donate(cover_minor=91, frequency="month")
    books.gateway.subscribe(checkout)
    books.gateway.change_subscription("sub_2", amount_minor=plan_minor)
    books.hear(checkout)
    clock.set(JUNE)
    zone = ZoneInfo("America/New_York")
    month = MONTHLY.span_holding(clock.now(), zone)
    campaign = find_campaign(session, "support-us")
    still = partial(expected_minor, session, campaign.id)
    assert still(starts_at=month.starts_at(zone), ends_at=month.ends_at(zone)) == expected


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (2_500, (2_409, 1, 91)),  # what is over is gift
        (1_000, (909, 1, 91)),  # what is missing is missing from the gift
        (92, (1, 1, 91)),
        (91, (91, 1, 0)),  # and where there would be none, nothing covers anything
        (50, (50, 1, 0)),
    ],
)
def test_released_money_of_another_sum_keeps_its_cover(
    books: Books, session: Session, received: int, expected: tuple[int, int, int]
) -> None:
    payment = books.gateway.pay(books.donate(cover_minor=91))
    books.gateway.change_payment(payment.id, received_minor=received)
    books.hear(payment.id)
    release(books, payment.id)
    books.hear(payment.id)
    assert months(session) == {"2021-05": expected}
    (donation,) = books.donations()
    assert (donation.amount_minor, donation.cover_minor) == (expected[0], expected[2])
    assert drifts(books) == []


def test_cover_in_another_currency_covers_nothing(
    books: Books, session: Session, make_campaign: MakeCampaign
) -> None:
    make_campaign("europe", currency="EUR", timezone="Europe/Sofia")
    payment = books.gateway.pay(books.donate(cover_minor=91))
    books.gateway.change_payment(payment.id, currency="EUR")
    books.hear(payment.id)
    release(books, payment.id, slug="europe")
    (donation,) = books.donations()
    assert (donation.amount_minor, donation.cover_minor, donation.currency) == (2_091, 0, "EUR")
    assert verify_ledger(session).differences == ()


def test_second_payment_of_one_donation_is_all_gift_once_released(
    books: Books, session: Session
) -> None:
    first = books.gateway.pay(books.donate(cover_minor=91))
    books.hear(first.id)
    second = books.gateway.foreign_payment(2_091)
    books.gateway.change_payment(second.id, donation_id=first.donation_id)
    books.hear(second.id)
    assert look(session, select(QuarantinedPayment.reference)) == [second.id]
    release(books, second.id)
    assert months(session) == {"2021-05": (4_091, 2, 91)}


def test_other_cover_is_another_wish(books: Books, session: Session) -> None:
    books.donate(cover_minor=91)
    books.donate(cover_minor=0)
    books.donate(cover_minor=91)
    assert sorted(look(session, select(Donation.cover_minor))) == [0, 91]


@pytest.mark.parametrize(
    ("amount_minor", "cover_minor"),
    [(2_000, -1), (2_000, 2_001), (99_999_999, 1), (99_999_000, 1_000)],
)
def test_cover_out_of_bounds_is_refused(
    session: Session, amount_minor: int, cover_minor: int
) -> None:
    campaign = find_campaign(session, "support-us")
    wish = Wish(form_token="form", amount_minor=amount_minor, cover_minor=cover_minor)
    with pytest.raises(Invalid, match="out of bounds"):
        start_donation(session, campaign, wish, now=START)
