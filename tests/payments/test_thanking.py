"""Thank-you mails: one for each payment, from the books as they are, in the campaign's language."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.clock import MovableClock
from core.outbox import OutboxMail
from payments import thanking
from payments.models import Donation
from payments.thanking import post_thanks
from tests.conftest import Give, MakeCampaign
from tests.payments.conftest import Books
from tests.payments.gifts import give_with_cover
from tests.payments.pages import look

BASE_URL = "https://goal.example"


def thank(books: Books, clock: MovableClock, *, limit: int = 50) -> int:
    with books.session() as session:
        posted = post_thanks(
            session, site_name="The Courier", base_url=BASE_URL, now=clock.now(), limit=limit
        )
        session.commit()
    return posted


def pay(books: Books, **wish: object) -> None:
    checkout = books.donate(**wish)  # type: ignore[arg-type] # a wish's own fields
    books.gateway.pay(checkout)
    books.hear(checkout)


def change(books: Books, **values: object) -> None:
    """Have every donation be as if its form had said so."""
    with books.session() as session:
        session.execute(update(Donation).values(**values))
        session.commit()


def words_in(body: str) -> str:
    """Return what a text or an HTML mail says, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def mails(session: Session) -> list[OutboxMail]:
    return list(look(session, select(OutboxMail)))


@pytest.fixture
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


@pytest.mark.usefixtures("campaign")
def test_a_gift_is_thanked_for_once_and_tells_where_the_month_stands(
    books: Books, session: Session, clock: MovableClock
) -> None:
    pay(books)
    assert thank(books, clock) == 1
    books.hear("cs_test_1")
    assert thank(books, clock) == 0
    (mail,) = mails(session)
    assert (mail.recipient, mail.subject) == ("ann@example.org", "Thank you for your gift of 20 $")
    for body in (mail.text, mail.html or ""):
        assert "Your gift of 20 $ for “Support us” has arrived." in body
        assert "MAY 2021" in body
        assert "20 $ of 5,000 $, 0%" in body
        assert "The Courier" in body
        assert f"a statement for each year, are here: {BASE_URL}/manage" in words_in(body)
        assert "regular gift" not in body
        assert "fees" not in body


@pytest.mark.usefixtures("campaign")
def test_a_regular_gift_says_how_to_end_it_and_each_payment_is_thanked_for(
    books: Books, session: Session, clock: MovableClock
) -> None:
    checkout = books.donate(frequency="month")
    books.gateway.subscribe(checkout)
    books.hear(checkout)
    assert thank(books, clock) == 1
    clock.advance(timedelta(days=31))
    books.hear(books.gateway.renew("sub_2").id)
    assert thank(books, clock) == 1
    assert all(f"{BASE_URL}/manage" in mail.text for mail in mails(session))
    assert "JUNE 2021" in mails(session)[-1].text


@pytest.mark.usefixtures("campaign")
def test_nobody_is_thanked_for_what_was_not_paid(books: Books, clock: MovableClock) -> None:
    books.donate()
    assert thank(books, clock) == 0


def test_who_left_no_address_gets_no_mail(
    books: Books, campaign: Campaign, give: Give, clock: MovableClock
) -> None:
    give(campaign, 2_000)
    assert thank(books, clock) == 0


@pytest.mark.usefixtures("campaign")
def test_nobody_is_thanked_weeks_late(books: Books, session: Session, clock: MovableClock) -> None:
    pay(books)
    clock.advance(thanking.LATEST + timedelta(seconds=1))
    assert (thank(books, clock), mails(session)) == (0, [])
    clock.advance(-timedelta(days=7))  # not even when the clock is set back
    assert thank(books, clock) == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_is_said_in_the_campaign_s_language(
    books: Books, session: Session, clock: MovableClock, make_campaign: MakeCampaign
) -> None:
    make_campaign(locale="de", title="Für die Zeitung <b>")
    pay(books)
    thank(books, clock)
    (mail,) = mails(session)
    assert "für „Für die Zeitung <b>“ ist angekommen" in mail.text
    assert "Für die Zeitung &lt;b&gt;" in (mail.html or "")
    assert "<b>“" not in (mail.html or "")
    assert 'lang="de"' in (mail.html or "")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("campaign")
def test_many_are_thanked_in_turns(books: Books, session: Session, clock: MovableClock) -> None:
    for number in range(3):
        pay(books, form=f"form {number}", email=f"{number}@example.org")
    assert [thank(books, clock, limit=2) for _ in range(3)] == [2, 1, 0]
    assert len({mail.recipient for mail in mails(session)}) == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("campaign")
def test_it_is_said_in_the_language_of_the_form_before_the_campaign_s(
    books: Books, session: Session, clock: MovableClock
) -> None:
    pay(books)
    change(books, locale="de")
    thank(books, clock)
    (mail,) = mails(session)
    assert "angekommen" in mail.text
    assert "MAI 2021" in mail.text
    assert 'lang="de"' in (mail.html or "")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("campaign")
def test_a_renewal_is_thanked_for_in_the_language_of_the_first_form(
    books: Books, session: Session, clock: MovableClock
) -> None:
    checkout = books.donate(frequency="month")
    books.gateway.subscribe(checkout)
    books.hear(checkout)
    change(books, locale="de")
    thank(books, clock)
    clock.advance(timedelta(days=31))
    books.hear(books.gateway.renew("sub_2").id)
    thank(books, clock)
    assert ['lang="de"' in (mail.html or "") for mail in mails(session)] == [True, True]


def test_what_was_added_for_the_fees_is_thanked_for_too(
    books: Books, session: Session, clock: MovableClock, campaign: Campaign
) -> None:
    donation = give_with_cover(books, campaign, clock, amount_minor=2_000, cover_minor=91)
    thank(books, clock)
    (mail,) = mails(session)
    assert mail.key == f"thanks:{donation}"
    for body in (mail.text, mail.html or ""):
        assert (
            "Your gift of 20 $ for “Support us” has arrived, and the 0.91 $ that you added" in body
        )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("campaign")
def test_neither_dedication_nor_message_is_in_the_mail(
    books: Books, session: Session, clock: MovableClock
) -> None:
    pay(books)
    change(books, dedication="For Grandmother", message="Go on like that")
    thank(books, clock)
    (mail,) = mails(session)
    for body in (mail.text, mail.html or "", mail.subject):
        assert "Grandmother" not in body
        assert "Go on" not in body
