"""`/admin/entries`: the lines of the ledger behind a number, and what they add up to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from babel.dates import format_datetime
from flask import request

from admin.access import admin_blueprint, may, needs
from admin.filters import (
    Narrowing,
    address,
    asked,
    campaign_choices,
    campaign_of,
    key_label,
    key_of,
)
from admin.pages import LOCALE, render_admin
from admin.roles import Permission
from campaigns.entries import Counting, EntryFilter, figure_of, list_entries, sum_entries
from campaigns.models import Campaign
from campaigns.reports import Figures
from core.db import db
from core.errors import DomainError, Invalid
from core.money import exact_amount
from payments.donation_list import donation_ids

ENTRIES_A_PAGE = 50
PATH = "/admin/entries"
FIELDS = (
    "campaign", "currency", "month", "kind", "source", "regular",
    "article", "slot", "site", "after_close",
)  # fmt: skip
# An article without a name is one that nobody knows: what is empty is asked for.
_MAY_BE_EMPTY = frozenset({"article", "slot", "site"})
KINDS = {
    "": "What the bar counts",
    Counting.GIFT: "Gifts",
    Counting.REFUND: "Refunds",
    Counting.DISPUTE: "Disputes",
    Counting.COVER: "Covered fees",
    Counting.ALL: "All, covered fees too",
}
SOURCES = {"": "All", "online": "Through Stripe", "offline": "Offline"}
REGULAR = {"": "All", "1": "Regular", "0": "One-off"}
WHENS = {"": "Any time", "1": "After the close"}

bp = admin_blueprint("entries", __name__)


@bp.get("/entries")
@needs(Permission.SEE_TOTALS)
def entries() -> str:
    """List the entries that are asked for, the last written first, below their sum."""
    values = {
        name: value
        for name, value in asked(request.args, FIELDS).items()
        if value or name in _MAY_BE_EMPTY
    }
    session = db.session
    problems: dict[str, str] = {}
    wanted, campaign = EntryFilter(), None
    try:
        campaign = campaign_of(session, values)
        wanted = _read(values, campaign)
    except DomainError as error:
        field = error.field or "campaign"
        problems["campaign" if field == "slug" else field] = error.message
    after = request.args.get("after", "")
    before_id = int(after) if after.isdecimal() and len(after) < 19 else None  # noqa: PLR2004
    # One more than is shown tells whether there are more.
    found = (
        []
        if problems
        else list_entries(session, wanted, before_id=before_id, limit=ENTRIES_A_PAGE + 1)
    )
    shown = found[:ENTRIES_A_PAGE]
    donations = (
        donation_ids(session, {entry.gift for entry in shown})
        if may(Permission.SEE_DONATIONS)
        else {}
    )
    last = str(shown[-1].id) if len(found) > len(shown) else ""
    return render_admin(
        "admin/entries.html",
        section="months",
        rows=shown,
        donations=donations,
        sums={} if problems else sum_entries(session, wanted),
        figure=lambda figures: figure_of(figures, wanted.kind),
        parts=_parts,
        wanted=wanted,
        campaign=campaign,
        values=values,
        problems=problems,
        narrowed=_narrowed(values),
        campaigns=campaign_choices(session),
        kinds=KINDS,
        sources=SOURCES,
        regular=REGULAR,
        whens=WHENS,
        month_label=key_label(campaign, wanted.month) if wanted.month else "",
        exact=exact,
        local=local,
        after=before_id,
        following=address(PATH, values | {"after": last}) if last else None,
    )


def _read(values: Mapping[str, str], campaign: Campaign | None) -> EntryFilter:
    """Read what is asked for; raise Invalid, naming the field."""
    month = values.get("month")
    return EntryFilter(
        campaign_id=campaign.id if campaign else None,
        currency=values.get("currency", "").upper() or None,
        month=key_of(month, field="month") if month else None,
        kind=Counting(kind) if (kind := _one_of(values, "kind", KINDS)) else None,
        offline={"": None, "online": False, "offline": True}[_one_of(values, "source", SOURCES)],
        regular={"": None, "1": True, "0": False}[_one_of(values, "regular", REGULAR)],
        article=values.get("article"),
        slot=values.get("slot"),
        site=values.get("site"),
        after_close=_one_of(values, "after_close", WHENS) == "1",
    )


def _one_of(values: Mapping[str, str], name: str, offered: Mapping[str, str]) -> str:
    value = values.get(name, "")
    if value not in offered:
        raise Invalid("Choose one of these.", field=name)
    return value


def _narrowed(values: Mapping[str, str]) -> list[Narrowing]:
    """Return what no field of the form is for: where gifts came from, and in which currency."""
    told = {"article": "Article", "slot": "Slot", "site": "Site", "currency": "Currency"}
    return [
        Narrowing(f"{label}: {values[name] or 'unknown'}", address(PATH, values, without=name))
        for name, label in told.items()
        if name in values
    ]


def _parts(figures: Figures) -> list[tuple[str, int]]:
    """Return what a sum is made of, where it is made of several."""
    parts = [
        ("gifts", figures.gross_minor),
        ("refunds", figures.refunds_minor),
        ("disputes", figures.disputes_minor),
    ]
    return [(name, minor) for name, minor in parts if minor]


def exact(amount_minor: int, currency: str) -> str:
    """Print an amount to its last digit: `1,234.50`."""
    return exact_amount(amount_minor, currency, locale=LOCALE)


def local(campaign: Campaign, instant: datetime) -> str:
    """Print an instant as the campaign's zone has it, short: `12 May 2021, 06:11`."""
    return format_datetime(instant, "d MMM y, HH:mm", tzinfo=campaign.zone, locale=LOCALE)
