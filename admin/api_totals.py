"""`/api/v1/admin/campaigns` and `/api/v1/admin/totals`: campaigns, and what they raised."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response

from admin.api_access import (
    LIMIT,
    SLUG,
    allowed_to,
    answer,
    api_blueprint,
    asked,
    next_page,
    rows_asked,
    tells,
)
from admin.api_json import campaign_json, period_json, totals_json
from admin.api_shapes import (
    AllTotalsJson,
    CampaignJson,
    CampaignsJson,
    CampaignTotalsJson,
    MonthTotalsJson,
)
from admin.tokens import Scope
from campaigns.catalog import find_campaign, list_campaigns
from campaigns.reports import Scope as Periods
from campaigns.reports import read_calendar, read_currencies, read_months
from core.cadence import checked_key
from core.clock import now
from core.db import db
from core.errors import Invalid
from core.openapi import Parameter
from core.web import settings
from payments.monthly import calendar_totals, totals_of

bp = api_blueprint("totals", __name__)


@bp.get("/campaigns")
@tells(CampaignsJson, LIMIT, Parameter("after", "Begin after this campaign's name."))
@allowed_to(Scope.CAMPAIGNS_READ)
def campaigns() -> Response:
    """Return the campaigns, drafts too, by their names in addresses."""
    values = asked()
    limit, base_url = rows_asked(values), settings().base_url
    # One more than is shown tells whether there are more.
    after = values.get("after", "").replace("\0", "")
    found = list_campaigns(db.session, drafts=True, after=after, limit=limit + 1)
    shown = found[:limit]
    following = {**values, "after": shown[-1].slug} if len(found) > limit else None
    body: CampaignsJson = {
        "campaigns": [campaign_json(one, base_url=base_url) for one in shown],
        "next": next_page(following),
    }
    return answer(body)


@bp.get("/campaigns/<slug>")
@tells(CampaignJson, SLUG, errors=(HTTPStatus.NOT_FOUND,))
@allowed_to(Scope.CAMPAIGNS_READ)
def campaign(slug: str) -> Response:
    """Return one campaign."""
    asked()
    found = find_campaign(db.session, slug, drafts=True)
    return answer(campaign_json(found, base_url=settings().base_url))


@bp.get("/campaigns/<slug>/totals")
@tells(
    CampaignTotalsJson,
    SLUG,
    LIMIT,
    Parameter("before", "Begin before this period, as in 2021-05."),
    errors=(HTTPStatus.NOT_FOUND,),
)
@allowed_to(Scope.TOTALS_READ)
def campaign_totals(slug: str) -> Response:
    """Return what each period of a campaign raised and of what, the newest first."""
    values = asked()
    limit, before = rows_asked(values), values.get("before")
    found = find_campaign(db.session, slug, drafts=True)
    months = read_months(
        db.session,
        found,
        now=now(),
        limit=limit + 1,
        before=None if before is None else checked_key(before),
    )
    shown = months[:limit]
    totals = totals_of(db.session, found, shown)
    following = {**values, "before": shown[-1].key} if len(months) > limit else None
    body: CampaignTotalsJson = {
        "campaign": found.slug,
        "periods": [period_json(month, totals[month.period_id]) for month in shown],
        "next": next_page(following),
    }
    return answer(body)


@bp.get("/totals")
@tells(AllTotalsJson, Parameter("currency", "Of this one alone, as in USD."))
@allowed_to(Scope.TOTALS_READ)
def totals() -> Response:
    """Return what all campaigns raised in each month of their calendars, by currency."""
    wanted = asked().get("currency")
    known = read_currencies(db.session)
    if wanted is not None and wanted not in known:
        raise Invalid("No campaign has this currency.", field="currency")
    body: AllTotalsJson = {
        "totals": [
            {"currency": currency, "months": _months(currency)}
            for currency in known
            if wanted in {None, currency}
        ]
    }
    return answer(body)


def _months(currency: str) -> list[MonthTotalsJson]:
    scope = Periods(currency)
    months = read_calendar(db.session, scope, now=now())
    found = calendar_totals(db.session, scope, months)
    return [
        {
            "month": month.key,
            **totals_json(found[month.key]),
            "as_closed_minor": month.as_closed_minor,
        }
        for month in months
    ]
