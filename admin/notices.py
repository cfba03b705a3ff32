"""`/admin/notices`: who is told of what; to try it, and to see what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus

from flask import redirect, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from admin.access import admin_blueprint, current_actor, needs
from admin.notice_view import (
    KINDS,
    TOPIC_NAMES,
    deliveries,
    outcome_of,
    receivers,
    told_topics,
    topics_label,
)
from admin.pages import is_partial, render_admin, say
from admin.roles import Permission
from core.clock import current_clock, now
from core.db import db, read_only
from core.deliveries import Senders, check_sendable, find_delivery, send_at_once
from core.errors import Conflict, DomainError, Invalid
from core.notices import change, outbox_of, post_test, remove_subscriber, turn_off, turn_on
from core.sending import Sendable, SendState, retry_now, retry_of
from core.smtp import smtp_server
from core.subscribers import (
    MOST_NAME_CHARACTERS,
    MOST_URL_CHARACTERS,
    TOPICS,
    Channel,
    NoticeSubscriber,
    Wish,
    add_subscriber,
    find_subscriber,
    log_change,
    rotate_secret,
)
from core.web import settings
from core.webhooks import WebhookClient, is_local

# Somebody waits for the answer: shorter than what a job gives.
TEST_DEADLINE_SECONDS = 10
OVERLAPS: Mapping[str, str] = {
    "24": "for a day",
    "168": "for a week",
    "0": "not at all: it has leaked",
}
_SECTION = "notices"
_LIST = "/admin/notices"

bp = admin_blueprint("notices", __name__)


@bp.get("/notices")
@needs(Permission.MANAGE_NOTICES)
def notices() -> str:
    """Show who is told of what, and where each stands."""
    shown = receivers(db.session)
    return render_admin(
        "admin/notices.html",
        section=_SECTION,
        receivers=shown,
        topics=told_topics(shown),
        lacks_mail=settings().mail_url is None
        and any(one.subscriber.channel == Channel.MAIL for one in shown),
    )


@bp.get("/notices/new")
@needs(Permission.MANAGE_NOTICES, fresh=True)
def new() -> str:
    """Ask who is to be told of what."""
    return _form(None, {"channel": [Channel.MAIL], "which": ["all"]})


@bp.post("/notices/new")
@needs(Permission.MANAGE_NOTICES, fresh=True)
def add() -> ResponseReturnValue:
    """Have notices sent somewhere; show a webhook's secret, once."""
    try:
        wish = _read(_channel())
        added = add_subscriber(db.session, wish, actor=current_actor(), now=now())
    except (Invalid, Conflict) as error:
        db.session.rollback()
        return _form(None, request.form.to_dict(flat=False), error), _status(error)
    db.session.commit()
    if added.secret:
        return _secret_page(added, is_shown=True, is_new=True)
    say(f"{added.label} is told from now on. Send a test to see whether it arrives.")
    return _to(added.id)


@bp.get("/notices/<int:number>")
@needs(Permission.MANAGE_NOTICES)
def receiver(number: int) -> str:
    """Show a receiver and what was posted there; to htmx, the latter alone."""
    return _page(find_subscriber(db.session, number))


@bp.get("/notices/<int:number>/edit")
@needs(Permission.MANAGE_NOTICES, fresh=True)
def edit(number: int) -> str:
    """Show what may be changed of a receiver."""
    found = find_subscriber(db.session, number)
    typed = {
        "name": [found.name],
        "target": [found.target],
        "which": ["some" if found.topics else "all"],
        "topics": found.topics.split(","),
    }
    return _form(found, typed)


@bp.post("/notices/<int:number>/edit")
@needs(Permission.MANAGE_NOTICES, fresh=True)
def save(number: int) -> ResponseReturnValue:
    """Change a receiver's name, address and topics."""
    found = find_subscriber(db.session, number)
    try:
        wish = _read(Channel(found.channel))
        change(db.session, found, wish, actor=current_actor(), now=now())
    except (Invalid, Conflict) as error:
        db.session.rollback()
        found = find_subscriber(db.session, number)
        return _form(found, request.form.to_dict(flat=False), error), _status(error)
    db.session.commit()
    say("Saved.")
    return _to(number)


@bp.post("/notices/<int:number>/state")
@needs(Permission.MANAGE_NOTICES)
def state(number: int) -> ResponseReturnValue:
    """Turn a receiver on or off."""
    found = find_subscriber(db.session, number)
    if request.form.get("state") == "on":
        turn_on(db.session, found, actor=current_actor(), now=now())
        say(f"{found.label} is told again what happens, from now on.")
    else:
        turn_off(db.session, found, actor=current_actor(), now=now())
        say(f"{found.label} is told nothing until it is turned on. What waited was dropped.")
    db.session.commit()
    return _to(number)


@bp.get("/notices/<int:number>/remove")
@needs(Permission.MANAGE_NOTICES)
def ask_remove(number: int) -> str:
    """Ask whether a receiver is to be removed."""
    found = find_subscriber(db.session, number)
    return render_admin("admin/notice_remove.html", section=_SECTION, receiver=found)


@bp.post("/notices/<int:number>/remove")
@needs(Permission.MANAGE_NOTICES)
def remove(number: int) -> ResponseReturnValue:
    """Remove a receiver, and what waits for it."""
    found = find_subscriber(db.session, number)
    remove_subscriber(db.session, found, actor=current_actor(), now=now())
    db.session.commit()
    say(f"{found.label} was removed.")
    return redirect(_LIST, code=HTTPStatus.SEE_OTHER)


@bp.get("/notices/<int:number>/secret")
@needs(Permission.MANAGE_NOTICES, fresh=True)
def secret(number: int) -> str:
    """Offer to show a webhook's secret, and to replace it."""
    return _secret_page(_signed(number))


@bp.post("/notices/<int:number>/secret/show")
@needs(Permission.MANAGE_NOTICES, fresh=True)
def show_secret(number: int) -> str:
    """Show a webhook's secret, and write down that it was shown."""
    found = _signed(number)
    log_change(db.session, current_actor(), "notice.secret_shown", found, now=now())
    db.session.commit()
    return _secret_page(found, is_shown=True)


@bp.post("/notices/<int:number>/secret/replace")
@needs(Permission.MANAGE_NOTICES, fresh=True)
def replace_secret(number: int) -> ResponseReturnValue:
    """Sign calls with a new secret, and show it."""
    found = _signed(number)
    # A page that is sent again by being loaded anew must not replace what was just made.
    if request.form.get("of") != _tail(found):
        say("The secret was replaced meanwhile.", kind="problem")
        return redirect(f"{_LIST}/{number}/secret", code=HTTPStatus.SEE_OTHER)
    hours = request.form.get("overlap", "")
    if hours not in OVERLAPS:
        raise Invalid("Choose one of these.", field="overlap")
    overlap = timedelta(hours=int(hours))
    rotate_secret(db.session, found, overlap=overlap, actor=current_actor(), now=now())
    db.session.commit()
    return _secret_page(found, is_shown=True, is_new=True)


@bp.post("/notices/<int:number>/test")
@needs(Permission.MANAGE_NOTICES)
def test(number: int) -> ResponseReturnValue:
    """Send a notice to try a receiver, at once, and tell what came of it."""
    found, senders = find_subscriber(db.session, number), _senders()
    try:
        check_sendable(found, senders)
    except Conflict as error:
        return _answer(number, error.message, kind="problem")
    site = settings().base_url
    key = post_test(db.session, found, site=site, actor=current_actor(), now=now())
    kind = outbox_of(found)
    row = db.session.scalars(select(kind).where(kind.key == key)).one()
    return _send(number, senders, row)


@bp.post("/notices/<int:number>/deliveries/<int:delivery_id>/retry")
@needs(Permission.MANAGE_NOTICES)
def retry(number: int, delivery_id: int) -> ResponseReturnValue:
    """Send something at once that was not taken before."""
    found, senders = find_subscriber(db.session, number), _senders()
    row = find_delivery(db.session, found, delivery_id)
    try:
        check_sendable(found, senders)
    except Conflict as error:
        return _answer(number, error.message, kind="problem")
    kind = outbox_of(found)
    if not retry_now(db.session, kind, row.id, subscriber_id=number, now=now()):
        return _answer(number, "It was sent meanwhile, or is under way.", kind="problem")
    log_change(
        db.session, current_actor(), "notice.retried", found, {"delivery": row.id}, now=now()
    )
    return _send(number, senders, row)


@bp.post("/notices/<int:number>/retry")
@needs(Permission.MANAGE_NOTICES)
def retry_all(number: int) -> ResponseReturnValue:
    """Have all that was given up sent anew, by the scheduler."""
    found = find_subscriber(db.session, number)
    count = retry_of(db.session, outbox_of(found), number, now=now())
    if count:
        details = {"deliveries": count}
        log_change(db.session, current_actor(), "notice.retried", found, details, now=now())
    db.session.commit()
    told = "Nothing was given up."
    if count:
        told = f"{count} wait for the scheduler, which sends them."
    return _answer(number, told)


def _send(number: int, senders: Senders, row: Sendable) -> ResponseReturnValue:
    """Commit what was posted, send it, and tell what came of it."""
    db.session.commit()
    kind, row_id = type(row), row.id
    send_at_once(db.sessionmaker, senders, row, now=current_clock().now)
    with db.sessionmaker() as session:
        read_only(session)
        after = session.get_one(kind, row_id)
    is_sent = after.state == SendState.SENT
    return _answer(number, outcome_of(after), kind="done" if is_sent else "problem")


def _answer(number: int, told: str, *, kind: str = "done") -> ResponseReturnValue:
    """Tell it on the receiver's page; to htmx, above what was posted there."""
    if not is_partial():
        say(told, kind=kind)
        return _to(number)
    db.session.expire_all()  # what was sent was written down by another session
    return _page(find_subscriber(db.session, number), told=told, kind=kind)


def _page(found: NoticeSubscriber, *, told: str = "", kind: str = "done") -> str:
    before = request.args.get("before", type=int)
    shown = deliveries(db.session, found, before_id=before, now=now())
    return render_admin(
        "admin/_notice_deliveries.html" if is_partial() else "admin/notice.html",
        section=_SECTION,
        receiver=found,
        kind=KINDS[Channel(found.channel)],
        topics=topics_label(found),
        deliveries=shown,
        before=before,
        told=told,
        told_kind=kind,
        lacks_mail=found.channel == Channel.MAIL and settings().mail_url is None,
    )


def _secret_page(found: NoticeSubscriber, *, is_shown: bool = False, is_new: bool = False) -> str:
    until = found.former_secret_until
    return render_admin(
        "admin/notice_secret.html",
        section=_SECTION,
        receiver=found,
        secret=found.secret if is_shown else None,
        is_new=is_new,
        tail=_tail(found),
        former_until=until if until and until > now() else None,
        overlaps=OVERLAPS,
    )


def _form(
    found: NoticeSubscriber | None,
    typed: Mapping[str, list[str]],
    error: DomainError | None = None,
) -> str:
    return render_admin(
        "admin/notice_form.html",
        section=_SECTION,
        receiver=found,
        channel=found.channel if found else (typed.get("channel") or [""])[0],
        name=(typed.get("name") or [""])[0],
        target=(typed.get("target") or [""])[0],
        which=(typed.get("which") or ["all"])[0],
        chosen=typed.get("topics", []),
        topics=[(topic.value, TOPIC_NAMES[topic], words) for topic, words in TOPICS.items()],
        error=error,
        is_local=is_local(settings()),
        most_name=MOST_NAME_CHARACTERS,
        most_target=MOST_URL_CHARACTERS,
    )


def _channel() -> Channel:
    try:
        return Channel(request.form.get("channel", ""))
    except ValueError:
        raise Invalid("Choose one of these.", field="channel") from None


def _read(channel: Channel) -> Wish:
    """Read what is asked for; raise Invalid where no topic is chosen."""
    form = request.form
    topics = form.getlist("topics") if form.get("which") == "some" else []
    if form.get("which") == "some" and not topics:
        raise Invalid("Choose at least one, or everything.", field="topics")
    return Wish(
        channel=channel,
        target=form.get("target", "").strip(),
        topics=topics,
        name=form.get("name", ""),
        local=is_local(settings()),
    )


def _signed(number: int) -> NoticeSubscriber:
    found = find_subscriber(db.session, number)
    if found.secret is None:
        raise Conflict("Only calls to webhooks are signed.")
    return found


def _tail(found: NoticeSubscriber) -> str:
    """Return by what one secret is told from another, and not guessed."""
    return (found.secret or "")[-4:]


def _senders() -> Senders:
    chosen = settings()
    client = WebhookClient(local=is_local(chosen), deadline_seconds=TEST_DEADLINE_SECONDS)
    url = chosen.mail_url
    return Senders(
        connect=None if url is None else smtp_server(url.get_secret_value()),
        sender=chosen.mail_from,
        post=client.post,
    )


def _status(error: DomainError) -> HTTPStatus:
    return HTTPStatus.CONFLICT if isinstance(error, Conflict) else HTTPStatus.UNPROCESSABLE_ENTITY


def _to(number: int) -> ResponseReturnValue:
    return redirect(f"{_LIST}/{number}", code=HTTPStatus.SEE_OTHER)
