"""Which revision a database's tables are of, and that nobody writes into tables of another.

Read without Alembic, which would open a connection of its own and, on SQLite, wait for the one that
asks. Tables that this code does not know may hold sums that it would not keep: so web processes,
the scheduler and commands refuse to work on them, and take up work when the tables fit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from flask import Flask, current_app, request
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from core import static
from core.clock import stopwatch
from core.db import read_only_connection
from core.errors import Conflict, Unavailable
from core.words import N_

EXTENSION = "goalpost.revisions"
log = logging.getLogger("goalpost.revisions")

# How old what a web process knows of the tables may be.
LOOK_EVERY_MILLISECONDS = 1_000


def current_revisions(connection: Connection) -> set[str]:
    """Return the revisions of the tables; none where nobody has migrated them."""
    if not inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.scalars(text("SELECT version_num FROM alembic_version")))


def newest_revisions() -> set[str]:
    """Return the revision that this code's tables have."""
    return {revision.revision for revision in current_app.extensions["alembic"].heads()}


def known_revisions() -> set[str]:
    """Return all revisions that this code can bring tables up from."""
    scripts = current_app.extensions["alembic"].script_directory
    return {script.revision for script in scripts.walk_revisions()}


def what_to_do(connection: Connection) -> str | None:
    """Return how the tables differ from this code's and what to do; None where they don't."""
    found = current_revisions(connection)
    if found == newest_revisions():
        return None
    if not found <= known_revisions():
        return (
            f"of a newer Goalpost ({', '.join(sorted(found))}): start the release that made them,"
            " or restore the copy from before"
        )
    return "behind: run `flask --app app db upgrade`"


def refuse_other_tables() -> None:
    """Raise Conflict, with what to do, where the tables are not this code's.

    A database that is away says so to whatever needs it; the scheduler waits for it.
    """
    try:
        with read_only_connection() as connection:
            told = what_to_do(connection)
    except DBAPIError:
        return
    if told is not None:
        raise Conflict(f"The database's tables are {told}.")


def init_app(app: Flask, *, except_for: Collection[str]) -> None:
    """Have `app` answer 503 while the tables are not its own, whatever server it runs under.

    Stripe sends its events again, so none is lost. The blueprints `except_for` answer all the same:
    they say what is wrong. Nothing is asked of the database more often than once a second.
    """
    look = Look()
    app.extensions[EXTENSION] = look

    @app.before_request
    def refuse() -> None:
        if request.endpoint in static.ENDPOINTS or request.blueprint in except_for:
            return
        if look.again() is not None:
            raise Unavailable(N_("We can't reach our books just now."))


class Look:
    """What a process knows of the tables. Threads may look at once: each finds the same."""

    def __init__(self) -> None:
        self._told: str | None = None
        self._age: Callable[[], int] | None = None

    def again(self) -> str | None:
        """Return what `what_to_do` says now, or said less than a second ago."""
        if self._age is None or self._age() >= LOOK_EVERY_MILLISECONDS:
            try:
                with read_only_connection() as connection:
                    self.note(what_to_do(connection))
            except DBAPIError:
                # Whatever needs the database will meet the same, and say so in its own way; the
                # next request waits for it only once. What never was looked at is looked at first.
                self._age = self._age and stopwatch()
        return self._told

    def note(self, told: str | None) -> None:
        """Keep what was found just now."""
        if told is not None and told != self._told:
            log.error("nothing is served: the database's tables are %s", told)
        elif told is None and self._told is not None:
            log.warning("the database's tables fit again")
        self._told, self._age = told, stopwatch()
