"""The sandbox's state: one SQLite file, so that a restart forgets nothing."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.changes import Changes
from sandbox.transaction import NO_REQUEST, RequestOrigin, Transaction

BUSY_TIMEOUT_SECONDS = 30

SCHEMA = """
CREATE TABLE objects (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    created INTEGER NOT NULL,
    body TEXT NOT NULL CHECK (json_valid(body)),
    hidden TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(hidden))
) STRICT;
CREATE INDEX objects_by_kind ON objects (kind, sequence);
CREATE INDEX objects_by_payment_intent
    ON objects (json_extract(body, '$.payment_intent'), kind, sequence);
CREATE INDEX objects_by_charge ON objects (json_extract(body, '$.charge'), kind, sequence);

CREATE TABLE deliveries (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL REFERENCES objects (id),
    endpoint_id TEXT NOT NULL REFERENCES objects (id),
    payload TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'delivered', 'given_up')),
    attempts INTEGER NOT NULL DEFAULT 0,
    first_at REAL NOT NULL,
    next_at REAL NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    UNIQUE (event_id, endpoint_id)
) STRICT;
CREATE INDEX deliveries_by_time ON deliveries (state, next_at);

CREATE TABLE idempotency_keys (
    key TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    request_id TEXT NOT NULL,
    status INTEGER NOT NULL,
    answer TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    due_at REAL NOT NULL,
    action TEXT NOT NULL,
    object_id TEXT NOT NULL
) STRICT;
CREATE INDEX jobs_by_time ON jobs (due_at);

CREATE TABLE clock (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    ahead_seconds INTEGER NOT NULL CHECK (ahead_seconds >= 0)
) STRICT;
INSERT INTO clock VALUES (1, 0);
"""


# One step for each later version of the file; a new file takes them all.
UPGRADES = (
    """
    CREATE TABLE faults (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        switches TEXT NOT NULL CHECK (json_valid(switches))
    ) STRICT;
    -- A delivery that is duplicated has several rows, which go their ways apart from each other.
    CREATE TABLE deliveries_2 (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        event_id TEXT NOT NULL REFERENCES objects (id),
        endpoint_id TEXT NOT NULL REFERENCES objects (id),
        copy INTEGER NOT NULL DEFAULT 0,
        payload TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'delivered', 'given_up')),
        attempts INTEGER NOT NULL DEFAULT 0,
        first_at REAL NOT NULL,
        next_at REAL NOT NULL,
        note TEXT NOT NULL DEFAULT '',
        UNIQUE (event_id, endpoint_id, copy)
    ) STRICT;
    INSERT INTO deliveries_2
        SELECT sequence, event_id, endpoint_id, 0, payload, state, attempts, first_at, next_at, note
        FROM deliveries;
    DROP TABLE deliveries;
    ALTER TABLE deliveries_2 RENAME TO deliveries;
    CREATE INDEX deliveries_by_time ON deliveries (state, next_at);
    CREATE INDEX objects_by_invoice ON objects (json_extract(body, '$.invoice'), kind, sequence);
    """,
)


class StateError(Exception):
    """The state file cannot be used; the message says why, for a person."""


class Store:
    """Open transactions on the state file; safe from any thread."""

    def __init__(self, path: Path, *, clock_file: Path | None = None) -> None:
        self.path = path
        self._clock_file = clock_file
        self.changes = Changes()
        self._writing = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._connection() as connection:
                _prepare(connection, path)
        except (OSError, sqlite3.Error) as error:
            raise StateError(f"The state file {path} cannot be used: {error}.") from error

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Give one consistent view of the state."""
        with self._connection() as connection:
            connection.execute("BEGIN")
            yield Transaction(connection, clock_seconds=_clock(connection), request=NO_REQUEST)

    @contextmanager
    def write(self, request: RequestOrigin = NO_REQUEST) -> Iterator[Transaction]:
        """Commit everything done inside, or nothing; writers take turns.

        `BEGIN IMMEDIATE` takes SQLite's write lock at once: a plain `BEGIN` that reads first and
        writes later fails with "locked" instead of waiting.
        """
        with self._writing, self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield Transaction(connection, clock_seconds=_clock(connection), request=request)
            connection.execute("COMMIT")
        self.changes.ring()

    def tell_clock(self) -> None:
        """Write down by how many seconds the clock is ahead, for a site that follows it."""
        if self._clock_file is not None:
            new = self._clock_file.with_suffix(".new")
            with self._connection() as connection:
                new.write_text(f"{_ahead(connection)}\n", encoding="ascii")
            new.replace(self._clock_file)

    def signing_seconds(self) -> float:
        """Return the time to sign webhooks at: the machine's, as Stripe's own test clocks do.

        A site that follows our clock would find that too old, so it gets the sandbox's.
        """
        if self._clock_file is None:
            return time.time()
        with self._connection() as connection:
            return _clock(connection)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            # A killed process loses nothing at NORMAL; only a power cut may. It is a sandbox.
            connection.execute("PRAGMA synchronous = NORMAL")
            yield connection
        finally:
            connection.close()  # What was not committed is rolled back here.


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    steps = (SCHEMA, *UPGRADES)
    if version > len(steps):
        raise StateError(
            f"The state file {path} was written by a later version of the sandbox. "
            "Delete it to start afresh."
        )
    for number, step in enumerate(steps[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")


def _clock(connection: sqlite3.Connection) -> float:
    return time.time() + _ahead(connection)


def _ahead(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT ahead_seconds FROM clock").fetchone()[0])
