"""`/admin/months`: what all campaigns of a currency raised, month by month."""

from __future__ import annotations

from flask import request

from admin.access import admin_blueprint, needs
from admin.figures import Subject, figures_table
from admin.months_view import (
    calendar_spans,
    campaigns_table,
    chart,
    compare,
    pager,
    share_tables,
    wanted_year,
)
from admin.pages import LOCALE, render_admin
from admin.roles import Permission
from campaigns.errors import PeriodNotFound
from campaigns.labels import calendar_label
from campaigns.reports import CalendarMonth, Scope, read_calendar, read_currencies, read_years
from core.clock import now
from core.db import db
from payments.monthly import Totals, calendar_totals

_MONTH_LETTERS = 7

bp = admin_blueprint("months", __name__)


@bp.get("/months")
@needs(Permission.SEE_TOTALS)
def months() -> str:
    """Show a year over all campaigns of a currency, beside the year before."""
    session = db.session
    currencies = read_currencies(session)
    currency = _wanted_currency(currencies)
    years = None if currency is None else read_years(session, Scope(currency))
    year = wanted_year(request.args.get("year"), years)
    found = _read(currency, year)
    if currency is None or year is None or not found:
        return render_admin(
            "admin/months.html",
            section="months",
            table=None,
            currency=currency,
            currencies=currencies,
        )
    of_year = [month for month in found if month.key.startswith(f"{year:04}")]
    this_year = Scope(currency, keys=(f"{year:04}",))
    totals = calendar_totals(session, this_year, of_year)
    spans = calendar_spans(found)
    behind = {"currency": currency, "month": str(year)}
    return render_admin(
        "admin/months.html",
        section="months",
        currency=currency,
        currencies=currencies,
        year=year,
        pager=pager(year, years, "/admin/months", {"currency": currency}),
        chart=chart(spans, currency),
        table=figures_table(
            [_subject(month, totals[month.key]) for month in of_year],
            caption=f"All campaigns in {currency}, {year}",
            first="Month",
            total_name=f"{year} together",
            total_behind=behind,
        ),
        comparison=compare(spans, year, currency),
        campaigns=campaigns_table(
            session,
            this_year,
            caption=f"By campaign, {year}, in {currency}",
            query={"month": str(year)},
            path=f"months?year={year}",
        ),
        shares=share_tables(session, this_year, behind=behind),
    )


@bp.get("/months/<key>")
@needs(Permission.SEE_TOTALS)
def month(key: str) -> str:
    """Show one month over all campaigns of a currency."""
    session = db.session
    currencies = read_currencies(session)
    currency = _wanted_currency(currencies)
    if currency is None or len(key) != _MONTH_LETTERS:
        raise PeriodNotFound("There is no such month.")
    scope = Scope(currency, keys=(key,))
    found = read_calendar(session, scope, now=now())
    if not found:
        raise PeriodNotFound(f"No campaign in {currency} has such a month.")
    totals = calendar_totals(session, scope, found)
    label = calendar_label(key, locale=LOCALE)
    query = {"currency": currency, "month": key}
    return render_admin(
        "admin/month.html",
        section="months",
        currency=currency,
        currencies=currencies,
        key=key,
        label=label,
        year=key[:4],
        table=figures_table(
            [_subject(month, totals[month.key], linked=False) for month in found],
            caption=f"All campaigns in {currency}, {label}",
            first="Month",
        ),
        campaigns=campaigns_table(
            session,
            scope,
            caption=f"By campaign, {label}, in {currency}",
            query={"month": key},
            path=f"months/{key}",
        ),
        shares=share_tables(session, scope, behind=query),
    )


def _read(currency: str | None, year: int | None) -> tuple[CalendarMonth, ...]:
    """Return the months of a year and of the year before."""
    if currency is None or year is None:
        return ()
    scope = Scope(currency, keys=(f"{year:04}", f"{year - 1:04}"))
    return read_calendar(db.session, scope, now=now())


def _wanted_currency(currencies: tuple[str, ...]) -> str | None:
    asked = request.args.get("currency", "")
    if asked in currencies:
        return asked
    return currencies[0] if currencies else None


def _subject(month: CalendarMonth, totals: Totals, *, linked: bool = True) -> Subject:
    is_one = len(month.key) == _MONTH_LETTERS
    path = f"/admin/months/{month.key}?currency={totals.currency}"
    return Subject(
        name=calendar_label(month.key, locale=LOCALE),
        href=path if is_one and linked else None,
        totals=totals,
        as_closed_minor=month.as_closed_minor,
        is_running=month.as_closed_minor is None,
        behind={"currency": totals.currency, "month": month.key},
    )
