"""Admins hear of cards that fail and of gifts that are cancelled, once, and never whose it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import MovableClock
from core.outbox import OutboxMail
from tests.conftest import MakeCampaign
from tests.payments.conftest import Books
from tests.subscribers import subscribe

JUNE = datetime(2021, 6, 12, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _gift(make_campaign: MakeCampaign, session: Session, books: Books) -> None:
    make_campaign()
    subscribe(session, "ed@example.org")
    session.commit()
    checkout = books.donate(frequency="month", email="ann@example.org")
    books.gateway.subscribe(checkout)
    books.hear(checkout)


def become(books: Books, **changes: Any) -> None:
    books.gateway.change_subscription("sub_2", **changes)
    for _ in range(2):
        books.hear("sub_2")


def told(session: Session) -> list[tuple[str, str]]:
    session.rollback()
    statement = select(OutboxMail).where(OutboxMail.key.startswith("notice:"))
    found = session.scalars(statement.order_by(OutboxMail.id))
    told = [(mail.subject, mail.text) for mail in found]
    session.rollback()
    assert "ann" not in str(told).lower()
    return told


def test_a_card_that_fails_is_told_once_each_time(
    books: Books, session: Session, clock: MovableClock
) -> None:
    assert told(session) == []
    become(books, status="past_due")
    ((subject, text),) = told(session)
    assert subject == "Support us: the card of a regular gift failed"
    assert text == (
        "A gift of 20 $ a month (sub_2) could not be charged."
        " Stripe tries it again by the rules that are set there."
    )
    become(books, status="active")
    clock.advance(timedelta(days=31))
    become(books, status="past_due", renews_at=JUNE + timedelta(days=30))
    become(books, status="unpaid")
    assert [text.rpartition(". ")[2] for _, text in told(session)][1:] == [
        "Stripe tries it again by the rules that are set there.",
        "Stripe tries it no more.",
    ]


def test_a_cancellation_is_told_once_and_its_end_is_no_news(books: Books, session: Session) -> None:
    become(books, cancel_at=JUNE)
    become(books, status="canceled")
    assert told(session) == [
        (
            "Support us: a regular gift was cancelled",
            "A gift of 20 $ a month (sub_2) ends on 2021-06-12.",
        )
    ]


def test_a_gift_that_ends_at_once_is_told(books: Books, session: Session) -> None:
    become(books, status="canceled")
    ((_, text),) = told(session)
    assert text == "A gift of 20 $ a month (sub_2) has ended."


def test_a_gift_that_goes_on_after_all_and_is_cancelled_again_is_told_again(
    books: Books, session: Session
) -> None:
    become(books, cancel_at=JUNE)
    become(books, cancel_at=None)
    become(books, cancel_at=JUNE + timedelta(days=30))
    assert len(told(session)) == 2


@pytest.mark.parametrize(
    "changes",
    [{"status": "active"}, {"amount_minor": 3_000}, {"renews_at": JUNE}, {"status": "paused"}],
)
def test_what_else_changes_is_no_news(
    books: Books, session: Session, changes: dict[str, Any]
) -> None:
    become(books, **changes)
    assert told(session) == []
