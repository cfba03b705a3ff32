from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.models import Campaign, Period
from tests.conftest import MakeCampaign
from tests.payments.conftest import Books
from tests.payments.pages import look


@pytest.fixture(autouse=True)
def _campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


@pytest.fixture
def paid(books: Books) -> str:
    """Return the id of a payment of 20 $ that is in the books."""
    checkout = books.donate()
    payment = books.gateway.pay(checkout)
    books.hear(checkout)
    return payment.id


def raised(session: Session) -> int:
    (minor,) = look(session, select(Period.raised_minor))
    return minor


def test_dispute_takes_while_the_money_is_withdrawn(
    books: Books, session: Session, paid: str
) -> None:
    dispute = books.gateway.dispute(paid)
    books.hear(paid)
    assert raised(session) == 0
    books.gateway.change_dispute(dispute.id, status="won", withdrawn=False)
    books.hear(paid)
    assert raised(session) == 2_000


def test_lost_dispute_stays_taken(books: Books, session: Session, paid: str) -> None:
    dispute = books.gateway.dispute(paid)
    books.gateway.change_dispute(dispute.id, status="lost")
    books.hear(paid)
    assert raised(session) == 0


def test_inquiry_moves_nothing(books: Books, session: Session, paid: str) -> None:
    books.gateway.dispute(paid, withdrawn=False)
    books.hear(paid)
    assert raised(session) == 2_000


def test_whole_dispute_after_a_part_refund_ends_at_zero(
    books: Books, session: Session, paid: str
) -> None:
    books.gateway.refund(paid, 500)
    books.hear(paid)
    books.gateway.dispute(paid)
    assert "ask for more than the gift" in books.hear(paid)
    assert raised(session) == 0


def test_refund_that_fails_under_a_dispute_gives_its_share_to_it(
    books: Books, session: Session, paid: str
) -> None:
    refund = books.gateway.refund(paid, 500)
    books.gateway.dispute(paid, 1_800)
    books.hear(paid)
    assert raised(session) == 0
    books.gateway.change_refund(refund.id, "failed")
    books.hear(paid)
    assert raised(session) == 200


def test_fee_is_unknown_until_it_is_known(books: Books, paid: str) -> None:
    (donation,) = books.donations()
    assert (donation.fee_minor, donation.net_minor) == (None, None)
    books.gateway.change_payment(paid, fee_minor=88, net_minor=1_912, settlement_currency="USD")
    books.hear(paid)
    (donation,) = books.donations()
    assert (donation.fee_minor, donation.net_minor) == (88, 1_912)
    books.gateway.change_payment(paid, fee_minor=None, net_minor=None)
    books.hear(paid)
    (donation,) = books.donations()
    assert donation.fee_minor == 88
