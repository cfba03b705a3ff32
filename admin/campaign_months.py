"""`/admin/campaigns/<slug>/months`: what a campaign's periods raised, and one of them in full."""

from __future__ import annotations

from flask import request

from admin.access import admin_blueprint, needs
from admin.campaign_forms import render_campaign
from admin.figures import Subject, figures_table
from admin.month_view import month_page
from admin.months_view import chart, compare, pager, share_tables, spans_of, wanted_year
from admin.pages import LOCALE
from admin.roles import Permission
from campaigns.catalog import find_campaign
from campaigns.reports import Scope, read_month, read_year, read_years
from core.clock import now
from core.db import db
from payments.monthly import totals_of

bp = admin_blueprint("campaign_months", __name__)


@bp.get("/campaigns/<slug>/months")
@needs(Permission.SEE_TOTALS)
def months(slug: str) -> str:
    """Show a year of a campaign's periods, beside the year before."""
    session = db.session
    found = find_campaign(session, slug, drafts=True)
    years = read_years(session, Scope(found.currency, campaign_id=found.id))
    year = wanted_year(request.args.get("year"), years)
    periods = () if year is None else read_year(session, found, (year, year - 1), now=now())
    if year is None or not periods:
        return render_campaign("admin/campaign_months.html", found, tab="months", table=None)
    base = f"/admin/campaigns/{found.slug}/months"
    of_year = [month for month in periods if month.key.startswith(f"{year:04}")]
    totals = totals_of(session, found, of_year)
    spans = spans_of(found, periods)
    scope = Scope(found.currency, campaign_id=found.id, keys=(f"{year:04}",))
    behind = {"campaign": found.slug, "month": str(year)}
    return render_campaign(
        "admin/campaign_months.html",
        found,
        tab="months",
        year=year,
        pager=pager(year, years, base, {}),
        chart=chart(spans, found.currency),
        table=figures_table(
            [
                Subject(
                    name=month.label,
                    href=f"{base}/{month.key}",
                    totals=totals[month.period_id],
                    donors=month.donors,
                    as_closed_minor=None if month.closed is None else month.closed.raised_minor,
                    is_running=month.is_running,
                    behind={"campaign": found.slug, "month": month.key},
                    donations=f"/admin/donations?campaign={found.slug}&period={month.key}",
                )
                for month in of_year
            ],
            caption=f"{found.title}, {year}, in {found.currency}",
            first="Period",
            total_name=f"{year} together",
            total_behind=behind,
        ),
        comparison=compare(spans, year, found.currency),
        shares=share_tables(session, scope, behind=behind),
    )


@bp.get("/campaigns/<slug>/months/<key>")
@needs(Permission.SEE_TOTALS)
def month(slug: str, key: str) -> str:
    """Show one period: as it was announced, what has come since, and what it is made of."""
    session = db.session
    found = find_campaign(session, slug, drafts=True)
    shown = read_month(session, found, key, now=now())
    page = month_page(session, found, shown, locale=LOCALE)
    return render_campaign("admin/campaign_month.html", found, tab="months", month=shown, page=page)
