"""Statements: what one donor gave, year by year, every figure of it from the ledger.

A gift belongs to the year in which it was paid, by the calendar of its campaign's own zone; what
was refunded or disputed later stands beside the gift that it took from. Currencies are never
added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from babel.dates import format_date
from babel.numbers import format_decimal
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.ledger_models import Reference
from campaigns.models import Campaign
from core.cadence import Cadence, Rhythm
from core.money import exponent, format_money, to_major
from core.outbox import Mail, post_mail
from core.words import direction_of, language_tag, words_of
from payments.errors import NoGiftsThatYear
from payments.letters import Letter, write_letter
from payments.models import Donation, Donor
from payments.sums import GiftSums, read_sums

# One statement each five minutes, however often the button is pressed.
_PAUSE_SECONDS = 300
_YEARS = Cadence(Rhythm.YEAR)
_LTR = "\N{LEFT-TO-RIGHT MARK}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One gift. `paid_on` is the day in its campaign's zone."""

    year: int
    paid_on: date
    campaign_title: str
    campaign_lang: str
    currency: str
    sums: GiftSums


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyTable:
    """The gifts of one currency, the earliest first, and their sums."""

    currency: str
    lines: tuple[StatementLine, ...]

    @property
    def total(self) -> GiftSums:
        """All of its lines added up."""
        return sum((line.sums for line in self.lines), GiftSums())


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one donor gave in one year, a table for each currency."""

    year: int
    name: str | None
    email: str
    tables: tuple[CurrencyTable, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class YearOfGifts:
    """A year in which somebody gave: how often, and what is left of it in each currency."""

    year: int
    count: int
    left_labels: tuple[str, ...]


def read_years(session: Session, donor: Donor, *, locale: str) -> tuple[YearOfGifts, ...]:
    """Return the years in which the donor gave, the latest first."""
    lines = _lines(session, donor)
    return tuple(
        YearOfGifts(
            year=year,
            count=sum(line.year == year for line in lines),
            left_labels=tuple(
                format_money(table.total.left_minor, table.currency, locale=locale)
                for table in _tables(lines, year)
            ),
        )
        for year in sorted({line.year for line in lines}, reverse=True)
    )


def read_statement(session: Session, donor: Donor, year: int) -> Statement:
    """Return the donor's statement; raise NoGiftsThatYear, also for whoever was erased."""
    tables = _tables(_lines(session, donor), year)
    if not tables or donor.email is None:
        raise NoGiftsThatYear(year)
    return Statement(year=year, name=donor.name, email=donor.email, tables=tables)


def statement_values(statement: Statement, *, locale: str) -> dict[str, Any]:
    """Return what a template needs to print a statement in a language: the page's and the mail's.

    `number(minor, currency)` has no sign of the currency, which stands above the table, and as
    many digits in each line, so that they stand below each other.
    """

    def number(minor: int, currency: str) -> str:
        digits = exponent(currency)
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        major: Decimal = to_major(minor, currency)
        printed: str = format_decimal(
            major, locale=locale, format=pattern, decimal_quantization=False
        )
        # Text that runs from the right would move the sign of a number to its other end.
        return f"{_LTR}{printed}" if minor < 0 and direction_of(locale) == "rtl" else printed

    return {
        "statement": statement,
        "number": number,
        "money": lambda minor, currency: format_money(minor, currency, locale=locale),
        "day": lambda day: format_date(day, format="medium", locale=locale),
    }


def write_statement(statement: Statement, *, locale: str, site_name: str, base_url: str) -> Letter:
    """Return a statement as text and as HTML."""
    values = statement_values(statement, locale=locale)
    return write_letter(
        "statement", locale=locale, site_name=site_name, base_url=base_url, **values
    )


def post_statement(
    session: Session,
    donor: Donor,
    year: int,
    *,
    locale: str,
    site_name: str,
    base_url: str,
    now: datetime,
) -> bool:
    """Mail a statement to its donor, once in five minutes; tell whether it is a new mail.

    The caller commits. Raises NoGiftsThatYear.
    """
    statement = read_statement(session, donor, year)
    letter = write_statement(statement, locale=locale, site_name=site_name, base_url=base_url)
    mail = Mail(
        key=f"statement:{donor.id}:{year}:{int(now.timestamp()) // _PAUSE_SECONDS}",
        recipient=statement.email,
        subject=words_of(locale).gettext("Your gifts in {year}").format(year=year),
        text=letter.text,
        html=letter.html,
    )
    return post_mail(session, mail, now=now)


def _lines(session: Session, donor: Donor) -> list[StatementLine]:
    """Return all that the donor gave and the ledger counted, the earliest first."""
    rows = session.execute(
        select(Donation.reference, Donation.currency, Reference.paid_at, Campaign)
        .join(Reference, Reference.name == Donation.reference)
        .join(Campaign, Campaign.id == Donation.campaign_id)
        .where(Donation.donor_id == donor.id)
        .order_by(Reference.paid_at, Reference.id)
    ).all()
    sums = read_sums(session, [row.reference for row in rows])
    return [
        StatementLine(
            year=_YEARS.span_holding(row.paid_at, row.Campaign.zone).first_day.year,
            paid_on=row.paid_at.astimezone(row.Campaign.zone).date(),
            campaign_title=row.Campaign.title,
            campaign_lang=language_tag(row.Campaign.locale),
            currency=row.currency,
            sums=sums[row.reference],
        )
        for row in rows
    ]


def _tables(lines: Sequence[StatementLine], year: int) -> tuple[CurrencyTable, ...]:
    of_year = sorted((line for line in lines if line.year == year), key=_currency)
    return tuple(
        CurrencyTable(currency=currency, lines=tuple(group))
        for currency, group in groupby(of_year, key=_currency)
    )


def _currency(line: StatementLine) -> str:
    return line.currency
