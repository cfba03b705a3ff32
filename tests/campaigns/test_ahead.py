"""The periods ahead, as they will be; and goals that hold at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from campaigns.ahead import look_ahead, plan_anew, plans_beyond
from campaigns.as_if import Standing, changed_copy, face_as_if
from campaigns.catalog import CampaignChanges, find_campaign
from campaigns.errors import InvalidCampaign, PeriodClosed
from campaigns.look import Suggestion
from campaigns.matching import Matching
from campaigns.models import Campaign
from campaigns.periods import current_periods, get_or_create_period
from campaigns.plans import Carry, Plan, plan_period
from campaigns.rolling import roll_campaign
from campaigns.timing import Run, Timing, change_timing, set_goals
from core.cadence import Cadence, Rhythm
from tests.conftest import START, Give, MakeCampaign

JUNE = datetime(2021, 6, 1, 4, tzinfo=UTC)  # midnight in New York
GOALS = (250_000, 500_000)


def found(session: Session) -> Campaign:
    return find_campaign(session, "support-us")


def test_the_periods_ahead_are_those_that_open(
    session: Session, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    change_timing(session, found(session), Timing(carry="+5%"), now=START)
    plan_period(session, found(session), "2021-07", Plan(tiers_minor=(1_000,), title="July"))
    session.commit()

    ahead = look_ahead(session, found(session), now=START, count=14)

    assert [period.key for period in ahead[:3]] == ["2021-05", "2021-06", "2021-07"]
    assert ahead[-1].key == "2022-06"
    assert ahead[0].is_running
    assert not ahead[1].is_running
    assert ahead[0].tiers_minor == GOALS
    assert (ahead[2].plan, ahead[2].follows) == (Plan(title="July", tiers_minor=(1_000,)), None)
    assert ahead[1].follows is Carry.PERCENT
    for period in ahead[1:]:
        roll_campaign(session, found(session).id, now=period.starts_at)
        opened = get_or_create_period(session, found(session), period.starts_at)
        assert (opened.key, opened.starts_at) == (period.key, period.starts_at)
        assert opened.ends_at == period.ends_at
        assert tuple(tier.amount_minor for tier in opened.tiers) == period.tiers_minor


def test_a_new_cadence_is_seen_ahead(session: Session, make_campaign: MakeCampaign) -> None:
    make_campaign()
    change_timing(session, found(session), Timing(cadence=Cadence(Rhythm.QUARTER)), now=START)
    plan_period(session, found(session), "2022-Q4", Plan(title="Far"))
    session.commit()

    ahead = look_ahead(session, found(session), now=START, count=3)

    assert [period.key for period in ahead] == ["2021-05", "2021-06-01", "2021-Q3"]
    assert ahead[1].starts_at == ahead[0].ends_at
    assert [key for key, _ in plans_beyond(session, found(session), ahead)] == ["2022-Q4"]


def test_what_runs_once_has_nothing_ahead(session: Session, make_campaign: MakeCampaign) -> None:
    run = Run(starts_at=START - timedelta(days=1), ends_at=START + timedelta(days=9))
    make_campaign(run=run)

    (only,) = look_ahead(session, found(session), now=START, count=12)

    assert (only.starts_at, only.ends_at) == (run.starts_at, run.ends_at)


def test_what_is_missed_is_not_known_ahead(session: Session, make_campaign: MakeCampaign) -> None:
    make_campaign()
    change_timing(session, found(session), Timing(carry="missed"), now=START)

    _, june = look_ahead(session, found(session), now=START, count=2)

    assert (june.tiers_minor, june.follows) == (GOALS, Carry.MISSED)


def test_a_plan_is_set_anew_as_a_whole(session: Session, make_campaign: MakeCampaign) -> None:
    make_campaign()
    plan = Plan(title="June", tiers_minor=(1_000,), amounts_minor={"once": (500,)})
    plan_anew(session, found(session), "2021-06", plan, now=START)
    plan_anew(session, found(session), "2021-06", Plan(description="why"), now=START)
    assert look_ahead(session, found(session), now=START, count=2)[1].plan == Plan(
        description="why"
    )
    plan_anew(session, found(session), "2021-06", Plan(), now=START)
    assert look_ahead(session, found(session), now=START, count=2)[1].plan is None


def test_the_running_period_gets_back_what_the_campaign_says(
    session: Session, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    plan = Plan(title="May", tiers_minor=(1_000,), amounts_minor={"once": (500,)})
    plan_anew(session, found(session), "2021-05", plan, now=START)
    assert look_ahead(session, found(session), now=START, count=1)[0].plan == plan
    plan_anew(session, found(session), "2021-05", Plan(), now=START)
    (may,) = look_ahead(session, found(session), now=START, count=1)
    assert (may.plan, may.tiers_minor) == (None, GOALS)


def test_what_is_over_is_not_planned(session: Session, make_campaign: MakeCampaign) -> None:
    make_campaign()
    with pytest.raises(PeriodClosed):  # over, and not closed yet
        plan_anew(session, found(session), "2021-05", Plan(title="x"), now=JUNE)
    with pytest.raises(InvalidCampaign):
        plan_anew(session, found(session), "2021-04", Plan(title="x"), now=START)
    with pytest.raises(InvalidCampaign):
        plan_anew(session, found(session), "9999-12", Plan(title="x"), now=START)


@pytest.mark.parametrize("running", [True, False])
def test_goals_hold_from_the_next_period_on_or_at_once(
    session: Session, make_campaign: MakeCampaign, give: Give, *, running: bool
) -> None:
    give(make_campaign(), 100_000)
    set_goals(session, found(session), (90_000, 700_000), running=running, now=START)
    session.commit()

    may, june = look_ahead(session, found(session), now=START, count=2)

    assert may.tiers_minor == ((90_000, 700_000) if running else GOALS)
    assert june.tiers_minor == (90_000, 700_000)


def test_goals_that_are_none_change_nothing(session: Session, make_campaign: MakeCampaign) -> None:
    make_campaign()
    with pytest.raises(InvalidCampaign):
        set_goals(session, found(session), (0,), running=True, now=START)
    session.rollback()
    assert look_ahead(session, found(session), now=START, count=1)[0].tiers_minor == GOALS


def test_the_present_periods_are_found_at_once(
    session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    run = Run(starts_at=START - timedelta(days=9), ends_at=START - timedelta(days=1))
    over = make_campaign("over", run=run)
    month = make_campaign()
    give(month, 100)
    roll_campaign(session, month.id, now=JUNE)
    unseen = make_campaign("unseen", cadence=Cadence(Rhythm.YEAR))

    periods = current_periods(session, [over.id, month.id, unseen.id], JUNE)

    assert {periods[over.id].key, periods[month.id].key} == {"2021-05-03", "2021-06"}
    assert periods[unseen.id].key == "2021"
    assert [tier.amount_minor for tier in periods[month.id].tiers] == list(GOALS)
    assert current_periods(session, [month.id], JUNE + timedelta(days=40)) == {}


def test_a_campaign_can_be_found_and_held(session: Session, make_campaign: MakeCampaign) -> None:
    make_campaign(draft=True)
    campaign = find_campaign(session, "support-us", drafts=True, locked=True)
    assert [tier.amount_minor for tier in campaign.tiers] == list(GOALS)


def test_a_face_as_if_touches_nothing(
    session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    give(make_campaign(), 10_000)
    campaign = found(session)
    changes = CampaignChanges(
        title="Keep us",
        accent="#8a1f11",
        shows=("donors", "recent", "expected"),
        suggestions={"once": (Suggestion(700),)},
        matching=Matching(sponsor="Fund", most_minor=50_000, counts=True),
    )
    copy = changed_copy(campaign, changes)
    face = face_as_if(
        session, copy, (90_000,), standing=Standing.NOW, now=START, base_url="http://localhost"
    )
    assert (face.progress.title, face.accent) == ("Keep us", "#8a1f11")
    assert face.progress.raised_minor == 20_000  # doubled, as the rule would
    assert [choice.label for choice in face.offers[0].choices] == ["7 $"]
    assert [mark.label for mark in face.marks] == ["0 $", "900 $"]
    assert copy not in session
    assert not session.dirty
    assert not session.new
    with pytest.raises(InvalidCampaign):
        changed_copy(campaign, CampaignChanges(accent="#ffff00"))
