"""Notices reach those who asked for them, once, and only if what they tell of was committed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.auditlog import COMMAND_LINE, list_records
from core.calls import OutboxCall
from core.clock import MovableClock
from core.errors import Conflict, Invalid, NotFound
from core.notices import (
    Notice,
    begin_episode,
    change,
    end_episode,
    is_wanted,
    notify,
    remove_subscriber,
    turn_off,
    turn_on,
)
from core.outbox import Mail, OutboxMail, post_mail
from core.sending import SendState
from core.subscribers import (
    MOST_OVERLAP,
    MOST_SUBSCRIBERS,
    TOPICS,
    Channel,
    NoticeSubscriber,
    Topic,
    Wish,
    find_subscriber,
    forget_former_secrets,
    list_subscribers,
    rotate_secret,
)
from tests.conftest import START
from tests.subscribers import subscribe

HOOK = "https://hooks.example.org/T0/B0/abc"
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def goal(**changes: Any) -> Notice:
    values: dict[str, Any] = {
        "topic": Topic.GOAL,
        "key": "goal:1:250000",
        "subject": "Support us: 2,500 $ reached",
        "text": "14 gifts by 12 donors.",
        "data": {"goal_minor": 250_000},
        "campaign": "support-us",
    }
    return Notice(**(values | changes))


def mail_to(session: Session, address: str = "ed@example.org", **options: Any) -> NoticeSubscriber:
    return subscribe(session, address, channel=Channel.MAIL, **options)


def call_to(session: Session, url: str = HOOK, **options: Any) -> NoticeSubscriber:
    return subscribe(session, url, channel=Channel.WEBHOOK, **options)


def mails(session: Session) -> list[OutboxMail]:
    return list(session.scalars(select(OutboxMail).order_by(OutboxMail.id)))


def calls(session: Session) -> list[OutboxCall]:
    return list(session.scalars(select(OutboxCall).order_by(OutboxCall.id)))


def test_all_who_asked_are_told_once_each(session: Session, clock: MovableClock) -> None:
    mail_to(session)
    subscriber = call_to(session)
    session.commit()
    assert notify(session, goal(), now=clock.now()) == 2
    session.commit()
    assert notify(session, goal(text="again"), now=clock.now()) == 0
    session.commit()

    (mail,), (call,) = mails(session), calls(session)
    assert (mail.recipient, mail.subject) == ("ed@example.org", "Support us: 2,500 $ reached")
    assert mail.text == "14 gifts by 12 donors."
    assert (call.recipient, call.subscriber_id) == (HOOK, subscriber.id)
    assert json.loads(call.text) == {
        "text": "Support us: 2,500 $ reached\n14 gifts by 12 donors.",
        "topic": "goal",
        "key": "goal:1:250000",
        "campaign": "support-us",
        "data": {"goal_minor": 250_000},
        "at": "2021-05-12T10:11:12Z",
    }


def test_what_is_rolled_back_is_told_to_nobody(session: Session, clock: MovableClock) -> None:
    mail_to(session)
    call_to(session)
    session.commit()
    notify(session, goal(), now=clock.now())
    session.rollback()
    assert (mails(session), calls(session)) == ([], [])


@only_sqlite
def test_one_is_told_of_the_topics_asked_for(session: Session, clock: MovableClock) -> None:
    mail_to(session, topics=["month", "goal"])
    mail_to(session, "card@example.org", topics=["card"])
    assert notify(session, goal(), now=clock.now()) == 1
    assert notify(session, goal(topic=Topic.CARD, key="card:1"), now=clock.now()) == 1
    assert notify(session, goal(topic=Topic.DRIFT, key="drift:1"), now=clock.now()) == 0
    assert [mail.recipient for mail in mails(session)] == ["ed@example.org", "card@example.org"]
    assert is_wanted(session, Topic.MONTH)
    assert not is_wanted(session, Topic.GUARD)


@only_sqlite
def test_nobody_asked_and_nothing_is_posted(session: Session, clock: MovableClock) -> None:
    assert notify(session, goal(), now=clock.now()) == 0
    assert not is_wanted(session, Topic.GOAL)


@only_sqlite
def test_a_title_can_call_nobody_in_a_chat(session: Session, clock: MovableClock) -> None:
    call_to(session)
    notify(session, goal(subject="<!channel> & <https://evil.example|here>"), now=clock.now())
    (call,) = calls(session)
    text = json.loads(call.text)["text"]
    assert text.startswith("&lt;!channel&gt; &amp; &lt;https://evil.example|here&gt;")


@only_sqlite
def test_who_is_removed_is_told_nothing_more(session: Session, clock: MovableClock) -> None:
    by_mail, by_call = mail_to(session), call_to(session)
    notify(session, goal(), now=clock.now())
    thanks = Mail(key="thanks:1", recipient="ed@example.org", subject="Thanks", text="Thanks")
    post_mail(session, thanks, now=clock.now())
    for one in (by_mail, by_call):
        remove_subscriber(session, one, actor=COMMAND_LINE, now=clock.now())
    assert notify(session, goal(key="goal:1:500000"), now=clock.now()) == 0
    session.commit()
    session.expire_all()
    assert [mail.state for mail in mails(session)] == ["failed", "waiting"]  # not the thanks
    assert [(call.state, call.recipient) for call in calls(session)] == [("failed", "")]
    with pytest.raises(NotFound):
        find_subscriber(session, by_call.id)


@only_sqlite
@pytest.mark.parametrize(
    "address", ["", "ed", "ed@", "ed@example.org\nBcc: x@example.org", "a b@c"]
)
def test_what_is_no_address_of_mail_is_refused(session: Session, address: str) -> None:
    with pytest.raises(Invalid, match="no address"):
        mail_to(session, address)


@only_sqlite
@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org",
        "http://hooks.example.org/x",
        "ftp://hooks.example.org/x",
        "file:///etc/passwd",
        "https://",
        "https:///x",
        "https://user:password@hooks.example.org/x",
        "https://hooks.example.org/x#part",
        "https://hooks.example.org/x y",
        "https://hooks.example.org/x\r\nHost: evil",
        "https://höoks.example.org/x",
        "https://hooks.example.org:port/x",
        "https://[::1/x",
        "https://hooks.example.org/" + "x" * 500,
    ],
)
def test_what_is_no_webhook_is_refused(session: Session, url: str) -> None:
    with pytest.raises(Invalid, match="https://"):
        call_to(session, url)


@only_sqlite
def test_a_developers_machine_takes_plain_http(session: Session) -> None:
    assert call_to(session, "http://127.0.0.1:8465/x", local=True).secret is not None
    with pytest.raises(Invalid):
        call_to(session, "http://127.0.0.1:8465/y")


@only_sqlite
def test_a_topic_that_there_is_not_is_refused(session: Session) -> None:
    for unknown in ("goals", "test", ""):
        with pytest.raises(Invalid, match="no topic"):
            mail_to(session, topics=[unknown])
    assert set(TOPICS) == set(Topic) - {Topic.TEST}


def test_one_address_is_added_once(session: Session) -> None:
    first, second = call_to(session), call_to(session, HOOK + "d")
    assert first.secret != second.secret
    with pytest.raises(Conflict, match="already"):
        call_to(session)
    mail_to(session, "Ed@EXAMPLE.org")
    with pytest.raises(Conflict, match="already"):
        mail_to(session, "Ed@example.org")
    assert len(list_subscribers(session)) == 3


@only_sqlite
def test_there_is_an_end_to_who_is_told(session: Session) -> None:
    for number in range(MOST_SUBSCRIBERS):
        mail_to(session, f"ed{number}@example.org")
    with pytest.raises(Conflict, match="remove one"):
        mail_to(session)


def test_an_episode_begins_once_and_ends_once(session: Session) -> None:
    later = START.replace(hour=23)
    assert begin_episode(session, "inbox", since=START)
    assert not begin_episode(session, "inbox", since=later)
    assert end_episode(session, "inbox") == START
    assert end_episode(session, "inbox") is None
    assert begin_episode(session, "inbox", since=later)


@only_sqlite
def test_a_chat_is_told_in_words_alone(session: Session, clock: MovableClock) -> None:
    # Google Chat refuses what has a field that it does not know.
    assert subscribe(session, HOOK, channel=Channel.CHAT).secret is None
    notify(session, goal(), now=clock.now())
    (call,) = calls(session)
    text = "Support us: 2,500 $ reached\n14 gifts by 12 donors."
    assert json.loads(call.text) == {"text": text}


@only_sqlite
@pytest.mark.parametrize(
    "host", ["localhost", "10.0.0.1", "127.0.0.1", "[::1]", "169.254.169.254", "[fd00::1]"]
)
def test_what_is_plainly_inside_is_refused_at_once(session: Session, host: str) -> None:
    with pytest.raises(Invalid, match="public internet"):
        call_to(session, f"https://{host}/x")


def test_who_is_off_is_told_nothing_and_what_waited_is_dropped(
    session: Session, clock: MovableClock
) -> None:
    subscriber, other = call_to(session), call_to(session, HOOK + "d")
    notify(session, goal(), now=clock.now())
    for _ in range(2):
        turn_off(session, subscriber, actor=COMMAND_LINE, now=clock.now())
    assert notify(session, goal(key="goal:1:500000"), now=clock.now()) == 1
    turn_on(session, subscriber, actor=COMMAND_LINE, now=clock.now())
    assert notify(session, goal(key="goal:1:750000"), now=clock.now()) == 2
    session.commit()
    session.expire_all()
    to_it = [call for call in calls(session) if call.subscriber_id == subscriber.id]
    assert [call.state for call in to_it] == ["failed", "waiting"]
    assert [bool(call.text) for call in to_it] == [False, True]
    assert {call.state for call in calls(session) if call.subscriber_id == other.id} == {"waiting"}
    lines = [line.action for line in list_records(session)][:2]
    assert lines == ["notice.turned_on", "notice.turned_off"]


def test_what_was_not_sent_goes_to_the_new_address(session: Session, clock: MovableClock) -> None:
    subscriber = call_to(session, topics=["goal"])
    call_to(session, HOOK + "taken")
    notify(session, goal(), now=clock.now())
    notify(session, goal(key="goal:1:500000"), now=clock.now())
    sent, _, *_ = calls(session)
    sent.state, sent.sent_at = SendState.SENT, clock.now()
    session.flush()
    wish = Wish(channel=Channel.MAIL, target=HOOK + "new", topics=["month"], name=" The  desk ")
    assert change(session, subscriber, wish, actor=COMMAND_LINE, now=clock.now())
    assert not change(session, subscriber, wish, actor=COMMAND_LINE, now=clock.now())
    session.commit()
    session.expire_all()
    ours = [call.recipient for call in calls(session) if call.subscriber_id == subscriber.id]
    assert ours == [HOOK, HOOK + "new"]
    assert (subscriber.name, subscriber.topics, subscriber.channel) == (
        "The desk",
        "month",
        "webhook",
    )
    line = list_records(session)[0]
    assert line.action == "notice.changed"
    assert line.told == {
        "name": ["", "The desk"],
        "to": [HOOK, "https://hooks.example.org/…cnew"],
        "topics": ["goal", "month"],
    }
    with pytest.raises(Conflict, match="already"):
        change(
            session,
            subscriber,
            Wish(channel=Channel.WEBHOOK, target=HOOK + "taken"),
            actor=COMMAND_LINE,
            now=clock.now(),
        )


def test_a_secret_is_replaced_with_an_overlap_that_ends(
    session: Session, clock: MovableClock
) -> None:
    subscriber = call_to(session)
    first = subscriber.secret

    def rotate(overlap: timedelta) -> None:
        rotate_secret(session, subscriber, overlap=overlap, actor=COMMAND_LINE, now=clock.now())

    rotate(timedelta(days=1))
    session.commit()
    assert subscriber.signing_secrets(clock.now()) == [subscriber.secret, first]
    assert forget_former_secrets(session, clock.now()) == 0
    clock.advance(timedelta(days=1))
    assert subscriber.signing_secrets(clock.now()) == [subscriber.secret]
    assert forget_former_secrets(session, clock.now()) == 1
    session.commit()
    session.expire_all()
    assert subscriber.former_secret is None
    rotate(timedelta(0))
    assert subscriber.signing_secrets(clock.now()) == [subscriber.secret]
    for wrong in (timedelta(seconds=-1), MOST_OVERLAP + timedelta(seconds=1)):
        with pytest.raises(Invalid):
            rotate(wrong)
    assert all(first not in line.details for line in list_records(session) if first)
    with pytest.raises(Invalid, match="webhooks"):
        rotate_secret(
            session,
            mail_to(session),
            overlap=timedelta(0),
            actor=COMMAND_LINE,
            now=clock.now(),
        )
