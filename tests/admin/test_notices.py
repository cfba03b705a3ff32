"""Who is told of what, from the admin: added, tried, seen, replaced, turned off and removed."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from core.auditlog import list_records
from core.calls import OutboxCall
from core.clock import MovableClock
from core.db import db
from core.notices import Notice, notify
from core.subscribers import TOPICS, Channel, NoticeSubscriber, Topic, list_subscribers
from ops import jobs
from tests.admin.conftest import SignIn
from tests.admin.pages import look_at
from tests.core.receiver import Receiver
from tests.subscribers import subscribe

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LIST = "/admin/notices"
SECRET = re.compile(r"gpsec_[\w-]{43}")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().serving() as receiver:
        yield receiver


@pytest.fixture
def owner(app: Flask, sign_in: SignIn) -> FlaskClient:
    app.config["WTF_CSRF_ENABLED"] = False
    return sign_in()


def add(client: FlaskClient, **fields: Any) -> TestResponse:
    values = {"channel": "webhook", "which": "all", "name": ""} | fields
    return client.post(f"{LIST}/new", data=values)


def only(session: Session) -> NoticeSubscriber:
    session.rollback()
    (found,) = list_subscribers(session)
    session.expunge(found)
    session.rollback()
    return found


def actions(session: Session) -> list[str]:
    found = [line.action for line in list_records(session) if line.action.startswith("notice.")]
    session.rollback()
    return found


def goal(number: int = 1) -> Notice:
    return Notice(
        topic=Topic.GOAL,
        key=f"goal:{number}:250000",
        subject=f"Support us: goal {number} < reached",
        text="14 gifts by 12 donors.",
        data={"goal_minor": 250_000},
    )


def test_an_empty_list_says_what_to_do_first(owner: FlaskClient) -> None:
    page = owner.get(LIST).text
    assert "Nobody is told of anything." in page
    assert f'href="{LIST}/new"' in page
    assert page.count('<span class="tag">nobody</span>') == len(TOPICS)


def test_a_webhook_is_added_shown_its_secret_once_and_tried(
    owner: FlaskClient, session: Session, receiver: Receiver
) -> None:
    page = add(owner, target=receiver.url, name="The desk").text
    found = only(session)
    assert SECRET.findall(page) == [found.secret]
    for path in (LIST, f"{LIST}/1", f"{LIST}/1/edit", f"{LIST}/1/secret"):
        assert not SECRET.findall(owner.get(path).text), path
    page = owner.post(f"{LIST}/1/test", follow_redirects=True).text
    (heard,) = receiver.heard
    assert json.loads(heard.body)["topic"] == "test"
    assert heard.headers["Goalpost-Signature"].count("v1=") == 1
    assert re.search(r'class="flash done" role="status">Answered 200: ok after \d+ ms<', page)
    assert "A notice to try it" in page
    listed = owner.get(LIST).text
    assert "The desk" in listed
    assert "2021-05-12 10:11 UTC" in listed
    assert actions(session) == ["notice.tested", "notice.added"]


def test_secret_is_shown_again_and_replaced_once_for_one_form(
    owner: FlaskClient, session: Session, receiver: Receiver
) -> None:
    add(owner, target=receiver.url)
    first = only(session).secret or ""
    assert SECRET.findall(owner.post(f"{LIST}/1/secret/show").text) == [first]
    form = {"of": first[-4:], "overlap": "24"}
    page = owner.post(f"{LIST}/1/secret/replace", data=form).text
    second = only(session).secret
    assert SECRET.findall(page) == [second]
    assert first != second
    assert "good until 2021-05-13 10:11 UTC" in page
    again = owner.post(f"{LIST}/1/secret/replace", data=form, follow_redirects=True).text
    assert "was replaced meanwhile" in again
    assert only(session).secret == second
    owner.post(f"{LIST}/1/test")
    assert receiver.heard[0].headers["Goalpost-Signature"].count("v1=") == 2
    wrong = owner.post(
        f"{LIST}/1/secret/replace", data={"of": (second or "")[-4:], "overlap": "9999"}
    )
    assert wrong.status_code == 422
    assert actions(session)[:3] == [
        "notice.tested",
        "notice.secret_rotated",
        "notice.secret_shown",
    ]


def test_secrets_and_addresses_want_a_fresh_sign_in(
    app: Flask, sign_in: SignIn, session: Session, receiver: Receiver
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    subscribe(session, receiver.url, local=True)
    session.commit()
    client = sign_in(fresh=False)
    for path in ("new", "1/edit", "1/secret"):
        answer = client.get(f"{LIST}/{path}")
        assert answer.headers["Location"].startswith("/admin/confirm"), path
    for path in ("new", "1/edit", "1/secret/show", "1/secret/replace"):
        answer = client.post(f"{LIST}/{path}")
        assert answer.headers["Location"].startswith("/admin/confirm"), path
    assert client.get(f"{LIST}/1").status_code == 200


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"channel": "pigeon"}, "channel", "Choose one of these."),
        ({"target": "ftp://hooks.example.org/"}, "target", "address is an https:// one"),
        ({"channel": "mail", "target": "nobody"}, "target", "is no address of mail"),
        ({"which": "some"}, "topics", "Choose at least one"),
        ({"which": "some", "topics": ["<b>"]}, "topics", "There is no topic"),
        ({"name": "x" * 81}, "name", "80 characters"),
        ({"target": "https://hooks.example.org/taken"}, "target", "go there already"),
    ],
)
def test_what_can_not_be_is_said_beside_its_field_and_the_rest_is_kept(
    owner: FlaskClient, session: Session, fields: dict[str, Any], field: str, sentence: str
) -> None:
    subscribe(session, "https://hooks.example.org/taken")
    session.commit()
    answer = add(owner, **({"target": "https://hooks.example.org/x", "name": "Desk"} | fields))
    assert answer.status_code in {409, 422}
    assert re.search(rf'id="{field}-error">[^<]*{re.escape(sentence)}', answer.text)
    if "name" not in fields:
        assert 'value="Desk"' in answer.text
    assert only(session).target.endswith("taken")


def test_a_receiver_is_changed_turned_off_on_and_removed(
    owner: FlaskClient, session: Session, receiver: Receiver
) -> None:
    add(owner, target=receiver.url, which="some", topics=["goal", "month"])
    form = owner.get(f"{LIST}/1/edit").text
    assert re.findall(r'name="topics" value="(\w+)" checked', form) == ["goal", "month"]
    assert receiver.url.replace("&", "&amp;") in form
    changed = {"target": receiver.url, "name": "Desk", "which": "some", "topics": ["drift"]}
    assert "Saved." in owner.post(f"{LIST}/1/edit", data=changed, follow_redirects=True).text
    assert (only(session).topics, only(session).name) == ("drift", "Desk")
    bad = owner.post(f"{LIST}/1/edit", data=changed | {"target": "x"})
    assert bad.status_code == 422
    assert 'value="x"' in bad.text
    for state in ("off", "on"):
        owner.post(f"{LIST}/1/state", data={"state": state})
        assert only(session).is_on is (state == "on")
    assert "Remove Desk?" in owner.get(f"{LIST}/1/remove").text
    assert "Desk was removed." in owner.post(f"{LIST}/1/remove", follow_redirects=True).text
    assert owner.get(f"{LIST}/1").status_code == 404
    assert list_subscribers(session) == []
    session.rollback()
    assert actions(session) == [
        "notice.removed",
        "notice.turned_on",
        "notice.turned_off",
        "notice.changed",
        "notice.added",
    ]


def test_what_was_not_taken_is_told_and_sent_again_from_the_page(
    app: Flask, owner: FlaskClient, session: Session, receiver: Receiver, clock: MovableClock
) -> None:
    subscriber = subscribe(session, receiver.url, local=True)
    receiver.statuses, receiver.answer = [503, 410, 200], b"<b>away</b>" + b"x" * 5000
    notify(session, goal(), now=clock.now())
    session.commit()
    number = subscriber.id
    jobs.run_job(app, "calls")
    page = owner.get(f"{LIST}/{number}").text
    assert "answered 503: &lt;b&gt;away&lt;/b&gt;" in page
    assert "Tried again from 2021-05-12 10:11 UTC on." in page
    assert "Support us: goal 1 &lt; reached" in page
    retry = f"{LIST}/{number}/deliveries/1/retry"
    assert "it wants no more calls" in owner.post(retry, follow_redirects=True).text
    assert "given up" in owner.get(LIST).text
    htmx = owner.post(retry, headers={"HX-Request": "true"}).text
    assert htmx.lstrip().startswith('<section id="deliveries"')
    assert htmx.count("Answered 200") == 2  # what is said, and what stands in the row
    assert ">sent</span>" in htmx
    assert len(receiver.heard) == 3
    assert "sent meanwhile" in owner.post(retry, follow_redirects=True).text
    assert owner.post(f"{LIST}/{number}/deliveries/9/retry").status_code == 404
    assert len(receiver.heard) == 3


def test_all_that_was_given_up_is_sent_anew(
    app: Flask, owner: FlaskClient, session: Session, receiver: Receiver, clock: MovableClock
) -> None:
    subscribe(session, receiver.url, local=True)
    receiver.statuses = [410]
    for number in range(3):
        notify(session, goal(number), now=clock.now())
    session.commit()
    jobs.run_job(app, "calls")
    assert "Send all 3 anew" in owner.get(f"{LIST}/1").text
    receiver.statuses = [200]
    answer = owner.post(f"{LIST}/1/retry", follow_redirects=True).text
    assert "3 wait for the scheduler" in answer
    assert 'hx-trigger="every 2s"' in answer
    jobs.run_job(app, "calls")
    page = owner.get(f"{LIST}/1").text
    assert 'hx-trigger="every 2s"' not in page
    assert page.count(">sent</span>") == 3
    assert "Nothing was given up." in owner.post(f"{LIST}/1/retry", follow_redirects=True).text


def test_one_that_is_on_its_way_is_not_sent_twice(
    owner: FlaskClient, session: Session, receiver: Receiver, clock: MovableClock
) -> None:
    subscribe(session, receiver.url, local=True)
    notify(session, goal(), now=clock.now())
    session.execute(
        update(OutboxCall).values(attempts=1, next_attempt_at=clock.now() + timedelta(minutes=5))
    )
    session.commit()
    page = owner.get(f"{LIST}/1").text
    assert "On its way." in page
    assert "Send now" not in page
    owner.post(f"{LIST}/1/deliveries/1/retry")
    assert receiver.heard == []


def test_mail_is_not_tried_without_a_server(owner: FlaskClient, session: Session) -> None:
    added = add(owner, channel="mail", target="ed@courier.example")
    assert added.headers["Location"] == f"{LIST}/1"
    page = owner.post(f"{LIST}/1/test", follow_redirects=True).text
    assert "No mail is sent: MAIL_URL is not set." in page
    assert "Nothing yet." in page
    assert "MAIL_URL" in owner.get(LIST).text
    assert actions(session) == ["notice.added"]
    assert owner.get(f"{LIST}/1/secret").status_code == 409


def test_words_that_are_no_longer_kept_leave_their_line(
    app: Flask, owner: FlaskClient, session: Session, receiver: Receiver, clock: MovableClock
) -> None:
    subscribe(session, receiver.url, local=True)
    notify(session, goal(), now=clock.now())
    session.commit()
    jobs.run_job(app, "calls")
    assert "14 gifts by 12 donors." in owner.get(f"{LIST}/1").text
    clock.advance(timedelta(days=31))
    jobs.run_job(app, "forget")
    (text,) = session.scalars(select(OutboxCall.text))
    session.rollback()
    assert text == ""


def test_pages_ask_the_books_as_often_for_many_as_for_one(
    app: Flask, owner: FlaskClient, session: Session, clock: MovableClock
) -> None:
    def asked(path: str) -> int:
        statements: list[str] = []

        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            statements.append(statement)

        with app.app_context():
            event.listen(db.engine, "before_cursor_execute", note)
            assert owner.get(path).status_code == 200
            event.remove(db.engine, "before_cursor_execute", note)
        return len(statements)

    subscribe(session, "https://hooks.example.org/0")
    subscribe(session, "ed@courier.example")
    notify(session, goal(99), now=clock.now())
    session.commit()
    alone = asked(LIST), asked(f"{LIST}/1")
    for number in range(1, 12):
        subscribe(session, f"https://hooks.example.org/{number}", channel=Channel.CHAT)
    for number in range(30):
        notify(session, goal(number), now=clock.now())
    session.commit()
    assert (asked(LIST), asked(f"{LIST}/1")) == alone
    first = owner.get(f"{LIST}/1").text
    assert first.count("<details") == 25
    following = re.findall(r"\?before=(\d+)", first)[0]
    assert owner.get(f"{LIST}/1?before={following}").text.count("<details") == 6


@pytest.mark.browser
def test_a_receiver_is_added_and_tried_in_a_browser(
    app: Flask, sign_in: SignIn, receiver: Receiver, session: Session, page: Tab
) -> None:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    site = f"http://localhost:{server.server_port}"
    client = sign_in()
    cookie = client.get_cookie(app.config.get("SESSION_COOKIE_NAME", "session"))
    assert cookie is not None
    page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": site}])
    page.goto(f"{site}{LIST}")
    look_at(page, "notices-none")
    page.get_by_role("link", name="Tell somebody").click()
    page.get_by_role("radio", name="Webhook").check()
    page.get_by_role("textbox", name="Address").fill(receiver.url)
    page.get_by_role("textbox", name="Name").fill("Newsroom")
    page.get_by_label("Only these:").check()
    page.get_by_label("Goals").check()
    look_at(page, "notices-new")
    page.get_by_role("button", name="Add it").click()
    expect(page.locator("#secret")).to_contain_text("gpsec_")
    look_at(page, "notices-secret")
    page.get_by_role("link", name="Go on, and send a test").click()
    receiver.statuses = [500, 200]
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("alert")).to_contain_text("answered 500: ok")
    page.get_by_role("button", name="Send now").click()
    expect(page.get_by_role("status")).to_contain_text("Answered 200")
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator(".deliveries .tag.good")).to_have_count(2)
    page.get_by_text("What it says").first.click()
    look_at(page, "notices-one")
    subscribe(session, "ed@courier.example")
    session.commit()
    page.goto(f"{site}{LIST}")
    look_at(page, "notices-list")
    page.goto(f"{site}{LIST}/1/remove")
    look_at(page, "notices-remove")
    server.shutdown()
    thread.join()
    server.server_close()
