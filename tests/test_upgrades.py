"""Tables of every release, with what it kept in them, brought up to the newest: nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.db import Base, db
from payments.fee_sums import verify_books
from tests.conftest import Give
from tests.old_books import COVER_MINOR, MONTHS, Key, OldBooks

REVISIONS = sorted(file.name[:4] for file in Path(__file__).parents[1].glob("migrations/[0-9]*.py"))
# Older tables don't tell what covers fees from gifts.
FIRST_WITH_COVERS = "0005"
Rows = dict[tuple[str, Key], Mapping[str, Any]]
Sums = dict[tuple[str, str], tuple[int, int]]


def go(app: Flask, revision: str) -> None:
    """Bring the tables to a revision, up or down."""
    # Alembic keeps its connection as long as its context.
    with app.app_context():
        alembic = app.extensions["alembic"]
        current = {script.revision for script in alembic.current()}
        if current and max(current) > revision:
            alembic.downgrade(revision)
        else:
            alembic.upgrade(revision)


def fill(app: Flask, revision: str) -> Rows:
    with app.app_context(), db.engine.begin() as connection:
        books = OldBooks(connection, revision)
        books.fill()
        return books.rows


def sums_of_entries(connection: Connection) -> Sums:
    """Return each month's sum and its number of entries, as any release's tables have them."""
    found = connection.execute(
        sa.text(
            "SELECT campaigns.slug, periods.key, sum(amount_minor), count(*) FROM ledger_entries"
            " JOIN periods ON periods.id = period_id JOIN campaigns ON campaigns.id = campaign_id"
            " GROUP BY campaigns.slug, periods.key"
        )
    )
    return {(slug, key): (int(minor), count) for slug, key, minor, count in found}


def read_sums(app: Flask) -> Sums:
    with app.app_context(), db.engine.begin() as connection:
        return sums_of_entries(connection)


def assert_all_is_there(app: Flask, rows: Rows) -> None:
    """Hold every row that was made to what is in its place now, in what columns it has now."""
    with app.app_context(), db.engine.begin() as connection:
        found = sa.inspect(connection)
        for table in {table for table, _ in rows}:
            columns = {column["name"] for column in found.get_columns(table)}
            kept = sa.table(table, *map(sa.column, columns))
            keys = found.get_pk_constraint(table)["constrained_columns"]
            now = {
                tuple((name, row[name]) for name in keys): row
                for row in connection.execute(sa.select(kept)).mappings()
            }
            for (of, key), values in rows.items():
                if of == table:
                    row = now[key]
                    assert {name: row[name] for name in values if name in columns} == {
                        name: value for name, value in values.items() if name in columns
                    }, (table, key)


def assert_served(client: FlaskClient, sums: Sums, covers: Mapping[str, int]) -> None:
    """Hold what our own code says of each month to what plain SQL said before."""
    for slug in {slug for slug, _ in sums}:
        assert client.get(f"/c/{slug}").status_code == 200
        told = client.get(f"/api/v1/campaigns/{slug}").json
        assert told is not None
        past = client.get(f"/api/v1/campaigns/{slug}/periods").json
        assert past is not None
        months = [told, *past["periods"]]
        ours = {
            month["period"]["key"] if "period" in month else month["key"]: month["raised_minor"]
            for month in months
        }
        assert ours == {key: sums[slug, key][0] - covers[slug] for key, _, _ in MONTHS}


def covers_of(rows: Rows) -> dict[str, int]:
    """Return what donors added for the fees in each month of each campaign, by its name."""
    return {
        str(values["slug"]): COVER_MINOR * ("story" in values)  # a column as old as covers
        for (table, _), values in rows.items()
        if table == "campaigns"
    }


def assert_sound(app: Flask, session: Session) -> None:
    assert verify_books(session).differences == ()
    session.rollback()
    with app.app_context():
        done = app.test_cli_runner().invoke(args=["db", "check"])
        assert done.exit_code == 0, done.output


def test_every_release_s_books_are_carried_up_and_back_to_the_cent(
    app: Flask, client: FlaskClient, session: Session, give: Give
) -> None:
    go(app, "0001")
    rows: Rows = {}
    for revision in REVISIONS:
        if revision != "0001":
            before = read_sums(app)
            go(app, revision)
            assert read_sums(app) == before
        rows |= fill(app, revision)
    sums = read_sums(app)
    assert len(sums) == len(REVISIONS) * len(MONTHS)
    # Nothing that a site keeps is left out here.
    assert {table for table, _ in rows} == set(Base.metadata.tables)
    assert_all_is_there(app, rows)
    assert_sound(app, session)
    assert_served(client, sums, covers_of(rows))

    for revision in reversed(REVISIONS[REVISIONS.index(FIRST_WITH_COVERS) :]):
        go(app, revision)
        assert read_sums(app) == sums
    with pytest.raises(RuntimeError, match="cover fees, which older tables would count as gifts"):
        go(app, "0004")
    go(app, REVISIONS[-1])
    assert read_sums(app) == sums
    assert_sound(app, session)
    # New rows find their numbers after the old.
    give(session.scalars(sa.select(Campaign).order_by(Campaign.id)).all()[0], 1_234)
    assert_sound(app, session)


@pytest.mark.slow
@pytest.mark.parametrize("revision", REVISIONS)
def test_a_site_of_one_release_is_brought_up_at_once_and_back(
    app: Flask, client: FlaskClient, session: Session, revision: str
) -> None:
    go(app, revision)
    rows = fill(app, revision)
    sums = read_sums(app)
    go(app, REVISIONS[-1])
    assert read_sums(app) == sums
    assert_all_is_there(app, rows)
    assert_sound(app, session)
    assert_served(client, sums, covers_of(rows))
    back = "0001" if revision < FIRST_WITH_COVERS else FIRST_WITH_COVERS
    go(app, back)
    assert read_sums(app) == sums
    go(app, REVISIONS[-1])
    assert_sound(app, session)
