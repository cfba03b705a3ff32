"""Data end when docs/security.md says so, by the scheduler's own job; what is money stays."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from admin import links, sessions, throttle
from campaigns import sightings
from core import subscribers
from core.clock import MovableClock
from core.db import Base, db
from core.settings import Settings
from core.subscribers import NoticeSubscriber
from ops import jobs
from payments.fee_sums import verify_books
from tests.old_books import MONTHS, NOW, OldBooks

LAST_GIFT = MONTHS[-1][1] + timedelta(days=1)
PAPER = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
PAPER = PAPER[PAPER.index("## How long data are kept") :]
ROW = re.compile(
    r"^\| [^|]+ \| ((?:`\w+`(?:, )?)+) \| (?:`(\w+)`, )?(\d+) \| [^|]+ \|$", re.MULTILINE
)
BY_CODE = {
    "sign_in_attempts": throttle.KEPT,
    "admin_sessions": sessions.KEPT,
    "sign_in_links": links.KEPT,
    "sightings": sightings.KEPT,
    "notice_subscribers": subscribers.MOST_OVERLAP,
}
# What is left of a kind when its time is over: the rows that still say something.
LEFT: Mapping[tuple[str, int], str] = {
    ("donations", 365): "message IS NOT NULL OR dedication IS NOT NULL",
    ("donations", 7): "donor_id IS NOT NULL AND state IN ('pending', 'expired', 'failed')",
    ("inbox_events", 90): "length(body) > 0",
    ("outbox_mails", 30): "recipient <> '' OR text <> ''",
    ("outbox_calls", 30): "recipient <> '' OR text <> ''",
    ("sign_in_attempts", 30): "1 = 1",
    ("admin_sessions", 90): "browser = 'Firefox'",
    ("sign_in_links", 30): "1 = 1",
    ("sightings", 365): "1 = 1",
    ("notice_subscribers", 7): "former_secret IS NOT NULL",
}


def count(app: Flask, kind: str) -> int:
    with app.app_context(), db.engine.begin() as connection:
        found = connection.scalar(sa.text(f"SELECT count(*) FROM {kind}"))  # noqa: S608 - ours
        return int(found or 0)


def test_the_table_is_the_code_s() -> None:
    rows = ROW.findall(PAPER)
    assert len(rows) == len(LEFT)
    for tables, setting, days in rows:
        table = re.findall(r"\w+", tables)[0]
        assert (table, int(days)) in LEFT
        if setting:
            assert Settings.model_fields[setting.lower()].default == int(days)
        else:
            assert BY_CODE[table] == timedelta(days=int(days))
    named = set(re.findall(r"`([a-z_]+)`", PAPER))
    assert set(Base.metadata.tables) <= named


def test_each_kind_is_gone_in_its_time_and_the_money_stays(
    app: Flask, session: Session, clock: MovableClock
) -> None:
    with app.app_context(), db.engine.begin() as connection:
        books = OldBooks(connection, "0001")
        books.fill()
        user = connection.scalar(sa.text("SELECT id FROM users"))
        # One is the last of its user, and stays.
        books.put(
            "admin_sessions", token_hash="later", user_id=user, created_at=NOW, seen_at=NOW,
            browser="Safari",
        )  # fmt: skip
        for statement in (
            "UPDATE inbox_events SET state = 'done'",
            "UPDATE outbox_mails SET state = 'failed'",
            "UPDATE outbox_calls SET state = 'failed'",
        ):
            connection.execute(sa.text(statement))
    session.execute(
        sa.update(NoticeSubscriber).values(
            former_secret="s", former_secret_until=NOW + subscribers.MOST_OVERLAP
        )
    )
    session.commit()
    before = money(app)
    due: dict[datetime, list[str]] = {}
    for (table, days), said in LEFT.items():
        made_at = LAST_GIFT if (table, days) == ("donations", 365) else NOW
        due.setdefault(made_at + timedelta(days=days), []).append(f"{table} WHERE {said}")
    for ends_at, kinds in sorted(due.items()):
        clock.set(ends_at - timedelta(seconds=1))
        jobs.run_job(app, "forget")
        assert [kind for kind in kinds if not count(app, kind)] == []
        clock.set(ends_at + timedelta(seconds=1))
        jobs.run_job(app, "forget")
        assert [kind for kind in kinds if count(app, kind)] == []
    assert count(app, "admin_sessions WHERE browser = 'Safari'") == 1
    assert money(app) == before
    assert verify_books(session).differences == ()


def money(app: Flask) -> list[Any]:
    """Return all entries, and what is left to know of each gift."""
    with app.app_context(), db.engine.begin() as connection:
        return [
            *connection.execute(sa.text("SELECT * FROM ledger_entries ORDER BY id")),
            *connection.execute(sa.text("SELECT * FROM periods ORDER BY id")),
            *connection.execute(
                sa.text("SELECT id, reference, amount_minor, state FROM donations ORDER BY id")
            ),
        ]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_forgotten_is_so_in_batches(
    app: Flask, session: Session, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context(), db.engine.begin() as connection:
        for _ in range(7):
            OldBooks(connection, "0001").put(
                "sign_in_attempts", account="a", network="n", succeeded=False, at=NOW
            )
    monkeypatch.setattr(throttle, "_AT_ONCE", 3)
    later = NOW + throttle.KEPT + timedelta(seconds=1)
    assert [throttle.forget_old(session, now=later) for _ in range(4)] == [3, 3, 1, 0]
    session.rollback()
    clock.set(later)
    jobs.run_job(app, "forget")
    assert count(app, "sign_in_attempts") == 0
