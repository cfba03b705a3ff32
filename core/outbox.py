"""The outbox: mail is written down with what it tells of, and sent afterwards.

Whoever has something to say posts it within its own transaction, so that mail is sent if and only
if what it tells of was committed. A mail server that is down delays mail and loses none. Each mail
has a key and is posted once, however often its occasion is worked. Sending is at least once: a
sender that dies between the server's yes and our commit sends the same mail again, with the same
Message-ID, by which mail programs know it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from enum import StrEnum
from typing import Protocol

from sqlalchemy import CheckConstraint, Index, String, case, func, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, OpenSession, insert_if_absent

# A sender that has not come back after this long is taken for dead.
LEASE = timedelta(minutes=5)
MOST_BACK_OFF = timedelta(hours=4)
# About three days with the back-off; a person then finds it in `outbox list`.
MOST_ATTEMPTS = 24
_FIRST_BACK_OFF = timedelta(seconds=30)
_MOST_ERROR_CHARACTERS = 500
_KEPT = "recipient <> ''"
_FORGOTTEN = {"recipient": "", "subject": "", "text": "", "html": None}


class MailState(StrEnum):
    """What became of a mail. Stored by value."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"  # given up; `outbox retry` begins anew


class OutboxMail(Base):
    """A mail, from when it was posted until long after it was sent."""

    __tablename__ = "outbox_mails"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'sent', 'failed')", name="state"),
        CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_has_its_time"),
        Index("ix_outbox_mails_state_next_attempt_at", "state", "next_attempt_at"),
        # Those whose words are kept still.
        Index(
            "ix_outbox_mails_posted_at_kept",
            "posted_at",
            sqlite_where=text(_KEPT),
            postgresql_where=text(_KEPT),
        ),
        {"sqlite_strict": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # What it tells of, as in `thanks:don_…`: a second one of the same key is not posted.
    key: Mapped[str] = mapped_column(String(255), unique=True)
    recipient: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(255))
    text: Mapped[str]
    html: Mapped[str | None]
    state: Mapped[str] = mapped_column(String(16), default=MailState.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    posted_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(String(500))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail to post. `key` names what it tells of; `html` says the same as `text`."""

    key: str
    recipient: str
    subject: str
    text: str
    html: str | None = None


class MailRefused(Exception):
    """The server refuses this mail for good: asking again can't help."""


class MailDelayed(Exception):
    """The server does not take this mail now; it may later."""


class MailServer(Protocol):
    """An open connection to a mail server."""

    def send(self, message: EmailMessage) -> None:
        """Hand a message over. Raises MailRefused or MailDelayed, and OSError where it is gone."""


Connect = Callable[[], AbstractContextManager[MailServer]]


def post_mail(session: Session, mail: Mail, *, now: datetime) -> bool:
    """Put a mail into the outbox, once a key; tell whether it is new. The caller commits."""
    values = {
        "key": mail.key,
        "recipient": mail.recipient,
        # A line end in a subject would begin another header.
        "subject": " ".join(mail.subject.split())[:255],
        "text": mail.text,
        "html": mail.html,
        "state": MailState.WAITING,
        "attempts": 0,
        "next_attempt_at": now,
        "posted_at": now,
    }
    return insert_if_absent(session, OutboxMail, values, unique=("key",))


def due_mail_ids(session: Session, *, now: datetime, limit: int = 100) -> Sequence[int]:
    """Return the ids of mails that are to be sent now, those that wait longest first."""
    statement = (
        select(OutboxMail.id)
        .where(OutboxMail.state == MailState.WAITING, OutboxMail.next_attempt_at <= now)
        .order_by(OutboxMail.next_attempt_at, OutboxMail.id)
        .limit(limit)
    )
    return session.scalars(statement).all()


def send_due(
    open_session: OpenSession,
    connect: Connect,
    *,
    sender: str,
    now: Callable[[], datetime],
) -> int:
    """Send what is due; return how many were sent.

    An edge of its own that commits: each mail is claimed first, so that two schedulers don't send
    it twice, then sent, then marked. Raises OSError where the server can't be reached, or is lost
    on the way: what is left waits.
    """
    with open_session() as session:
        due = due_mail_ids(session, now=now())
    if not due:
        return 0
    sent = 0
    with connect() as server:
        for mail_id in due:
            sent += _send(open_session, server, mail_id, sender=sender, now=now)
    return sent


def _send(
    open_session: OpenSession,
    server: MailServer,
    mail_id: int,
    *,
    sender: str,
    now: Callable[[], datetime],
) -> bool:
    with open_session() as session:
        mail = _claim(session, mail_id, now=now())
        session.commit()
    if mail is None:
        return False
    try:
        server.send(_message(mail, sender=sender))
    except (MailRefused, ValueError) as error:  # the server's no, or an address that is none
        _write_end(open_session, mail, problem=str(error), gives_up=True, now=now())
        return False
    except MailDelayed as error:
        _write_end(open_session, mail, problem=str(error), now=now())
        return False
    except OSError as error:
        _write_end(open_session, mail, problem=f"{type(error).__name__}: {error}", now=now())
        raise
    _write_end(open_session, mail, now=now())
    return True


def _write_end(
    open_session: OpenSession,
    mail: OutboxMail,
    *,
    problem: str | None = None,
    gives_up: bool = False,
    now: datetime,
) -> None:
    values: dict[str, object]
    if problem is None:
        values = {"state": MailState.SENT, "sent_at": now, "error": None}
    else:
        gives_up = gives_up or mail.attempts >= MOST_ATTEMPTS
        back_off = min(_FIRST_BACK_OFF * 2 ** min(mail.attempts - 1, 16), MOST_BACK_OFF)
        values = {
            "state": MailState.FAILED if gives_up else MailState.WAITING,
            "next_attempt_at": now + back_off,
            "error": problem[:_MOST_ERROR_CHARACTERS],
        }
    with open_session() as session:
        session.execute(update(OutboxMail).where(OutboxMail.id == mail.id).values(values))
        session.commit()


def _claim(session: Session, mail_id: int, *, now: datetime) -> OutboxMail | None:
    """Take a mail that is due for this sender alone; None where another was quicker."""
    claimed = session.execute(
        update(OutboxMail)
        .where(
            OutboxMail.id == mail_id,
            OutboxMail.state == MailState.WAITING,
            OutboxMail.next_attempt_at <= now,
        )
        .values(attempts=OutboxMail.attempts + 1, next_attempt_at=now + LEASE)
        .returning(OutboxMail.id)
    ).first()
    return None if claimed is None else session.get_one(OutboxMail, mail_id)


def _message(mail: OutboxMail, *, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = mail.recipient
    message["Subject"] = mail.subject
    message["Date"] = mail.posted_at
    host = sender.rpartition("@")[2].rstrip("> ") or "localhost"
    message["Message-ID"] = f"<{hashlib.sha256(mail.key.encode()).hexdigest()[:32]}@{host}>"
    # RFC 3834: so that no holiday notice answers it.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    if mail.html is not None:
        message.add_alternative(mail.html, subtype="html")
    return message


def list_mails(session: Session, *, limit: int = 100) -> Sequence[OutboxMail]:
    """Return the latest mails, newest first."""
    return session.scalars(select(OutboxMail).order_by(OutboxMail.id.desc()).limit(limit)).all()


@dataclass(frozen=True, slots=True)
class Unsent:
    """How much mail is not sent, and since when the oldest of it waits."""

    waiting: int
    failed: int
    oldest_posted_at: datetime | None


def read_unsent(session: Session) -> Unsent:
    """Return how much mail is not sent."""
    statement = (
        select(OutboxMail.state, func.count(), func.min(OutboxMail.posted_at))
        .where(OutboxMail.state != MailState.SENT)
        .group_by(OutboxMail.state)
    )
    found = {state: (count, oldest) for state, count, oldest in session.execute(statement)}
    waiting, oldest = found.get(MailState.WAITING, (0, None))
    return Unsent(waiting, found.get(MailState.FAILED, (0, None))[0], oldest)


def retry_failed(session: Session, *, now: datetime) -> int:
    """Have what was given up sent anew; return how many that are. The caller commits."""
    retried = session.execute(
        update(OutboxMail)
        .where(OutboxMail.state == MailState.FAILED, OutboxMail.recipient != "")
        .values(state=MailState.WAITING, attempts=0, next_attempt_at=now)
        .returning(OutboxMail.id)
    )
    return len(retried.all())


def forget_recipient(session: Session, address: str) -> int:
    """Take the address and the words out of all mails to somebody; return how many they were.

    What was not sent never is. The keys stay, so that nothing is posted a second time.
    """
    forgotten = session.execute(
        update(OutboxMail)
        .where(OutboxMail.recipient == address)
        .values(
            state=case(
                (OutboxMail.state == MailState.SENT, MailState.SENT), else_=MailState.FAILED
            ),
            **_FORGOTTEN,
        )
        .returning(OutboxMail.id)
    )
    return len(forgotten.all())


def forget_old(session: Session, before: datetime, *, limit: int) -> int:
    """Do the same with mails that were posted before then and wait no more."""
    due = (
        select(OutboxMail.id)
        .where(
            OutboxMail.posted_at < before,
            text(_KEPT),
            OutboxMail.state != MailState.WAITING,
        )
        .limit(limit)
    )
    forgotten = session.execute(
        update(OutboxMail).where(OutboxMail.id.in_(due)).values(_FORGOTTEN).returning(OutboxMail.id)
    )
    return len(forgotten.all())
