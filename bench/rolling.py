"""Rolling: thousands of campaigns that end at one instant, beside the bare rows, and who reads.

The roll is the job's own, in batches with a transaction each. Beside it stands what the database
takes for the rows alone: as many updated, as many inserted, in batches as large, by the driver.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, text

from app import create_app
from bench.load import drive, get_request
from bench.reading import PROGRESS
from bench.rounds import median_ratio
from bench.servers import on_core, serving
from bench.sites import Site
from campaigns.models import Campaign, CampaignTier, Period, PeriodTier
from campaigns.rolling import MOST_AT_ONCE, roll_due
from core.db import db

# Midnight in New York: when the campaigns' May ends.
BOUNDARY = datetime(2021, 6, 1, 4, tzinfo=UTC)
TIERS = (250_000, 500_000)
_READ_SECONDS = 3.0
_OK = 200


@dataclass(slots=True)
class Readers:
    """What those got who asked for ready bytes: a figure of each round."""

    per_second: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)  # of the server, for one answer
    p99_seconds: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Rolling:
    """What one database took, in seconds: a figure of each round."""

    kind: str
    campaigns: int
    database: str
    roll: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    # Of our own process, which what else runs on the machine disturbs less.
    cpu: list[float] = field(default_factory=list)
    # The longest transaction: for so long somebody who pays may have to wait.
    longest: list[float] = field(default_factory=list)
    # With nothing beside them, and while months are closed.
    quiet: Readers = field(default_factory=Readers)
    beside: Readers = field(default_factory=Readers)

    @property
    def ratio(self) -> float:
        """How many times as long as the bare rows."""
        return median_ratio(self.roll, self.bare)


def measure_rolling(
    make: Callable[[], Site],
    campaigns: int,
    *,
    rounds: int,
    step: Callable[[str], None],
) -> Rolling:
    """Roll a fresh site in each round, and write the bare rows into another table of it."""
    measured: Rolling | None = None
    for number in range(1, rounds + 1):
        site = make()
        if measured is None:
            measured = Rolling(site.kind, campaigns, site.database)
        step(f"rolling: {site.kind}, {campaigns:,} campaigns, round {number} of {rounds}")
        fill_campaigns(site, campaigns)
        used = time.process_time()
        batches = roll_all(site, now=BOUNDARY)
        measured.cpu.append(time.process_time() - used)
        measured.roll.append(sum(batches))
        measured.longest.append(max(batches))
        measured.bare.append(_write_bare(site, campaigns))
    assert measured is not None  # noqa: S101 - there is a round at least
    step(f"rolling: {measured.kind}, readers beside it")
    _measure_readers(make(), measured, campaigns, rounds=rounds)
    return measured


def fill_campaigns(site: Site, count: int) -> None:
    """Give the site so many campaigns whose May, with its two goals, is open."""
    numbers = range(1_000, 1_000 + count)
    with site.open_session() as session:
        first = session.get_one(Campaign, site.campaign_id)
        columns = {
            column.key: getattr(first, column.key)
            for column in Campaign.__mapper__.column_attrs
            if column.key not in {"id", "slug"}
        }
        session.execute(
            insert(Campaign),
            [{**columns, "id": number, "slug": f"campaign-{number}"} for number in numbers],
        )
        may = {"key": "2021-05", "starts_at": datetime(2021, 5, 1, 4, tzinfo=UTC)}
        may |= {"ends_at": BOUNDARY, "last_day": "2021-05-31"}
        session.execute(
            insert(Period), [{**may, "id": number, "campaign_id": number} for number in numbers]
        )
        for model, owner in ((CampaignTier, "campaign_id"), (PeriodTier, "period_id")):
            session.execute(
                insert(model),
                [{owner: number, "amount_minor": tier} for number in numbers for tier in TIERS],
            )
        if site.kind == "postgresql":
            # Rows that we have numbered ourselves: the next ones come after them.
            for table in ("campaigns", "periods"):
                session.execute(
                    text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {max(numbers)})")
                )
        session.commit()
    with site.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


def roll_all(site: Site, *, now: datetime) -> list[float]:
    """Roll until nothing is left; return what each transaction took, in seconds."""
    taken: list[float] = []
    while True:
        begun = time.perf_counter()
        with site.open_session() as session:
            closed = roll_due(session, now=now)
            session.commit()
        if not closed:
            return taken
        taken.append(time.perf_counter() - begun)


_BARE_TABLE = (
    (
        "CREATE TABLE bench_periods (id {key}, campaign_id bigint NOT NULL,"
        " key varchar(16) NOT NULL, starts_at {instant} NOT NULL, ends_at {instant} NOT NULL,"
        " closed_at {instant}, as_closed_minor bigint, UNIQUE (campaign_id, starts_at))"
    ),
    (
        "CREATE TABLE bench_tiers (id {key}, period_id bigint NOT NULL,"
        " amount_minor bigint NOT NULL, UNIQUE (period_id, amount_minor))"
    ),
)
_TYPES = {
    "sqlite": {"key": "INTEGER PRIMARY KEY", "instant": "varchar(27)"},
    "postgresql": {"key": "bigserial PRIMARY KEY", "instant": "timestamptz"},
}


def _write_bare(site: Site, count: int) -> float:
    """Close and open as many rows by the driver, in batches as large; return the seconds."""
    mark = "?" if site.kind == "sqlite" else "%s"
    with site.engine.begin() as connection:
        for statement in _BARE_TABLE:
            connection.execute(text(statement.format(**_TYPES[site.kind])))
    may, june, july = "2021-05-01T04:00:00Z", "2021-06-01T04:00:00Z", "2021-07-01T04:00:00Z"
    place = f"({', '.join([mark] * 4)})"
    into = f"INSERT INTO bench_periods (campaign_id, key, starts_at, ends_at) VALUES {place}"  # noqa: S608 - ours
    tiers = f"INSERT INTO bench_tiers (period_id, amount_minor) VALUES ({mark}, {mark})"  # noqa: S608 - ours
    close = (
        f"UPDATE bench_periods SET closed_at = {mark}, as_closed_minor = 0"  # noqa: S608 - ours
        f" WHERE campaign_id = {mark} AND closed_at IS NULL"
    )
    driver = site.engine.raw_connection()
    cursor: Any = driver.cursor()
    if site.kind == "sqlite":
        cursor.execute("BEGIN IMMEDIATE")
    cursor.executemany(into, [(number, "2021-05", may, june) for number in range(count)])
    driver.commit()
    begun = time.perf_counter()
    for start in range(0, count, MOST_AT_ONCE):
        numbers = range(start, min(start + MOST_AT_ONCE, count))
        if site.kind == "sqlite":  # psycopg begins by itself
            cursor.execute("BEGIN IMMEDIATE")
        cursor.executemany(close, [(june, number) for number in numbers])
        cursor.executemany(into, [(number, "2021-06", june, july) for number in numbers])
        cursor.executemany(tiers, [(number, tier) for number in numbers for tier in TIERS])
        driver.commit()
    seconds = time.perf_counter() - begun
    driver.close()
    return seconds


def _measure_readers(site: Site, measured: Rolling, campaigns: int, *, rounds: int) -> None:
    """Ask a server for ready bytes, with and without a roll beside it, in turns."""
    fill_campaigns(site, campaigns)
    environment = {
        "DATABASE_URL": site.engine.url.render_as_string(hide_password=False),
        "SECRET_KEY": "bench",
        "BASE_URL": "https://goal.example.org",
        "LOG_LEVEL": "ERROR",
    }
    request = get_request(PROGRESS, {})
    with serving("granian", "app:create_app", environment) as server, on_core(servers=False):
        for number in range(rounds + 1):
            for readers in (measured.quiet, measured.beside):
                with _rolling_beside(environment) if readers is measured.beside else nullcontext():
                    used = server.cpu_seconds()
                    load = drive(server.port, request, status=_OK, seconds=_READ_SECONDS)
                    used = server.cpu_seconds() - used
                if number:  # the first round warms up
                    readers.per_second.append(load.per_second)
                    readers.cpu_seconds.append(used / load.requests)
                    readers.p99_seconds.append(load.percentile(99))


@contextmanager
def _rolling_beside(environment: Mapping[str, str]) -> Iterator[None]:
    """Have another process, on whichever core, close month after month until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.rolling"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, range(os.cpu_count() or 1)),  # noqa: PLW1509 - no threads here
    )
    try:
        assert process.stdout is not None  # noqa: S101 - asked for above
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.communicate()


def _keep_rolling() -> None:
    """Close what has ended by some later year, month after month, until killed."""
    app = create_app()
    with app.app_context():
        maker = db.sessionmaker
    print("ready", flush=True)
    while True:
        with maker() as session:
            closed = roll_due(session, now=BOUNDARY + timedelta(days=20 * 365))
            session.commit()
        if not closed:
            return


if __name__ == "__main__":
    _keep_rolling()
