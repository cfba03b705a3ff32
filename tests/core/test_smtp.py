"""A real SMTP server on loopback: handed over, refused, delayed, gone, and never in the clear."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from core.outbox import MailDelayed, MailRefused
from core.smtp import smtp_server
from tests.live_site import free_port


class Mailbox:
    """Keeps what comes; answers `nobody@…` with a no and `later@…` with a not now."""

    def __init__(self) -> None:
        self.letters: list[str] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address.startswith("nobody"):
            return "550 no such user"
        if address.startswith("later"):
            return "451 try again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.letters.append(envelope.content.decode())
        return "250 taken"


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def url(mailbox: Mailbox) -> Iterator[str]:
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield f"smtp://127.0.0.1:{controller.port}"
    controller.stop()


def letter(recipient: str = "ann@example.org") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "support@courier.example", recipient
    message["Subject"] = "Благодарим"
    message.set_content("Дарихте 20 €.")
    return message


def test_a_letter_is_handed_over(url: str, mailbox: Mailbox) -> None:
    with smtp_server(url)() as server:
        server.send(letter())
        server.send(letter("bob@example.org"))
    assert len(mailbox.letters) == 2
    assert "To: ann@example.org" in mailbox.letters[0]


def test_a_refusal_and_a_delay_are_told_apart_and_the_connection_goes_on(
    url: str, mailbox: Mailbox
) -> None:
    with smtp_server(url)() as server:
        with pytest.raises(MailRefused, match="550 no such user"):
            server.send(letter("nobody@example.org"))
        with pytest.raises(MailDelayed, match="451 try again"):
            server.send(letter("later@example.org"))
        server.send(letter())
    assert len(mailbox.letters) == 1


def test_nobody_there_is_an_error_of_the_system() -> None:
    with (
        pytest.raises(OSError, match="refused"),
        smtp_server(f"smtp://127.0.0.1:{free_port()}")(),
    ):
        pass


def test_a_password_is_not_sent_in_the_clear(mailbox: Mailbox) -> None:
    told: list[str] = []

    def authenticator(*_: Any) -> AuthResult:
        told.append("password")
        return AuthResult(success=True)

    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=free_port(),
        authenticator=authenticator,
        auth_require_tls=False,
    )
    controller.start()
    try:
        url = f"smtp://ann:secret@127.0.0.1:{controller.port}"
        with (
            pytest.raises(smtplib.SMTPNotSupportedError, match="not sent"),
            smtp_server(url)(),
        ):
            pass
    finally:
        controller.stop()
    assert told == []
