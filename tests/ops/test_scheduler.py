"""The scheduler: several do what one does, a job that hangs is seen and stops no other."""

from __future__ import annotations

import json
import signal
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app import create_app
from core.clock import MovableClock
from core.settings import Settings
from ops import jobs
from ops.models import JobRun
from ops.runs import claim_run
from ops.ticking import Ticks, _Every
from payments.edge import open_session
from tests.conftest import START, make_settings
from tests.live_site import ROOT, free_port
from tests.ops.conftest import Run, Start

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
EVERY = timedelta(seconds=10)
PATIENCE_SECONDS = 60.0
Count = list[int]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Count:
    """The one job that there is: it counts its runs."""
    runs: Count = []
    monkeypatch.setattr(jobs, "JOBS", {"roll": (lambda: runs.append(1), EVERY)})
    return runs


def begun(session: Session, *, finished: bool, at: datetime = START) -> None:
    ended = at if finished else None
    session.add(JobRun(name="roll", started_at=at, finished_at=ended))
    session.commit()


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_schedulers_that_tick_at_once_run_a_job_once(app: Flask, counted: Count) -> None:
    together = threading.Barrier(4)

    def tick(_: int) -> None:
        together.wait()
        jobs.tick(app, "roll")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tick, range(4)))
    assert len(counted) == 1


def test_schedulers_that_tick_in_between_each_other_do_what_one_does(
    app: Flask, counted: Count, clock: MovableClock
) -> None:
    for _ in range(4):  # one at 0, 10, 20, 30 seconds, the other at 4, 14, 24, 34
        for step in (timedelta(seconds=4), timedelta(seconds=6)):
            jobs.tick(app, "roll")
            clock.advance(step)
    assert len(counted) == 4


def test_run_that_was_killed_gives_its_lease_up(
    app: Flask, session: Session, counted: Count, clock: MovableClock
) -> None:
    begun(session, finished=False)
    clock.advance(timedelta(seconds=50))
    jobs.tick(app, "roll")
    assert counted == []
    clock.advance(timedelta(seconds=10))
    jobs.tick(app, "roll")
    assert counted == [1]


@pytest.mark.parametrize("finished", [True, False])
def test_run_of_a_clock_that_was_ahead_holds_nobody_up(
    app: Flask, session: Session, counted: Count, *, finished: bool
) -> None:
    begun(session, finished=finished, at=START + timedelta(days=400))
    jobs.tick(app, "roll")
    assert counted == [1]


def test_end_of_a_run_that_was_given_up_is_not_taken_for_that_of_the_next(
    app: Flask, session: Session, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take_long() -> None:
        clock.advance(timedelta(minutes=2))
        with ThreadPoolExecutor(1) as other:
            other.submit(begin_another).result()

    def begin_another() -> None:
        with app.app_context(), open_session() as mine:
            assert claim_run(mine, "roll", every=EVERY, now=clock.now())
            mine.commit()

    monkeypatch.setattr(jobs, "JOBS", {"roll": (take_long, EVERY)})
    jobs.tick(app, "roll")
    run = session.get_one(JobRun, "roll")
    assert (run.started_at, run.finished_at) == (START + timedelta(minutes=2), None)


@only_sqlite
def test_job_that_hangs_is_seen_until_it_runs_again(
    app: Flask, session: Session, client: FlaskClient, clock: MovableClock
) -> None:
    def message() -> tuple[bool, str]:
        answer = client.get("/readyz").json
        assert answer is not None
        check = answer["checks"]["job roll"]
        return check["ok"], check["message"]

    begun(session, finished=False)
    clock.advance(timedelta(minutes=4))
    assert message() == (True, "last begun 2021-05-12 10:11:12 UTC, is running")
    clock.advance(timedelta(minutes=2))
    assert message() == (False, "hangs, or was killed: begun 2021-05-12 10:11:12 UTC, not ended")
    jobs.tick(app, "roll")
    is_ok, told = message()
    assert is_ok
    assert told.startswith("last begun 2021-05-12 10:17:12 UTC, took ")
    assert told.endswith(" ms")


@only_sqlite
def test_error_of_a_job_is_told_to_its_keepers_and_not_to_the_world(
    app: Flask, client: FlaskClient, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(jobs, "JOBS", {"roll": (fail, EVERY)})
        jobs.tick(app, "roll")
    answer = client.get("/readyz").json
    assert answer is not None
    check = answer["checks"]["job roll"]
    assert check["ok"] is False
    assert "failed the last time" in check["message"]
    assert "disk" not in str(answer)
    assert "RuntimeError: the disk is full" in run("doctor").output


def test_job_that_hangs_blocks_itself_alone() -> None:
    let_go = threading.Event()
    runs: dict[str, int] = {"stuck": 0, "well": 0}

    def tick(name: str) -> None:
        runs[name] += 1
        if name == "stuck":
            let_go.wait(PATIENCE_SECONDS)

    every = timedelta(seconds=0.05)
    ticks = Ticks({"stuck": every, "well": every}, tick, stop_seconds=0.1)
    ticks.start()
    wait_until(lambda: runs["well"] >= 5)
    assert runs["stuck"] == 1
    assert ticks.stop() == ["stuck"]
    well = runs["well"]
    let_go.set()
    wait_until(lambda: not ticks.stop())
    assert runs == {"stuck": 1, "well": well}


def test_leap_of_the_clock_ahead_is_one_tick_and_not_a_list_of_them() -> None:
    trigger = _Every(timedelta(seconds=2))
    last, now = datetime(2021, 5, 1, tzinfo=UTC), datetime(2022, 6, 5, tzinfo=UTC)
    assert trigger.get_next_fire_time(last, now) == now + timedelta(seconds=2)
    assert trigger.get_next_fire_time(last, last) == last + timedelta(seconds=2)


def test_clock_that_goes_back_does_not_stop_the_ticks() -> None:
    runs: list[str] = []
    ticks = Ticks({"roll": timedelta(seconds=0.05)}, runs.append, stop_seconds=1)
    ticks.start()
    (job,) = ticks._scheduler.get_jobs()  # noqa: SLF001 - as the clock's leap leaves it
    job.modify(next_run_time=datetime(2999, 1, 1, tzinfo=UTC))
    time.sleep(0.2)
    before = len(runs)
    ticks.look_after()
    wait_until(lambda: len(runs) > before + 1)
    assert ticks.stop() == []


@only_sqlite
@pytest.mark.parametrize("name", ["slow", "stuck"])
def test_scheduler_that_is_stopped_lets_jobs_end_and_names_those_that_do_not(
    start: Start, tmp_path: Path, name: str
) -> None:
    wait = "30" if name == "slow" else "0.5"
    process = start("tests.ops.scheduler_process", str(tmp_path), name, SCHEDULER_STOP_SECONDS=wait)
    wait_until((tmp_path / "begun").exists)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    if name == "slow":
        assert process.returncode == 0
        assert (tmp_path / "ended").exists()
        assert "scheduler stopped\n" in said
    else:
        assert process.returncode == 1
        assert "did not end: stuck" in said


@only_sqlite
def test_web_server_alone_runs_the_jobs_and_stops_cleanly(
    start: Start,
) -> None:
    port = free_port()
    process = start(
        *("gunicorn", "--chdir", str(ROOT), "--bind", f"127.0.0.1:{port}", "--no-control-socket"),
        *("--preload", "--worker-class", "gthread", "app:create_app()"),
        SCHEDULER="inside",
    )

    def is_running() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=20) as answer:
                checks = json.load(answer)["checks"]
        except OSError:
            return False
        return all(checks[f"job {name}"]["ok"] for name in jobs.JOBS)

    wait_until(is_running)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert said.count("scheduler started inside") == 1
    assert "Traceback" not in said


@only_sqlite
@pytest.mark.parametrize("where", ["inside", "apart"])
def test_neither_a_command_nor_a_site_whose_scheduler_is_apart_runs_jobs(
    database_url: str, where: str
) -> None:
    settings: Settings = make_settings(database_url=database_url, scheduler=where)
    app = create_app(settings)
    app.test_cli_runner().invoke(args=["campaigns", "list"])
    if where == "apart":
        app.test_client().get("/livez")
    assert "scheduler" not in {thread.name for thread in threading.enumerate()}
