"""What SQLite is told at the opening of each connection and transaction, and times on their way."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import insert, make_url, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from campaigns.models import Campaign, PeriodTier
from core.db import UtcDateTime, db
from tests.conftest import MakeCampaign

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.parametrize("scheme", ["sqlite", "postgresql+psycopg"])
def test_time_without_a_zone_is_not_stored(scheme: str) -> None:
    dialect = make_url(f"{scheme}://").get_dialect()()
    with pytest.raises(ValueError, match="naive"):
        UtcDateTime().process_bind_param(datetime(2021, 5, 1), dialect)  # noqa: DTZ001 - the point


def test_time_is_stored_as_utc_whatever_its_zone() -> None:
    stored = UtcDateTime().process_bind_param(
        datetime.fromisoformat("2021-05-01T00:00:00-04:00"), sqlite.dialect()
    )
    assert stored == "2021-05-01T04:00:00.000000Z"
    assert UtcDateTime().process_result_value(stored, sqlite.dialect()) == datetime(
        2021, 5, 1, 4, tzinfo=UTC
    )


def test_row_of_a_parent_that_is_not_there_is_refused(session: Session) -> None:
    with pytest.raises(IntegrityError):
        session.execute(insert(PeriodTier).values(period_id=999, amount_minor=1))


@only_sqlite
def test_commit_waits_for_the_disk(session: Session) -> None:
    full = 2
    assert session.scalar(text("PRAGMA synchronous")) == full


@only_sqlite
def test_two_that_read_and_then_write_wait_for_each_other(
    app: Flask, session: Session, make_campaign: MakeCampaign
) -> None:
    campaign_id = make_campaign().id
    with app.app_context():
        maker = db.sessionmaker

    def add(one: Session, letter: str) -> None:
        title = one.get_one(Campaign, campaign_id, populate_existing=True).title
        one.execute(update(Campaign).values(title=title + letter))

    def add_another() -> None:
        with maker() as other:
            add(other, "b")
            other.commit()

    session.rollback()
    title = session.get_one(Campaign, campaign_id, populate_existing=True).title
    second = threading.Thread(target=add_another)
    second.start()
    second.join(0.3)
    session.execute(update(Campaign).values(title=title + "a"))
    session.commit()
    second.join()
    session.expire_all()
    assert session.get_one(Campaign, campaign_id).title == "Support usab"
