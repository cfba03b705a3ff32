from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.operations import Operations
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import inspect

from core.db import Base, db
from tests.conftest import Give, MakeCampaign


def run(app: Flask, *arguments: str) -> Result:
    # As the `flask` command does, which makes a context around all commands.
    with app.app_context():
        return app.test_cli_runner().invoke(args=["db", *arguments])


def tables(app: Flask) -> set[str]:
    with app.app_context():
        return set(inspect(db.engine).get_table_names())


def test_the_migrations_make_what_the_models_say(app: Flask) -> None:
    result = run(app, "check")

    assert result.exit_code == 0, result.output


def test_the_check_notices_a_column_that_no_migration_makes(app: Flask) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE campaigns DROP COLUMN description")

    assert run(app, "check").exit_code != 0


def test_going_back_leaves_no_table_and_going_forth_makes_them_again(app: Flask) -> None:
    ours = set(Base.metadata.tables)

    assert run(app, "downgrade", "base").exit_code == 0
    assert not ours & tables(app)
    assert run(app, "upgrade").exit_code == 0
    assert ours <= tables(app)


def test_migration_that_dies_half_way_leaves_nothing_and_is_run_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(app, "downgrade", "base").exit_code == 0
    tables_made = []

    def die(*arguments: Any, **options: Any) -> object:
        tables_made.append(arguments[0])
        if len(tables_made) == 5:
            raise RuntimeError("killed")
        return make_table(*arguments, **options)

    make_table = Operations.create_table
    with monkeypatch.context() as broken:
        broken.setattr(Operations, "create_table", die)
        assert run(app, "upgrade").exit_code != 0
    assert len(tables_made) == 5
    assert not set(Base.metadata.tables) & tables(app)
    assert run(app, "upgrade").exit_code == 0
    assert set(Base.metadata.tables) <= tables(app)


def test_books_of_the_first_release_are_carried_along(
    app: Flask, client: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    give(make_campaign(), 52_000)
    before = client.get("/api/v1/campaigns/support-us?with=face").json
    # The command takes a number for steps: all but the first release's own.
    steps = len(list(Path(app.root_path, "migrations").glob("0*.py"))) - 1
    assert run(app, "downgrade", str(steps)).exit_code == 0
    assert "suggested_amounts" not in tables(app)
    assert run(app, "upgrade").exit_code == 0
    assert client.get("/api/v1/campaigns/support-us?with=face").json == before
    assert run_command(app, "ledger", "verify").exit_code == 0


def run_command(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=list(arguments))
