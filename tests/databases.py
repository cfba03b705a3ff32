"""A fresh, migrated database for each test, of either kind: a copy of one migrated template."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from app import create_app
from core.db import db
from core.settings import load_settings

KINDS = ("sqlite", "postgresql")
_numbers = itertools.count(1)


def migrate(database_url: str) -> None:
    """Bring a database to the newest schema, by the application's own migrations."""
    app = create_app(load_settings(database_url=database_url, secret_key="test"))
    with app.app_context():
        app.extensions["alembic"].upgrade()
        db.engine.dispose()


class SqliteTemplate:
    """A migrated file."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "template.sqlite"
        migrate(f"sqlite:///{self._file}")

    @contextmanager
    def copy(self, folder: Path) -> Iterator[str]:
        """Give the address of a copy in `folder`."""
        file = folder / "goalpost.sqlite"
        shutil.copyfile(self._file, file)
        yield f"sqlite:///{file}"


class PostgresTemplate:
    """A migrated database of a server; `owner` tells the templates of several workers apart."""

    def __init__(self, server: str, owner: str) -> None:
        self._server = server
        self._name = f"goalpost_test_{owner}"
        # One for all that it makes and drops: to connect takes a quarter as long as to make one.
        self._connection = psycopg.connect(server, autocommit=True)
        # Copying files takes a fifth of the time of writing them to the log, PostgreSQL's default
        # since it can do either.
        can_choose = self._connection.info.server_version >= 150_000
        self._strategy = "STRATEGY FILE_COPY" if can_choose else ""
        self._drop(self._name)
        self._run("CREATE DATABASE {}", self._name)
        migrate(self.url_of(self._name))

    def url_of(self, name: str) -> str:
        """Return the address of a database of this server."""
        return make_url(self._server).set(database=name).render_as_string(hide_password=False)

    @contextmanager
    def copy(self) -> Iterator[str]:
        """Give the address of a copy, which is dropped in the end, whoever is connected to it."""
        name = f"{self._name}_{next(_numbers)}"
        self._drop(name)
        self._run(f"CREATE DATABASE {{}} TEMPLATE {{}} {self._strategy}", name, self._name)
        try:
            yield self.url_of(name)
        finally:
            self._drop(name)

    def close(self) -> None:
        """Drop the template."""
        self._drop(self._name)
        self._connection.close()

    def _drop(self, name: str) -> None:
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _run(self, statement: str, *names: str) -> None:
        identifiers = (sql.Identifier(name) for name in names)
        self._connection.execute(sql.SQL(statement).format(*identifiers))
