from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from campaigns.catalog import list_campaigns
from campaigns.errors import CampaignNotFound
from campaigns.models import Campaign
from campaigns.progress import Progress, read_progress

NOW = datetime(2021, 5, 12, 10, 11, 12, tzinfo=UTC)


def read(session: Session, slug: str = "support-us", **options: str) -> Progress:
    return read_progress(session, slug, now=NOW, base_url="https://goal.example", **options)


def test_json_is_the_public_contract_to_the_letter(
    session: Session, make_campaign: Callable[..., Campaign], give: Callable[..., object]
) -> None:
    campaign = make_campaign()
    for _ in range(13):
        give(campaign, 4_000)
    assert read(session).to_json() == {
        "campaign": "support-us",
        "title": "Support us",
        "currency": "USD",
        "locale": "en",
        "period": {
            "key": "2021-05",
            "label": "MAY 2021",
            "starts_at": "2021-05-01T04:00:00Z",
            "ends_at": "2021-06-01T04:00:00Z",
        },
        "raised_minor": 52_000,
        "raised_label": "520 $",
        "percent": 10.4,
        "tiers": [
            {"amount_minor": 0, "label": "0 $", "reached": True},
            {"amount_minor": 250_000, "label": "2,500 $", "reached": False},
            {"amount_minor": 500_000, "label": "5,000 $", "reached": False},
        ],
        "donations": 13,
        "donors": 13,
        "state": "open",
        "donate_url": "https://goal.example/c/support-us",
        "as_of": "2021-05-12T10:11:12Z",
    }


@pytest.mark.parametrize(
    ("raised_minor", "percent"),
    [(499_999, 99.9), (500_000, 100.0), (1, 0.0), (749_999, 149.9), (500_000_000, 100_000.0)],
)
def test_percent_never_looks_like_a_goal_that_is_not_reached(
    session: Session,
    make_campaign: Callable[..., Campaign],
    give: Callable[..., object],
    raised_minor: int,
    percent: float,
) -> None:
    give(make_campaign(), raised_minor)
    progress = read(session)
    assert progress.percent == percent
    assert progress.tiers[-1].reached == (raised_minor >= 500_000)


def test_campaign_without_a_tier_has_no_percent(
    session: Session, make_campaign: Callable[..., Campaign], give: Callable[..., object]
) -> None:
    give(make_campaign(tiers_minor=()), 52_000)
    progress = read(session)
    assert progress.percent is None
    assert [tier.label for tier in progress.tiers] == ["0 $"]
    json.dumps(progress.to_json())


@pytest.mark.parametrize(
    ("locale", "label"),
    [("en", "MAY 2021"), ("de", "Mai 2021"), ("ja", "2021年5月"), ("fr", "mai 2021")],
)
def test_month_is_labelled_in_the_campaigns_language(
    session: Session, make_campaign: Callable[..., Campaign], locale: str, label: str
) -> None:
    make_campaign(locale=locale)
    assert read(session).period.label == label


def test_reader_may_ask_for_another_language(
    session: Session, make_campaign: Callable[..., Campaign]
) -> None:
    make_campaign()
    assert read(session, locale="de").tiers[1].label == "2.500 $"


def test_draft_is_not_found(session: Session, make_campaign: Callable[..., Campaign]) -> None:
    make_campaign(draft=True)
    with pytest.raises(CampaignNotFound):
        read(session)
    assert list_campaigns(session) == []
