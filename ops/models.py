"""What the scheduler remembers of itself: in our tables, never in APScheduler's job store."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base


class JobRun(Base):
    """The last run of one of the scheduler's jobs."""

    __tablename__ = "job_runs"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    started_at: Mapped[datetime]
    # Null while the job runs, and for ever where it was killed.
    finished_at: Mapped[datetime | None]
    # How long the last run took that came to its end, in milliseconds.
    took_ms: Mapped[int | None]
    # None where the last run went well.
    error: Mapped[str | None] = mapped_column(String(500))
    # When a run last ended well; None where none has since this is written down.
    succeeded_at: Mapped[datetime | None]
