"""The audit log: who did what, and when. Append-only: a trigger refuses UPDATE and DELETE.

Whatever changes something on behalf of a person writes its line in the same transaction, so that
what was done and that it was done are true together. A line names who did it as they were called
then, and what it was done to by id; it never holds a secret, and no donor's name or address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Index, String, func, select
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from core.db import Base

MOST_LISTED = 100
_MOST_DETAIL_CHARACTERS = 4000
_MOST_NAMES_CHARACTERS = 600  # each may become six when it is written as JSON


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something: `user:7` and the address by which that person signs in."""

    id: str
    name: str


# Whoever has a shell on the server, and the jobs that nobody starts by hand.
COMMAND_LINE = Actor("command", "command line")
SITE = Actor("site", "Goalpost itself")


class AuditRecord(Base):
    """One line of the audit log."""

    __tablename__ = "audit_records"
    __table_args__ = (
        Index("ix_audit_records_actor_id_id", "actor_id", "id"),
        Index("ix_audit_records_subject_id", "subject", "id"),
        Index("ix_audit_records_action_id", "action", "id"),
        Index("ix_audit_records_at", "at"),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor_id: Mapped[str] = mapped_column(String(64))
    actor_name: Mapped[str] = mapped_column(String(255))
    # What was done, as `campaign.changed`: a noun and a verb of the past.
    action: Mapped[str] = mapped_column(String(64))
    # What it was done to, as `campaign:support-us` or `donation:don_…`.
    subject: Mapped[str] = mapped_column(String(255))
    # JSON: what a reader needs to understand it, such as the amount. Of a field that was changed a
    # list of its old text and its new one; a third may say from when on.
    details: Mapped[str] = mapped_column(String(_MOST_DETAIL_CHARACTERS), default="{}")

    @property
    def told(self) -> dict[str, Any]:
        """The details as they were given."""
        found: dict[str, Any] = json.loads(self.details)
        return found


def record(
    session: Session,
    actor: Actor,
    action: str,
    *,
    subject: str,
    details: Mapping[str, Any] | None = None,
    now: datetime,
) -> AuditRecord:
    """Write down that `actor` did `action` to `subject`; the caller commits, with what was done.

    `details` are numbers, texts and lists that JSON can hold; what is too long is cut off, and
    says so.
    """
    text = json.dumps(details or {}, ensure_ascii=False, sort_keys=True)
    if len(text) > _MOST_DETAIL_CHARACTERS:
        names = ", ".join(sorted(details or {}))
        text = json.dumps({"cut_off": True, "fields": names[:_MOST_NAMES_CHARACTERS]})
    row = AuditRecord(
        at=now,
        actor_id=actor.id,
        actor_name=actor.name[:255],
        action=action,
        subject=subject[:255],
        details=text,
    )
    session.add(row)
    session.flush()
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which lines are asked for; None asks for all."""

    actor_id: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def matching(wanted: AuditFilter) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions on `AuditRecord` that a filter stands for."""
    named = {"actor_id": wanted.actor_id, "action": wanted.action, "subject": wanted.subject}
    conditions = [
        getattr(AuditRecord, name) == value for name, value in named.items() if value is not None
    ]
    if wanted.since is not None:
        conditions.append(AuditRecord.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(AuditRecord.at < wanted.until)
    return tuple(conditions)


def list_records(
    session: Session,
    wanted: AuditFilter = AuditFilter(),
    *,
    before_id: int | None = None,
    limit: int = MOST_LISTED,
) -> Sequence[AuditRecord]:
    """Return lines, the newest first; `before_id` is the last one of the page before."""
    statement = select(AuditRecord).where(*matching(wanted))
    if before_id is not None:
        statement = statement.where(AuditRecord.id < before_id)
    return session.scalars(statement.order_by(AuditRecord.id.desc()).limit(limit)).all()


def list_actors(session: Session) -> list[Actor]:
    """Return everybody who has a line, as their last one calls them, in the order of names."""
    ids = _distinct(AuditRecord.actor_id)
    name = (
        select(AuditRecord.actor_name)
        .where(AuditRecord.actor_id == ids.c.value)
        .order_by(AuditRecord.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    found = session.execute(select(ids.c.value, name).where(ids.c.value.is_not(None))).all()
    return sorted((Actor(*row) for row in found), key=lambda actor: (actor.name, actor.id))


def list_actions(session: Session) -> list[str]:
    """Return every action that was ever done, in the order of their names."""
    actions = _distinct(AuditRecord.action)
    found = session.scalars(select(actions.c.value).where(actions.c.value.is_not(None)))
    return sorted(found)


def _distinct(column: InstrumentedAttribute[str]) -> CTE:
    """Return a column's values, each once, and None at the end.

    One look into the index finds each of them: what takes longer with the number of values, not of
    lines, unlike DISTINCT.
    """
    values = select(func.min(column).label("value")).cte("found", recursive=True)
    following = select(func.min(column)).where(column > values.c.value).scalar_subquery()
    return values.union_all(select(following).where(values.c.value.is_not(None)))
