"""What the pages of one campaign share: finding it, their head, and what the log says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from babel.dates import format_datetime
from babel.numbers import get_decimal_symbol, get_group_symbol
from sqlalchemy.orm import Session

from admin.access import current_actor, may
from admin.pages import LOCALE, render_admin
from admin.roles import Permission
from campaigns.ahead import Ahead
from campaigns.calendar import Bounds, state_at
from campaigns.fields import subject_of
from campaigns.labels import money_label, span_label
from campaigns.models import Campaign, CampaignState
from core.auditlog import record
from core.clock import now
from core.money import exponent
from core.web import settings

# What each state is called, and whether it is a good one to be in.
STATES: Mapping[CampaignState, str] = {
    CampaignState.DRAFT: "Draft",
    CampaignState.OPEN: "Open",
    CampaignState.PAUSED: "Paused",
    CampaignState.ARCHIVED: "Archived",
}


@dataclass(frozen=True, slots=True)
class Tab:
    """A page of a campaign."""

    name: str
    label: str
    href: str


def render_campaign(template: str, campaign: Campaign, *, tab: str, **values: object) -> str:
    """Render a page of a campaign, with the head that all of them have."""
    return render_admin(
        template,
        section="campaigns",
        campaign=campaign,
        state=state_at(campaign, now()),
        states=STATES,
        tab=tab,
        tabs=_tabs(campaign),
        money=partial(money_label, campaign),
        digits=exponent(campaign.currency),
        marks=(get_decimal_symbol(campaign.locale), get_group_symbol(campaign.locale)),
        local=partial(local_text, campaign),
        period_name=partial(period_name, campaign),
        public_url=f"{settings().base_url}/c/{campaign.slug}",
        **values,
    )


def local_text(campaign: Campaign, instant: datetime) -> str:
    """Write an instant as the campaign's zone has it: `1 June 2021, 00:00`."""
    return format_datetime(instant, "d MMMM y, HH:mm", tzinfo=campaign.zone, locale=LOCALE)


def period_name(campaign: Campaign, period: Ahead | Bounds) -> str:
    """Write which period it is, in English: `June 2021`."""
    return span_label(campaign, period.key, period.last_day, locale=LOCALE, capitals=False)


def log(
    session: Session, action: str, campaign: Campaign, details: Mapping[str, Any] | None = None
) -> None:
    """Write down that whoever is signed in did something to a campaign."""
    subject = subject_of(campaign)
    record(session, current_actor(), action, subject=subject, details=details, now=now())


def _tabs(campaign: Campaign) -> list[Tab]:
    base = f"/admin/campaigns/{campaign.slug}"
    edits = may(Permission.EDIT_CAMPAIGNS)
    return [
        Tab("overview", "Overview", base),
        Tab("months", "Months", f"{base}/months"),
        *([Tab("edit", "Edit", f"{base}/edit")] if edits else []),
        Tab("plan", "Plan ahead", f"{base}/plan"),
        *([Tab("schedule", "Schedule", f"{base}/schedule")] if edits else []),
        Tab("embed", "Embed", f"{base}/embed"),
        Tab("donations", "Donations", f"/admin/donations?campaign={campaign.slug}"),
    ]
