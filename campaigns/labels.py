"""The words on the bar: amounts and periods, printed for one campaign in one language."""

from __future__ import annotations

import re
from datetime import date, timedelta

from babel.dates import format_interval, format_skeleton

from campaigns.models import Campaign, Period
from core.money import format_money

_MONTH = re.compile(r"\d{4}-\d{2}", re.ASCII)
_QUARTER = re.compile(r"(\d{4})-Q([1-4])", re.ASCII)
_YEAR = re.compile(r"\d{4}", re.ASCII)
_MONTHS_A_QUARTER = 3


def money_label(campaign: Campaign, amount_minor: int, *, locale: str | None = None) -> str:
    """Print an amount the way that the campaign wants: `2,500 $`."""
    return format_money(
        amount_minor,
        campaign.currency,
        locale=locale or campaign.locale,
        pattern=campaign.money_format,
    )


def span_label(
    campaign: Campaign,
    key: str,
    last_day: date | None,
    *,
    locale: str | None = None,
    capitals: bool | None = None,
) -> str:
    """Print the period of a key: `MAY 2021`, `Mai 2021`, `Q2 2021`, `2021`, `15 May – 14 Jun 2021`.

    In capitals where the campaign says so, unless `capitals` says it. `last_day` is needed for one
    that is none of the calendar's own.
    """
    label = _label(key, last_day, locale or campaign.locale)
    return label.upper() if (campaign.capitals if capitals is None else capitals) else label


def period_label(
    campaign: Campaign,
    period: Period,
    *,
    locale: str | None = None,
    capitals: bool | None = None,
) -> str:
    """Print a stored period as it was made: zone and cadence may have changed since."""
    last_day = None if period.last_day is None else date.fromisoformat(period.last_day)
    return span_label(campaign, period.key, last_day, locale=locale, capitals=capitals)


def calendar_label(key: str, *, locale: str) -> str:
    """Print a period of the calendar's own, whoever's it is: `May 2021`, `Q2 2021`, `2021`."""
    return _label(key, None, locale)


def _label(key: str, last_day: date | None, locale: str) -> str:
    # CLDR's skeletons: https://unicode.org/reports/tr35/tr35-dates.html#availableFormats_appendItems
    if _MONTH.fullmatch(key):
        return str(format_skeleton("yMMMM", date.fromisoformat(f"{key}-01"), locale=locale))
    if quarter := _QUARTER.fullmatch(key):
        month = (int(quarter[2]) - 1) * _MONTHS_A_QUARTER + 1
        return str(format_skeleton("yQQQ", date(int(quarter[1]), month, 1), locale=locale))
    if _YEAR.fullmatch(key):
        return str(format_skeleton("y", date(int(key), 1, 1), locale=locale))
    first_day = date.fromisoformat(key)
    end = last_day or first_day
    # Whole months need no days.
    is_whole = first_day.day == 1 and (end + timedelta(days=1)).day == 1
    skeleton = "yMMM" if is_whole else "yMMMd"
    # CLDR's thin spaces around the dash are in few typefaces.
    return str(format_interval(first_day, end, skeleton, locale=locale)).replace(
        "\N{THIN SPACE}", " "
    )
