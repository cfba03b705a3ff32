"""Which revision a database's tables are of, read without Alembic.

Alembic would open a connection of its own and, on SQLite, wait for the one that asks.
"""

from __future__ import annotations

from flask import current_app
from sqlalchemy import Connection, inspect, text


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
