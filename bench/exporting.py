"""Exporting: rows a second and peak memory, of the writers alone and from the books, beside peers.

Each figure is measured in a process of its own, since a process's peak memory never falls again.
The peers write the same cells: the standard library's `csv` without guard or zones, and
openpyxl's write-only mode, which makes a file on disk before the first byte can leave.
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from openpyxl import Workbook
from sqlalchemy import bindparam, create_engine, text

from app import create_app
from bench.filling import GIFTS_A_DONOR, fill
from bench.sites import NOW, Site
from core.auditlog import COMMAND_LINE
from core.clock import SystemClock
from core.csv_file import write_csv
from core.db import UtcDateTime, db
from core.money import to_major
from core.settings import load_settings
from core.sheets import ROWS_AT_ONCE, Amount, Format, Row
from core.xlsx_file import write_xlsx
from payments.entry_rows import SHEET
from payments.export_filters import Export, What
from payments.exporting import begin_export

SIZES = (100_000, 1_000_000)
QUICK_SIZES = (5_000, 50_000)
PEERS = {"csv": "peer-csv", "xlsx": "peer-xlsx"}
WRITERS = ("csv", "peer-csv", "xlsx", "peer-xlsx")
# Those whose rows are as many as the gifts.
OF_GIFTS = (What.DONATIONS, What.ENTRIES)
EXPORTS = tuple(f"{what}-{format_}" for what in OF_GIFTS for format_ in Format)
_ZONE = ZoneInfo("America/New_York")
_TIMEOUT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Taken:
    """What one process took for one file."""

    seconds: float
    cpu_seconds: float
    first_seconds: float  # until the first byte could leave
    peak_bytes: int  # beyond what the process had before
    file_bytes: int


@dataclass(slots=True)
class Exporting:
    """What one way took for one size: a figure of each round. `kind` is the database's, if any."""

    what: str
    rows: int
    kind: str | None = None
    rounds: list[Taken] = field(default_factory=list)


def measure_writers(
    sizes: Sequence[int], *, rounds: int, step: Callable[[str], None]
) -> list[Exporting]:
    """Write rows that are made up on the way, in turns with the peers."""
    measured = [Exporting(what, rows) for rows in sizes for what in WRITERS]
    for number in range(1, rounds + 1):
        for one in measured:
            step(f"exports: {one.what}, {one.rows:,} rows, round {number} of {rounds}")
            one.rounds.append(_in_a_process(one.what, one.rows))
    return measured


def measure_exports(
    make: Callable[[], Site], sizes: Sequence[int], *, rounds: int, step: Callable[[str], None]
) -> list[Exporting]:
    """Export sites with as many donations and entries."""
    measured: list[Exporting] = []
    for rows in sizes:
        site = make()
        step(f"exports: {site.kind}, filling {rows:,} donations and their entries")
        fill(site, rows)
        fill_donations(site, rows)
        url = site.engine.url.render_as_string(hide_password=False)
        found = [Exporting(what, rows, site.kind) for what in EXPORTS]
        for number in range(1, rounds + 1):
            for one in found:
                step(f"exports: {site.kind}, {one.what}, {rows:,}, round {number} of {rounds}")
                one.rounds.append(_in_a_process(one.what, rows, url))
        measured += found
    return measured


# Begun one a second, so that each has a place of its own in the order.
_INSTANT = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%S.000000Z', 1600000000 + i, 'unixepoch')",
    "postgresql": "to_timestamp(1600000000 + i)",
}
_NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers(i) AS (VALUES (1) UNION ALL"
    " SELECT i + 1 FROM numbers WHERE i < :last)",
    "postgresql": "WITH numbers AS (SELECT i FROM generate_series(1, :last) AS series(i))",
}

_DONORS = "INSERT INTO donors (id, email, created_at)"
_A_DONOR = (
    f"SELECT (i - 1) / {GIFTS_A_DONOR} + 1, 'donor' || i || '@example.org', min(paid_at)"  # noqa: S608 - constants
    " FROM numbers JOIN ledger_references ON ledger_references.id = i"
    f" WHERE i % {GIFTS_A_DONOR} = 1 GROUP BY i"
)


def fill_donations(site: Site, count: int, *, as_paid: bool = False) -> None:
    """Give the site so many donations; those whose number is a gift's own its reference.

    They were begun one a second, or `as_paid` when their gift was paid; then refunds have none,
    and each is of the donor that the ledger knows it by.
    """
    begun, paid, only, donor = _INSTANT[site.kind], ":now", "", "NULL"
    if as_paid:
        begun = paid = "ledger_references.paid_at"
        only = " WHERE ledger_references.gift_id IS NULL"
        donor = f"(i - 1) / {GIFTS_A_DONOR} + 1"
    engine = create_engine(site.engine.url, isolation_level="AUTOCOMMIT")
    statement = text(
        "INSERT INTO donations (id, campaign_id, state, reference, amount_minor, currency,"  # noqa: S608 - constants
        " frequency, anonymous, created_at, paid_at, source, slot, donor_id)"
        f" {_NUMBERS[site.kind]} SELECT 'don_' || ledger_references.id, 1, 'paid',"
        " ledger_references.name, 1000, 'USD', 'once',"
        f" {'0' if site.kind == 'sqlite' else 'false'}, {begun}, {paid},"
        f" 'https://example.org/article', 'top', {donor}"
        f" FROM numbers JOIN ledger_references ON ledger_references.id = i{only}"
    )
    told: dict[str, object] = {"last": count}
    if not as_paid:
        statement = statement.bindparams(bindparam("now", type_=UtcDateTime()))
        told["now"] = NOW
    with engine.connect() as connection:
        if as_paid:
            connection.execute(text(f"{_DONORS} {_NUMBERS[site.kind]} {_A_DONOR}"), {"last": count})
        connection.execute(statement, told)
        connection.execute(text("ANALYZE"))
    engine.dispose()


def _in_a_process(what: str, rows: int, url: str = "") -> Taken:
    process = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-m", "bench.exporting", what, str(rows), url],
        check=True,
        stdout=subprocess.PIPE,
        timeout=_TIMEOUT_SECONDS,
    )
    return Taken(**json.loads(process.stdout))


def made_up(rows: int) -> Iterator[list[Row]]:
    """Yield rows as an export of entries has them, no two alike."""
    for start in range(0, rows, ROWS_AT_ONCE):
        yield [_entry(number) for number in range(start, min(start + ROWS_AT_ONCE, rows))]


def _entry(number: int) -> Row:
    paid_at = (NOW + timedelta(seconds=37 * (number % 2_000_000))).astimezone(_ZONE)
    name = f"{number * 2_654_435_761 & 0xFFFFFFFF:024x}"
    amount = Amount(1_000 + number % 7 * 500, "USD")
    return (
        *(number, "support-us", "2021-05", f"pi_{name}", "payment", 1, "gift", amount, "USD"),
        *(paid_at, paid_at, "America/New_York", False, f"evt_{name}", None, f"don_{name}"),
    )


def _plain(row: Row) -> list[Any]:
    """Return a row's cells as a program would have them that knows no guard and no zones."""
    cells: list[Any] = []
    for cell in row:
        if isinstance(cell, Amount):
            cells.append(to_major(*cell))
        elif isinstance(cell, datetime):
            cells += [cell.replace(tzinfo=None), cell.astimezone(UTC).replace(tzinfo=None)]
        else:
            cells.append(cell)
    return cells


def _bare_csv(rows: int) -> Iterator[bytes]:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    for batch in made_up(rows):
        writer.writerows([_plain(row) for row in batch])
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()


def _openpyxl(rows: int) -> Iterator[bytes]:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Entries")
    for batch in made_up(rows):
        for row in batch:
            sheet.append(_plain(row))
    with tempfile.NamedTemporaryFile(suffix=".xlsx") as file:
        book.save(file.name)
        while piece := file.read(1 << 16):
            yield piece


def _from_the_books(what: str, url: str) -> Iterator[bytes]:
    kind, format_ = what.split("-")
    settings = load_settings(_env_file=None, database_url=url, secret_key="bench")  # noqa: S106 - signs no cookie
    app = create_app(settings)
    with app.app_context():
        maker = db.sessionmaker
    export = Export(what=What(kind), format=Format(format_))
    return begin_export(maker, export, actor=COMMAND_LINE, clock=SystemClock().now)


def _file(what: str, rows: int, url: str) -> Iterator[bytes]:
    if what in EXPORTS:
        return _from_the_books(what, url)
    ways: dict[str, Callable[[], Iterator[bytes]]] = {
        "csv": lambda: write_csv(SHEET, made_up(rows)),
        "xlsx": lambda: write_xlsx(SHEET, made_up(rows)),
        "peer-csv": lambda: _bare_csv(rows),
        "peer-xlsx": lambda: _openpyxl(rows),
    }
    return ways[what]()


def _peak_bytes() -> int:
    # /proc, since Linux's own ru_maxrss holds what the parent had when it forked.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _main(what: str, rows: str, url: str = "") -> None:
    file = _file(what, int(rows), url)
    before = _peak_bytes()
    begun, used, size, first = time.perf_counter(), time.process_time(), 0, 0.0
    for piece in file:
        first = first or time.perf_counter() - begun
        size += len(piece)
    taken = Taken(
        seconds=time.perf_counter() - begun,
        cpu_seconds=time.process_time() - used,
        first_seconds=first,
        peak_bytes=_peak_bytes() - before,
        file_bytes=size,
    )
    print(json.dumps(asdict(taken)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
