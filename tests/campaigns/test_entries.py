"""The entries behind a number: their sum is the report's figure, and each of them is there."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from sqlalchemy.orm import Session

from campaigns.entries import (
    Counting,
    EntryFilter,
    figure_of,
    list_entries,
    sum_entries,
)
from campaigns.reports import (
    Figures,
    Grouping,
    Scope,
    read_month,
    read_shares,
    read_since_close,
    read_total,
)
from tests.campaigns.books import ARTICLES, JULY, fill
from tests.conftest import MakeCampaign

KINDS = (None, *Counting)
ALL = 10_000


def added_up(session: Session, wanted: EntryFilter) -> int:
    return sum(entry.amount_minor for entry in list_entries(session, wanted, limit=ALL))


def test_the_lines_add_up_to_the_sum_whatever_is_asked_for(
    session: Session, make_campaign: MakeCampaign
) -> None:
    campaign = make_campaign()
    fill(session, campaign, seed=7)
    fill(session, make_campaign("quiet"), seed=8, gifts=5)
    month = EntryFilter(campaign_id=campaign.id, month="2021-05")
    narrowed = [
        month,
        EntryFilter(),
        replace(month, offline=True),
        replace(month, offline=False, regular=False),
        replace(month, regular=True),
        replace(month, article=ARTICLES[0]),
        replace(month, article=ARTICLES[0], slot="top"),
        replace(month, article=""),
        replace(month, slot="", article=ARTICLES[1]),
        replace(month, site="courier.example"),
        replace(month, article="", slot="", site=""),
        replace(month, after_close=True),
        replace(month, after_close=True, article=ARTICLES[0]),
        replace(month, month="2021", after_close=True, regular=True),
    ]
    for wanted, kind in product(narrowed, KINDS):
        asked = replace(wanted, kind=kind)
        figures = sum_entries(session, asked).get("USD", Figures())
        assert added_up(session, asked) == figure_of(figures, kind), asked
    assert added_up(session, EntryFilter()) != 0


def test_the_sums_are_those_of_the_reports(session: Session, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign()
    fill(session, campaign, seed=7)
    euro = make_campaign("euro", currency="EUR")
    fill(session, euro, seed=9, gifts=10)
    month = EntryFilter(campaign_id=campaign.id, month="2021-05")
    read = read_month(session, campaign, "2021-05", now=JULY)
    figures = read.figures
    assert sum_entries(session, month) == {"USD": figures}
    assert added_up(session, month) == figures.raised_minor
    assert added_up(session, replace(month, kind=Counting.GIFT)) == figures.gross_minor
    assert added_up(session, replace(month, kind=Counting.REFUND)) == figures.refunds_minor
    assert added_up(session, replace(month, kind=Counting.DISPUTE)) == figures.disputes_minor
    assert added_up(session, replace(month, kind=Counting.COVER)) == figures.cover_minor
    assert added_up(session, replace(month, offline=True)) == figures.offline_minor
    assert added_up(session, replace(month, offline=False)) == figures.online_minor
    assert added_up(session, replace(month, regular=True)) == figures.regular_minor
    assert added_up(session, replace(month, regular=False)) == figures.one_off_minor
    since = read_since_close(session, read.period_id)
    assert sum_entries(session, replace(month, after_close=True)) == {"USD": since}
    for currency in ("USD", "EUR"):
        year = EntryFilter(currency=currency, month="2021")
        total = read_total(session, Scope(currency, keys=("2021",)))
        assert sum_entries(session, year) == {currency: total}
        assert added_up(session, year) == total.raised_minor
    scope = Scope("USD", campaign.id)
    for grouping in Grouping:
        for share in read_shares(session, scope, grouping, limit=9).largest:
            name: dict[str, Any] = {grouping.value: share.name}
            named = EntryFilter(campaign_id=campaign.id, **name)
            assert added_up(session, named) == share.figures.raised_minor, share


def test_pages_hold_each_entry_once(session: Session, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign()
    fill(session, campaign, seed=7, gifts=12)
    wanted = EntryFilter(campaign_id=campaign.id, kind=Counting.ALL)
    whole = [entry.id for entry in list_entries(session, wanted, limit=ALL)]
    paged: list[int] = []
    while found := list_entries(session, wanted, before_id=paged[-1] if paged else None, limit=5):
        paged += [entry.id for entry in found]
    assert paged == whole == sorted(whole, reverse=True)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_not_there_has_no_sum(session: Session, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign()
    fill(session, campaign, seed=7, gifts=3)
    for wanted in (
        EntryFilter(month="2020-05"),
        EntryFilter(currency="EUR"),
        EntryFilter(article="https://courier.example/never"),
        EntryFilter(campaign_id=campaign.id, month="2020", after_close=True),
    ):
        assert sum_entries(session, wanted) == {}
        assert list_entries(session, wanted, limit=ALL) == []
