"""What the page of the audit log shows, and its file: lines in words, and where they lead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from admin.access import may
from admin.log_words import Detail, Doing, told_details, told_doing
from admin.models import User
from admin.pages import PLACES
from core.auditlog import AuditFilter, AuditRecord, matching
from core.csv_file import write_csv
from core.db import OpenSession
from core.paging import Stretch, walk
from core.sheets import ROWS_AT_ONCE, Column, Kind, Pieces, Row, Sheet, utc_text

# Where a kind of subject has its page: the entry of the navigation that it is under, and the
# address. Whoever may not go there, or where no such page is, sees the name alone.
_PAGES: Mapping[str, tuple[str, str]] = {
    "campaign": ("campaigns", "/admin/campaigns/{}"),
    "donation": ("donations", "/admin/donations/{}"),
    "donor": ("donors", "/admin/donors/{}"),
    "export": ("exports", "/admin/exports"),
    "notice": ("notices", "/admin/notices"),
    "quarantine": ("quarantine", "/admin/quarantine/{}"),
    "token": ("tokens", "/admin/tokens"),
    "user": ("users", "/admin/users"),
}
_USER = "user"
SHEET = Sheet(
    "Log",
    (
        Column("id", "Line", Kind.NUMBER),
        Column("at_utc", "When, UTC"),
        Column("actor_id", "Who, as the log knows them"),
        Column("actor", "Who"),
        Column("action", "What was done"),
        Column("subject", "To what"),
        Column("details", "Details, as JSON"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of the log as the page shows it."""

    at: str
    who: str
    actor_id: str
    doing: Doing
    subject: str
    href: str | None
    details: Sequence[Detail]

    @property
    def summary(self) -> str:
        """The names of what is folded away."""
        return ", ".join(detail.name for detail in self.details)


def log_lines(session: Session, records: Iterable[AuditRecord]) -> list[LogLine]:
    """Return lines in words; users are called by the address that they have now."""
    found = list(records)
    names = _user_names(session, found)
    return [_line(record, names) for record in found]


def log_file(open_session: OpenSession, wanted: AuditFilter) -> Pieces:
    """Yield the lines that are asked for as CSV, the oldest first, while they are read."""
    stretch = Stretch(key=(AuditRecord.id,), within=matching(wanted))
    read = partial(_rows, within=stretch.within)
    return write_csv(SHEET, walk(open_session, stretch, read, at_once=ROWS_AT_ONCE))


def _rows(
    session: Session, page: ColumnElement[bool], *, within: Sequence[ColumnElement[bool]]
) -> list[Row]:
    statement = select(AuditRecord).where(*within, page).order_by(AuditRecord.id)
    return [
        (
            record.id,
            utc_text(record.at),
            record.actor_id,
            record.actor_name,
            record.action,
            record.subject,
            record.details,
        )
        for record in session.scalars(statement)
    ]


def _user_names(session: Session, records: Iterable[AuditRecord]) -> dict[str, str]:
    keys = {record.subject.partition(":")[2] for record in records if _is_of_a_user(record)}
    ids = {int(key) for key in keys if key.isdecimal()}
    found = session.execute(select(User.id, User.email).where(User.id.in_(ids)))
    return {f"{_USER}:{number}": email for number, email in found}


def _is_of_a_user(record: AuditRecord) -> bool:
    return record.subject.startswith(f"{_USER}:")


def _line(record: AuditRecord, names: Mapping[str, str]) -> LogLine:
    return LogLine(
        at=f"{record.at:%Y-%m-%d %H:%M}",
        who=record.actor_name,
        actor_id=record.actor_id,
        doing=told_doing(record, name=names.get(record.subject)),
        subject=record.subject,
        href=_href(record.subject),
        details=told_details(record),
    )


def _href(subject: str) -> str | None:
    kind, _, key = subject.partition(":")
    section, address = _PAGES.get(kind, ("", ""))
    is_open = any(place.section == section and may(place.permission) for place in PLACES)
    return address.format(key) if is_open else None
