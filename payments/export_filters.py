"""What is to be exported, and the conditions that it means for whatever is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, false, or_, select
from sqlalchemy.orm import Session

from campaigns.catalog import find_campaign
from campaigns.models import Campaign, Period
from core.cadence import checked_key
from core.errors import Invalid
from core.sheets import Format
from core.zones import first_instant, load_zone
from payments.models import DonationState

_YEARS = range(1970, 3000)
_ONE_DAY = timedelta(days=1)


class What(StrEnum):
    """What can be exported. Stored by value."""

    DONATIONS = "donations"
    ENTRIES = "entries"
    MONTHS = "months"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What somebody wants to have; None does not narrow it.

    `since` and `until` are days, both included, in the zone of each campaign: those on which a gift
    was paid or, where it was not, begun. An entry's day is that of its gift, as its period is; a
    month's is its first.
    `personal` adds donors' names, addresses and words: for whom that is allowed.
    """

    what: What
    format: Format
    slug: str | None = None
    period: str | None = None
    since: date | None = None
    until: date | None = None
    state: DonationState | None = None
    personal: bool = False

    def filters(self) -> dict[str, str]:
        """Return what it is narrowed to, by name."""
        named = {
            "campaign": self.slug,
            "period": self.period,
            "from": self.since and self.since.isoformat(),
            "until": self.until and self.until.isoformat(),
            "state": self.state and self.state.value,
        }
        return {name: value for name, value in named.items() if value}

    def filters_json(self) -> str:
        """Return the same as JSON."""
        return json.dumps(self.filters())


def check_export(session: Session, export: Export) -> None:
    """Raise CampaignNotFound, or Invalid, naming the field, for what can't be exported."""
    if export.slug is not None:
        find_campaign(session, export.slug, drafts=True)
    if export.period is not None and checked_key(export.period) != export.period:
        raise Invalid("Write the period as 2021-05, 2021-Q2, 2021 or 2021-05-15.", field="period")
    for field, day in (("from", export.since), ("until", export.until)):
        if day is not None and day.year not in _YEARS:
            raise Invalid("Choose a day from 1970 on.", field=field)
    if export.since and export.until and export.until < export.since:
        raise Invalid("The last day is before the first.", field="until")
    named = export.what.value.capitalize()
    if export.what is not What.DONATIONS and export.state is not None:
        raise Invalid(f"{named} have no state. It is for donations.", field="state")
    if export.what is not What.DONATIONS and export.personal:
        raise Invalid(f"{named} hold nobody's data.", field="personal")


def file_name(export: Export, *, now: datetime) -> str:
    """Return what the file is called: `entries-support-us-2021-05.csv`. ASCII, without spaces."""
    span = export.period or "-".join(str(day) for day in (export.since, export.until) if day)
    parts = [export.what, export.slug, span or f"until-{now:%Y-%m-%d}", export.state]
    return f"{'-'.join(part for part in parts if part)}.{export.format}"


def zones_of(session: Session, export: Export) -> Sequence[str]:
    """Return the names of the zones that an export's days are cut by; none where it has no days."""
    if export.since is None and export.until is None:
        return ()
    statement = select(Campaign.timezone).distinct()
    if export.slug is not None:
        statement = statement.where(Campaign.slug == export.slug)
    return session.scalars(statement).all()


def narrowed(
    export: Export, instant: SQLColumnExpression[Any], zones: Sequence[str]
) -> list[ColumnElement[bool]]:
    """Return the conditions on Campaign, on Period, and on the day of `instant`."""
    conditions: list[ColumnElement[bool]] = []
    if export.slug is not None:
        conditions.append(Campaign.slug == export.slug)
    if export.period is not None:
        conditions.append(Period.key == export.period)
    if export.since is not None or export.until is not None:
        conditions.append(or_(false(), *(_days(export, instant, name) for name in zones)))
    return conditions


def _days(export: Export, instant: SQLColumnExpression[Any], name: str) -> ColumnElement[bool]:
    zone = load_zone(name)
    conditions = [Campaign.timezone == name]
    if export.since is not None:
        conditions.append(instant >= first_instant(datetime.combine(export.since, time()), zone))
    if export.until is not None:
        end = datetime.combine(export.until + _ONE_DAY, time())
        conditions.append(instant < first_instant(end, zone))
    return and_(*conditions)
