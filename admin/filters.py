"""Filters of lists: read from the query of an address, and written back into one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.pages import LOCALE
from campaigns.catalog import find_campaign
from campaigns.labels import span_label
from campaigns.models import Campaign
from core.cadence import checked_key
from core.errors import Invalid

# Longer than any name that there is to look for.
_MOST_CHARACTERS = 500
# Beyond so many campaigns one types a name instead of choosing it.
MOST_CAMPAIGNS = 100


@dataclass(frozen=True, slots=True)
class Narrowing:
    """One thing by which a list is narrowed, and the address of the list without it."""

    label: str
    without: str


def asked(args: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return what is asked for by these names, as it can be used: short, and without NUL."""
    return {
        name: args[name].replace("\0", "").strip()[:_MOST_CHARACTERS]
        for name in names
        if name in args
    }


def address(path: str, values: Mapping[str, str], *, without: str = "") -> str:
    """Return the address of a list that is narrowed like that."""
    query = urlencode({name: value for name, value in values.items() if name != without})
    return f"{path}?{query}" if query else path


def campaign_of(session: Session, values: Mapping[str, str]) -> Campaign | None:
    """Return the campaign that is asked for; raise CampaignNotFound where there is none."""
    slug = values.get("campaign")
    return find_campaign(session, slug, drafts=True) if slug else None


def campaign_choices(session: Session) -> dict[str, str] | None:
    """Return the titles of all campaigns by their names; None where they are too many."""
    rows = session.execute(
        select(Campaign.slug, Campaign.title).order_by(Campaign.title).limit(MOST_CAMPAIGNS + 1)
    ).all()
    return {row.slug: row.title for row in rows} if len(rows) <= MOST_CAMPAIGNS else None


def key_of(text: str, *, field: str) -> str:
    """Read a period's key; raise Invalid, naming the field."""
    try:
        return checked_key(text)
    except Invalid as error:
        raise Invalid(error.message, field=field) from None


def key_label(campaign: Campaign | None, key: str) -> str:
    """Print the period of a key: `May 2021`."""
    if campaign is None or len(key) > len("2021-05"):
        return key
    return span_label(campaign, key, None, locale=LOCALE, capitals=False)
