"""A copy of the whole database in one file, taken while the site runs, and put back.

SQLite is copied by its own online backup, PostgreSQL by its own `pg_dump` (see `ops.dumping`). A
copy holds everything that is known of donors: it is for whoever runs the site, and nobody else.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Table, exists, inspect, select

from core.db import BUSY_TIMEOUT_SECONDS, Base
from core.errors import Conflict, Unavailable

# How much is done of how much; what the two count is the copier's own.
Step = Callable[[int, int], None]
_PAGES_AT_ONCE = 1_000
_PAUSE_SECONDS = 0.01
# SQLite begins anew when somebody writes between two steps. After so many times writers wait.
MOST_STALLS = 10
_VERSION_TABLE = "alembic_version"


class CopyFailed(Unavailable):
    """The copy was not made, or is not right; nothing was replaced by it."""

    code = "copy_failed"
    hint = ""


class HoldsBooks(Conflict):
    """The database that is to be filled holds something already."""

    code = "holds_books"


class _Stalled(Exception):
    """SQLite begins its copy again and again, as others write meanwhile."""


@contextmanager
def new_file(path: Path, *, replace: bool) -> Iterator[Path]:
    """Give a file of this user's own to write into, which gets the name `path` once it is whole.

    Raises Conflict where there is something of that name and `replace` is not set, at the end too.
    """
    if path.is_dir():
        raise Conflict(f"{path} is a folder: name a file.")
    if path.exists() and not replace:
        raise Conflict(f"{path} is there already: choose another name, or say --force.")
    try:
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    except OSError as error:
        raise CopyFailed(f"{path.parent} can't be written to: {error.strerror}.") from None
    os.close(number)
    partial = Path(name)
    try:
        yield partial
        _sync(partial)
        if replace:
            partial.replace(path)
        else:
            # Unlike a rename, it never takes the place of what was made meanwhile.
            path.hardlink_to(partial)
        _sync(path.parent)
    except FileExistsError:
        raise Conflict(f"{path} was made meanwhile: choose another name.") from None
    except OSError as error:
        raise CopyFailed(f"{path} can't be written: {error.strerror}.") from None
    finally:
        partial.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def copy_sqlite(source: Path, target: Path, *, step: Step) -> None:
    """Copy a database that may be written to meanwhile; `target` is empty or holds no books.

    The copy is of one moment: all of each transaction is in it, or nothing. Where it is begun anew
    too often, as the site is busy, writers wait until it is done. Raises CopyFailed.
    """
    try:
        with (
            closing(_open(source)) as books,
            closing(sqlite3.connect(target, timeout=BUSY_TIMEOUT_SECONDS)) as copy,
        ):
            if _is_in_wal(books) or not _copied_beside_writers(books, copy, step):
                # A reader's transaction: in WAL it holds nobody up, else writers wait for its end.
                books.execute("BEGIN")
                books.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                books.backup(copy, pages=_PAGES_AT_ONCE, progress=_watch(step), sleep=0)
            # One file and nothing beside it, whatever the books are kept in.
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise CopyFailed(f"SQLite could not copy {source}: {error}.") from None


def _copied_beside_writers(books: sqlite3.Connection, copy: sqlite3.Connection, step: Step) -> bool:
    try:
        books.backup(
            copy,
            pages=_PAGES_AT_ONCE,
            progress=_watch(step, most_stalls=MOST_STALLS),
            sleep=_PAUSE_SECONDS,
        )
    except _Stalled:
        return False
    return True


def _open(path: Path) -> sqlite3.Connection:
    # As what there is, never a new one; not for reading only, or a crash could not be cleaned up.
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_TIMEOUT_SECONDS,
        isolation_level=None,
    )


def _is_in_wal(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA journal_mode").fetchone() == ("wal",))


def _watch(step: Step, *, most_stalls: int | None = None) -> Callable[[int, int, int], None]:
    """Return what SQLite calls after each step: tells of it, and ends what comes to nothing."""
    fewest: int | None = None
    stalls = 0
    moved_at = time.monotonic()

    def progress(_status: int, left: int, total: int) -> None:
        nonlocal fewest, stalls, moved_at
        if fewest is None or left < fewest:
            fewest = left
            moved_at = time.monotonic()
        else:
            # Begun anew, or kept waiting by a lock.
            stalls += 1
            if most_stalls is not None and stalls > most_stalls:
                raise _Stalled
            if time.monotonic() - moved_at > BUSY_TIMEOUT_SECONDS:
                raise sqlite3.OperationalError("database is locked")
        step(total - left, total)

    return progress


def check_sqlite(path: Path) -> str:
    """Look at a copy; return its tables' revision. Raises CopyFailed where it is not right."""
    try:
        with closing(_open(path)) as copy:
            found = [row[0] for row in copy.execute("PRAGMA integrity_check(5)")]
            loose = copy.execute("PRAGMA foreign_key_check").fetchone()
            revisions = copy.execute(f"SELECT version_num FROM {_VERSION_TABLE}").fetchall()  # noqa: S608 - a name of ours
    except sqlite3.Error as error:
        raise CopyFailed(f"{path.name} is no copy of a Goalpost database: {error}.") from None
    if found != ["ok"]:
        raise CopyFailed(f"{path.name} is damaged: {'; '.join(found)[:300]}.")
    if loose is not None:
        raise CopyFailed(
            f"{path.name} is damaged: a row of {loose[0]} names one that is not there."
        )
    if len(revisions) != 1:
        raise CopyFailed(f"{path.name} has been migrated by nobody, or halfway.")
    return str(revisions[0][0])


def filled_tables(connection: Connection) -> list[str]:
    """Return those of our tables in which there is something, by name."""
    there = set(inspect(connection).get_table_names())
    return [
        table.name
        for table in Base.metadata.sorted_tables
        if table.name in there and _is_filled(connection, table)
    ]


def refuse_books(connection: Connection, *, called: str) -> None:
    """Raise HoldsBooks unless every table of ours in the database is empty or missing."""
    filled = filled_tables(connection)
    if filled:
        raise HoldsBooks(
            f"{called} holds something already ({', '.join(filled[:5])}"
            f"{', …' if len(filled) > 5 else ''}): nothing was changed. Name an empty database."  # noqa: PLR2004
        )


def _is_filled(connection: Connection, table: Table) -> bool:
    # By a column, so that a table of an older revision is looked at, too.
    return bool(connection.scalar(select(exists(select(1).select_from(table)))))
