"""What clocks and schedulers may do to the months: all of it leaves the totals right."""

from __future__ import annotations

import shutil
import threading
import zoneinfo
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from campaigns.audit import verify_ledger
from campaigns.history import read_history
from campaigns.ledger import Gift, state_gift
from campaigns.ledger_models import ReferenceKind
from campaigns.models import Campaign, Period
from campaigns.progress import read_progress
from campaigns.rolling import roll_due
from core.clock import MovableClock
from core.db import db
from ops import jobs, leaps
from tests.conftest import START, Give, MakeCampaign
from tests.ops.conftest import Run, receiver, run, subscriber
from tests.ops.notices import told

__all__ = ["receiver", "run", "subscriber"]

BOUNDARY = datetime(2021, 6, 1, 4, tzinfo=UTC)  # midnight in New York
INSTANT = timedelta(microseconds=1)
BASE_URL = "https://goal.example"


def closed(session: Session) -> list[str]:
    """Return the keys of the periods that are closed."""
    session.rollback()
    found = session.scalars(
        select(Period.key).where(Period.closed_at.is_not(None)).order_by(Period.starts_at)
    ).all()
    session.rollback()
    return list(found)


def pay(session: Session, campaign: Campaign, name: str, paid_at: datetime, now: datetime) -> None:
    gift = Gift(reference=name, kind=ReferenceKind.PAYMENT, effect_minor=1_000, paid_at=paid_at)
    state_gift(session, campaign, gift, [], cause="test", now=now)
    session.commit()


@pytest.mark.parametrize("days", [400, 3])
def test_38_clock_that_leaps_ahead_for_a_while_closes_no_month(
    app: Flask,
    session: Session,
    make_campaign: MakeCampaign,
    give: Give,
    clock: MovableClock,
    caplog: pytest.LogCaptureFixture,
    days: int,
) -> None:
    clock.set(BOUNDARY - timedelta(days=1))
    campaign = make_campaign()
    give(campaign, 1_000)
    jobs.run_job(app, "roll")
    clock.advance(timedelta(days=days))
    for _ in range(5):
        jobs.run_job(app, "roll")
        clock.advance(timedelta(minutes=10))
    assert closed(session) == []
    assert caplog.text.count("ahead of the last tick") == 1
    clock.set(BOUNDARY - timedelta(hours=1))
    jobs.run_job(app, "roll")
    clock.set(BOUNDARY)
    jobs.run_job(app, "roll")
    assert closed(session) == ["2021-05"]
    shown = read_progress(session, campaign.slug, now=clock.now(), base_url=BASE_URL)
    assert shown.period.key == "2021-06"


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=47)])
def test_38_clock_that_is_a_little_ahead_closes_that_much_too_early_and_nothing_reopens(
    app: Flask,
    session: Session,
    make_campaign: MakeCampaign,
    give: Give,
    clock: MovableClock,
    ahead: timedelta,
) -> None:
    clock.set(BOUNDARY - ahead)
    campaign = make_campaign()
    give(campaign, 1_000)
    jobs.run_job(app, "roll")
    clock.advance(ahead)
    jobs.run_job(app, "roll")
    clock.advance(-ahead)
    pay(session, campaign, "pi_1", clock.now(), clock.now())
    jobs.run_job(app, "roll")
    assert closed(session) == ["2021-05"]
    shown = read_progress(session, campaign.slug, now=clock.now(), base_url=BASE_URL)
    assert (shown.period.key, shown.raised_minor) == ("2021-05", 2_000)
    (may,) = read_history(session, campaign.slug, now=BOUNDARY, base_url=BASE_URL)
    assert (may.as_closed_minor, may.raised_minor) == (1_000, 2_000)
    assert verify_ledger(session).differences == ()


def test_38_clock_that_stays_wrong_closes_a_bounded_number_and_the_months_are_used_again(
    app: Flask,
    session: Session,
    make_campaign: MakeCampaign,
    give: Give,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    campaign = make_campaign()
    give(campaign, 1_000)
    jobs.run_job(app, "roll")
    clock.advance(timedelta(days=400))
    monkeypatch.setattr(jobs, "MOST_BATCHES", 5)
    jobs.run_job(app, "roll")
    clock.advance(leaps.WAIT)
    jobs.run_job(app, "roll")
    assert len(closed(session)) == 5
    for _ in range(3):
        jobs.run_job(app, "roll")
    months = closed(session)
    assert len(months) == 13
    count = session.scalar(select(func.count()).select_from(Period))
    session.rollback()
    # The clock is put right. What is given counts where it was paid; nothing is made anew.
    clock.set(START + timedelta(days=1))
    pay(session, campaign, "pi_1", clock.now(), clock.now())
    jobs.run_job(app, "roll")
    assert closed(session) == months
    shown = read_progress(session, campaign.slug, now=clock.now(), base_url=BASE_URL)
    assert (shown.period.key, shown.raised_minor) == ("2021-05", 2_000)
    may = session.scalars(select(Period).where(Period.key == "2021-05")).one()
    assert (may.as_closed_minor, may.raised_minor) == (1_000, 2_000)
    assert session.scalar(select(func.count()).select_from(Period)) == count
    assert verify_ledger(session).differences == ()


def test_38_clock_that_leaps_back_reopens_nothing_and_goes_on(
    app: Flask, session: Session, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    make_campaign()
    clock.set(BOUNDARY)
    jobs.run_job(app, "roll")
    for step in (timedelta(hours=1), timedelta(days=400)):
        clock.set(BOUNDARY - step)
        jobs.run_job(app, "roll")
        assert closed(session) == ["2021-05"]


@pytest.fixture
def new_york_moves(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Have the machine's list of zones say, from then on, that New York lies where Tokyo does."""

    def move() -> None:
        (tmp_path / "America").mkdir()
        here = next(Path(path) for path in zoneinfo.TZPATH if (Path(path) / "Asia/Tokyo").exists())
        shutil.copyfile(here / "Asia/Tokyo", tmp_path / "America" / "New_York")
        zoneinfo.reset_tzpath([str(tmp_path), *zoneinfo.TZPATH])
        zoneinfo.ZoneInfo.clear_cache()

    yield move
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_37_zone_that_is_moved_leaves_what_was_closed_and_opens_no_gap(
    session: Session, make_campaign: MakeCampaign, give: Give, new_york_moves: Callable[[], None]
) -> None:
    campaign = make_campaign()
    give(campaign, 52_000)
    roll_due(session, now=datetime(2021, 6, 2, tzinfo=UTC))
    session.commit()
    stored = [(row.starts_at, row.ends_at) for row in list_all(session)]
    assert stored[0][1] == datetime(2021, 6, 1, 4, tzinfo=UTC)

    new_york_moves()
    roll_due(session, now=datetime(2021, 7, 20, tzinfo=UTC))
    session.commit()

    after = list_all(session)
    assert [(row.starts_at, row.ends_at) for row in after[:2]] == stored
    assert [row.raised_minor for row in after] == [52_000, 0, 0]
    assert after[2].starts_at == after[1].ends_at
    assert after[2].ends_at == datetime(2021, 7, 31, 15, tzinfo=UTC)


def list_all(session: Session) -> list[Period]:
    """Return all periods as they are stored, the first one first."""
    session.expire_all()
    return list(session.scalars(select(Period).order_by(Period.starts_at)))


@pytest.mark.usefixtures("subscriber")
def test_39_scheduler_that_was_off_for_three_months_rolls_each_in_order_once(
    app: Flask, session: Session, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    give(make_campaign(), 1_000)
    jobs.run_job(app, "roll")
    clock.set(BOUNDARY + timedelta(days=75))
    for _ in range(7):
        jobs.run_job(app, "roll")
        clock.advance(timedelta(minutes=10))
    assert closed(session) == ["2021-05", "2021-06", "2021-07"]
    jobs.run_job(app, "roll")
    assert [body["data"]["period"] for body in told(session) if body["topic"] == "month"] == [  # type: ignore[index]
        "2021-05",
        "2021-06",
        "2021-07",
    ]


def test_39_somebody_who_knows_better_rolls_at_once(
    app: Flask,
    session: Session,
    make_campaign: MakeCampaign,
    clock: MovableClock,
    run: Run,
) -> None:
    make_campaign()
    jobs.run_job(app, "roll")
    clock.set(BOUNDARY + timedelta(days=75))
    output = run("campaigns", "roll").output
    assert output.count("Closed support-us") == 3, output
    assert closed(session) == ["2021-05", "2021-06", "2021-07"]


@pytest.mark.usefixtures("subscriber")
def test_40_schedulers_that_race_roll_and_tell_once(
    app: Flask, session: Session, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    for number in range(12):
        make_campaign(f"campaign-{number}")
    clock.set(BOUNDARY)
    together = threading.Barrier(4)

    def roll(_: int) -> list[str]:
        together.wait()
        with app.app_context():
            return [period.slug for period in jobs.roll()]

    with ThreadPoolExecutor(4) as pool:
        rolled = [slug for slugs in pool.map(roll, range(4)) for slug in slugs]
    assert sorted(rolled) == sorted(f"campaign-{number}" for number in range(12))
    assert closed(session) == ["2021-05"] * 12
    assert len(told(session)) == 12


def test_41_roll_that_is_broken_off_leaves_nothing_and_is_run_again(
    app: Flask,
    session: Session,
    make_campaign: MakeCampaign,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_campaign()
    clock.set(BOUNDARY)

    def break_off(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(jobs, "announce_closed", break_off)
        jobs.run_job(app, "roll")
    assert closed(session) == []
    assert session.scalar(select(func.count()).select_from(Period)) == 1
    session.rollback()
    jobs.run_job(app, "roll")
    assert closed(session) == ["2021-05"]


@pytest.mark.parametrize("is_rolled_first", [True, False])
def test_42_gift_at_the_very_instant_is_in_one_month(
    app: Flask,
    session: Session,
    make_campaign: MakeCampaign,
    clock: MovableClock,
    *,
    is_rolled_first: bool,
) -> None:
    campaign = make_campaign()
    clock.set(BOUNDARY)
    if is_rolled_first:
        jobs.run_job(app, "roll")
    for name, paid_at in (("pi_1", BOUNDARY - INSTANT), ("pi_2", BOUNDARY)):
        pay(session, campaign, name, paid_at, clock.now())
    jobs.run_job(app, "roll")
    session.rollback()
    rows = session.execute(select(Period.key, Period.raised_minor).order_by(Period.starts_at))
    assert [tuple(row) for row in rows] == [("2021-05", 1_000), ("2021-06", 1_000)]
    assert verify_ledger(session).differences == ()


def test_without_any_scheduler_every_total_is_right(
    session: Session, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    campaign = make_campaign()
    for number, month in enumerate((5, 6, 7, 8)):
        clock.set(datetime(2021, month, 20, tzinfo=UTC))
        pay(session, campaign, f"pi_{number}", clock.now(), clock.now())
        shown = read_progress(session, campaign.slug, now=clock.now(), base_url=BASE_URL)
        assert (shown.period.key, shown.raised_minor) == (f"2021-0{month}", 1_000)
        session.rollback()
    past = read_history(session, campaign.slug, now=clock.now(), base_url=BASE_URL)
    assert sorted((month.period.key, month.raised_minor) for month in past) == [
        ("2021-05", 1_000),
        ("2021-06", 1_000),
        ("2021-07", 1_000),
    ]
    assert closed(session) == []
    assert verify_ledger(session).differences == ()


@pytest.mark.parametrize("campaigns", [3, 30])
def test_roll_asks_the_database_as_often_for_many_campaigns_as_for_few(
    app: Flask, make_campaign: MakeCampaign, clock: MovableClock, campaigns: int
) -> None:
    for number in range(campaigns):
        make_campaign(f"campaign-{number}")
    clock.set(BOUNDARY)
    statements: list[str] = []
    with app.app_context():
        event.listen(
            db.engine,
            "before_cursor_execute",
            lambda *arguments: statements.append(arguments[2]),
        )
        assert len(jobs.roll()) == campaigns
    assert len(statements) <= 14
