"""Monthly totals as a file: the same figures as the pages, period by period."""

from __future__ import annotations

from typing import Any

from flask import Flask
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.reports import Month, read_months
from core.auditlog import COMMAND_LINE
from core.money import to_major
from core.sheets import Format
from payments.edge import open_session
from payments.export_filters import Export, What
from payments.exporting import begin_export
from payments.models import PeriodFee
from payments.monthly import Totals, totals_of
from tests.campaigns.books import JULY, fill
from tests.conftest import MakeCampaign
from tests.payments.exported import read_csv


def rows(app: Flask, **wanted: Any) -> list[dict[str, str]]:
    with app.app_context():
        export = Export(what=What.MONTHS, format=Format.CSV, **wanted)
        return read_csv(begin_export(open_session, export, actor=COMMAND_LINE, clock=lambda: JULY))


def told(campaign: Campaign, month: Month, totals: Totals) -> dict[str, str]:
    figures = month.figures

    def money(minor: int | None) -> str:
        return "" if minor is None else str(to_major(minor, campaign.currency))

    return {
        "campaign": campaign.slug,
        "period": month.key,
        "currency": campaign.currency,
        "gross": money(figures.gross_minor),
        "refunds": money(figures.refunds_minor),
        "disputes": money(figures.disputes_minor),
        "raised": money(figures.raised_minor),
        "as_closed": money(month.closed.raised_minor if month.closed else None),
        "offline": money(figures.offline_minor),
        "regular": money(figures.regular_minor),
        "one_off": money(figures.one_off_minor),
        "cover": money(figures.cover_minor),
        "fees": money(totals.fee_minor if "USD" in totals.fees else None),
        "net": money(totals.net_minor),
        "gifts": str(figures.gifts),
        "donors": str(month.donors),
        "average": money(figures.average_minor),
    }


def test_each_row_is_a_period_as_the_pages_have_it(
    app: Flask, session: Session, make_campaign: MakeCampaign
) -> None:
    expected = []
    for number, slug in enumerate(("support-us", "ferry")):
        campaign = make_campaign(slug)
        fill(session, campaign, seed=number)
        months = list(reversed(read_months(session, campaign, now=JULY, limit=100)))
        fees = [("USD", 320, 3), ("EUR", 55, 1)] if number else []
        for currency, minor, count in fees:
            session.add(
                PeriodFee(
                    period_id=months[0].period_id,
                    currency=currency,
                    fee_minor=minor,
                    payment_count=count,
                )
            )
        session.commit()
        totals = totals_of(session, campaign, months)
        expected += [told(campaign, month, totals[month.period_id]) for month in months]
        session.commit()

    found = rows(app)

    assert [
        {name: row[name] for name in told} for row, told in zip(found, expected, strict=True)
    ] == expected
    assert len(found) == len(expected) > 6
    with_fees = next(row for row in found if row["campaign"] == "ferry")
    assert (with_fees["fee_payments"], with_fees["other_fee_payments"]) == ("3", "1")
    assert with_fees["starts_at_utc"] < with_fees["ends_at_utc"]


def test_it_is_narrowed_to_a_campaign_a_period_and_days(
    app: Flask, session: Session, make_campaign: MakeCampaign
) -> None:
    for number, slug in enumerate(("support-us", "ferry")):
        fill(session, make_campaign(slug), seed=number)

    of_may = rows(app, period="2021-05")
    assert [(row["campaign"], row["period"]) for row in of_may] == [
        ("support-us", "2021-05"),
        ("ferry", "2021-05"),
    ]
    assert {row["campaign"] for row in rows(app, slug="ferry")} == {"ferry"}
