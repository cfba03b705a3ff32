"""Mail is sent if what it tells of was committed, once, and later where the server is down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import outbox, sending
from core.clock import MovableClock
from core.db import db
from core.outbox import Mail, MailDelayed, MailRefused, OutboxMail, post_mail, send_due

SENDER = "The Courier <support@courier.example>"


class Post:
    """A mail server that does what it is told to."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.trouble: Exception | None = None
        self.is_down = False

    @contextmanager
    def connect(self) -> Iterator[Post]:
        if self.is_down:
            raise ConnectionRefusedError("nobody there")
        yield self

    def send(self, message: EmailMessage) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.taken.append(message)


@pytest.fixture
def server() -> Post:
    return Post()


@pytest.fixture
def send(app: Flask, clock: MovableClock, server: Post) -> Callable[[], int]:
    with app.app_context():
        maker = db.sessionmaker

    def send() -> int:
        return send_due(maker, server.connect, sender=SENDER, now=clock.now)

    return send


def mail(key: str = "thanks:1", **changes: Any) -> Mail:
    values: dict[str, Any] = {
        "recipient": "ann@example.org",
        "subject": "Thank you",
        "text": "You gave 20 $.",
    }
    return Mail(key=key, **(values | changes))


def post(session: Session, clock: MovableClock, *mails: Mail) -> None:
    for one in mails or (mail(),):
        post_mail(session, one, now=clock.now())
    session.commit()


def only(session: Session) -> OutboxMail:
    session.rollback()
    found = session.scalars(select(OutboxMail)).one()
    session.refresh(found)
    session.expunge_all()
    session.rollback()
    return found


def test_a_mail_is_sent_once(
    session: Session, clock: MovableClock, server: Post, send: Callable[[], int]
) -> None:
    post(session, clock, mail(html="<p>You gave 20 $.</p>"))
    assert (send(), send()) == (1, 0)
    (message,) = server.taken
    assert message["From"] == SENDER
    assert message["To"] == "ann@example.org"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@courier.example>")
    assert message.get_body(("plain",)).get_content() == "You gave 20 $.\n"  # type: ignore[union-attr]
    assert message.get_body(("html",)).get_content() == "<p>You gave 20 $.</p>\n"  # type: ignore[union-attr]
    assert only(session).sent_at == clock.now()


def test_one_occasion_posts_one_mail(
    session: Session, clock: MovableClock, server: Post, send: Callable[[], int]
) -> None:
    post(session, clock, mail(), mail(text="again"))
    post(session, clock, mail(), mail("thanks:2"))
    assert send() == 2
    assert len(server.taken) == 2


def test_what_is_rolled_back_is_never_sent(
    session: Session, clock: MovableClock, send: Callable[[], int]
) -> None:
    post_mail(session, mail(), now=clock.now())
    session.rollback()
    assert send() == 0


def test_a_server_that_is_down_delays_and_loses_nothing(
    session: Session, clock: MovableClock, server: Post, send: Callable[[], int]
) -> None:
    post(session, clock, mail(), mail("thanks:2"))
    server.is_down = True
    for _ in range(50):  # however long it is down
        with pytest.raises(ConnectionRefusedError):
            send()
        clock.advance(timedelta(hours=1))
    server.is_down = False
    assert send() == 2


def test_a_connection_that_breaks_leaves_the_rest_for_later(
    session: Session, clock: MovableClock, server: Post, send: Callable[[], int]
) -> None:
    post(session, clock, mail(), mail("thanks:2"))
    server.trouble = ConnectionResetError("gone")
    with pytest.raises(ConnectionResetError):
        send()
    server.trouble = None
    assert send() == 1  # the other one has its back-off
    clock.advance(timedelta(minutes=1))
    assert send() == 1


def test_a_mail_that_is_delayed_is_tried_less_and_less_often_and_given_up(
    session: Session, clock: MovableClock, server: Post, send: Callable[[], int]
) -> None:
    post(session, clock)
    server.trouble = MailDelayed("451 greylisted")
    begun, waits = clock.now(), []
    while only(session).state == "waiting":
        assert send() == 0
        waits.append(only(session).next_attempt_at - clock.now())
        clock.set(only(session).next_attempt_at)
    assert waits == sorted(waits)
    assert len(waits) == sending.MOST_ATTEMPTS
    assert timedelta(days=2) < clock.now() - begun < timedelta(days=5)
    assert only(session).error == "451 greylisted"
    server.trouble = None
    assert send() == 0
    outbox.retry_failed(session, now=clock.now())
    session.commit()
    assert send() == 1


def test_a_refusal_is_for_good_and_stops_no_other(
    session: Session, clock: MovableClock, server: Post, send: Callable[[], int]
) -> None:
    post(session, clock)
    server.trouble = MailRefused("550 no such user")
    assert send() == 0
    assert (only(session).state, only(session).error) == ("failed", "550 no such user")
    server.trouble = None
    post(session, clock, mail("thanks:2"))
    assert send() == 1


def test_two_senders_send_it_once(
    app: Flask, session: Session, clock: MovableClock, server: Post, send: Callable[[], int]
) -> None:
    post(session, clock)
    with app.app_context():
        maker = db.sessionmaker
    took = []

    class Slow(Post):
        def send(self, message: EmailMessage) -> None:
            took.append(send())  # the other one, while this one is at it
            server.send(message)

    assert send_due(maker, Slow().connect, sender=SENDER, now=clock.now) == 1
    assert took == [0]
    assert len(server.taken) == 1


def test_a_sender_that_died_is_followed_by_another_with_the_same_message_id(
    app: Flask, session: Session, clock: MovableClock, server: Post, send: Callable[[], int]
) -> None:
    post(session, clock)
    with app.app_context():
        maker = db.sessionmaker

    class Killed(Post):
        def send(self, message: EmailMessage) -> None:
            server.send(message)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_due(maker, Killed().connect, sender=SENDER, now=clock.now)
    assert send() == 0
    clock.advance(sending.LEASE)
    assert send() == 1
    first, second = server.taken
    assert first["Message-ID"] == second["Message-ID"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nobody_can_add_a_header(
    session: Session, clock: MovableClock, server: Post, send: Callable[[], int]
) -> None:
    post(
        session,
        clock,
        mail("1", subject="Thanks\r\nBcc: everybody@example.org"),
        mail("2", recipient="a@example.org\r\nBcc: everybody@example.org"),
    )
    assert send() == 1
    (message,) = server.taken
    assert message["Subject"] == "Thanks Bcc: everybody@example.org"
    assert message["Bcc"] is None
