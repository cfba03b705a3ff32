"""The table of exports: what was taken out, by whom, and how far one is that is under way."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base

# What the partial index holds: asked for in these very words (see `payments.models`).
UNDER_WAY = "state = 'running'"


class RunState(StrEnum):
    """What became of an export. Stored by value."""

    RUNNING = "running"
    DONE = "done"  # sent to its end; whether it was kept there, nobody knows here
    CUT_OFF = "cut_off"  # whoever asked stopped reading
    FAILED = "failed"


class ExportRun(Base):
    """One export: who took what out, and when. Kept for good: it is the trail of donors' data."""

    __tablename__ = "export_runs"
    __table_args__ = (
        CheckConstraint("what IN ('donations', 'entries', 'months')", name="what"),
        CheckConstraint("format IN ('csv', 'xlsx')", name="format"),
        CheckConstraint("state IN ('running', 'done', 'cut_off', 'failed')", name="state"),
        CheckConstraint("(state = 'running') = (finished_at IS NULL)", name="ended_has_its_time"),
        CheckConstraint("rows_done >= 0 AND rows_total >= 0", name="rows_not_negative"),
        Index(
            "ix_export_runs_id_under_way",
            "id",
            sqlite_where=text(UNDER_WAY),
            postgresql_where=text(UNDER_WAY),
        ),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(String(16))
    format: Mapped[str] = mapped_column(String(8))
    # JSON: what it was narrowed to.
    filters: Mapped[str] = mapped_column(String(1000))
    # Whether donors' names, addresses and words are in it.
    personal: Mapped[bool]
    # Who asked, as the audit log names them.
    actor_id: Mapped[str] = mapped_column(String(64))
    actor_name: Mapped[str] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(16))
    started_at: Mapped[datetime]
    # When it last got on; one that has not for long was killed.
    moved_at: Mapped[datetime]
    rows_done: Mapped[int] = mapped_column(default=0)
    # As counted at its beginning; null until that is done.
    rows_total: Mapped[int | None]
    finished_at: Mapped[datetime | None]
