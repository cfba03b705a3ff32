"""Books of any size at once: what so many gifts and refunds would have left, by a few statements.

The rows are those that the application itself would have written, so that `ledger verify` finds
nothing (tests/bench/ proves it): every fiftieth entry is a refund, five gifts have one donor.
References are named in no order, as Stripe's ids are. With `months` the gifts are of so many
months, one after the other, and came from one place of one article.
"""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, create_engine, text

from bench.sites import NOW, Site
from core.db import UtcDateTime

GIFTS_A_DONOR = 5
ENTRIES_A_REFUND = 50
# Refund number r takes from gift number 40 r: all of them exist, since 49 of 50 are gifts.
_REFUNDED = 40

_NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers(i) AS (VALUES (:first) UNION ALL"
    " SELECT i + 1 FROM numbers WHERE i < :last)",
    "postgresql": "WITH numbers AS (SELECT i FROM"
    " generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS series(i))",
}
# Multiplying by an odd number visits every 32-bit number once.
_NAME = {
    "sqlite": "printf('%08x', (i * 2654435761) & 4294967295)",
    "postgresql": "lpad(to_hex((i * 2654435761) & 4294967295), 8, '0')",
}
_GIFT_MINOR = "(1000 + (i % 7) * 500)"
_REFUND_MINOR = "(-500)"
# Checks of foreign keys would take longer than all the rest, and the rows are right.
_HURRY = {
    "sqlite": (
        "PRAGMA foreign_keys = OFF",
        "PRAGMA journal_mode = OFF",
        "PRAGMA synchronous = OFF",
        "PRAGMA cache_size = -1000000",
    ),
    "postgresql": ("SET session_replication_role = replica", "SET synchronous_commit = off"),
}
_AFTERWARDS = {
    "sqlite": ("ANALYZE",),
    "postgresql": (
        *(
            f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}"  # noqa: S608 - names of ours
            for name in ("ledger_references", "ledger_entries", "period_donors")
        ),
        "VACUUM ANALYZE",
        "CHECKPOINT",
    ),
}


ARTICLE, SLOT, HOST = "https://example.org/article", "top", "example.org"
_PLACE = "INSERT INTO places (id, source, slot, site) VALUES (1, :source, :slot, :site)"
# So many seconds after the month began, each gift in its turn.
_LATER = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%S.000000Z', starts_at,"
    " '+' || ({} % 2400000) || ' seconds')",
    "postgresql": "starts_at + ({} % 2400000) * interval '1 second'",
}
_DONORS = (
    "INSERT INTO period_donors (id, period_id, donor_key, donation_count)"
    " SELECT row_number() OVER (ORDER BY period_id, donor_key), period_id, donor_key, count(*)"
    " FROM ledger_references WHERE gift_id IS NULL GROUP BY period_id, donor_key"
)
_PARTS = (
    "INSERT INTO period_parts (period_id, place_id, is_offline, is_regular, gross_minor,"
    " refunds_minor, gift_count) SELECT period_id, :place, :no, :no,"
    " sum(CASE WHEN amount_minor > 0 THEN amount_minor ELSE 0 END),"
    " sum(CASE WHEN amount_minor < 0 THEN amount_minor ELSE 0 END),"
    " sum(CASE WHEN amount_minor > 0 THEN 1 ELSE 0 END) FROM ledger_entries GROUP BY period_id"
)
_SUMS = (
    "UPDATE periods SET raised_minor = coalesce((SELECT sum(gross_minor + refunds_minor) FROM"
    " period_parts WHERE period_id = periods.id), 0), donation_count = coalesce((SELECT"
    " sum(gift_count) FROM period_parts WHERE period_id = periods.id), 0), donor_count ="
    " (SELECT count(*) FROM period_donors WHERE period_id = periods.id)"
)


def fill(site: Site, entries: int, *, months: int = 1) -> None:
    """Give the campaign's first `months` periods, by id, so many entries. Its books are empty."""
    gifts = entries - entries // ENTRIES_A_REFUND
    refunded = f"((i - {gifts}) * {_REFUNDED})"
    gift = f"(CASE WHEN i <= {gifts} THEN i ELSE {refunded} END)"
    # The first gifts are of the oldest month, which has the highest number.
    period = f"({months} - ({gift} - 1) * {months} / {gifts})"
    paid, place = (":now", 0)
    if months > 1:
        later = _LATER[site.kind].format(gift)
        paid, place = f"(SELECT {later} FROM periods WHERE id = {period})", 1  # noqa: S608 - constants
    # An engine of its own: without the application's care for each transaction.
    engine = create_engine(site.engine.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in _HURRY[site.kind]:
            connection.execute(text(statement))
        _insert(
            connection,
            "ledger_references (id, name, kind, gift_id, period_id, paid_at, donor_key,"
            " stated_minor, posted_minor, entry_count, version, place_id)",
            f"i, 'pi_' || {_NAME[site.kind]}, 'payment', NULL, {period}, {paid}, 'donor:' ||"
            f" ((i - 1) / {GIFTS_A_DONOR}), {_GIFT_MINOR}, {_GIFT_MINOR}, 1, 1, {place}",
            numbers=(1, gifts),
        )
        _insert(
            connection,
            "ledger_references (id, name, kind, gift_id, period_id, paid_at, donor_key,"
            " stated_minor, posted_minor, entry_count, version, place_id)",
            f"i, 're_' || {_NAME[site.kind]}, 'refund', {refunded}, {period},"
            f" {paid}, 'donor:' || (({refunded} - 1) / {GIFTS_A_DONOR}),"
            f" {_REFUND_MINOR}, {_REFUND_MINOR}, 1, 0, {place}",
            numbers=(gifts + 1, entries),
        )
        _insert(
            connection,
            "ledger_entries (id, reference_id, sequence, period_id, amount_minor, paid_at,"
            " posted_at, after_close, cause)",
            f"i, i, 1, {period}, CASE WHEN i <= {gifts} THEN {_GIFT_MINOR}"
            f" ELSE {_REFUND_MINOR} END, {paid}, {paid},"
            f" {'0' if site.kind == 'sqlite' else 'false'}, 'bench'",
            numbers=(1, entries),
        )
        connection.execute(text(_DONORS))
        if place:
            connection.execute(text(_PLACE), {"source": ARTICLE, "slot": SLOT, "site": HOST})
        connection.execute(text(_PARTS), {"place": place, "no": False})
        connection.execute(text(_SUMS))
        for statement in _AFTERWARDS[site.kind]:
            connection.execute(text(statement))
    engine.dispose()


def _insert(connection: Connection, into: str, values: str, *, numbers: tuple[int, int]) -> None:
    first, last = numbers
    if first > last:
        return
    series = _NUMBERS[connection.dialect.name]
    statement = text(f"INSERT INTO {into} {series} SELECT {values} FROM numbers")  # noqa: S608 - constants
    parameters: dict[str, object] = {"first": first, "last": last}
    if ":now" in values:
        statement = statement.bindparams(bindparam("now", type_=UtcDateTime()))
        parameters["now"] = NOW
    connection.execute(statement, parameters)
