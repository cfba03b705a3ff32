"""The words on the bar: amounts and months, printed for one campaign in one language."""

from __future__ import annotations

from babel.dates import format_skeleton

from campaigns.models import Campaign, Period
from core.money import format_money
from core.months import Month


def money_label(campaign: Campaign, amount_minor: int, *, locale: str | None = None) -> str:
    """Print an amount the way that the campaign wants: `2,500 $`."""
    return format_money(
        amount_minor,
        campaign.currency,
        locale=locale or campaign.locale,
        pattern=campaign.money_format,
    )


def month_label(campaign: Campaign, month: Month, *, locale: str | None = None) -> str:
    """Print a month: `MAY 2021` in capitals where the campaign says so, else `Mai 2021`."""
    starts_at = month.starts_at(campaign.zone)
    label: str = format_skeleton(
        "yMMMM", starts_at, tzinfo=campaign.zone, locale=locale or campaign.locale
    )
    return label.upper() if campaign.capitals else label


def period_label(campaign: Campaign, period: Period, *, locale: str | None = None) -> str:
    """Print a stored period's month, by its key: the zone may have changed since."""
    return month_label(campaign, Month.parse(period.key), locale=locale)
