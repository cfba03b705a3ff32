"""A goal that is reached and a month that is closed are told once, with what makes them true."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from campaigns.announcing import announce_closed, announce_goals, unannounced_period_ids
from campaigns.ledger import Gift, Reduction, state_gift
from campaigns.ledger_models import ReferenceKind
from campaigns.matching import Matching, set_matching
from campaigns.models import UNANNOUNCED, AnnouncedTier, CampaignState, Period
from campaigns.rolling import roll_campaign
from campaigns.states import move_campaign
from core.clock import MovableClock
from ops import jobs
from tests.conftest import START, Give, MakeCampaign
from tests.ops.conftest import Run
from tests.ops.notices import told

pytestmark = pytest.mark.usefixtures("subscriber")
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
BASE_URL = "http://localhost:8000"


def keys(session: Session) -> list[object]:
    return [body["key"] for body in told(session)]


def period_id(session: Session, key: str = "2021-05") -> int:
    found = session.scalars(select(Period.id).where(Period.key == key)).one()
    session.rollback()
    return found


def test_a_goal_is_told_when_it_is_reached_and_never_again(
    app: Flask, session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    campaign = make_campaign()
    give(campaign, 249_999)
    jobs.run_job(app, "notices")
    assert told(session) == []
    give(campaign, 1)
    for _ in range(2):
        jobs.run_job(app, "notices")
    (body,) = told(session)
    may = period_id(session)
    assert body["key"] == f"goal:{may}:250000"
    assert body["campaign"] == "support-us"
    assert body["text"] == (
        "Support us: 2,500 $ reached (MAY 2021)\n"
        "“Support us” has reached its goal of 2,500 $ for MAY 2021.\n"
        "It stands at 2,500 $: 2 gifts by 2 donors.\n"
        "The next goal is 5,000 $.\n"
        "http://localhost:8000/c/support-us"
    )
    give(campaign, 300_000)
    jobs.run_job(app, "notices")
    assert keys(session)[1:] == [f"goal:{may}:500000"]
    assert "It was the highest goal." in str(told(session)[1]["text"])


def test_goals_that_one_gift_reaches_are_told_each(
    app: Flask, session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    give(make_campaign(), 600_000)
    jobs.run_job(app, "notices")
    may = period_id(session)
    assert keys(session) == [f"goal:{may}:250000", f"goal:{may}:500000"]


def test_a_goal_that_a_refund_takes_back_and_a_gift_brings_again_is_told_once(
    app: Flask, session: Session, make_campaign: MakeCampaign, clock: MovableClock, give: Give
) -> None:
    campaign = make_campaign()
    gift = Gift(reference="pi_1", kind=ReferenceKind.PAYMENT, effect_minor=260_000, paid_at=START)
    refund = Reduction(reference="re_1", kind=ReferenceKind.REFUND, effect_minor=-50_000)
    state_gift(session, campaign, gift, [], cause="test", now=clock.now())
    session.commit()
    jobs.run_job(app, "notices")
    state_gift(session, campaign, gift, [refund], cause="test", now=clock.now())
    session.commit()
    jobs.run_job(app, "notices")
    give(campaign, 50_000)
    jobs.run_job(app, "notices")
    assert len(told(session)) == 1


def test_a_goal_that_nobody_looked_for_is_told_when_its_month_is_over(
    app: Flask, session: Session, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    give(make_campaign(), 260_000)
    clock.advance(timedelta(days=60))
    jobs.run_job(app, "roll")
    jobs.run_job(app, "notices")
    assert f"goal:{period_id(session)}:250000" in keys(session)


def test_a_goal_is_of_what_the_bar_shows(
    app: Flask, session: Session, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    campaign = make_campaign()
    give(campaign, 200_000)
    jobs.run_job(app, "notices")
    assert told(session) == []
    matching = Matching(sponsor="Rotary", most_minor=100_000, percent=50, counts=True)
    set_matching(session, campaign, matching, now=clock.now())
    session.commit()
    jobs.run_job(app, "notices")
    assert keys(session) == [f"goal:{period_id(session)}:250000"]
    period = session.scalars(select(Period)).one()
    # 4,000 $ of gifts and the most that is matched are 5,000 $.
    assert period.announce_from_minor == 400_000


@only_sqlite
def test_a_draft_is_told_of_when_it_is_published(
    app: Flask, session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    campaign = make_campaign(draft=True)
    give(campaign, 260_000)
    jobs.run_job(app, "notices")
    assert told(session) == []
    move_campaign(session, campaign.slug, CampaignState.OPEN)
    session.commit()
    jobs.run_job(app, "notices")
    assert len(told(session)) == 1


def test_two_schedulers_tell_of_a_goal_once(
    app: Flask, session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    give(make_campaign(), 260_000)
    together = threading.Barrier(4)

    def run() -> None:
        together.wait()
        jobs.run_job(app, "notices")

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told(session)) == 1
    assert session.query(AnnouncedTier).count() == 1


def test_a_goal_and_its_notice_are_committed_together_or_not(
    session: Session, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    give(make_campaign(), 260_000)
    (found,) = unannounced_period_ids(session)
    assert announce_goals(session, found, base_url=BASE_URL, now=clock.now()) == 1
    session.rollback()
    assert told(session) == []
    assert list(unannounced_period_ids(session)) == [found]


def test_months_without_a_goal_to_tell_of_are_not_looked_at(
    session: Session, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    give(make_campaign(tiers_minor=()), 260_000)
    (found,) = unannounced_period_ids(session)
    announce_goals(session, found, base_url=BASE_URL, now=clock.now())
    session.commit()
    assert list(unannounced_period_ids(session)) == []
    make_campaign("untouched")
    assert list(unannounced_period_ids(session)) == []


def test_goals_are_found_by_an_index(
    session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    make_campaign("untouched")
    give(make_campaign(), 260_000)
    if session.get_bind().dialect.name == "sqlite":
        explain = "EXPLAIN QUERY PLAN "
    else:
        explain = "EXPLAIN "
        # A small table is scanned by choice. Where it is no choice, it says so all the same.
        session.execute(text("SET LOCAL enable_seqscan = off"))
    question = f"SELECT id FROM periods WHERE {UNANNOUNCED} ORDER BY id LIMIT 50"  # noqa: S608
    plan = str(session.execute(text(explain + question)).all())
    assert "ix_periods_id_unannounced" in plan


def test_a_month_is_told_with_its_report_when_it_is_closed(
    app: Flask, session: Session, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    campaign = make_campaign()
    give(campaign, 300_000)
    clock.advance(timedelta(days=31))
    give(campaign, 100_000)
    for _ in range(2):
        jobs.run_job(app, "roll")
    (may,) = told(session)
    assert may["key"] == f"month:{period_id(session)}"
    assert may["text"] == (
        "Support us: MAY 2021 closed at 3,000 $\n"
        "Raised: 3,000 $ of 5,000 $ (60%).\n"
        "Goals reached: 2,500 $.\n"
        "It was 1 gift by 1 donor.\n"
        "http://localhost:8000/c/support-us"
    )
    clock.advance(timedelta(days=31))
    with app.app_context():
        jobs.roll()
    june = told(session)[1]
    assert "Before, MAY 2021: 3,000 $, 2,000 $ less now." in str(june["text"])
    assert "Goals reached: none." in str(june["text"])


def test_every_month_that_was_missed_is_told_in_order(
    app: Flask, session: Session, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    give(make_campaign(), 300_000)
    clock.advance(timedelta(days=100))
    jobs.run_job(app, "roll")
    closed = [str(body["text"]).splitlines()[0] for body in told(session)]
    assert closed == [
        "Support us: MAY 2021 closed at 3,000 $",
        "Support us: JUNE 2021 closed at 0 $",
        "Support us: JULY 2021 closed at 0 $",
    ]


def test_a_roll_that_is_taken_back_tells_nothing(
    session: Session, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    campaign = make_campaign()
    later = clock.now() + timedelta(days=31)
    (rolled,) = roll_campaign(session, campaign.id, now=later)
    assert announce_closed(session, [rolled], base_url=BASE_URL, now=later)
    session.rollback()
    assert told(session) == []


@only_sqlite
def test_the_command_tells_of_what_it_closed_and_a_dry_run_of_nothing(
    run: Run, session: Session, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    make_campaign()
    clock.advance(timedelta(days=31))
    assert "Would close" in run("campaigns", "roll", "--dry-run").output
    assert told(session) == []
    assert "Closed" in run("campaigns", "roll").output
    assert len(told(session)) == 1
