from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy.orm import Session

from campaigns.catalog import (
    NewCampaign,
    create_campaign,
    find_campaign,
    list_campaigns,
)
from campaigns.errors import CampaignExists, CampaignNotFound
from campaigns.models import CampaignState
from campaigns.states import move_campaign
from core.clock import MovableClock
from core.errors import DomainError

NEW = NewCampaign(
    slug="support-us",
    title="Support us",
    currency="USD",
    timezone="America/New_York",
    tiers_minor=(500_000, 250_000),
)


@pytest.fixture
def now(clock: MovableClock) -> datetime:
    return clock.now()


def test_campaign_is_created_with_its_tiers_in_order(session: Session, now: datetime) -> None:
    create_campaign(session, NEW, now=now)
    campaign = find_campaign(session, "support-us")
    assert [tier.amount_minor for tier in campaign.tiers] == [250_000, 500_000]
    assert campaign.state == "open"
    assert campaign.created_at == now


def test_slug_is_taken_once(session: Session, now: datetime) -> None:
    create_campaign(session, NEW, now=now)
    with pytest.raises(CampaignExists):
        create_campaign(session, replace(NEW, title="Another"), now=now)
    assert find_campaign(session, "support-us").title == "Support us"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", "Support Us"),
        ("slug", ""),
        ("slug", "-x"),
        ("slug", "v1"),
        ("slug", "a" * 65),
        ("slug", "ünïcode"),
        ("title", "  "),
        ("title", "x" * 121),
        ("title", "a\0b"),
        ("currency", "XYZW"),
        ("timezone", "Mars/Olympus"),
        ("locale", "xx"),
        ("money_format", "{symbol}"),
        ("tiers_minor", (0,)),
        ("tiers_minor", (-5,)),
        ("tiers_minor", (10, 10)),
        ("tiers_minor", (2**63,)),
        ("tiers_minor", tuple(range(1, 10))),
    ],
)
def test_campaign_that_can_not_be_is_refused_with_its_field(
    session: Session, now: datetime, field: str, value: object
) -> None:
    with pytest.raises(DomainError) as refused:
        create_campaign(session, replace(NEW, **{field: value}), now=now)  # type: ignore[arg-type]
    assert refused.value.field == {"tiers_minor": "tier"}.get(field, field)
    assert list_campaigns(session, drafts=True) == []


def test_draft_is_found_only_when_asked_for(session: Session, now: datetime) -> None:
    create_campaign(session, replace(NEW, draft=True), now=now)
    with pytest.raises(CampaignNotFound):
        find_campaign(session, "support-us")
    assert list_campaigns(session) == []
    assert find_campaign(session, "support-us", drafts=True).state == "draft"


def test_published_draft_is_found(session: Session, now: datetime) -> None:
    create_campaign(session, replace(NEW, draft=True), now=now)
    move_campaign(session, "support-us", CampaignState.OPEN)
    assert find_campaign(session, "support-us").state == "open"


@pytest.mark.parametrize("slug", ["nothing", "", "a\0b", "'; DROP TABLE campaigns; --", "x" * 9999])
def test_unknown_campaign_is_not_found(session: Session, slug: str) -> None:
    with pytest.raises(CampaignNotFound):
        find_campaign(session, slug)
