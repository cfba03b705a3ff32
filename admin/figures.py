"""The table of figures: what periods or campaigns raised and of what, to the last digit.

Each number leads to the entries behind it, whose sum it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlencode

from babel.numbers import format_decimal

from admin.pages import LOCALE
from core.money import exact_amount
from payments.monthly import Totals

ENTRIES = "/admin/entries"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A period, a campaign, or several of them together: what a row of the table tells of.

    `donors` and `as_closed_minor` are None where nobody can say them: donors of two periods may
    be the same people. `behind` is what finds its entries, by the names of their page's query;
    `donations` is the page of its gifts.
    """

    name: str
    totals: Totals
    href: str | None = None
    donors: int | None = None
    as_closed_minor: int | None = None
    is_running: bool = False
    behind: Mapping[str, str] = field(default_factory=dict)
    donations: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column: what it shows of a row, and which of the row's entries, or gifts, make it up."""

    group: str
    label: str
    value: Callable[[Subject], int | None]
    is_money: bool = True
    behind: Mapping[str, str] | None = None
    of_gifts: bool = False


# Fees are shown as what they take; None where none is known, which is not to say that it is zero.
def _fees(row: Subject) -> int | None:
    return -row.totals.fee_minor if row.totals.fee_payments else None


COLUMNS = (
    Column("Raised", "Gross", lambda row: row.totals.figures.gross_minor, behind={"kind": "gift"}),
    Column(
        "Raised", "Refunds", lambda row: row.totals.figures.refunds_minor, behind={"kind": "refund"}
    ),
    Column(
        "Raised",
        "Disputes",
        lambda row: row.totals.figures.disputes_minor,
        behind={"kind": "dispute"},
    ),
    Column("Raised", "Raised", lambda row: row.totals.figures.raised_minor, behind={}),
    Column("Raised", "As closed", lambda row: row.as_closed_minor),
    Column(
        "Of that",
        "Offline",
        lambda row: row.totals.figures.offline_minor,
        behind={"source": "offline"},
    ),
    Column(
        "Of that", "Regular", lambda row: row.totals.figures.regular_minor, behind={"regular": "1"}
    ),
    Column(
        "Of that", "One-off", lambda row: row.totals.figures.one_off_minor, behind={"regular": "0"}
    ),
    Column(
        "With fees",
        "Covered",
        lambda row: row.totals.figures.cover_minor,
        behind={"kind": "cover"},
    ),
    Column("With fees", "Stripe’s fees", _fees),
    Column("With fees", "Net", lambda row: row.totals.net_minor),
    Column("Gifts", "Gifts", lambda row: row.totals.figures.gifts, is_money=False, of_gifts=True),
    Column("Gifts", "Donors", lambda row: row.donors, is_money=False, of_gifts=True),
    Column("Gifts", "Average", lambda row: row.totals.figures.average_minor),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A number as it is shown; `href` leads to what it was added up from."""

    label: str
    text: str
    href: str | None
    is_nil: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A row as it is shown."""

    name: str
    href: str | None
    is_running: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FiguresTable:
    """The whole table; `groups` are the heads over so many columns each."""

    caption: str
    first: str
    groups: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    total: Line | None
    other_fees: tuple[str, ...]


def figures_table(
    subjects: Sequence[Subject],
    *,
    caption: str,
    first: str,
    total_name: str | None = None,
    total_behind: Mapping[str, str] | None = None,
) -> FiguresTable:
    """Return the table of these, with their sum below where it is given a name.

    A column in which no row has anything to say is left out. All are of one currency.
    """
    total = None
    if total_name is not None and len(subjects) > 1:
        total = _together(subjects, total_name, total_behind or {})
    columns = [one for one in COLUMNS if any(one.value(row) is not None for row in subjects)]
    groups: dict[str, int] = {}
    for column in columns:
        groups[column.group] = groups.get(column.group, 0) + 1
    fees = (total or subjects[0]).totals.other_fees if subjects else {}
    return FiguresTable(
        caption=caption,
        first=first,
        groups=tuple(groups.items()),
        columns=tuple(column.label for column in columns),
        lines=tuple(_line(row, columns) for row in subjects),
        total=None if total is None else _line(total, columns),
        other_fees=tuple(
            f"{exact_amount(fee.minor, code, locale=LOCALE)} {code}" for code, fee in fees.items()
        ),
    )


def _together(subjects: Sequence[Subject], name: str, behind: Mapping[str, str]) -> Subject:
    totals = subjects[0].totals
    for row in subjects[1:]:
        totals += row.totals
    return Subject(name=name, totals=totals, behind=behind)


def _line(row: Subject, columns: Sequence[Column]) -> Line:
    cells = tuple(_cell(row, column) for column in columns)
    return Line(row.name, row.href, row.is_running, cells)


def _cell(row: Subject, column: Column) -> Cell:
    value = column.value(row)
    if value is None:
        return Cell(column.label, "–", None, is_nil=True)
    write = (
        partial(exact_amount, currency=row.totals.currency)
        if column.is_money
        else partial(format_decimal)
    )
    href = None
    if value and column.behind is not None and row.behind:
        href = f"{ENTRIES}?{urlencode({**row.behind, **column.behind})}"
    elif value and column.of_gifts:
        href = row.donations
    return Cell(column.label, write(value, locale=LOCALE), href, is_nil=not value)
