"""Mail servers by SMTP, as the settings name them."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import SplitResult, unquote, urlsplit

from core.outbox import Connect, MailDelayed, MailRefused, MailServer

TIMEOUT_SECONDS = 20
# RFC 5321, 4.2.1: a reply of 500 or more is for good, one of 400 or more may pass.
_FOR_GOOD = 500


@dataclass(frozen=True, slots=True)
class _SmtpServer:
    connection: smtplib.SMTP

    def send(self, message: EmailMessage) -> None:
        """Hand a message over. smtplib's own errors are OSErrors: then the server is gone."""
        try:
            self.connection.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, reply = next(iter(error.recipients.values()))
            raise _answered(code, reply) from None
        except smtplib.SMTPResponseException as error:
            raise _answered(error.smtp_code, error.smtp_error) from None


def _answered(code: int, reply: bytes | str) -> Exception:
    text = reply.decode(errors="replace") if isinstance(reply, bytes) else reply
    return (MailRefused if code >= _FOR_GOOD else MailDelayed)(f"{code} {text}")


def smtp_server(url: str) -> Connect:
    """Return what opens a connection to `smtp://[user:password@]host[:port]` or `smtps://…`.

    With `smtps` the connection is encrypted from the start, with `smtp` as soon as the server
    offers it; a password is never sent in the clear.
    """
    parts = urlsplit(url)

    @contextmanager
    def connect() -> Iterator[MailServer]:
        with _open(parts) as connection:
            yield _SmtpServer(connection)

    return connect


def _open(parts: SplitResult) -> smtplib.SMTP:
    host, context = parts.hostname or "localhost", ssl.create_default_context()
    if parts.scheme == "smtps":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(
            host, parts.port or 465, timeout=TIMEOUT_SECONDS, context=context
        )
        encrypted = True
    else:
        connection = smtplib.SMTP(host, parts.port or 587, timeout=TIMEOUT_SECONDS)
        connection.ehlo()
        encrypted = connection.has_extn("starttls")
        if encrypted:
            connection.starttls(context=context)
            connection.ehlo()
    if parts.username:
        if not encrypted:
            connection.close()
            raise smtplib.SMTPNotSupportedError(
                f"{host} offers no encryption, so the password was not sent"
            )
        connection.login(unquote(parts.username), unquote(parts.password or ""))
    return connection
