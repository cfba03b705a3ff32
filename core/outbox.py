"""The outbox of mail: written down with what it tells of, and sent afterwards (`core.sending`).

A mail server that is down delays mail and loses none. A mail that had to be sent again has the
same Message-ID, by which mail programs know it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from types import MappingProxyType
from typing import Protocol

from sqlalchemy import String
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import sending
from core.db import OpenSession, insert_if_absent
from core.sending import Delayed, Refused, Sendable, outbox_arguments, waiting_values


class OutboxMail(Sendable):
    """A mail, from when it was posted until long after it was sent."""

    __tablename__ = "outbox_mails"
    __table_args__ = outbox_arguments(__tablename__)
    FORGOTTEN = MappingProxyType({"recipient": "", "subject": "", "text": "", "html": None})

    recipient: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(255))
    html: Mapped[str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail to post. `key` names what it tells of; `html` says the same as `text`."""

    key: str
    recipient: str
    subject: str
    text: str
    html: str | None = None
    # Who asked for it, where it is a notice.
    subscriber_id: int | None = None


class MailRefused(Refused):
    """The server refuses this mail for good: asking again can't help."""


class MailDelayed(Delayed):
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
        "subscriber_id": mail.subscriber_id,
        **waiting_values(now),
    }
    return insert_if_absent(session, OutboxMail, values, unique=("key",))


def due_mail_ids(session: Session, *, now: datetime, limit: int = 100) -> Sequence[int]:
    """Return the ids of mails that are to be sent now, those that wait longest first."""
    return sending.due_ids(session, OutboxMail, now=now, limit=limit)


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
    with connect() as server:

        def send(mail: OutboxMail) -> None:
            server.send(_message(mail, sender=sender))

        return sum(
            sending.send_one(open_session, OutboxMail, mail_id, send, now=now) for mail_id in due
        )


def send_mail(
    open_session: OpenSession,
    connect: Connect,
    mail_id: int,
    *,
    sender: str,
    now: Callable[[], datetime],
) -> bool:
    """Send one mail that is due; tell whether it was sent. An edge that commits, as above.

    Raises OSError where the server can't be reached; that is written down, too.
    """

    def send(mail: OutboxMail) -> None:
        with connect() as server:
            server.send(_message(mail, sender=sender))

    return sending.send_one(open_session, OutboxMail, mail_id, send, now=now)


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


def retry_failed(session: Session, *, now: datetime) -> int:
    """Have mails that were given up sent anew; return how many that are. The caller commits."""
    return sending.retry_given_up(session, OutboxMail, now=now)


def forget_recipient(session: Session, address: str) -> int:
    """Take the address and the words out of all mails to somebody; return how many they were."""
    return sending.forget_to(session, OutboxMail, address)


def forget_old(session: Session, before: datetime, *, limit: int) -> int:
    """Do the same with mails that were posted before then and wait no more."""
    return sending.forget_before(session, OutboxMail, before, limit=limit)
