from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.clock import MovableClock
from core.db import db
from payments import payouts
from payments.errors import GatewayUnavailable
from payments.gateway import PayoutLine as ToldLine
from payments.models import Donation, ReconcileCursor
from payments.payout_models import KINDS, BankPayout, LineKind, PayoutLine
from payments.payout_reading import differing_payouts, list_lines, shares
from payments.payouts import BroughtIn, bring_payouts
from tests.conftest import START, MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
Bring = Callable[..., BroughtIn]


@pytest.fixture
def bring(app: Flask, fake_gateway: FakeGateway, clock: MovableClock, session: Session) -> Bring:
    """Bring payouts in, as the job does."""

    with app.app_context():
        maker = db.sessionmaker

    def bring(*, most: int | None = None) -> BroughtIn:
        session.rollback()  # what a test looked at holds up no writer
        return bring_payouts(maker, fake_gateway, livemode=False, now=clock.now, most=most)

    return bring


def the_payout(session: Session) -> BankPayout:
    session.expire_all()
    found = session.scalars(select(BankPayout).order_by(BankPayout.created_at.desc())).first()
    assert found is not None
    session.expunge_all()
    session.rollback()  # what was looked at holds up no writer
    return found


def a_gift(books: Books, amount_minor: int = 2_000, *, form: str = "form") -> ToldLine:
    """Let a donor pay; return the line by which it goes out, with a fee of 88."""
    payment = books.gateway.pay(books.donate(amount_minor, form=form))
    books.hear(payment.id)
    return books.gateway.payout_line(payment, amount_minor, fee_minor=88)


def test_payout_comes_in_with_all_that_it_is_made_of(
    bring: Bring, books: Books, make_campaign: MakeCampaign, session: Session
) -> None:
    make_campaign()
    gateway = books.gateway
    gift = a_gift(books)
    payment = gateway.payment(gift.payment_id or "")
    shop = gateway.payout_line(gateway.foreign_payment(5_000), 5_000, fee_minor=175)
    made = gateway.pay_out(
        [
            gift,
            shop,
            gateway.payout_line(payment, -500),
            gateway.payout_line(payment, -1_500, fee_minor=1_500, category="dispute"),
            gateway.payout_line(payment, 1_500, category="dispute_reversal"),
            gateway.payout_line(None, -77),
            gateway.payout_line(None, 900, category="payout_reversal", source_id="po_0"),
        ]
    )
    told = bring()
    assert (told.seen, told.completed, told.is_whole) == (1, 1, True)
    payout = the_payout(session)
    assert payout.id == made.id
    assert (payout.gifts_minor, payout.refunds_minor, payout.disputes_minor) == (2_000, -500, 0)
    assert payout.fees_minor == -88 - 175 - 1_500 - 77
    assert (payout.foreign_minor, payout.foreign_count, payout.other_minor) == (5_000, 1, 900)
    assert (payout.line_count, payout.difference_minor) == (7, 0)
    lines = list_lines(session, payout.id, after=0, limit=100)
    assert [line.slug for line in lines] == ["support-us", None, *["support-us"] * 3, None, None]
    (share,) = shares(session, payout)
    assert (share.count, share.amount_minor, share.fee_minor, share.net_minor) == (
        4,
        1_500,
        1_588,
        -88,
    )
    assert differing_payouts(session) == []


def test_second_time_changes_nothing(
    bring: Bring, books: Books, make_campaign: MakeCampaign, session: Session
) -> None:
    make_campaign()
    books.gateway.pay_out([a_gift(books)])
    bring()
    again = bring()
    assert (again.seen, again.completed) == (1, 0)
    assert session.scalar(select(func.count()).select_from(PayoutLine)) == 1
    assert books.gateway.calls["payout_lines"] == 1


@only_sqlite
def test_payout_that_is_broken_off_is_gone_on_with(
    bring: Bring,
    books: Books,
    make_campaign: MakeCampaign,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_campaign()
    monkeypatch.setattr(payouts, "BATCH", 1)
    gateway = books.gateway
    made = gateway.pay_out([a_gift(books), gateway.payout_line(None, -7)])
    whole = FakeGateway.payout_lines

    def half(self: FakeGateway, payout_id: str):  # type: ignore[no-untyped-def] # noqa: ANN202
        yield next(whole(self, payout_id))
        raise GatewayUnavailable("The payment service can't be reached just now.")

    with monkeypatch.context() as broken:
        broken.setattr(FakeGateway, "payout_lines", half)
        with pytest.raises(GatewayUnavailable):
            bring()
    payout = the_payout(session)
    assert (payout.complete_at, payout.difference_minor) == (None, None)
    assert session.scalar(select(func.count()).select_from(PayoutLine)) == 1
    assert session.get(ReconcileCursor, payouts.CURSOR) is None
    bring()
    payout = the_payout(session)
    assert (payout.id, payout.line_count, payout.difference_minor) == (made.id, 2, 0)


@only_sqlite
def test_lines_wait_until_stripe_tells_them_and_status_follows(
    bring: Bring,
    books: Books,
    make_campaign: MakeCampaign,
    session: Session,
    clock: MovableClock,
) -> None:
    make_campaign()
    made = books.gateway.pay_out([a_gift(books)], reconciled=False)
    assert bring().completed == 0
    assert the_payout(session).difference_minor is None
    clock.advance(timedelta(days=9))
    books.gateway.change_payout(made.id, reconciled=True, status="failed", failure="closed")
    assert bring().completed == 1
    payout = the_payout(session)
    assert (payout.status, payout.failure, payout.difference_minor) == ("failed", "closed", 0)


@only_sqlite
def test_payout_by_hand_has_no_lines(bring: Bring, books: Books, session: Session) -> None:
    books.gateway.pay_out(amount_minor=4_000, automatic=False)
    bring()
    payout = the_payout(session)
    assert (payout.automatic, payout.line_count, payout.difference_minor) == (False, 0, None)
    assert "payout_lines" not in books.gateway.calls


@only_sqlite
def test_amount_that_is_not_the_sum_of_its_lines_is_told(
    bring: Bring, books: Books, make_campaign: MakeCampaign, session: Session
) -> None:
    make_campaign()
    gift = a_gift(books)
    made = books.gateway.pay_out([gift], amount_minor=gift.net_minor + 1)
    bring()
    assert [(one.id, one.difference_minor) for one in differing_payouts(session)] == [(made.id, 1)]


@only_sqlite
def test_line_in_another_currency_is_part_of_no_sum(
    bring: Bring, books: Books, make_campaign: MakeCampaign, session: Session
) -> None:
    make_campaign()
    gift = a_gift(books)
    strange = books.gateway.payout_line(None, -100, currency="EUR")
    books.gateway.pay_out([gift, strange], amount_minor=gift.net_minor)
    bring()
    payout = the_payout(session)
    assert (payout.line_count, payout.fees_minor, payout.difference_minor) == (2, -88, 0)


@only_sqlite
def test_payment_that_becomes_a_donation_later_is_matched_then(
    bring: Bring, books: Books, make_campaign: MakeCampaign, session: Session
) -> None:
    make_campaign()
    gateway = books.gateway
    foreign = gateway.foreign_payment(3_000)
    gateway.pay_out([gateway.payout_line(foreign, 3_000, fee_minor=117)])
    bring()
    assert (the_payout(session).foreign_minor, the_payout(session).gifts_minor) == (3_000, 0)
    a_gift(books)
    donation = session.scalars(select(Donation)).one()
    donation.reference = foreign.id
    session.commit()
    assert bring().matched == 1
    payout = the_payout(session)
    assert (payout.foreign_minor, payout.foreign_count, payout.gifts_minor) == (0, 0, 3_000)
    assert payout.difference_minor == 0


@only_sqlite
def test_no_more_than_so_many_come_in_at_a_time_and_none_is_left(
    bring: Bring,
    books: Books,
    make_campaign: MakeCampaign,
    session: Session,
) -> None:
    make_campaign()
    for number in range(3):
        books.gateway.pay_out([a_gift(books, form=f"form-{number}")])
    first = bring(most=2)
    assert (first.completed, first.is_whole) == (2, False)
    second = bring(most=2)
    assert (second.completed, second.is_whole) == (1, True)
    assert session.scalar(select(func.count()).where(BankPayout.complete_at.is_(None))) == 0
    cursor = session.get_one(ReconcileCursor, payouts.CURSOR)
    assert cursor.reached_at == START


@only_sqlite
def test_no_words_on_a_payment_are_kept_for_they_may_name_a_person(
    bring: Bring, books: Books, make_campaign: MakeCampaign, session: Session
) -> None:
    make_campaign()
    gateway = books.gateway
    sale = gateway.payout_line(gateway.foreign_payment(900), 900, description="Ann Donor, a mug")
    gateway.pay_out([sale, gateway.payout_line(None, -77, description="Billing - Usage Fee")])
    bring()
    kept = session.scalars(select(PayoutLine.description).order_by(PayoutLine.id)).all()
    assert kept == [None, "Billing - Usage Fee"]


def test_several_who_bring_the_same_payout_in_write_each_line_once(
    app: Flask,
    books: Books,
    make_campaign: MakeCampaign,
    session: Session,
    clock: MovableClock,
) -> None:
    make_campaign()
    gift = a_gift(books)
    books.gateway.pay_out(
        [gift, *(books.gateway.payout_line(None, -number) for number in range(1, 450))]
    )
    with app.app_context():
        maker = db.sessionmaker
    bring = partial(bring_payouts, maker, books.gateway, livemode=False, now=clock.now)
    with ThreadPoolExecutor(4) as pool:
        told = [future.result() for future in [pool.submit(bring) for _ in range(4)]]
    assert {one.seen for one in told} == {1}
    payout = the_payout(session)
    assert (payout.line_count, payout.difference_minor) == (450, 0)


@only_sqlite
def test_payouts_of_the_other_mode_stay_out(bring: Bring, books: Books, session: Session) -> None:
    made = books.gateway.pay_out(amount_minor=100)
    books.gateway.change_payout(made.id, livemode=True)
    assert bring().seen == 0
    assert session.scalar(select(func.count()).select_from(BankPayout)) == 0


def test_every_category_of_the_map_is_a_kind() -> None:
    assert set(KINDS.values()) == set(LineKind) - {LineKind.OTHER}
