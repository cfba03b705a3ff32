"""The benchmark of the admin asks pages that are there, of right books; they grow with none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from bench.admin import (
    MONTHS,
    PAGES,
    SEARCHES,
    Page,
    ask_in_turns,
    fill_years,
    questions,
    signed_in,
)
from bench.admin_paper import admin_tables
from bench.filling import GIFTS_A_DONOR
from bench.sites import NOW, SLUG, Site, open_sites
from campaigns.audit import verify_ledger
from campaigns.catalog import find_campaign
from campaigns.reports import read_months

SIZES = (1_200, 12_000)
# Found by their own index and put in order: it grows with the refunds, of which there are few.
GROWS = {"refunds among entries"}


@pytest.fixture(scope="module")
def sites() -> Iterator[list[Site]]:
    """Two sites, one with ten times the other's donations."""
    with open_sites("sqlite") as make:
        found = [make() for _ in SIZES]
        for site, donations in zip(found, SIZES, strict=True):
            fill_years(site, donations)
        yield found


def test_books_of_years_are_right_and_end_with_the_present_month(sites: list[Site]) -> None:
    with sites[0].open_session() as session:
        assert verify_ledger(session).differences == ()
        months = read_months(session, find_campaign(session, SLUG), now=NOW, limit=100)
    assert len(months) == MONTHS
    assert months[0].is_running
    assert all(month.figures.gifts for month in months)
    assert all(month.closed for month in months[1:])


def test_no_page_takes_more_of_the_database_where_there_are_ten_times_the_donations(
    sites: list[Site],
) -> None:
    taken: list[dict[str, int]] = []
    for site in sites:
        steps: list[None] = []

        @event.listens_for(site.engine, "checkout")
        def count(connection: Any, _record: object, _proxy: object, steps: Any = steps) -> None:
            # Called for each hundred steps of SQLite's machine, whatever else runs on ours.
            connection.set_progress_handler(lambda: steps.append(None), 100)

        client, by_page = signed_in(site, "steps@example.org"), {}
        for name, ask in questions(client):
            ask()
            steps.clear()
            ask()
            by_page[name] = len(steps)
        event.remove(site.engine, "checkout", count)
        taken.append(by_page)
    few, many = taken
    assert {name for name in few if many[name] > 1.5 * few[name] + 30} == GROWS


def test_every_page_is_asked_and_the_paper_tells_each(sites: list[Site]) -> None:
    steps: list[str] = []
    pages: list[Page] = ask_in_turns([sites[0]], [SIZES[0]], rounds=1, step=steps.append)
    paper = admin_tables(pages, "a machine", rounds=1)
    for name in (*PAGES, *SEARCHES):
        assert f"| {name} |" in paper
    assert all(0 < page.statements <= 20 for page in pages)


def test_payouts_and_the_gifts_of_an_address_are_there_to_be_found(sites: list[Site]) -> None:
    client = signed_in(sites[0], "finds@example.org")
    payouts = client.get("/admin/payouts").text
    assert payouts.count('href="/admin/payouts/po_') == 12
    assert "po_1" in client.get("/admin/payouts/po_1").text
    token = payouts.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"csrf_token": token, "q": SEARCHES["a search by e-mail"]}
    found = client.post("/admin/donations/search", data=form).text
    assert found.count('href="/admin/donations/don_') == GIFTS_A_DONOR
