"""Monthly totals in the admin: every number is the entries', and leads to them."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.orm import Session

from admin.figures import Subject, figures_table
from admin.months_view import Span, compare, wanted_year
from admin.roles import Role
from campaigns.audit import verify_ledger
from campaigns.models import Campaign
from campaigns.reports import Figures
from campaigns.timing import Run
from core.clock import MovableClock
from core.db import db
from core.money import exact_amount
from payments.fee_sums import FeeSum
from payments.monthly import Totals
from tests.admin.conftest import SignIn
from tests.campaigns.books import JULY, Entries, fill
from tests.conftest import MakeCampaign

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
MONTHS = "/admin/campaigns/support-us/months"
SEED = 7
MOST_QUERIES = 20


@pytest.fixture
def campaign(session: Session, make_campaign: MakeCampaign) -> Campaign:
    made = make_campaign()
    fill(session, made, seed=SEED)
    return made


@pytest.fixture
def viewer(clock: MovableClock, sign_in: SignIn) -> FlaskClient:
    clock.set(JULY)
    return sign_in(Role.VIEWER)


def amount(minor: int) -> str:
    return exact_amount(minor, "USD", locale="en")


def cells(page: str, name: str) -> dict[str, str]:
    """Return what a row of the table says, by the labels of its cells."""
    row = next(row for row in page.split("<tr>") if f"<b>{name}</b>" in row)
    found = re.findall(r'<td data-label="([^"]*)"[^>]*>(.*?)</td>', row)
    return {html.unescape(label): re.sub(r"<[^>]*>", "", cell) for label, cell in found}


def behind(page: str, name: str, label: str) -> str:
    """Return where a number of a row leads."""
    row = next(row for row in page.split("<tr>") if f"<b>{name}</b>" in row)
    found = re.search(rf'<td data-label="{label}"[^>]*><a href="([^"]*)"', row)
    assert found is not None, f"{name}: {label}"
    return html.unescape(found[1])


def told(figures: Figures) -> dict[str, str]:
    """Return what a row is to say of figures that were added up from the entries."""
    return {
        "Gross": amount(figures.gross_minor),
        "Refunds": amount(figures.refunds_minor),
        "Disputes": amount(figures.disputes_minor),
        "Raised": amount(figures.raised_minor),
        "Offline": amount(figures.offline_minor),
        "Regular": amount(figures.regular_minor),
        "One-off": amount(figures.one_off_minor),
        "Covered": amount(figures.cover_minor),
        "Gifts": str(figures.gifts),
    }


def test_each_number_is_what_the_entries_add_up_to(
    session: Session, campaign: Campaign, viewer: FlaskClient
) -> None:
    entries = Entries(session, campaign)
    page = viewer.get(MONTHS).text
    assert verify_ledger(session).differences == ()
    for key, name in (("2021-04", "April 2021"), ("2021-05", "May 2021"), ("2021-06", "June 2021")):
        said = cells(page, name)
        assert said | told(entries.figures(keys=[key])) == said, name
        closed = entries.figures(keys=[key], after_close=False)
        assert said["As closed"] == amount(closed.raised_minor)
    assert cells(page, "July 2021")["As closed"] == "–"
    whole = cells(page, "2021 together")
    assert whole | told(entries.figures()) == whole
    assert whole["Donors"] == whole["As closed"] == "–"


def test_each_number_leads_to_entries_that_make_it(
    session: Session, campaign: Campaign, viewer: FlaskClient
) -> None:
    figures = Entries(session, campaign).figures(keys=["2021-05"])
    page = viewer.get(MONTHS).text
    for label in ("Gross", "Refunds", "Disputes", "Raised", "Offline", "Regular", "One-off"):
        found = viewer.get(behind(page, "May 2021", label))
        assert found.status_code == 200
        assert f"<b>{told(figures)[label]} USD</b>" in found.text, label
    gifts = viewer.get(behind(page, "May 2021", "Gifts"))
    assert gifts.status_code == 200
    assert "2021-05" in gifts.text
    year = viewer.get(behind(page, "2021 together", "Raised")).text
    assert amount(Entries(session, campaign).figures().raised_minor) in year


def test_a_month_says_what_was_announced_and_why_it_differs(
    session: Session, campaign: Campaign, viewer: FlaskClient
) -> None:
    entries = Entries(session, campaign)
    page = viewer.get(f"{MONTHS}/2021-05").text
    now, closed, since = (
        entries.figures(keys=["2021-05"], after_close=when) for when in (None, False, True)
    )
    for figures in (now, closed):
        assert f">{amount(figures.raised_minor)}<" in page.replace("</a>", "<")
    assert amount(since.refunds_minor) in page
    assert "What has changed since the close" in page
    assert "Closed on" in page
    for way in (now.online_minor, now.offline_minor, now.regular_minor, now.one_off_minor):
        assert amount(way) in page
    running = viewer.get(f"{MONTHS}/2021-07").text
    assert "running" in running
    assert "As closed" not in running
    assert viewer.get(f"{MONTHS}/2021-12").status_code == 404


@only_sqlite
def test_all_campaigns_together_are_their_sums_by_currency(
    session: Session, campaign: Campaign, viewer: FlaskClient, make_campaign: MakeCampaign
) -> None:
    other, foreign = make_campaign("other"), make_campaign("foreign", currency="EUR")
    fill(session, other, seed=SEED + 1)
    fill(session, foreign, seed=SEED + 2)
    both = Entries(session, campaign).figures() + Entries(session, other).figures()
    may = Entries(session, campaign).figures(keys=["2021-05"]) + Entries(session, other).figures(
        keys=["2021-05"]
    )
    page = viewer.get("/admin/months?currency=USD").text
    assert cells(page, "2021 together")["Raised"] == amount(both.raised_minor)
    assert cells(page, "May 2021")["Raised"] == amount(may.raised_minor)
    assert cells(page, "All campaigns")["Raised"] == amount(both.raised_minor)
    assert amount(may.raised_minor) in viewer.get(behind(page, "May 2021", "Raised")).text
    month = viewer.get("/admin/months/2021-05?currency=USD").text
    assert cells(month, "All campaigns")["Raised"] == amount(may.raised_minor)
    euros = viewer.get("/admin/months?currency=EUR").text
    assert cells(euros, "2021 together")["Raised"] == amount(
        Entries(session, foreign).figures().raised_minor
    )
    assert viewer.get("/admin/months/2020-01").status_code == 404
    assert viewer.get("/admin/months/2021-05?currency=XXX").status_code == 200


@only_sqlite
def test_what_is_not_there_yet_is_said(viewer: FlaskClient, make_campaign: MakeCampaign) -> None:
    assert "Nothing has been raised yet" in viewer.get("/admin/months").text
    make_campaign(run=Run(starts_at=JULY + timedelta(days=1), ends_at=JULY + timedelta(days=9)))
    assert "No month has begun yet" in viewer.get(MONTHS).text
    assert "Nothing has been raised yet" in viewer.get("/admin/months").text


@only_sqlite
@pytest.mark.parametrize("path", ["months", "months/2021-05"])
def test_as_many_queries_for_many_gifts_as_for_few(
    app: Flask,
    session: Session,
    viewer: FlaskClient,
    make_campaign: MakeCampaign,
    path: str,
) -> None:
    viewer.get("/admin/months")  # the first page of a session writes down when it was used
    counts = []
    for gifts in (20, 80):
        slug = f"with-{gifts}"
        fill(session, make_campaign(slug), seed=gifts, gifts=gifts)
        for page in (f"/admin/campaigns/{slug}/{path}", f"/admin/{path}"):
            statements: list[str] = []

            def note(*args: Any, into: list[str] = statements) -> None:
                into.append(args[2])

            with app.app_context():
                event.listen(db.engine, "before_cursor_execute", note)
                assert viewer.get(page).status_code == 200
                event.remove(db.engine, "before_cursor_execute", note)
            counts.append(len(statements))
    of_one, of_all, *later = counts
    assert later == [of_one, of_all]
    assert max(counts) <= MOST_QUERIES


def test_a_year_is_set_beside_the_one_before_month_by_month() -> None:
    def span(key: str, minor: int, *, running: bool = False) -> Span:
        return Span(
            key=key, label=key, raised_minor=minor, as_closed_minor=None, is_running=running
        )

    spans = [
        span("2021-03", 500, running=True),
        span("2021-02", 300),
        span("2021-01", 100),
        span("2020-12", 900),
        span("2020-03", 400),
        span("2020-02", 200),
    ]
    found = compare(spans, 2021, "USD")
    assert found is not None
    assert [(pair.now, pair.before, pair.change, pair.percent) for pair in found.pairs] == [
        ("1.00", "–", "", ""),
        ("3.00", "2.00", "+1.00", "+50%"),
        ("5.00", "4.00", "", ""),  # it still runs: what it lacks says nothing
        ("–", "9.00", "", ""),
    ]
    assert found.together is not None
    assert (found.together.now, found.together.before) == ("3.00", "2.00")
    assert compare(spans, 2020, "USD") is None


def test_fees_in_another_currency_are_told_and_not_subtracted() -> None:
    totals = Totals(
        "USD", Figures(gross_minor=10_000), {"USD": FeeSum(320, 1), "EUR": FeeSum(55, 1)}
    )
    table = figures_table(
        [Subject(name="May", totals=totals), Subject(name="June", totals=totals)],
        caption="",
        first="",
        total_name="Both",
    )
    assert table.total is not None
    said = {cell.label: cell.text for cell in table.total.cells}
    assert (said["Stripe’s fees"], said["Net"]) == ("−6.40", "193.60")
    assert table.other_fees == ("1.10 EUR",)
    assert "As closed" not in table.columns


@pytest.mark.parametrize(
    ("asked", "year"),
    [(None, 2021), ("2020", 2020), ("1999", 2019), ("9999", 2021), ("x", 2021), ("²", 2021)],
)
def test_year_that_is_not_there_is_the_nearest(asked: str | None, year: int) -> None:
    assert wanted_year(asked, (2019, 2021)) == year
    assert wanted_year(asked, None) is None
