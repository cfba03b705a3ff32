"""The database: the base of all models, UTC instants, and how SQLite and PostgreSQL are opened.

SQLite is opened as its own documents advise for data that matters: foreign keys on, full sync,
STRICT tables, `BEGIN IMMEDIATE` for everything that may write (a plain `BEGIN` that later wants
to write fails as "locked", and the driver's default loses updates), WAL only where the library
is free of the corruption bug of https://sqlite.org/wal.html#walresetbug.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast
from weakref import WeakSet

from flask import Flask
from flask_sqlalchemy_lite import SQLAlchemy
from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    DateTime,
    Dialect,
    Engine,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator, TypeEngine

from core.settings import Settings

BUSY_TIMEOUT_SECONDS = 30
CONNECT_TIMEOUT_SECONDS = 10
# For packets that nobody acknowledges: a query may take as long as it needs.
ANSWER_TIMEOUT_SECONDS = 30
_SQLITE_INSTANT = "%Y-%m-%dT%H:%M:%S.%fZ"
_READ_ONLY = "goalpost_read_only"
# Serialization failure, deadlock, and the server shutting down or starting up.
_PASSING_STATES = frozenset({"40001", "40P01", "57P01", "57P02", "57P03"})
T = TypeVar("T")
OpenSession = Callable[[], AbstractContextManager[Session]]
_WAL_SAFE_SINCE = ((3, 51, 3), (3, 50, 7), (3, 44, 6))


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant in UTC: `timestamptz` in PostgreSQL, sortable ISO 8601 text in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column's type."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(27))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse naive times: there is no way to know which instant they mean."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime can't be stored; pass an aware one")
        instant = value.astimezone(UTC)
        return instant.strftime(_SQLITE_INSTANT) if dialect.name == "sqlite" else instant

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the instant in UTC, whatever the server's zone."""
        if value is None:
            return None
        if dialect.name == "sqlite":
            return datetime.fromisoformat(value)  # strptime takes ten times as long
        instant: datetime = value.astimezone(UTC)
        return instant


class Base(DeclarativeBase):
    """The base of every model. Constraints get names, so that migrations can address them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        int: BigInteger(),
    }
    __table_args__: Any = {"sqlite_strict": True}  # noqa: RUF012 - as SQLAlchemy declares it


# SQLite's STRICT tables know five types only; these are the names of ours among them.
@compiles(BigInteger, "sqlite")
@compiles(Boolean, "sqlite")
def _integer(_type: Any, _compiler: Any, **_: Any) -> str:
    return "INTEGER"


@compiles(String, "sqlite")
def _text(_type: Any, _compiler: Any, **_: Any) -> str:
    return "TEXT"


@compiles(LargeBinary, "sqlite")
def _blob(_type: Any, _compiler: Any, **_: Any) -> str:
    return "BLOB"


_engines: WeakSet[Engine] = WeakSet()


def _forget_connections() -> None:
    """Leave a parent's connections to the parent: two processes on one of them corrupt both."""
    for engine in _engines:
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_forget_connections)

db = SQLAlchemy(session_options={"expire_on_commit": False})


def engine_options(settings: Settings) -> dict[str, Any]:
    """Return what Flask-SQLAlchemy-Lite needs to open the engine of these settings."""
    return _options(settings.database_url)


def open_engine(database_url: str) -> Engine:
    """Open another database than the application's own, in the same way; see `Settings`."""
    engine = create_engine(**_options(database_url))
    prepare_engine(engine)
    return engine


def _options(database_url: str) -> dict[str, Any]:
    if database_url.startswith("sqlite"):
        return {
            "url": database_url,
            "hide_parameters": True,
            "connect_args": {"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        }
    return {
        "url": database_url,
        # An error's text is kept and shown: it names the statement, and not whose row it was of.
        "hide_parameters": True,
        "pool_pre_ping": True,
        "connect_args": {
            "application_name": "goalpost",
            "options": "-c timezone=UTC",
            # A server that vanished without a word is noticed; the system would wait for minutes.
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "tcp_user_timeout": ANSWER_TIMEOUT_SECONDS * 1000,
        },
    }


def prepare_engine(engine: Engine) -> None:
    """Attach what each new connection and transaction of SQLite needs; PostgreSQL needs nothing."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _open_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "reset", _end_sqlite)


def _open_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own transaction control is off: `_begin_sqlite` says when one begins.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
    connection.execute(f"PRAGMA journal_mode = {'WAL' if wal_is_safe() else 'DELETE'}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    # Or INSERT OR REPLACE would delete without a word from the triggers that refuse it.
    connection.execute("PRAGMA recursive_triggers = ON")


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _end_sqlite(connection: sqlite3.Connection, _record: object, _state: object) -> None:
    # A COMMIT that waited in vain leaves its transaction open, and SQLAlchemy takes it for ended:
    # kept in the pool, it would keep its locks from everybody.
    if connection.in_transaction:
        connection.rollback()


def wal_is_safe(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> bool:
    """Tell whether this SQLite has the fix for the bug that can corrupt a WAL database."""
    newest, *older = _WAL_SAFE_SINCE
    return version >= newest or any(
        version[:2] == fixed[:2] and version >= fixed for fixed in older
    )


def in_transaction(
    open_session: OpenSession,
    work: Callable[[Session], T],
    *,
    attempts: int = 5,
) -> T:
    """Do `work` in a session of its own and commit; do the whole of it again where that can help.

    That is where PostgreSQL gave up a transaction for another's sake (serialization failure,
    deadlock) or dropped the connection. `work` must be safe to repeat; what it changed in a
    failed attempt was rolled back. Anything else is raised, and so is the last failure.
    """
    for attempt in range(1, attempts + 1):
        try:
            with open_session() as session:
                result = work(session)
                session.commit()
                return result
        except DBAPIError as error:
            if attempt == attempts or not _is_passing(error):
                raise
            # Apart, so that two that met don't meet again.
            time.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311 - no secret
    raise AssertionError  # the loop returns or raises


def _is_passing(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state in _PASSING_STATES


def read_session() -> Session:
    """Return the request's session, bound to a transaction that only reads.

    On SQLite it takes no write lock, so readers never wait for each other. Call it before
    anything else has used the session.
    """
    session = db.session
    read_only(session)
    return session


def read_only(session: Session) -> None:
    """Have a session's first transaction only read: see `read_session`."""
    session.connection(execution_options={_READ_ONLY: True})


@contextmanager
def read_only_connection() -> Iterator[Connection]:
    """Give a connection of its own, which only reads, whatever the request's session is at."""
    with db.engine.connect() as connection:
        yield connection.execution_options(**{_READ_ONLY: True})


def insert_if_absent(
    session: Session, model: type[Base], values: Mapping[str, Any], *, unique: tuple[str, ...]
) -> bool:
    """Insert a row unless one with the same `unique` columns is there; tell whether it was done.

    Safe when several processes do it at once: the database decides, and no error is raised.
    """
    statement = _insert(session, model).values(**values)
    found = statement.on_conflict_do_nothing(index_elements=list(unique)).returning(
        # The row count is not reliable through psycopg; a returned row is.
        *model.__mapper__.primary_key
    )
    return session.execute(found).first() is not None


def insert_absent(
    session: Session,
    model: type[Base],
    rows: Sequence[Mapping[str, Any]],
    *,
    unique: tuple[str, ...],
    returning: tuple[str, ...],
) -> Sequence[Row[Any]]:
    """Insert the rows whose `unique` columns are not there yet; return columns of those that were.

    All rows name the same columns. The statement is compiled once and cached, however many rows
    there are: to name them all in VALUES took longer than all the rest of a roll.
    """
    table = cast("Table", model.__table__)
    statement = _insert(session, table).on_conflict_do_nothing(index_elements=list(unique))
    found = statement.returning(*(table.c[name] for name in returning))
    return session.execute(found, [dict(row) for row in rows]).all()


def _insert(session: Session, model: type[Base] | Table) -> Any:
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    return sqlite_insert(model) if is_sqlite else postgresql_insert(model)


def init_app(app: Flask, settings: Settings) -> None:
    """Open the database of these settings for `app`. Nothing connects yet."""
    if settings.sqlite:
        # SQLite makes the file, but not the folder that it lies in.
        path = make_url(settings.database_url).database
        if path and path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
    db.init_app(app)
    # We open no asynchronous sessions, and what the extension does to close them would make Flask
    # run an event loop at the end of every request (and fail in a thread that runs one already).
    app.teardown_appcontext_funcs = [
        function for function in app.teardown_appcontext_funcs if not iscoroutinefunction(function)
    ]
    # A migration is done as a whole or not at all, on SQLite too, whose DDL is transactional
    # although Alembic thinks it is not; one that is killed is simply run again.
    app.config["ALEMBIC_CONTEXT"] = {"transactional_ddl": True, "transaction_per_migration": True}
    with app.app_context():
        engine = db.engine
        prepare_engine(engine)
    _engines.add(engine)
