"""What the pages of months show: the table, the pictures, a year against the year before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from babel.numbers import format_percent
from sqlalchemy.orm import Session

from admin.figures import ENTRIES, FiguresTable, Subject, figures_table
from admin.pages import LOCALE
from campaigns.labels import calendar_label
from campaigns.models import Campaign
from campaigns.reports import (
    CalendarMonth,
    Figures,
    Grouping,
    Month,
    Scope,
    read_by_campaign,
    read_shares,
    read_total,
)
from core.columns import Bar, Picture, draw_columns
from core.money import exact_amount
from payments.monthly import campaign_totals, scope_totals

_YEAR_LETTERS, _MONTH_LETTERS = 4, 7
MOST_CAMPAIGNS = 50
MOST_PLACES = 10
GROUPINGS: Mapping[Grouping, str] = {
    Grouping.SITE: "Site",
    Grouping.ARTICLE: "Article",
    Grouping.SLOT: "Slot",
}
_UNKNOWN = {
    Grouping.SITE: "no site known",
    Grouping.ARTICLE: "no article known",
    Grouping.SLOT: "no slot known",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A picture of sums over time, and the names of its two ends."""

    picture: Picture
    oldest: str
    newest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One period as a picture and a comparison have it, whoever's it is."""

    key: str
    label: str
    raised_minor: int
    as_closed_minor: int | None
    is_running: bool
    levels: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """A period beside that of the year before, as it is shown."""

    label: str
    is_running: bool
    now: str
    before: str
    change: str
    percent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A year against the year before; `together` is of those periods that are over in both."""

    year: int
    pairs: tuple[Pair, ...]
    together: Pair | None
    picture: Picture | None


@dataclass(frozen=True, slots=True)
class Share:
    """What came from one place; `name` is its own, but where nobody knows it."""

    name: str
    href: str | None
    raised: str
    percent: str
    gifts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareTable:
    """Where gifts came from, by one grouping: the largest first."""

    title: str
    shares: tuple[Share, ...]


def spans_of(campaign: Campaign, months: Sequence[Month]) -> tuple[Span, ...]:
    """Return a campaign's periods for pictures, with their goals as levels."""
    return tuple(
        Span(
            key=month.key,
            label=month.label,
            raised_minor=month.figures.raised_minor,
            as_closed_minor=None if month.closed is None else month.closed.raised_minor,
            is_running=month.is_running,
            levels=tuple(
                (tier, exact_amount(tier, campaign.currency, locale=LOCALE))
                for tier in month.tiers_minor
            ),
        )
        for month in months
    )


def calendar_spans(months: Sequence[CalendarMonth]) -> tuple[Span, ...]:
    """Return the calendar's months for pictures: those not closed everywhere are running."""
    return tuple(
        Span(
            key=month.key,
            label=calendar_label(month.key, locale=LOCALE),
            raised_minor=month.figures.raised_minor,
            as_closed_minor=month.as_closed_minor,
            is_running=month.as_closed_minor is None,
        )
        for month in months
    )


def chart(spans: Sequence[Span], currency: str) -> Chart | None:
    """Draw periods, given newest first; None where there are too few of one length.

    Where months stand beside quarters and years, the months alone are drawn.
    """
    months = [span for span in spans if _is_month(span.key)]
    drawn = list(reversed(months or spans))
    picture = draw_columns([_bar(span, currency) for span in drawn])
    if picture is None:
        return None
    return Chart(picture=picture, oldest=drawn[0].label, newest=drawn[-1].label)


def _is_month(key: str) -> bool:
    return len(key) >= _MONTH_LETTERS and key[_YEAR_LETTERS + 1 :][:2].isdecimal()


def _bar(span: Span, currency: str) -> Bar:
    raised = exact_amount(span.raised_minor, currency, locale=LOCALE)
    differs = span.as_closed_minor is not None and span.as_closed_minor != span.raised_minor
    return Bar(
        title=f"{span.label}: {raised} {currency}",
        minor=span.raised_minor,
        outline_minor=span.as_closed_minor if differs else None,
        levels=span.levels,
    )


def compare(spans: Sequence[Span], year: int, currency: str) -> Comparison | None:
    """Set the periods of `year` beside those of the year before; None where that one has none."""
    this, before = (
        {span.key[_YEAR_LETTERS:]: span for span in spans if span.key.startswith(f"{one:04}")}
        for one in (year, year - 1)
    )
    if not this or not before:
        return None
    rests = sorted(this.keys() | before.keys())
    over = [rest for rest in rests if rest in this and rest in before and not this[rest].is_running]
    together = None
    if over:
        together = _pair(
            "Those that are over",
            sum(this[rest].raised_minor for rest in over),
            sum(before[rest].raised_minor for rest in over),
            currency,
        )
    bars = [
        Bar(
            title=_beside(this.get(rest), before.get(rest), currency),
            minor=this[rest].raised_minor if rest in this else 0,
            outline_minor=before[rest].raised_minor if rest in before else None,
        )
        for rest in rests
    ]
    return Comparison(
        year=year,
        pairs=tuple(_pair_of(this.get(rest), before.get(rest), currency) for rest in rests),
        together=together,
        picture=draw_columns(bars),
    )


def _beside(this: Span | None, before: Span | None, currency: str) -> str:
    return ", ".join(
        f"{span.label}: {exact_amount(span.raised_minor, currency, locale=LOCALE)} {currency}"
        for span in (this, before)
        if span is not None
    )


def _pair_of(this: Span | None, before: Span | None, currency: str) -> Pair:
    named = this or before
    return _pair(
        named.label if named else "",
        None if this is None else this.raised_minor,
        None if before is None else before.raised_minor,
        currency,
        is_running=this is not None and this.is_running,
    )


def _pair(
    label: str,
    now_minor: int | None,
    before_minor: int | None,
    currency: str,
    *,
    is_running: bool = False,
) -> Pair:
    change = percent = ""
    if now_minor is not None and before_minor is not None and not is_running:
        sign = "+" if now_minor > before_minor else ""
        change = sign + exact_amount(now_minor - before_minor, currency, locale=LOCALE)
        if before_minor > 0:
            # What is shown of money, not money.
            share = (now_minor - before_minor) / before_minor
            percent = sign + format_percent(share, locale=LOCALE).replace("-", "\N{MINUS SIGN}")
    now, before = (
        "–" if minor is None else exact_amount(minor, currency, locale=LOCALE)
        for minor in (now_minor, before_minor)
    )
    return Pair(label, is_running, now, before, change, percent)


def share_tables(
    session: Session, scope: Scope, *, behind: Mapping[str, str]
) -> tuple[ShareTable, ...]:
    """Return where the gifts of a scope came from, by site, article and slot; none without any."""
    return tuple(
        table
        for grouping, title in GROUPINGS.items()
        if (table := _share_table(session, scope, grouping, title, behind)) is not None
    )


def _share_table(
    session: Session, scope: Scope, grouping: Grouping, title: str, behind: Mapping[str, str]
) -> ShareTable | None:
    found = read_shares(session, scope, grouping, limit=MOST_PLACES)
    parts = [(one.name, one.figures) for one in found.largest]
    if not any(name for name, _ in parts):
        return None
    whole = sum((figures for _, figures in parts), found.others).raised_minor
    shares = [
        Share(
            name=name or _UNKNOWN[grouping],
            href=f"{ENTRIES}?{urlencode({**behind, grouping.value: name})}" if name else None,
            raised=exact_amount(figures.raised_minor, scope.currency, locale=LOCALE),
            percent=_percent(figures, whole),
            gifts=figures.gifts,
        )
        for name, figures in parts
    ]
    if found.others_count:
        shares.append(
            Share(
                name=f"{found.others_count} others",
                href=None,
                raised=exact_amount(found.others.raised_minor, scope.currency, locale=LOCALE),
                percent=_percent(found.others, whole),
                gifts=found.others.gifts,
            )
        )
    return ShareTable(title=title, shares=tuple(shares))


def _percent(figures: Figures, whole_minor: int) -> str:
    if whole_minor <= 0:
        return "–"
    return format_percent(figures.raised_minor / whole_minor, locale=LOCALE)


def campaigns_table(
    session: Session, scope: Scope, *, caption: str, query: Mapping[str, str], path: str
) -> FiguresTable | None:
    """Return what the campaigns of a scope raised, the largest first, and all others together.

    `path` is the page of each that its name leads to, `query` what narrows its entries.
    """
    rows = read_by_campaign(session, scope, limit=MOST_CAMPAIGNS)
    if not rows:
        return None
    totals = campaign_totals(session, scope, rows)
    subjects = [
        Subject(
            name=campaign.title,
            href=f"/admin/campaigns/{campaign.slug}/{path}",
            totals=totals[campaign.id],
            behind={"campaign": campaign.slug, **query},
        )
        for campaign, _ in rows
    ]
    if len(rows) == MOST_CAMPAIGNS:
        whole = scope_totals(session, scope, read_total(session, scope))
        for one in totals.values():
            whole -= one
        subjects.append(Subject(name="All others", totals=whole))
    return figures_table(subjects, caption=caption, first="Campaign", total_name="All campaigns")


@dataclass(frozen=True, slots=True)
class Way:
    """A link to another year."""

    label: str
    href: str


@dataclass(frozen=True, slots=True)
class Pager:
    """The years before and after the one that is shown."""

    earlier: Way | None
    later: Way | None


def wanted_year(asked: str | None, years: tuple[int, int] | None) -> int | None:
    """Return the year to show: the one asked for, or the last; None where there is none."""
    if years is None:
        return None
    first, last = years
    year = int(asked) if asked and asked.isascii() and asked.isdecimal() else last
    return max(first, min(year, last))


def pager(year: int, years: tuple[int, int] | None, path: str, query: Mapping[str, str]) -> Pager:
    """Return the ways to the years beside one."""
    first, last = years or (year, year)

    def way(other: int) -> Way:
        return Way(str(other), f"{path}?{urlencode({**query, 'year': other})}")

    return Pager(
        earlier=way(year - 1) if year > first else None,
        later=way(year + 1) if year < last else None,
    )
