"""Monthly totals: every figure is what the entries add up to, one by one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from campaigns.audit import verify_ledger
from campaigns.errors import PeriodNotFound
from campaigns.reports import (
    Figures,
    Grouping,
    Scope,
    read_by_campaign,
    read_calendar,
    read_currencies,
    read_month,
    read_months,
    read_shares,
    read_since_close,
    read_total,
    read_year,
    read_years,
)
from core.cadence import Cadence, Rhythm
from tests.campaigns.books import JULY, Entries, fill
from tests.conftest import MakeCampaign

SEED = 7


def test_each_figure_is_what_the_entries_add_up_to(
    session: Session, make_campaign: MakeCampaign
) -> None:
    campaign = make_campaign()
    fill(session, campaign, seed=SEED)
    entries = Entries(session, campaign)
    running, *months = read_months(session, campaign, now=JULY, limit=24)
    assert (running.key, running.is_running, running.closed) == ("2021-07", True, None)
    assert running.figures == Figures()
    assert [month.key for month in months] == ["2021-06", "2021-05", "2021-04"]
    for month in months:
        assert not month.is_running
        assert month.figures == entries.figures(keys=[month.key])
        assert month.closed is not None
        closed = entries.figures(keys=[month.key], after_close=False)
        assert month.closed.raised_minor == closed.raised_minor
        assert month.closed.gifts == closed.gifts
        since, told = (
            entries.figures(keys=[month.key], after_close=True),
            read_since_close(session, month.period_id),
        )
        for name in ("gross_minor", "refunds_minor", "disputes_minor", "cover_minor"):
            assert getattr(told, name) == getattr(since, name), name
        assert told.raised_minor == month.since_close_minor != 0
    assert verify_ledger(session).differences == ()


def test_the_whole_is_its_campaigns_and_its_months(
    session: Session, make_campaign: MakeCampaign
) -> None:
    first, second = make_campaign(), make_campaign("quiet", cadence=Cadence(Rhythm.QUARTER))
    euro = make_campaign("euro", currency="EUR")
    for number, campaign in enumerate((first, second, euro)):
        fill(session, campaign, seed=SEED + number, gifts=15)
    sums = {one.slug: Entries(session, one).figures() for one in (first, second, euro)}
    assert read_currencies(session) == ("EUR", "USD")
    scope = Scope("USD")
    assert read_total(session, scope) == sums["support-us"] + sums["quiet"]
    assert read_total(session, Scope("USD", keys=("2020",))) == Figures()
    by_campaign = {found.slug: of for found, of in read_by_campaign(session, scope, limit=9)}
    assert by_campaign == {slug: sums[slug] for slug in ("support-us", "quiet")}
    (most,) = read_by_campaign(session, scope, limit=1)
    assert most[1].raised_minor == max(found.raised_minor for found in by_campaign.values())
    months = read_calendar(session, Scope("USD", keys=("2021",)), now=JULY)
    assert {"2021-04", "2021-05", "2021-06", "2021-07", "2021-Q2", "2021-Q3"} == {
        month.key for month in months
    }
    assert sum((month.figures for month in months), Figures()) == read_total(session, scope)
    announced = {month.key: month.as_closed_minor for month in months}
    assert announced["2021-07"] is announced["2021-Q3"] is None
    assert announced["2021-Q2"] == Entries(session, second).figures(after_close=False).raised_minor
    assert read_years(session, scope) == (2021, 2021)
    assert read_years(session, Scope("CHF")) is None


def test_where_gifts_came_from_adds_up_with_the_rest(
    session: Session, make_campaign: MakeCampaign
) -> None:
    campaign = make_campaign()
    fill(session, campaign, seed=SEED)
    expected = Entries(session, campaign).by_article()
    scope = Scope("USD", campaign.id)
    whole = read_shares(session, scope, Grouping.ARTICLE, limit=10)
    assert {one.name: one.figures.raised_minor for one in whole.largest} == expected
    assert (whole.others, whole.others_count) == (Figures(), 0)
    largest = read_shares(session, scope, Grouping.ARTICLE, limit=2)
    assert [one.name for one in largest.largest] == sorted(
        expected, key=lambda name: -expected[name]
    )[:2]
    assert largest.others_count == len(expected) - 2
    total = sum((one.figures for one in largest.largest), largest.others)
    assert total.raised_minor == read_total(session, scope).online_minor
    assert total.offline_minor == 0
    sites = read_shares(session, scope, Grouping.SITE, limit=10)
    assert {one.name for one in sites.largest} == {"courier.example", "other.example", ""}
    slots = read_shares(session, Scope("USD", campaign.id, ("2021-05",)), Grouping.SLOT, limit=10)
    assert {one.name for one in slots.largest} == {"top", "bottom", ""}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_months_are_read_on_from_a_key_and_year_by_year(
    session: Session, make_campaign: MakeCampaign
) -> None:
    campaign = make_campaign()
    fill(session, campaign, seed=SEED, gifts=12)
    _, newest = read_months(session, campaign, now=JULY, limit=2)
    further = read_months(session, campaign, now=JULY, limit=9, before=newest.key)
    assert [month.key for month in further] == ["2021-05", "2021-04"]
    whole_year = read_year(session, campaign, [2021, 2020], now=JULY)
    assert [month.key for month in whole_year] == ["2021-07", "2021-06", "2021-05", "2021-04"]
    assert read_year(session, campaign, [2020], now=JULY) == ()
    assert read_month(session, campaign, "2021-05", now=JULY) == further[0]
    with pytest.raises(PeriodNotFound):
        read_month(session, campaign, "2021-08", now=JULY)
    with pytest.raises(PeriodNotFound):
        read_month(session, campaign, "2021-06", now=datetime(2021, 5, 1, tzinfo=UTC))


def test_an_average_is_rounded_down_and_none_without_gifts() -> None:
    assert Figures(gross_minor=1_000, gifts=3).average_minor == 333
    assert Figures().average_minor is None
