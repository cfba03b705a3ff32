"""What PostgreSQL may do to a transaction; the whole of it is then done again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from flask import Flask
from sqlalchemy import Engine, select, text, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.db import db, in_transaction
from tests.conftest import MakeCampaign

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
Open = Callable[[], AbstractContextManager[Session]]


@pytest.fixture
def engine(app: Flask) -> Engine:
    with app.app_context():
        return db.engine


@pytest.fixture
def open_session(engine: Engine) -> Open:
    @contextmanager
    def open_session() -> Iterator[Session]:
        with Session(engine) as session:
            yield session

    return open_session


def terminate(engine: Engine, session: Session) -> None:
    """Drop the session's connection from the server's side."""
    pid = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})


def test_dropped_connection_is_done_again(
    engine: Engine, open_session: Open, make_campaign: MakeCampaign, session: Session
) -> None:
    make_campaign()
    attempts = []

    def work(session: Session) -> None:
        attempts.append(1)
        session.execute(update(Campaign).values(title="Changed"))
        if len(attempts) == 1:
            terminate(engine, session)
            session.execute(text("SELECT 1"))

    in_transaction(open_session, work)
    assert len(attempts) == 2
    session.expire_all()
    assert session.scalars(select(Campaign.title)).all() == ["Changed"]


def test_deadlock_is_resolved_by_doing_one_of_them_again(
    open_session: Open, make_campaign: MakeCampaign, session: Session
) -> None:
    make_campaign(slug="one")
    make_campaign(slug="two")
    both = threading.Barrier(2, timeout=30)
    tried: list[str] = []

    def move(first: str, second: str) -> None:
        met = False

        def work(session: Session) -> None:
            nonlocal met
            tried.append(first)
            session.execute(update(Campaign).where(Campaign.slug == first).values(title=first))
            if not met:
                met = True
                both.wait()
            session.execute(update(Campaign).where(Campaign.slug == second).values(title=first))

        in_transaction(open_session, work)

    threads = [
        threading.Thread(target=move, args=pair) for pair in (("one", "two"), ("two", "one"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(tried) == 3  # two, and the one that gave way once more
    session.expire_all()
    assert len(set(session.scalars(select(Campaign.title)))) == 1


def test_serialization_failure_is_done_again(
    engine: Engine, make_campaign: MakeCampaign, session: Session
) -> None:
    make_campaign()
    strict = engine.execution_options(isolation_level="SERIALIZABLE")
    attempts = []

    def work(mine: Session) -> None:
        attempts.append(1)
        title = mine.scalars(select(Campaign.title)).one()
        if len(attempts) == 1:
            with Session(strict) as other:
                other.execute(update(Campaign).values(title="Theirs"))
                other.commit()
        mine.execute(update(Campaign).values(title=f"{title} and mine"))

    in_transaction(lambda: Session(strict), work)
    assert len(attempts) == 2
    session.expire_all()
    assert session.scalars(select(Campaign.title)).all() == ["Theirs and mine"]


def test_error_that_repeating_can_not_mend_is_raised_at_once(open_session: Open) -> None:
    attempts = []

    def work(session: Session) -> None:
        attempts.append(1)
        session.execute(text("SELECT nonsense"))

    with pytest.raises(DBAPIError):
        in_transaction(open_session, work)
    assert len(attempts) == 1


def test_server_that_stays_away_is_given_up_after_some_attempts(
    engine: Engine, open_session: Open
) -> None:
    attempts = []

    def work(session: Session) -> None:
        attempts.append(1)
        terminate(engine, session)
        session.execute(text("SELECT 1"))

    with pytest.raises(OperationalError):
        in_transaction(open_session, work, attempts=2)
    assert len(attempts) == 2
