"""The limit: what the database alone commits in a second, without a line of ours between."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import text

from bench.sites import Site

_TABLES = {
    "sqlite": (
        "CREATE TABLE bench_lines (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
        "CREATE TABLE bench_totals (id INTEGER PRIMARY KEY, minor INTEGER NOT NULL) STRICT",
        "INSERT INTO bench_totals VALUES (1, 0)",
    ),
    "postgresql": (
        "CREATE TABLE bench_lines (id bigserial PRIMARY KEY, body bytea NOT NULL)",
        "CREATE TABLE bench_totals (id bigint PRIMARY KEY, minor bigint NOT NULL)",
        "INSERT INTO bench_totals VALUES (1, 0)",
    ),
}
_BEGIN = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "BEGIN"}
_INSERT = {
    "sqlite": "INSERT INTO bench_lines (body) VALUES (?)",
    "postgresql": "INSERT INTO bench_lines (body) VALUES (%s)",
}
_UPDATE = "UPDATE bench_totals SET minor = minor + 2000 WHERE id = 1"


def make_tables(site: Site) -> None:
    """Make the tables that the limit is measured on, in the site's own database."""
    with site.engine.begin() as connection:
        for statement in _TABLES[site.kind]:
            connection.execute(text(statement))


def writer(site: Site, *, hot_row: bool) -> Callable[[Sequence[bytes]], None]:
    """Return what writes bodies, one a transaction; with `hot_row`, a total is kept beside."""

    def write(bodies: Sequence[bytes]) -> None:
        # The driver's own connection, opened as the application opens it.
        connection = site.engine.raw_connection()
        cursor = connection.cursor()
        try:
            for body in bodies:
                if site.kind == "sqlite":  # psycopg begins by itself
                    cursor.execute(_BEGIN[site.kind])
                cursor.execute(_INSERT[site.kind], (body,))
                if hot_row:
                    cursor.execute(_UPDATE)
                connection.commit()
        finally:
            connection.close()

    return write
