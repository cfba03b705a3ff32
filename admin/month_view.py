"""What the page of one period shows: as closed and now, why they differ, and of what it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from babel.numbers import format_decimal
from sqlalchemy.orm import Session

from admin.figures import ENTRIES
from admin.months_view import ShareTable, share_tables
from campaigns.adjustments import sums_by_reason, tell_change
from campaigns.models import Campaign
from campaigns.reports import Figures, Month, Scope, read_since_close
from core.money import exact_amount
from payments.monthly import Totals, totals_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure: as it was announced, what came since, and what it is now.

    The first two are empty while nobody has closed the period. `is_sum`: what stands above,
    added up.
    """

    label: str
    closed: str
    since: str
    now: str
    href: str | None = None
    is_sum: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """A part of what was raised: by what way, or how often, it is given."""

    label: str
    raised: str
    gifts: str
    href: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthPage:
    """All that the page shows."""

    rows: tuple[Row, ...]
    reasons: tuple[str, ...]
    ways: tuple[Way, ...]
    shares: tuple[ShareTable, ...]
    fees: tuple[str, ...]
    entries: str


def month_page(session: Session, campaign: Campaign, month: Month, *, locale: str) -> MonthPage:
    """Return what is shown of a period, in a fixed number of queries."""
    totals = totals_of(session, campaign, [month])[month.period_id]
    since = None if month.closed is None else read_since_close(session, month.period_id)
    reasons = sums_by_reason(session, [month.period_id] if month.closed else ())
    behind = {"campaign": campaign.slug, "month": month.key}
    entries = f"{ENTRIES}?{urlencode(behind)}"
    scope = Scope(campaign.currency, campaign_id=campaign.id, keys=(month.key,))
    return MonthPage(
        rows=tuple(_rows(month, totals, since, entries, locale)),
        reasons=tuple(
            tell_change(campaign, reason, locale=locale).label
            for reason in reasons.get(month.period_id, ())
        ),
        ways=tuple(_ways(month.figures, campaign.currency, entries, locale)),
        shares=share_tables(session, scope, behind=behind),
        fees=tuple(
            f"{exact_amount(fee.minor, code, locale=locale)} {code}"
            for code, fee in totals.other_fees.items()
        ),
        entries=entries,
    )


def _rows(
    month: Month, totals: Totals, since: Figures | None, entries: str, locale: str
) -> Sequence[Row]:
    currency, now = totals.currency, month.figures
    closed = None if since is None else now - since

    def money(label: str, name: str, *, kind: str = "", is_sum: bool = False) -> Row:
        return Row(
            label=label,
            closed="" if closed is None else write(getattr(closed, name)),
            since="" if since is None else signed(getattr(since, name)),
            now=write(getattr(now, name)),
            href=f"{entries}&kind={kind}" if kind else entries,
            is_sum=is_sum,
        )

    def write(minor: int) -> str:
        return exact_amount(minor, currency, locale=locale)

    def signed(minor: int) -> str:
        return f"+{write(minor)}" if minor > 0 else write(minor) if minor else "–"

    def count(label: str, then: int | None, here: int) -> Row:
        change = 0 if then is None else here - then
        sign = "+" if change > 0 else "\N{MINUS SIGN}"
        moved = f"{sign}{number(abs(change))}" if change else "–"
        return Row(
            label=label,
            closed="" if then is None else number(then),
            since="" if then is None else moved,
            now=number(here),
        )

    def number(value: int) -> str:
        return str(format_decimal(value, locale=locale))

    known = totals.fee_payments > 0
    return [
        money("Gross", "gross_minor", kind="gift"),
        money("Refunds", "refunds_minor", kind="refund"),
        money("Disputes", "disputes_minor", kind="dispute"),
        money("Raised", "raised_minor", is_sum=True),
        money("Covered fees", "cover_minor", kind="cover"),
        Row(
            label="Stripe’s fees",
            closed="",
            since="",
            now=write(-totals.fee_minor) if known else "–",
        ),
        Row(label="Net", closed="", since="", now=write(totals.net_minor), is_sum=True),
        count("Gifts", month.closed.gifts if month.closed else None, now.gifts),
        count("Donors", month.closed.donors if month.closed else None, month.donors),
    ]


def _ways(figures: Figures, currency: str, entries: str, locale: str) -> Sequence[Way]:
    def way(label: str, minor: int, gifts: int, query: str) -> Way:
        return Way(
            label,
            exact_amount(minor, currency, locale=locale),
            format_decimal(gifts, locale=locale),
            f"{entries}&{query}" if gifts or minor else None,
        )

    return [
        way(
            "Through Stripe",
            figures.online_minor,
            figures.gifts - figures.offline_gifts,
            "source=online",
        ),
        way("Offline", figures.offline_minor, figures.offline_gifts, "source=offline"),
        way("Regular", figures.regular_minor, figures.regular_gifts, "regular=1"),
        way("One-off", figures.one_off_minor, figures.gifts - figures.regular_gifts, "regular=0"),
    ]
