from __future__ import annotations

from click.testing import Result
from flask import Flask
from sqlalchemy import inspect

from core.db import Base, db


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
