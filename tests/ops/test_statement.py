"""`donors statement`: printed for an admin, or mailed to the donor; none of who was erased."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.clock import MovableClock
from core.outbox import OutboxMail
from core.settings import Settings
from tests.conftest import MakeCampaign, make_settings
from tests.ops.conftest import Run
from tests.payments.conftest import Books
from tests.payments.gifts import REFUND, give_with_cover
from tests.payments.pages import look

ANN = "ann@example.org"
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def mail_url() -> str | None:
    return "smtp://localhost"


@pytest.fixture
def settings(database_url: str, mail_url: str | None) -> Settings:
    return make_settings(
        database_url=database_url, mail_url=mail_url, mail_from="a@courier.example"
    )


@pytest.fixture(autouse=True)
def gift(app: Flask, clock: MovableClock, make_campaign: MakeCampaign) -> str:
    books = Books(app, app.extensions["goalpost.gateway"], clock)
    return give_with_cover(
        books, make_campaign(), clock, amount_minor=2_000, cover_minor=91, taken=[(REFUND, 500)]
    )


def statement(run: Run, email: str, year: int, *more: str) -> str:
    return run("donors", "statement", email, "--year", str(year), *more).output


def test_it_is_printed_and_nothing_is_posted(run: Run, session: Session) -> None:
    printed = statement(run, " Ann@Example.org", 2021)
    for said in ("Ann <Example>", ANN, "May 12, 2021  Support us", "What is left: $15.91"):
        assert said in printed
    assert look(session, select(OutboxMail)) == []


def test_it_is_mailed_once_in_five_minutes(run: Run, session: Session) -> None:
    assert "Posted to ann@example.org" in statement(run, ANN, 2021, "--mail")
    assert "once is enough" in statement(run, ANN, 2021, "--mail")
    (mail,) = look(session, select(OutboxMail))
    assert mail.recipient == ANN
    assert "$15.91" in mail.text


@pytest.mark.parametrize("mail_url", [None])
def test_a_site_without_mail_says_so(run: Run, session: Session) -> None:
    assert "MAIL_URL" in statement(run, ANN, 2021, "--mail")
    assert look(session, select(OutboxMail)) == []


def test_what_is_not_there_is_said_in_a_sentence(run: Run) -> None:
    assert "There are no gifts of 2019." in statement(run, ANN, 2019)
    assert "Nothing is held" in statement(run, "nobody@example.org", 2021)


def test_who_was_erased_has_none(run: Run) -> None:
    run("donors", "erase", ANN, "--yes")
    assert "Nothing is held" in statement(run, ANN, 2021)
