"""Whatever happens, and in whatever order we hear of it, the books stay true.

A failure prints the steps that lead to it, as few as hypothesis can find, and a line that repeats
them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core.errors import Invalid
from payments.gateway import Dispute, Frequency, Payment, Refund
from tests.properties.conftest import OpenDatabase
from tests.properties.site import SLUGS, START, ZONES, Site

# Refunds and disputes of older payments are found by their own age only: see `LOOK_BACK`.
LONGEST = timedelta(days=170)
T = TypeVar("T")

picks = st.integers(0, 99)
slugs = st.sampled_from(SLUGS)
emails = st.sampled_from([None, "ann@example.org", "bob@example.org"])
amounts = st.integers(50, 5_000)
covers = st.sampled_from([0, 1, 9, 50])


class BooksMachine(RuleBasedStateMachine):
    """Donors, banks, admins, Stripe, the network and the clock, each doing what it likes."""

    def __init__(self, open_database: OpenDatabase) -> None:
        super().__init__()
        self.site = Site(open_database)
        self.stripe = self.site.stripe
        self.open: list[str] = []  # sessions that wait for their donor
        self.recurring: set[str] = set()
        self.processing: list[str] = []
        self.checkouts: list[str] = []
        self.payments: list[Payment] = []  # succeeded
        self.right: list[Payment] = []  # and just as asked, once
        self.plans: list[str] = []
        self.delivered: list[bytes] = []

    # What donors do.

    @rule(slug=slugs, amount=amounts, cover=covers, email=emails, monthly=st.booleans())
    def donate(
        self,
        slug: str,
        amount: int,
        cover: int,
        email: str | None,
        monthly: bool,  # noqa: FBT001 - hypothesis passes names
    ) -> None:
        frequency: Frequency = "month" if monthly else "once"
        checkout_id = self.site.donate(
            slug, amount, cover_minor=cover, email=email, frequency=frequency
        )
        if checkout_id is not None:
            self.open.append(checkout_id)
            self.checkouts.append(checkout_id)
            if monthly:
                self.recurring.add(checkout_id)

    @precondition(lambda self: self.open)
    @rule(pick=picks, email=emails)
    def pay(self, pick: int, email: str | None) -> None:
        self._pay(_take(self.open, pick), email=email)

    @precondition(lambda self: self.open)
    @rule(pick=picks, change=st.sampled_from(["amount", "least", "currency", "mode"]))
    def pay_otherwise(self, pick: int, change: str) -> None:
        payment = self._pay(_take(self.open, pick))
        self.right.remove(payment)
        if change == "amount":
            self.stripe.change_payment(payment.id, received_minor=payment.received_minor - 1)
        elif change == "least":  # less, perhaps, than covers the fees
            self.stripe.change_payment(payment.id, received_minor=10)
        elif change == "currency":
            other = "USD" if payment.currency == "EUR" else "EUR"
            self.stripe.change_payment(payment.id, currency=other)
        else:
            self.stripe.change_payment(payment.id, livemode=True)

    def _pay(self, checkout_id: str, *, email: str | None = None) -> Payment:
        if checkout_id in self.recurring:
            payment = self.stripe.subscribe(checkout_id)
            self.plans.append(self.stripe.told(payment.id).plan.id)  # type: ignore[union-attr]
            self.stripe.happen_invoice(payment, checkout_id)
        else:
            payment = self.stripe.pay(checkout_id, email=email)
            self.stripe.happen_payment(payment, checkout_id)
        self.payments.append(payment)
        self.right.append(payment)
        return payment

    @precondition(lambda self: set(self.open) - self.recurring)
    @rule(pick=picks)
    def agree_to_a_debit(self, pick: int) -> None:
        checkout_id = _pick(sorted(set(self.open) - self.recurring), pick)
        self.open.remove(checkout_id)
        payment = self.stripe.pay(checkout_id, status="processing")
        self.stripe.happen_payment(payment, checkout_id)
        self.processing.append(checkout_id)

    @precondition(lambda self: self.processing)
    @rule(pick=picks, good=st.booleans())
    def end_a_debit(self, pick: int, good: bool) -> None:  # noqa: FBT001 - hypothesis passes names
        checkout_id = _take(self.processing, pick)
        if good:
            self._pay(checkout_id)
        else:
            failed = self.stripe.pay(checkout_id, status="requires_payment_method")
            self.stripe.happen_payment(failed)

    @precondition(lambda self: self.open)
    @rule(pick=picks)
    def leave(self, pick: int) -> None:
        checkout_id = _take(self.open, pick)
        self.stripe.expire(checkout_id)
        self.stripe.happen_expiry(checkout_id)

    @precondition(lambda self: self.checkouts)
    @rule(pick=picks)
    def come_back(self, pick: int) -> None:
        self.site.visit_thanks(_pick(self.checkouts, pick))

    @precondition(lambda self: self.plans)
    @rule(
        pick=picks, currency=st.sampled_from([None, None, "EUR"]), more=st.sampled_from([0, 0, 7])
    )
    def renew(self, pick: int, currency: str | None, more: int) -> None:
        payment = self.stripe.renew(_pick(self.plans, pick))
        received_minor = payment.received_minor + more
        payment = self.stripe.change_payment(payment.id, received_minor=received_minor)
        if currency is not None:
            self.stripe.change_payment(payment.id, currency=currency)
        self.payments.append(payment)
        self.stripe.happen_invoice(payment)

    # What else comes in, and what goes out again.

    @rule(amount=amounts, currency=st.sampled_from(["USD", "EUR", "JPY"]))
    def sell_something(self, amount: int, currency: str) -> None:
        payment = self.stripe.foreign_payment(amount, currency)
        self.payments.append(payment)
        self.stripe.happen_payment(payment)

    @precondition(lambda self: any(payment.donation_id for payment in self.right))
    @rule(pick=picks)
    def pay_twice(self, pick: int) -> None:
        first = _pick([payment for payment in self.right if payment.donation_id], pick)
        payment = self.stripe.foreign_payment(first.received_minor, first.currency)
        self.stripe.change_payment(payment.id, donation_id=first.donation_id)
        self.payments.append(payment)
        self.stripe.happen_payment(payment)

    @rule(amount=amounts)
    def pay_to_another_site(self, amount: int) -> None:
        payment = self.stripe.foreign_payment(amount)
        self.stripe.change_payment(payment.id, donation_id="don_" + "0" * 32)
        self.stripe.happen_payment(payment)

    @precondition(lambda self: self.payments)
    @rule(pick=picks, share=st.floats(0, 1), status=st.sampled_from(["succeeded", "pending"]))
    def refund(self, pick: int, share: float, status: str) -> None:
        payment_id = _pick(self.payments, pick).id
        told = self.stripe.told(payment_id)
        given_back = sum(-refund.effect_minor for refund in told.refunds)
        most = told.payment.received_minor - given_back
        if most > 0:
            made = self.stripe.refund(payment_id, max(1, int(most * share)), status=status)
            self.stripe.happen_refund(payment_id, made, is_new=True)

    @precondition(lambda self: self._refunds())
    @rule(pick=picks, status=st.sampled_from(["succeeded", "failed", "canceled"]))
    def end_a_refund(self, pick: int, status: str) -> None:
        payment_id, refund = _pick(self._refunds(), pick)
        changed = self.stripe.change_refund(refund.id, status)
        self.stripe.happen_refund(payment_id, changed, is_new=False)

    @precondition(lambda self: self.payments)
    @rule(pick=picks, share=st.sampled_from([0.5, 1.0]), inquiry=st.booleans())
    def dispute(self, pick: int, share: float, inquiry: bool) -> None:  # noqa: FBT001 - hypothesis passes names
        payment = _pick(self.payments, pick)
        made = self.stripe.dispute(
            payment.id, max(1, int(payment.received_minor * share)), withdrawn=not inquiry
        )
        self.stripe.happen_dispute(payment.id, made, "created")

    @precondition(lambda self: self._disputes())
    @rule(pick=picks, what=st.sampled_from(["escalate", "win", "lose", "reinstate"]))
    def move_a_dispute(self, pick: int, what: str) -> None:
        payment_id, dispute = _pick(self._disputes(), pick)
        status, withdrawn, told_as = {
            "escalate": ("needs_response", True, "funds_withdrawn"),
            "win": ("won", False, "closed"),
            "lose": ("lost", True, "closed"),
            "reinstate": ("under_review", False, "funds_reinstated"),
        }[what]
        changed = self.stripe.change_dispute(dispute.id, status=status, withdrawn=withdrawn)
        self.stripe.happen_dispute(payment_id, changed, told_as)

    def _refunds(self) -> list[tuple[str, Refund]]:
        return [
            (payment.id, refund)
            for payment in self.payments
            for refund in self.stripe.told(payment.id).refunds
            if refund.status in {"pending", "succeeded"}
        ]

    def _disputes(self) -> list[tuple[str, Dispute]]:
        return [
            (payment.id, dispute)
            for payment in self.payments
            for dispute in self.stripe.told(payment.id).disputes
            if dispute.status not in {"won", "lost"}
        ]

    # What the network does with Stripe's events.

    @precondition(lambda self: self.stripe.sent)
    @rule(pick=picks, work=st.booleans())
    def deliver(self, pick: int, work: bool) -> None:  # noqa: FBT001 - hypothesis passes names
        body = _take(self.stripe.sent, pick)
        self.delivered.append(body)
        self.site.receive(body, work=work)

    @precondition(lambda self: self.stripe.sent)
    @rule(order=st.randoms(use_true_random=False))
    def deliver_all(self, order: Random) -> None:
        order.shuffle(self.stripe.sent)
        while self.stripe.sent:
            self.deliver(0, work=True)

    @precondition(lambda self: self.delivered)
    @rule(pick=picks)
    def deliver_again(self, pick: int) -> None:
        self.site.receive(_pick(self.delivered, pick), work=True)

    @precondition(lambda self: self.stripe.sent)
    @rule(pick=picks)
    def drop(self, pick: int) -> None:
        _take(self.stripe.sent, pick)

    @rule()
    def break_or_mend_the_line(self) -> None:
        self.stripe.unavailable = not self.stripe.unavailable

    # What our own side does.

    @rule()
    def work_due(self) -> None:
        self.site.work_due()

    @rule()
    def reconcile(self) -> None:
        self.site.reconcile()

    @rule()
    def reconcile_by_objects(self) -> None:
        found = self.site.reconcile(since=self.site.clock.now() - timedelta(days=31))
        assert found is None or found.by == "objects"

    @rule(slug=slugs, amount=amounts, days_ago=st.integers(0, 60))
    def record_an_offline_gift(self, slug: str, amount: int, days_ago: int) -> None:
        self.site.record(slug, amount, self.site.clock.now() - timedelta(days=days_ago))

    @precondition(lambda self: self._held() and not self.stripe.unavailable)
    @rule(pick=picks, slug=st.sampled_from([None, *SLUGS]))
    def release(self, pick: int, slug: str | None) -> None:
        payment_id = _pick(self._held(), pick)
        if self.site.oracle.can_release(payment_id, slug):
            self.site.release(payment_id, slug)
        else:
            with pytest.raises(Invalid):
                self.site.release(payment_id, slug)

    @precondition(lambda self: self._held())
    @rule(pick=picks)
    def refuse(self, pick: int) -> None:
        payment_id = _pick(self._held(), pick)
        self.site.refuse(payment_id)
        self.site.refused.add(payment_id)

    def _held(self) -> list[str]:
        oracle = self.site.oracle
        return sorted(oracle.held.keys() - oracle.gifts.keys() - self.site.refused)

    @rule(email=st.sampled_from(["ann@example.org", "bob@example.org"]))
    def erase(self, email: str) -> None:
        self.site.erase(email)

    @rule(amounts=st.sets(st.integers(1, 10**6), max_size=3))
    def change_tiers(self, amounts: set[int]) -> None:
        self.site.change_tiers(*sorted(amounts))

    @rule()
    def roll(self) -> None:
        self.site.roll()

    # Time.

    @rule(seconds=st.sampled_from([1, 70, 3_700, 86_400, 10 * 86_400, 32 * 86_400]))
    def pass_time(self, seconds: int) -> None:
        self._move(self.site.clock.now() + timedelta(seconds=seconds))

    @rule(slug=slugs, microseconds=st.sampled_from([-1, 0, 1]))
    def pass_to_the_boundary(self, slug: str, microseconds: int) -> None:
        boundary = _next_month(self.site.clock.now(), ZoneInfo(ZONES[slug]))
        self._move(boundary + timedelta(microseconds=microseconds))

    def _move(self, instant: datetime) -> None:
        if self.site.clock.now() < instant < START + LONGEST:
            self.site.clock.set(instant)

    @invariant()
    def books_are_true(self) -> None:
        self.site.check()

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:  # otherwise it has failed, and says how
                self.site.check_after_reconciliation()
        finally:
            self.site.close()


def _next_month(instant: datetime, zone: ZoneInfo) -> datetime:
    local = instant.astimezone(zone)
    year, month = (local.year + 1, 1) if local.month == 12 else (local.year, local.month + 1)
    return datetime(year, month, 1, tzinfo=zone)


def _pick(things: Sequence[T], pick: int) -> T:
    return things[pick % len(things)]


def _take(things: list[T], pick: int) -> T:
    return things.pop(pick % len(things))


def _run(open_database: OpenDatabase, *, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        lambda: BooksMachine(open_database),  # type: ignore[arg-type] # takes a factory, too
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_books_stay_true_whatever_happens(open_database: OpenDatabase) -> None:
    _run(open_database, examples=20, steps=30)


@pytest.mark.slow
def test_books_stay_true_whatever_happens_for_long(open_database: OpenDatabase) -> None:
    _run(open_database, examples=1_000, steps=60)
