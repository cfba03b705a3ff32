"""Goals that are set ahead and carried over, and campaigns that are cut in other ways."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from campaigns.catalog import find_campaign
from campaigns.errors import InvalidCampaign, PeriodClosed, PeriodNotFound
from campaigns.face import read_face
from campaigns.models import Campaign
from campaigns.periods import current_period, get_or_create_period
from campaigns.plans import Plan, checked_carry, forget_plan, list_plans, plan_like, plan_period
from campaigns.progress import read_progress
from campaigns.rolling import roll_campaign
from campaigns.timing import Run, Timing, change_timing
from core.cadence import Cadence, Rhythm
from core.clock import MovableClock
from core.errors import Invalid
from tests.conftest import START, Give, MakeCampaign

JUNE = datetime(2021, 6, 1, 4, tzinfo=UTC)  # midnight in New York
NEW_YORK = ZoneInfo("America/New_York")


def tiers_at(session: Session, instant: datetime) -> tuple[int, ...]:
    """Return the goals that readers see at an instant, whether the period is stored or not."""
    progress = read_progress(session, "support-us", now=instant, base_url="http://localhost")
    return tuple(tier.amount_minor for tier in progress.tiers[1:])


def change(session: Session, campaign: Campaign, **timing: Any) -> datetime | None:
    found = find_campaign(session, campaign.slug)
    holds_from = change_timing(session, found, Timing(**timing), now=START)
    session.commit()
    return holds_from


def plan(session: Session, key: str, **planned: Any) -> None:
    plan_period(session, find_campaign(session, "support-us"), key, Plan(**planned))
    session.commit()


def test_plan_holds_for_its_period_alone(session: Session, make_campaign: MakeCampaign) -> None:
    make_campaign()
    plan(
        session,
        "2021-06",
        tiers_minor=(700_000, 300_000),
        title="June's own",
        description="For the trial",
        amounts_minor={"once": (1_500, 7_500)},
    )
    june, july = JUNE + timedelta(days=3), JUNE + timedelta(days=33)
    for _ in ("as it would be", "as it is"):
        assert tiers_at(session, START) == (250_000, 500_000)
        assert tiers_at(session, june) == (300_000, 700_000)
        assert tiers_at(session, july) == (250_000, 500_000)
        face = read_face(session, "support-us", now=june, base_url="http://localhost")
        assert face.progress.title == "June's own"
        assert face.progress.description == "For the trial"
        assert [choice.label for choice in face.offers[0].choices] == ["15 $", "75 $"]
        roll_campaign(session, find_campaign(session, "support-us").id, now=july)
        session.commit()
    assert list_plans(session, find_campaign(session, "support-us")) == []


def test_plan_of_the_open_period_holds_at_once_and_of_a_closed_one_never(
    session: Session, make_campaign: MakeCampaign
) -> None:
    campaign = make_campaign()
    plan(session, "2021-05", tiers_minor=(100_000, 250_000))
    assert tiers_at(session, START) == (100_000, 250_000)
    plan(session, "2021-05", title="May")
    assert tiers_at(session, START) == (100_000, 250_000)
    roll_campaign(session, campaign.id, now=JUNE)
    session.commit()
    with pytest.raises(PeriodClosed):
        plan(session, "2021-05", tiers_minor=(1,))


def test_plan_is_taken_back(session: Session, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign()
    plan(session, "2021-06", tiers_minor=())
    assert tiers_at(session, JUNE) == ()
    assert forget_plan(session, campaign, "2021-06")
    assert not forget_plan(session, campaign, "2021-06")
    assert tiers_at(session, JUNE) == (250_000, 500_000)


def test_last_years_period_is_copied(session: Session, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign()
    plan(session, "2021-05", tiers_minor=(111_100,), title="Spring", amounts_minor={"year": (900,)})
    plan_like(session, campaign, "2022-05", like="2021-05")
    session.commit()
    ((key, planned),) = list_plans(session, campaign)
    assert (key, planned.tiers_minor, planned.title) == ("2022-05", (111_100,), "Spring")
    assert planned.amounts_minor == {"year": (900,)}
    with pytest.raises(PeriodNotFound):
        plan_like(session, campaign, "2022-06", like="2020-06")


@pytest.mark.parametrize(
    ("carry", "june", "july"),
    [
        ("same", (250_000, 500_000), (250_000, 500_000)),
        ("+5%", (262_500, 525_000), (275_600, 551_300)),  # to whole dollars
        ("-10%", (225_000, 450_000), (202_500, 405_000)),
        # May missed 1,000 $ of its goal; June, whose goal was 6,000 $, all of it.
        ("missed", (350_000, 600_000), (850_000, 1_100_000)),
    ],
)
def test_goals_are_carried_over_by_the_rule(
    session: Session,
    make_campaign: MakeCampaign,
    give: Give,
    carry: str,
    june: tuple[int, ...],
    july: tuple[int, ...],
) -> None:
    campaign = make_campaign()
    give(campaign, 400_000)
    assert change(session, campaign, carry=carry) == JUNE
    assert tiers_at(session, JUNE) == june
    roll_campaign(session, campaign.id, now=JUNE + timedelta(days=32))
    session.commit()
    assert tiers_at(session, JUNE) == june
    assert tiers_at(session, JUNE + timedelta(days=31)) == july


@pytest.mark.parametrize("text", ["", "more", "5", "+5.5%", "-100%", "1001%", "٥%", "same%"])
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(InvalidCampaign):
        checked_carry(text)


def test_other_zone_other_rhythm_and_other_goals_wait_for_the_next_period(
    session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    campaign = make_campaign()
    give(campaign, 52_000)
    before = read_progress(session, "support-us", now=START, base_url="http://localhost")
    holds_from = change(
        session,
        campaign,
        timezone="Europe/Sofia",
        cadence=Cadence(Rhythm.QUARTER),
        tiers_minor=(9,),
    )
    assert holds_from == JUNE
    after = read_progress(session, "support-us", now=START, base_url="http://localhost")
    assert after == before
    roll_campaign(session, campaign.id, now=JUNE)
    session.commit()
    july = datetime(2021, 7, 1, tzinfo=ZoneInfo("Europe/Sofia"))
    rest = read_progress(session, "support-us", now=JUNE, base_url="http://localhost").period
    assert (rest.key, rest.label) == ("2021-06-01", "JUN 2021")
    assert (rest.starts_at, rest.ends_at) == (JUNE, july.astimezone(UTC))
    third = read_progress(session, "support-us", now=july, base_url="http://localhost")
    assert (third.period.key, third.period.label) == ("2021-Q3", "Q3 2021")
    assert tiers_at(session, july) == (9,)


@pytest.mark.parametrize(
    ("timing", "field"),
    [
        ({"currency": "EUR"}, "currency"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"carry": "more"}, "carry"),
        ({"tiers_minor": (1, 1)}, "tier"),
        ({"ends_at": JUNE}, "until"),
    ],
)
def test_what_can_not_be_changed_says_why_and_changes_nothing(
    session: Session, make_campaign: MakeCampaign, timing: dict[str, Any], field: str
) -> None:
    campaign = make_campaign()
    with pytest.raises(Invalid) as refused:
        change(session, campaign, cadence=Cadence(day=15), **timing)
    assert refused.value.field == field
    session.rollback()
    assert find_campaign(session, campaign.slug).first_day == 1


def test_the_same_currency_is_no_change(session: Session, make_campaign: MakeCampaign) -> None:
    assert change(session, make_campaign(), currency="usd") is None


@pytest.fixture
def summer(make_campaign: MakeCampaign) -> Campaign:
    """A campaign that runs once, from June to August."""
    run = Run(
        starts_at=datetime(2021, 6, 1, tzinfo=NEW_YORK).astimezone(UTC),
        ends_at=datetime(2021, 9, 1, tzinfo=NEW_YORK).astimezone(UTC),
    )
    return make_campaign(run=run)


@pytest.mark.usefixtures("summer")
@pytest.mark.parametrize(
    ("instant", "state", "status"),
    [
        (START, "paused", "Giving begins on June 1, 2021."),
        (JUNE, "open", ""),
        (datetime(2021, 9, 1, 3, 59, tzinfo=UTC), "open", ""),
        (datetime(2021, 9, 1, 4, tzinfo=UTC), "archived", "This campaign has ended. Thank you!"),
    ],
)
def test_campaign_that_runs_once_begins_and_ends_by_itself(
    session: Session, instant: datetime, state: str, status: str
) -> None:
    face = read_face(session, "support-us", now=instant, base_url="http://localhost")
    assert (face.progress.state, face.status) == (state, status)
    assert face.progress.period.key == "2021-06-01"
    assert face.progress.period.label == "JUN – AUG 2021"


def test_what_is_paid_beside_the_run_counts_in_it_and_nothing_follows(
    session: Session, summer: Campaign, give: Give, clock: MovableClock
) -> None:
    give(summer, 1_000)
    clock.set(datetime(2021, 10, 1, tzinfo=UTC))
    (rolled,) = roll_campaign(session, summer.id, now=clock.now())
    session.commit()
    assert (rolled.as_closed_minor, rolled.opened_key) == (1_000, "")
    give(summer, 2_000)
    assert roll_campaign(session, summer.id, now=clock.now() + timedelta(days=99)) == []
    progress = read_progress(session, "support-us", now=clock.now(), base_url="http://localhost")
    assert progress.raised_minor == 3_000
    only = current_period(session, summer, clock.now())
    assert only is not None
    assert get_or_create_period(session, summer, START).id == only.id


def test_end_of_a_run_is_moved_while_it_lasts(session: Session, summer: Campaign) -> None:
    longer = datetime(2021, 10, 1, 4, tzinfo=UTC)
    assert change(session, summer, ends_at=longer) is None
    progress = read_progress(session, "support-us", now=JUNE, base_url="http://localhost")
    assert progress.period.ends_at == longer
    assert progress.period.label == "JUN – SEP 2021"
    for ends_at in (START, JUNE):
        with pytest.raises(InvalidCampaign):
            change(session, summer, ends_at=ends_at)
    with pytest.raises(InvalidCampaign):
        change(session, summer, cadence=Cadence())


def test_archived_campaign_has_no_further_period(
    session: Session, make_campaign: MakeCampaign
) -> None:
    campaign = make_campaign()
    find_campaign(session, campaign.slug).state = "archived"
    session.commit()
    (rolled,) = roll_campaign(session, campaign.id, now=JUNE + timedelta(days=90))
    assert (rolled.key, rolled.opened_key) == ("2021-05", "")


def test_counts_are_frozen_with_the_sum(
    session: Session, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    campaign = make_campaign()
    give(campaign, 1_000)
    give(campaign, 2_000)
    roll_campaign(session, campaign.id, now=JUNE)
    session.commit()
    clock.set(JUNE)
    give(campaign, 4_000, paid_at=START)
    may = current_period(session, campaign, START)
    assert may is not None
    assert (may.as_closed_minor, may.as_closed_donations, may.as_closed_donors) == (3_000, 2, 2)
    assert (may.raised_minor, may.donation_count, may.donor_count) == (7_000, 3, 3)


@pytest.mark.parametrize("key", ["2021-13", "2021-Q4", "2022"])
def test_period_that_will_never_be_is_not_planned(
    session: Session, make_campaign: MakeCampaign, key: str
) -> None:
    campaign = make_campaign()
    with pytest.raises(InvalidCampaign):
        plan(session, key, tiers_minor=(1,))
    session.rollback()
    assert list_plans(session, campaign) == []
