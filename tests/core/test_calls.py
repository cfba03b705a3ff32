"""Calls are made if what they tell of was committed, under one name, and later where nobody is."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import sending
from core.auditlog import COMMAND_LINE
from core.calls import Call, OutboxCall, Post, post_call, send_due_calls
from core.clock import MovableClock
from core.db import db
from core.subscribers import Channel, list_subscribers, rotate_secret
from core.webhooks import WebhookClient
from tests.core.receiver import Receiver
from tests.subscribers import subscribe

HERE = WebhookClient(local=True)
Send = Callable[..., int]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().serving() as receiver:
        yield receiver


@pytest.fixture
def send(app: Flask, clock: MovableClock) -> Send:
    with app.app_context():
        maker = db.sessionmaker

    def send(post: Post = HERE.post) -> int:
        return send_due_calls(maker, post, now=clock.now)

    return send


def post(session: Session, clock: MovableClock, receiver: Receiver, *keys: str) -> None:
    for key in keys or ("notice:goal:1:2",):
        call = to(session, receiver, key, text='{"text": "20 € — да"}')
        post_call(session, call, now=clock.now())
    session.commit()


def to(session: Session, receiver: Receiver, key: str, *, text: str = "{}") -> Call:
    """Return a call to a receiver, who asks for calls if nobody there does yet."""
    there = [one for one in list_subscribers(session) if one.target == receiver.url]
    subscriber = there[0] if there else subscribe(session, receiver.url, local=True)
    return Call(key=key, url=receiver.url, subscriber_id=subscriber.id, text=text)


def secret_of(session: Session) -> str:
    (subscriber,) = list_subscribers(session)
    assert subscriber.secret
    session.rollback()
    return subscriber.secret


def only(session: Session) -> OutboxCall:
    session.rollback()
    found = session.scalars(select(OutboxCall)).one()
    session.refresh(found)
    session.expunge_all()
    session.rollback()
    return found


def test_a_call_is_made_once_and_signed(
    session: Session, clock: MovableClock, receiver: Receiver, send: Send
) -> None:
    post(session, clock, receiver)
    assert (send(), send()) == (1, 0)

    (heard,) = receiver.heard
    assert json.loads(heard.body) == {"text": "20 € — да"}
    assert heard.headers["Content-Type"] == "application/json"
    time, signature = heard.headers["Goalpost-Signature"].split(",")
    signed = f"{int(clock.now().timestamp())}.".encode() + heard.body
    assert time == f"t={int(clock.now().timestamp())}"
    key = secret_of(session).encode()
    assert signature == f"v1={hmac.new(key, signed, hashlib.sha256).hexdigest()}"
    sent = only(session)
    assert (sent.sent_at, sent.tried_at, sent.answer) == (clock.now(), clock.now(), "200: ok")
    assert sent.took_ms is not None


def test_one_occasion_posts_one_call(
    session: Session, clock: MovableClock, receiver: Receiver, send: Send
) -> None:
    post(session, clock, receiver, "1", "1", "2")
    post(session, clock, receiver, "1")
    assert send() == 2
    names = {heard.headers["Goalpost-Delivery"] for heard in receiver.heard}
    assert len(names) == 2


def test_what_is_rolled_back_is_never_told(
    session: Session, clock: MovableClock, receiver: Receiver, send: Send
) -> None:
    call = to(session, receiver, "1")
    assert post_call(session, call, now=clock.now())
    session.rollback()
    assert send() == 0


def test_one_who_failed_is_asked_again_later_with_the_same_name_and_a_new_signature(
    session: Session, clock: MovableClock, receiver: Receiver, send: Send
) -> None:
    receiver.statuses = [500, 200]
    post(session, clock, receiver)
    assert send() == 0
    assert send() == 0  # not before its time
    assert (only(session).state, only(session).error) == ("waiting", "answered 500: ok")
    clock.advance(timedelta(minutes=1))
    assert send() == 1
    first, second = receiver.heard
    assert first.headers["Goalpost-Delivery"] == second.headers["Goalpost-Delivery"]
    assert first.headers["Goalpost-Signature"] != second.headers["Goalpost-Signature"]
    assert (only(session).state, only(session).error) == ("sent", None)


def test_one_who_is_gone_is_given_up_at_once(
    session: Session, clock: MovableClock, receiver: Receiver, send: Send
) -> None:
    receiver.statuses = [410]
    post(session, clock, receiver)
    assert send() == 0
    assert only(session).state == "failed"


def test_one_who_always_fails_is_given_up_in_the_end_and_can_be_tried_anew(
    session: Session, clock: MovableClock, receiver: Receiver, send: Send
) -> None:
    receiver.statuses = [500]
    post(session, clock, receiver)
    begun = clock.now()
    while only(session).state == "waiting":
        assert send() == 0
        clock.set(only(session).next_attempt_at)
    assert len(receiver.heard) == sending.MOST_ATTEMPTS
    assert timedelta(days=2) < clock.now() - begun < timedelta(days=5)
    receiver.statuses = [200]
    assert sending.retry_given_up(session, OutboxCall, now=clock.now()) == 1
    session.commit()
    assert send() == 1


def test_one_receiver_that_is_away_delays_no_other(
    session: Session, clock: MovableClock, receiver: Receiver, send: Send
) -> None:
    with Receiver().serving() as gone:
        post(session, clock, gone, "1")
    post(session, clock, receiver, "2")
    assert send() == 1
    assert len(receiver.heard) == 1


def test_a_sender_that_died_is_followed_by_another_with_the_same_name(
    session: Session, clock: MovableClock, receiver: Receiver, send: Send
) -> None:
    post(session, clock, receiver)

    def killed(url: str, body: bytes, headers: Mapping[str, str]) -> str:
        HERE.post(url, body, headers)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send(killed)
    assert send() == 0
    clock.advance(sending.LEASE)
    assert send() == 1
    first, second = receiver.heard
    assert first.headers["Goalpost-Delivery"] == second.headers["Goalpost-Delivery"]


def test_two_senders_call_once(
    session: Session, clock: MovableClock, receiver: Receiver, send: Send
) -> None:
    post(session, clock, receiver)
    took = []

    def slow(url: str, body: bytes, headers: Mapping[str, str]) -> str:
        took.append(send())  # the other one, while this one is at it
        return HERE.post(url, body, headers)

    assert send(slow) == 1
    assert took == [0]
    assert len(receiver.heard) == 1


def test_what_was_told_long_ago_keeps_its_key_alone(
    session: Session, clock: MovableClock, receiver: Receiver, send: Send
) -> None:
    post(session, clock, receiver, "1")
    assert send() == 1
    post(session, clock, receiver, "2")
    later = clock.now() + timedelta(days=31)
    assert sending.forget_before(session, OutboxCall, later, limit=10) == 1
    session.commit()
    told, waiting = session.scalars(select(OutboxCall).order_by(OutboxCall.id)).all()
    assert (told.key, told.recipient, told.text) == ("1", "", "")
    assert waiting.recipient == receiver.url
    session.rollback()
    post(session, clock, receiver, "1")
    assert send() == 1


def signatures(receiver: Receiver) -> list[str]:
    """Return what the last call was signed with."""
    _, *parts = receiver.heard[-1].headers["Goalpost-Signature"].split(",")
    return [part.removeprefix("v1=") for part in parts]


def test_a_call_is_signed_with_the_secrets_of_when_it_is_sent(
    session: Session, clock: MovableClock, receiver: Receiver, send: Send
) -> None:
    post(session, clock, receiver, "1", "2")
    (subscriber,) = list_subscribers(session)
    former = subscriber.secret or ""
    day = timedelta(days=1)
    rotate_secret(session, subscriber, overlap=day, actor=COMMAND_LINE, now=clock.now())
    session.commit()
    assert send() == 2
    body = receiver.heard[-1].body
    signed = f"{int(clock.now().timestamp())}.".encode() + body

    def by(secret: str) -> str:
        return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()

    assert signatures(receiver) == [by(secret_of(session)), by(former)]
    clock.advance(day)
    post(session, clock, receiver, "3")
    assert send() == 1
    assert len(signatures(receiver)) == 1


def test_a_chat_gets_no_signature(
    session: Session, clock: MovableClock, receiver: Receiver, send: Send
) -> None:
    subscribe(session, receiver.url, channel=Channel.CHAT, local=True)
    post(session, clock, receiver)
    assert send() == 1
    assert "Goalpost-Signature" not in receiver.heard[0].headers


def test_a_call_that_nobody_asks_for_any_more_is_not_made(
    session: Session, clock: MovableClock, receiver: Receiver, send: Send
) -> None:
    post(session, clock, receiver)
    session.execute(update(OutboxCall).values(subscriber_id=None))
    session.commit()
    assert send() == 0
    assert receiver.heard == []
    assert only(session).state == "failed"
