"""What may become of a campaign: published, paused, archived, and back."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.errors import CampaignNotFound, StateConflict
from campaigns.models import Campaign, CampaignState

# What was seen never becomes a draft again: its address is known, and its books are.
WAYS: Mapping[CampaignState, tuple[CampaignState, ...]] = MappingProxyType(
    {
        CampaignState.DRAFT: (CampaignState.OPEN, CampaignState.ARCHIVED),
        CampaignState.OPEN: (CampaignState.PAUSED, CampaignState.ARCHIVED),
        CampaignState.PAUSED: (CampaignState.OPEN, CampaignState.ARCHIVED),
        CampaignState.ARCHIVED: (CampaignState.OPEN,),
    }
)

_DONE_BY: Mapping[tuple[CampaignState, CampaignState], str] = MappingProxyType(
    {
        (CampaignState.DRAFT, CampaignState.OPEN): "campaign.published",
        (CampaignState.PAUSED, CampaignState.OPEN): "campaign.resumed",
        (CampaignState.ARCHIVED, CampaignState.OPEN): "campaign.reopened",
    }
)


def done_by(before: CampaignState, to: CampaignState) -> str:
    """Return what the log calls the way from one state to another."""
    return _DONE_BY.get((before, to), f"campaign.{to}")


def move_campaign(session: Session, slug: str, to: CampaignState) -> CampaignState:
    """Bring a campaign, drafts too, into another state; return the one that it was in.

    Where it is in that state already nothing is changed, so two who press one button do no harm.
    Raises CampaignNotFound, and StateConflict where no way leads there.
    """
    campaign = session.scalars(
        select(Campaign).where(Campaign.slug == slug).with_for_update()
    ).one_or_none()
    if campaign is None:
        raise CampaignNotFound(slug)
    before = CampaignState(campaign.state)
    if to is not before and to not in WAYS[before]:
        raise StateConflict(f"A campaign that is {before} can't become {to}.", field="state")
    campaign.state = to
    session.flush()
    return before
