"""Donors' data: shown whole, erased whole, kept no longer than said; the books stay to the cent."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.audit import verify_ledger
from campaigns.ledger_models import PublicName
from campaigns.models import Campaign, Period
from core.clock import MovableClock
from core.outbox import Mail, OutboxMail, post_mail, retry_failed
from payments.errors import DonorNotFound, NotErasableYet
from payments.models import Donation, Donor, InboxEvent
from payments.privacy import Erased, Retention, erase_donor, export_donor, tidy
from payments.thanking import post_thanks
from tests.conftest import MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books
from tests.payments.pages import look, open_form

ANN = "ann@example.org"
KEEP = Retention(
    messages=timedelta(days=365),
    events=timedelta(days=90),
    abandoned=timedelta(days=7),
    mail=timedelta(days=30),
)


@pytest.fixture(autouse=True)
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


@pytest.fixture
def ann(client: FlaskClient, books: Books, clock: MovableClock, post: Callable[..., int]) -> str:
    """Ann gave 20 $ under her name, with a message; was told of by Stripe, and thanked."""
    form = open_form(client) | {"amount": "20", "name": "Ann", "email": ANN, "message": "Keep on"}
    del form["anonymous"]
    assert client.post("/c/support-us/donate", data=form).status_code == 303
    payment = books.gateway.pay("cs_test_1")
    event = json.loads(books.gateway.event("payment_intent.succeeded", payment.id))
    event["data"]["object"]["receipt_email"] = "Ann@Example.org"
    assert post(json.dumps(event).encode()) == 200
    with books.session() as session:
        post_thanks(session, site_name="Goalpost", base_url="https://goal.example", now=clock.now())
        session.commit()
    return payment.id


def standing(session: Session) -> list[tuple[int, int, int]]:
    return [
        (period.raised_minor, period.donation_count, period.donor_count)
        for period in look(session, select(Period))
    ]


def erase(books: Books, clock: MovableClock) -> Erased:
    with books.session() as session:
        erased = erase_donor(session, ANN.upper(), now=clock.now())
        session.commit()
    return erased


def everything_stored(books: Books) -> str:
    """Return every text and every byte that the tables hold."""
    found = []
    with books.session() as session:
        for mapper in Donation.registry.mappers:
            for row in session.execute(select(*mapper.local_table.columns)):
                found += [
                    value.decode(errors="replace") if isinstance(value, bytes) else str(value)
                    for value in row
                ]
    return "\n".join(found).lower()


def test_the_export_holds_all_that_is_held(ann: str, session: Session) -> None:
    found = export_donor(session, " Ann@Example.ORG ")
    assert found["donor"]["email"] == ANN
    (donation,) = found["donations"]
    assert (donation["message"], donation["public_name"]) == ("Keep on", "Ann")
    assert donation["stripe_reference"] == ann
    assert [mail["subject"] for mail in found["mails"]] == ["Thank you for your gift of 20 $"]
    assert len(found["stripe_events"]) == 1
    json.dumps(found)


@pytest.mark.usefixtures("ann")
def test_erasure_leaves_nothing_of_the_person_and_all_of_the_money(
    books: Books, session: Session, clock: MovableClock
) -> None:
    before = standing(session)
    assert ANN in everything_stored(books)
    erased = erase(books, clock)
    assert (erased.donations, erased.mails, erased.events) == (1, 1, 1)
    stored = everything_stored(books)
    for trace in (ANN, "keep on", "ann gave"):
        assert trace not in stored
    assert "ann" not in stored.split()
    assert standing(session) == before == [(2_000, 1, 1)]
    assert verify_ledger(session).differences == ()
    session.rollback()
    assert look(session, select(PublicName)) == []


def test_an_erased_donor_does_not_come_back_with_a_refund(
    ann: str, books: Books, session: Session, clock: MovableClock
) -> None:
    erase(books, clock)
    books.gateway.refund(ann, 500)
    books.hear(ann)
    assert standing(session) == [(1_500, 1, 1)]
    assert [donor.email for donor in look(session, select(Donor))] == [None]
    with books.session() as own:
        assert (
            post_thanks(own, site_name="Goalpost", base_url="https://goal.example", now=clock.now())
            == 0
        )


@pytest.mark.usefixtures("ann")
def test_the_same_address_may_give_again(
    books: Books, session: Session, clock: MovableClock
) -> None:
    erase(books, clock)
    checkout = books.donate(form="again", email=ANN)
    books.gateway.pay(checkout)
    books.hear(checkout)
    assert standing(session) == [(4_000, 2, 2)]


def test_who_still_gives_regularly_is_not_erased(
    books: Books, session: Session, clock: MovableClock
) -> None:
    checkout = books.donate(frequency="month", email=ANN)
    books.gateway.subscribe(checkout)
    books.hear(checkout)
    with pytest.raises(NotErasableYet, match="sub_2"):
        erase(books, clock)
    assert len(look(session, select(Donor))) == 1
    books.gateway.change_subscription("sub_2", status="canceled")
    books.hear("sub_2")
    assert erase(books, clock).customer_ids == ("cus_2",)


@pytest.mark.usefixtures("ann")
def test_what_is_not_worked_yet_is_worked_first(
    books: Books, session: Session, clock: MovableClock
) -> None:
    with books.session() as own:
        own.query(InboxEvent).update({"state": "failed"})
        own.commit()
    with pytest.raises(NotErasableYet, match="not worked yet"):
        erase(books, clock)
    assert len(look(session, select(Donor))) == 1


def test_an_unknown_address_is_said(session: Session, clock: MovableClock) -> None:
    with pytest.raises(DonorNotFound):
        export_donor(session, "nobody@example.org")
    with pytest.raises(DonorNotFound):
        erase_donor(session, "nobody@example.org", now=clock.now())


def test_a_mail_to_somebody_erased_is_never_sent(
    books: Books, session: Session, clock: MovableClock
) -> None:
    books.donate(email=ANN)
    post_mail(session, Mail(key="1", recipient=ANN, subject="Hi", text="Ann"), now=clock.now())
    session.commit()
    erase(books, clock)
    assert retry_failed(session, now=clock.now()) == 0
    session.rollback()
    assert [mail.state for mail in look(session, select(OutboxMail))] == ["failed"]


def run_tidy(books: Books, clock: MovableClock) -> int:
    with books.session() as session:
        count = tidy(session, KEEP, now=clock.now())
        session.commit()
    return count


@pytest.mark.usefixtures("ann")
def test_each_kind_is_kept_as_long_as_is_said(
    books: Books, session: Session, clock: MovableClock
) -> None:
    books.donate(form="left", email="bob@example.org")
    assert run_tidy(books, clock) == 0
    clock.advance(timedelta(days=7, seconds=1))
    assert run_tidy(books, clock) == 1  # what Bob wanted to give, and Bob with it
    assert [donor.email for donor in look(session, select(Donor))] == [ANN]
    with books.session() as own:  # as if it had been sent
        own.query(OutboxMail).update({"state": "sent", "sent_at": clock.now()})
        own.commit()
    clock.advance(timedelta(days=23))
    assert run_tidy(books, clock) == 1
    assert [mail.text for mail in look(session, select(OutboxMail))] == [""]
    clock.advance(timedelta(days=60))
    assert run_tidy(books, clock) == 1
    assert [event.body for event in look(session, select(InboxEvent))] == [b""]
    clock.advance(timedelta(days=275))
    assert run_tidy(books, clock) == 1
    assert {donation.message for donation in look(session, select(Donation))} == {None}
    assert run_tidy(books, clock) == 0
    assert standing(session)[0] == (2_000, 1, 1)
    assert verify_ledger(session).differences == ()


def test_what_is_paid_late_is_counted_although_its_donor_was_forgotten(
    books: Books, session: Session, clock: MovableClock
) -> None:
    checkout = books.donate(email=ANN)
    clock.advance(timedelta(days=8))
    run_tidy(books, clock)
    assert look(session, select(Donor)) == []
    books.gateway.pay(checkout)
    books.hear(checkout)
    assert standing(session) == [(2_000, 1, 1)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_commands(ann: str, app: Flask, fake_gateway: FakeGateway, session: Session) -> None:
    assert fake_gateway.payment(ann).succeeded
    runner = app.test_cli_runner()
    told = runner.invoke(args=["donors", "export", ANN])
    assert json.loads(told.output)["donor"]["email"] == ANN
    assert runner.invoke(args=["donors", "erase", ANN], input="n\n").exit_code != 0
    assert len(look(session, select(Donor))) == 1
    told = runner.invoke(args=["donors", "erase", ANN, "--yes"])
    assert "1 donations keep their amounts" in told.output
    again = runner.invoke(args=["donors", "erase", ANN, "--yes"])
    assert again.exit_code != 0
    assert "Nothing is held" in again.output
    (event,) = look(session, select(InboxEvent))
    told = runner.invoke(args=["inbox", "retry", event.event_id])
    assert told.exit_code != 0
    assert "no longer kept" in told.output
