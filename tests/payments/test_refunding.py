"""Refunds that admins ask for: written down first, asked for once, booked by what Stripe says."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.ledger_models import LedgerEntry, Reference
from campaigns.models import Campaign, Period
from core.auditlog import Actor, AuditRecord
from core.clock import MovableClock
from core.errors import Conflict, DomainError, Invalid, NotFound
from payments import refunding
from payments.donating import OfflineGift, correct_offline_gift, record_offline_gift
from payments.errors import DonationNotFound
from payments.models import QuarantinedPayment
from payments.refund_models import RefundRequest
from payments.refunding import RefundWish
from tests.conftest import MakeCampaign
from tests.payments.conftest import Books
from tests.payments.pages import look

ANN = Actor("user:7", "ann@courier.example")


@pytest.fixture(autouse=True)
def _campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


@pytest.fixture
def payment_id(books: Books) -> str:
    """A gift of 20 $ that is in the books."""
    checkout = books.donate(2_000)
    payment = books.gateway.pay(checkout)
    books.hear(checkout)
    return payment.id


def raised(session: Session) -> int:
    return sum(look(session, select(Period.raised_minor)))


def wish(amount_minor: int | None = None, *, form: str = "form", **more: str) -> RefundWish:
    values = {"currency": "USD", **more}
    return RefundWish(form_token=form, amount_minor=amount_minor, requested_by=ANN, **values)


def request(
    books: Books, clock: MovableClock, wanted: RefundWish, *, donation_id: str | None = None
) -> str:
    """Write a request down, as the page does: one transaction, before Stripe hears of it."""
    chosen = donation_id or books.donations()[0].id
    with books.session() as session:
        row = refunding.request_refund(session, chosen, wanted, now=clock.now())
        session.commit()
        return row.id


def ask(
    books: Books, clock: MovableClock, request_id: str, *, by_hand: bool = False
) -> RefundRequest:
    return refunding.ask_for_refund(
        books.session, books.gateway, request_id, livemode=False, now=clock.now, by_hand=by_hand
    )


def left(books: Books) -> int:
    with books.session() as session:
        donation = session.merge(books.donations()[0], load=False)
        return refunding.refundable_minor(session, donation)


def test_refund_comes_into_the_books_by_what_stripe_says(
    books: Books, session: Session, clock: MovableClock, payment_id: str
) -> None:
    request_id = request(books, clock, wish(500))
    assert raised(session) == 2_000  # nothing moves before Stripe has it
    told = ask(books, clock, request_id)
    assert (told.state, told.refund_status, told.error) == ("accepted", "succeeded", None)
    assert raised(session) == 1_500
    assert look(session, select(LedgerEntry.cause))[-1] == f"refund {request_id}"
    books.hear(payment_id)
    assert ask(books, clock, request_id).state == "accepted"
    assert raised(session) == 1_500
    assert books.gateway.calls["create_refund"] == 1


def test_double_click_and_two_tabs_make_one_refund(
    books: Books, session: Session, clock: MovableClock, payment_id: str
) -> None:
    with books.session() as own:
        token = refunding.refund_form_token(own, payment_id)
    ids = {request(books, clock, wish(500, form=token)) for _ in range(3)}
    for request_id in [*ids, *ids]:
        ask(books, clock, request_id)
    assert len(ids) == 1
    assert raised(session) == 1_500
    (line,) = look(session, select(AuditRecord))  # what was done once is in the log once
    assert (line.action, line.actor_name) == ("refund.requested", "ann@courier.example")
    assert (line.subject, line.told["amount_minor"]) == (
        f"donation:{books.donations()[0].id}",
        500,
    )
    with books.session() as own:
        assert refunding.refund_form_token(own, payment_id) != token
    with pytest.raises(Conflict, match="another choice"):
        request(books, clock, wish(600, form=token))


@pytest.mark.usefixtures("payment_id")
def test_refunds_in_a_row_never_take_more_than_the_gift(
    books: Books, session: Session, clock: MovableClock
) -> None:
    first = request(books, clock, wish(1_500, form="a"))
    assert left(books) == 500  # what waits is taken already
    with pytest.raises(Invalid, match="no more than is left"):
        request(books, clock, wish(501, form="b"))
    rest = request(books, clock, wish(form="b"))
    with pytest.raises(Conflict, match="Nothing is left"):
        request(books, clock, wish(form="c"))
    for request_id in (rest, first):
        ask(books, clock, request_id)
    assert (raised(session), left(books)) == (0, 0)


def test_refund_that_fails_later_is_restored_and_can_be_asked_for_again(
    books: Books, session: Session, clock: MovableClock, payment_id: str
) -> None:
    told = ask(books, clock, request(books, clock, wish(form="a")))
    books.gateway.change_refund(told.refund_id or "", "failed")
    books.hear(payment_id)
    assert (raised(session), left(books)) == (2_000, 2_000)
    assert look(session, select(RefundRequest.refund_status)) == ["failed"]
    ask(books, clock, request(books, clock, wish(form="b")))
    assert raised(session) == 0


@pytest.mark.usefixtures("payment_id")
def test_refund_is_of_gift_and_cover_together(books: Books, clock: MovableClock) -> None:
    checkout = books.donate(1_000, cover_minor=60, form="covered", email=None)
    books.gateway.pay(checkout)
    books.hear(checkout)
    covered = next(found for found in books.donations() if found.cover_minor)
    with books.session() as session:
        row = refunding.request_refund(session, covered.id, wish(), now=clock.now())
        assert row.amount_minor == 1_060


@pytest.mark.parametrize("keys_are_kept", [True, False])
@pytest.mark.usefixtures("payment_id")
def test_answer_that_was_lost_makes_no_second_refund(
    books: Books, session: Session, clock: MovableClock, *, keys_are_kept: bool
) -> None:
    request_id = request(books, clock, wish(500))
    books.gateway.lost_answers = 1
    told = ask(books, clock, request_id)
    assert (told.state, told.attempts) == ("waiting", 1)
    assert "can't be reached" in (told.error or "")
    if not keys_are_kept:
        books.gateway.forget_keys()
    clock.advance(timedelta(days=2))
    assert ask(books, clock, request_id).state == "accepted"
    assert raised(session) == 1_500


def test_killed_after_stripe_the_event_settles_the_request(
    books: Books, session: Session, clock: MovableClock, payment_id: str
) -> None:
    request_id = request(books, clock, wish(500))
    books.gateway.lost_answers = 1
    ask(books, clock, request_id)
    books.hear(payment_id)
    assert look(session, select(RefundRequest.state)) == ["accepted"]
    clock.advance(timedelta(days=2))
    assert ask(books, clock, request_id).attempts == 1
    assert (raised(session), books.gateway.calls["create_refund"]) == (1_500, 1)


@pytest.mark.usefixtures("payment_id")
def test_stripe_that_is_down_is_asked_again_with_pauses_and_an_end(
    books: Books, session: Session, clock: MovableClock
) -> None:
    request_id = request(books, clock, wish(500))
    books.gateway.unavailable = True
    told = ask(books, clock, request_id)
    assert told.next_attempt_at == clock.now() + timedelta(seconds=2)
    assert ask(books, clock, request_id).attempts == 1  # not before its time
    for _ in range(refunding.MOST_ATTEMPTS + 3):
        clock.advance(timedelta(hours=2))
        told = ask(books, clock, request_id)
    assert (told.attempts, told.next_attempt_at) == (refunding.MOST_ATTEMPTS, None)
    assert left(books) == 1_500  # nobody knows that Stripe never heard of it
    books.gateway.unavailable = False
    assert ask(books, clock, request_id, by_hand=True).state == "accepted"
    assert raised(session) == 1_500


@pytest.mark.usefixtures("payment_id")
def test_refusal_ends_the_request_and_gives_its_amount_free(
    books: Books, session: Session, clock: MovableClock
) -> None:
    request_id = request(books, clock, wish(500))
    books.gateway.refused = True
    told = ask(books, clock, request_id)
    assert told.state == "refused"
    assert "Stripe refused the call" in (told.error or "")
    books.gateway.refused = False
    assert ask(books, clock, request_id).state == "refused"
    assert (raised(session), left(books)) == (2_000, 2_000)


@pytest.mark.usefixtures("payment_id")
def test_refusal_to_look_is_not_taken_for_a_refusal_of_the_refund(
    books: Books, session: Session, clock: MovableClock
) -> None:
    request_id = request(books, clock, wish(500))
    books.gateway.lost_answers = 1
    ask(books, clock, request_id)
    books.gateway.refused = True
    clock.advance(timedelta(hours=1))
    assert ask(books, clock, request_id).state == "waiting"
    books.gateway.refused = False
    clock.advance(timedelta(hours=1))
    assert ask(books, clock, request_id).state == "accepted"
    assert raised(session) == 1_500


def test_what_a_bank_took_back_is_not_given_back_as_well(
    books: Books, clock: MovableClock, payment_id: str
) -> None:
    books.gateway.dispute(payment_id, 500)
    books.hear(payment_id)
    with pytest.raises(Conflict, match="bank has taken"):
        request(books, clock, wish(100))


@pytest.mark.usefixtures("payment_id")
@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (wish(0), "more than zero"),
        (wish(-5), "more than zero"),
        (wish(2_001), "no more than is left"),
        (wish(100, currency="EUR"), "paid in USD"),
        (wish(100, reason="a whim"), "reasons"),
    ],
)
def test_wish_out_of_bounds_is_refused(
    books: Books, session: Session, clock: MovableClock, wanted: RefundWish, error: str
) -> None:
    with pytest.raises(DomainError, match=error):
        request(books, clock, wanted)
    assert look(session, select(RefundRequest.id)) == []


def test_what_was_not_paid_through_stripe_is_not_refunded(
    books: Books, clock: MovableClock
) -> None:
    books.donate()
    with pytest.raises(Conflict, match="Nothing was paid"):
        request(books, clock, wish())
    with pytest.raises(DonationNotFound):
        request(books, clock, wish(), donation_id="don_none")
    with books.session() as session:
        gift = OfflineGift(amount_minor=100, paid_at=clock.now())
        cash = record_offline_gift(session, "support-us", gift, now=clock.now())
        session.commit()
        with pytest.raises(Conflict, match="without Stripe"):
            refunding.request_refund(session, cash.id, wish(), now=clock.now())


def test_money_in_quarantine_is_refused_and_given_back_in_one(
    books: Books, session: Session, clock: MovableClock
) -> None:
    shop = books.gateway.foreign_payment(700)
    books.hear(shop.id)
    with books.session() as own:
        row = refunding.refuse_and_request_refund(own, shop.id, wish(), now=clock.now())
        own.commit()
    assert look(session, select(QuarantinedPayment.state)) == ["refused"]
    assert ask(books, clock, row.id).refund_status == "succeeded"
    assert [found.amount_minor for found in books.gateway.refunds(shop.id)] == [700]
    assert look(session, select(LedgerEntry.id)) == []
    with books.session() as own:
        with pytest.raises(Conflict, match="Nothing is left"):
            refunding.refuse_and_request_refund(own, shop.id, wish(form="b"), now=clock.now())
        with pytest.raises(NotFound):
            refunding.refuse_and_request_refund(own, "pi_none", wish(), now=clock.now())


def test_suspect_money_is_given_back_in_one_step(
    books: Books, session: Session, clock: MovableClock, payment_id: str
) -> None:
    shop = books.gateway.foreign_payment(700)
    books.hear(shop.id)
    subjects = [books.donations()[0].id, "don_none", shop.id]
    for _ in range(2):  # the button twice
        told = list(
            refunding.request_whole_refunds(
                books.session, subjects, requested_by=ANN, reason="fraudulent", now=clock.now
            )
        )
        assert [one.problem is None for one in told] == [True, False, True]
    with books.session() as own:
        due = refunding.due_refund_ids(own, now=clock.now())
    for request_id in due:
        ask(books, clock, request_id)
    assert len(due) == 2
    assert raised(session) == 0
    assert sum(refund.amount_minor for refund in books.gateway.refunds(payment_id)) == 2_000


def test_suspect_money_that_came_back_is_given_back_anew(
    books: Books, session: Session, clock: MovableClock, payment_id: str
) -> None:
    def give_back() -> RefundRequest:
        (told,) = refunding.request_whole_refunds(
            books.session, [subject], requested_by=ANN, reason=None, now=clock.now
        )
        return ask(books, clock, told.request_id or "")

    subject = books.donations()[0].id
    failed = give_back()
    books.gateway.change_refund(failed.refund_id or "", "failed")
    books.hear(payment_id)
    assert raised(session) == 2_000
    assert give_back().id != failed.id
    assert raised(session) == 0


def test_offline_gift_is_corrected_by_an_entry_and_never_deleted(
    books: Books, session: Session, clock: MovableClock
) -> None:
    with books.session() as own:
        gift = OfflineGift(amount_minor=52_000, paid_at=clock.now())
        donation = record_offline_gift(own, "support-us", gift, now=clock.now())
        donation_id = donation.id
        own.commit()
    for amount_minor in (5_200, 5_200, 0):
        with books.session() as own:
            correct_offline_gift(
                own, donation_id, amount_minor=amount_minor, note="a zero too many", now=clock.now()
            )
            own.commit()
        assert raised(session) == amount_minor
    entries = look(session, select(LedgerEntry.amount_minor).order_by(LedgerEntry.id))
    assert entries == [52_000, -46_800, -5_200]
    assert look(session, select(Reference.stated_minor)) == [0]


@pytest.mark.usefixtures("payment_id")
def test_correction_is_for_offline_gifts_and_says_why(books: Books, clock: MovableClock) -> None:
    with books.session() as session:
        with pytest.raises(Conflict, match="through Stripe"):
            correct_offline_gift(
                session, books.donations()[0].id, amount_minor=1, note="x", now=clock.now()
            )
        gift = OfflineGift(amount_minor=100, paid_at=clock.now())
        cash = record_offline_gift(session, "support-us", gift, now=clock.now())
        for amount_minor, note in ((-1, "x"), (2**63, "x"), (50, " ")):
            with pytest.raises(Invalid):
                correct_offline_gift(
                    session, cash.id, amount_minor=amount_minor, note=note, now=clock.now()
                )
