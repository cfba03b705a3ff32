from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from campaigns.adjustments import list_adjustments
from campaigns.audit import verify_ledger
from campaigns.history import read_history
from campaigns.models import Campaign, CampaignTier, Period
from campaigns.periods import current_period, get_or_create_period
from campaigns.progress import read_progress
from campaigns.rolling import due_campaign_ids, roll_campaign, roll_due
from core.clock import MovableClock
from core.db import db

BOUNDARY = datetime(2021, 6, 1, 4, tzinfo=UTC)  # midnight in New York
SECOND = timedelta(seconds=1)


@pytest.fixture
def campaign(make_campaign: Callable[..., Campaign]) -> Campaign:
    return make_campaign()


def keys(session: Session) -> list[tuple[str, bool]]:
    periods = session.scalars(select(Period).order_by(Period.starts_at))
    return [(period.key, period.closed_at is not None) for period in periods]


def test_nothing_is_due_before_the_boundary(session: Session, campaign: Campaign) -> None:
    assert due_campaign_ids(session, now=BOUNDARY - SECOND) == []
    assert roll_campaign(session, campaign.id, now=BOUNDARY - SECOND) == []


def test_roll_closes_may_and_opens_june(
    session: Session, campaign: Campaign, give: Callable[..., object]
) -> None:
    give(campaign, 52_000)
    assert due_campaign_ids(session, now=BOUNDARY) == [campaign.id]
    (rolled,) = roll_campaign(session, campaign.id, now=BOUNDARY)
    assert (rolled.key, rolled.as_closed_minor, rolled.opened_key) == ("2021-05", 52_000, "2021-06")
    assert keys(session) == [("2021-05", True), ("2021-06", False)]


def test_second_roll_changes_nothing(session: Session, campaign: Campaign) -> None:
    roll_campaign(session, campaign.id, now=BOUNDARY)
    assert roll_campaign(session, campaign.id, now=BOUNDARY + SECOND) == []
    assert keys(session) == [("2021-05", True), ("2021-06", False)]


def test_three_missed_months_are_rolled_in_order_once(session: Session, campaign: Campaign) -> None:
    rolled = roll_campaign(session, campaign.id, now=datetime(2021, 8, 15, tzinfo=UTC))
    assert [period.key for period in rolled] == ["2021-05", "2021-06", "2021-07"]
    assert keys(session)[-1] == ("2021-08", False)


def test_gift_after_downtime_leaves_no_gap(session: Session, campaign: Campaign) -> None:
    # Paid in August before any scheduler woke up: August is there, June and July are not yet.
    now = datetime(2021, 8, 15, tzinfo=UTC)
    get_or_create_period(session, campaign, now)
    rolled = roll_campaign(session, campaign.id, now=now)
    assert [period.key for period in rolled] == ["2021-05", "2021-06", "2021-07"]
    assert [key for key, _ in keys(session)] == ["2021-05", "2021-06", "2021-07", "2021-08"]


def test_clock_that_jumps_back_reopens_nothing(session: Session, campaign: Campaign) -> None:
    roll_campaign(session, campaign.id, now=BOUNDARY)
    assert roll_campaign(session, campaign.id, now=BOUNDARY - timedelta(days=400)) == []
    assert keys(session) == [("2021-05", True), ("2021-06", False)]


def test_clock_that_jumps_far_ahead_is_caught_up_in_bounded_steps(
    session: Session, campaign: Campaign
) -> None:
    first = roll_campaign(session, campaign.id, now=datetime(2071, 5, 2, tzinfo=UTC))
    assert len(first) == 120


def test_new_period_keeps_its_own_tiers(session: Session, campaign: Campaign) -> None:
    session.execute(
        update(CampaignTier).where(CampaignTier.amount_minor == 500_000).values(amount_minor=1)
    )
    june = get_or_create_period(session, campaign, BOUNDARY)
    may = current_period(session, campaign, BOUNDARY - SECOND)
    assert may is not None
    session.refresh(june, ["tiers"])
    assert [tier.amount_minor for tier in may.tiers] == [250_000, 500_000]
    assert [tier.amount_minor for tier in june.tiers] == [1, 250_000]


def test_late_refund_changes_what_is_but_not_what_was_announced(
    session: Session, campaign: Campaign, give: Callable[..., object]
) -> None:
    give(campaign, 52_000)
    roll_campaign(session, campaign.id, now=BOUNDARY)
    give(campaign, 1_000)  # a cheque of May that was found in June
    (may,) = read_history(session, "support-us", now=BOUNDARY, base_url="https://goal")
    assert (may.as_closed_minor, may.raised_minor) == (52_000, 53_000)


def test_draft_is_not_rolled(session: Session, make_campaign: Callable[..., Campaign]) -> None:
    make_campaign(draft=True)
    assert due_campaign_ids(session, now=BOUNDARY) == []


def test_two_schedulers_roll_once(
    app: Flask, session: Session, campaign: Campaign, give: Callable[..., object]
) -> None:
    give(campaign, 52_000)
    campaign_id = campaign.id
    session.commit()

    def roll(_: int) -> int:
        with app.app_context():
            rolled = roll_campaign(db.session, campaign_id, now=BOUNDARY)
            db.session.commit()
            return len(rolled)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(roll, range(4))) == [0, 0, 0, 1]
    session.expire_all()
    assert keys(session) == [("2021-05", True), ("2021-06", False)]


def test_reading_after_the_boundary_does_not_wait_for_the_roll(
    session: Session, campaign: Campaign, give: Callable[..., object]
) -> None:
    give(campaign, 52_000)

    def shown(now: datetime) -> tuple[str, str]:
        progress = read_progress(session, "support-us", now=now, base_url="https://t")
        return progress.raised_label, progress.period.label

    assert shown(BOUNDARY - timedelta(microseconds=1)) == ("520 $", "MAY 2021")
    assert shown(BOUNDARY) == ("0 $", "JUNE 2021")
    (may,) = read_history(session, "support-us", now=BOUNDARY, base_url="https://goal")
    assert (may.period.label, may.raised_label, may.as_closed_minor) == ("MAY 2021", "520 $", None)


def test_adjustments_explain_the_whole_difference(
    session: Session, campaign: Campaign, give: Callable[..., object], clock: MovableClock
) -> None:
    give(campaign, 52_000)
    roll_campaign(session, campaign.id, now=BOUNDARY)
    session.commit()
    assert list_adjustments(session, "support-us") == []
    may = clock.now()
    clock.set(BOUNDARY + timedelta(days=3))
    give(campaign, 1_000, may)
    (adjustment,) = list_adjustments(session, "support-us", period_key="2021-05")
    assert (adjustment.amount_minor, adjustment.posted_at) == (1_000, clock.now())
    assert list_adjustments(session, "support-us", period_key="2021-06") == []
    assert verify_ledger(session).differences == ()
    session.execute(update(Period).values(as_closed_minor=1).where(Period.key == "2021-05"))
    (difference,) = verify_ledger(session).differences
    assert difference.figure == "as closed and adjusted"


def test_months_that_wait_are_announced_in_their_order(
    session: Session, campaign: Campaign
) -> None:
    for month in (7, 6):
        get_or_create_period(session, campaign, datetime(2021, month, 15, tzinfo=UTC))
    rolled = roll_campaign(session, campaign.id, now=datetime(2021, 8, 15, tzinfo=UTC))
    assert [period.key for period in rolled] == ["2021-05", "2021-06", "2021-07"]
    assert [period.opened_key for period in rolled] == ["2021-06", "2021-07", "2021-08"]


def test_bar_shows_the_goals_that_its_month_began_with(
    session: Session, campaign: Campaign
) -> None:
    session.execute(
        update(CampaignTier).where(CampaignTier.amount_minor == 500_000).values(amount_minor=1)
    )
    for now, goals in ((BOUNDARY - SECOND, [0, 250_000, 500_000]), (BOUNDARY, [0, 1, 250_000])):
        shown = read_progress(session, campaign.slug, now=now, base_url="https://goal.example")
        assert [tier.amount_minor for tier in shown.tiers] == goals


def test_bounded_roll_gets_past_what_is_closed(
    session: Session, make_campaign: Callable[..., Campaign]
) -> None:
    make_campaign()
    now = datetime(2021, 8, 15, tzinfo=UTC)
    closed = [[period.key for period in roll_due(session, now=now, limit=1)] for _ in range(4)]
    assert closed == [["2021-05"], ["2021-06"], ["2021-07"], []]


def test_bounded_roll_takes_each_campaign_in_turn(
    session: Session, make_campaign: Callable[..., Campaign]
) -> None:
    for slug in ("one", "two", "three"):
        make_campaign(slug)
    found = [roll_due(session, now=BOUNDARY, limit=2) for _ in range(3)]
    assert [len(rolled) for rolled in found] == [2, 1, 0]
    assert {period.slug for rolled in found for period in rolled} == {"one", "two", "three"}
    assert {period.opened_key for rolled in found for period in rolled} == {"2021-06"}
