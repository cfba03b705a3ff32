"""`/admin/campaigns`: all campaigns, and where each of them stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from flask import request

from admin.access import admin_blueprint, needs
from admin.campaign_forms import STATES, period_name
from admin.pages import LOCALE, render_admin
from admin.roles import Permission
from campaigns.calendar import state_at
from campaigns.catalog import list_campaigns
from campaigns.labels import money_label, span_label
from campaigns.models import Campaign, CampaignState, Period
from campaigns.periods import current_periods, preview_period
from core.clock import now
from core.db import db

CAMPAIGNS_A_PAGE = 50

bp = admin_blueprint("campaign_list", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A campaign as the list shows it."""

    campaign: Campaign
    state: CampaignState
    period: str
    raised: str
    goal: str


@bp.get("/campaigns")
@needs(Permission.SEE_TOTALS)
def campaigns() -> str:
    """List the campaigns of all states, or of one."""
    asked = request.args.get("state", "")
    state = CampaignState(asked) if asked in set(CampaignState) else None
    after = request.args.get("after", "").replace("\0", "")
    # One more than is shown tells whether there are more.
    found = list_campaigns(
        db.session, drafts=True, state=state, after=after, limit=CAMPAIGNS_A_PAGE + 1
    )
    shown = found[:CAMPAIGNS_A_PAGE]
    periods = current_periods(db.session, [campaign.id for campaign in shown], now())
    return render_admin(
        "admin/campaigns.html",
        section="campaigns",
        rows=[_row(campaign, periods.get(campaign.id)) for campaign in shown],
        states=STATES,
        asked=state,
        after=after,
        following=shown[-1].slug if len(found) > len(shown) else None,
    )


def _row(campaign: Campaign, period: Period | None) -> Row:
    if period is None:
        # Nobody has asked for this period yet: it is opened by the first who does.
        bounds, opening = preview_period(db.session, campaign, now())
        name, tiers, raised_minor = period_name(campaign, bounds), opening.tiers_minor, 0
    else:
        last_day = date.fromisoformat(period.last_day) if period.last_day else None
        name = span_label(campaign, period.key, last_day, locale=LOCALE, capitals=False)
        tiers = tuple(tier.amount_minor for tier in period.tiers)
        raised_minor = period.raised_minor
    return Row(
        campaign=campaign,
        state=state_at(campaign, now()),
        period=name,
        raised=money_label(campaign, raised_minor),
        goal=money_label(campaign, max(tiers)) if tiers else "",
    )
