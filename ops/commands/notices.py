"""`notices add|list|remove|test`."""

from __future__ import annotations

import secrets

import click
from flask.cli import AppGroup

from core.clock import now
from core.db import db, read_session
from core.notices import (
    TOPICS,
    Channel,
    Notice,
    NoticeSubscriber,
    Topic,
    add_mail_subscriber,
    add_webhook_subscriber,
    find_subscriber,
    list_subscribers,
    notify_one,
    remove_subscriber,
)
from core.printing import masked, sentences, table
from core.web import settings
from core.webhooks import is_local

notices = AppGroup("notices", help="Decide who is told of what.")
add = AppGroup("add", help="Have notices sent to somebody, or to a service.")
notices.add_command(add)

_TOPIC_LINES = "\b\n" + "\n".join(f"{topic:<10} {told}" for topic, told in TOPICS.items())
_topics = click.option(
    "--topic", "topics", multiple=True, metavar="TOPIC", help="Only of this. Repeat for several."
)


@add.command("mail", epilog=_TOPIC_LINES)
@click.argument("address")
@_topics
@sentences
def add_mail(address: str, *, topics: tuple[str, ...]) -> None:
    """Have notices mailed to an address: all of them, or those of the topics named."""
    added = add_mail_subscriber(db.session, address, topics=topics, now=now())
    db.session.commit()
    _say_added(added)
    if settings().mail_url is None:
        click.echo("Note: MAIL_URL is not set, so no mail is sent until it is.", err=True)


@add.command("webhook", epilog=_TOPIC_LINES)
@click.argument("url")
@_topics
@sentences
def add_webhook(url: str, *, topics: tuple[str, ...]) -> None:
    """Have notices posted to an address, as Slack and those like it take them; signed."""
    local = is_local(settings())
    added = add_webhook_subscriber(db.session, url, topics=topics, local=local, now=now())
    db.session.commit()
    _say_added(added)
    click.echo("Calls are signed with this secret, which is not shown again:")
    click.echo(added.secret)


def _say_added(added: NoticeSubscriber) -> None:
    click.echo(f"Number {added.id} has notices: {_topics_of(added)}.")
    click.echo(f"`flask --app app notices test {added.id}` sends one to try it.")


@notices.command("list")
@sentences
def list_() -> None:
    """List who has notices, and of what."""
    found = list_subscribers(read_session())
    if not found:
        click.echo("Nobody has notices. See `flask --app app notices add --help`.")
        return
    rows = [("NUMBER", "BY", "TO", "TOPICS", "SINCE")]
    rows += [
        (
            str(row.id),
            row.channel,
            row.target if row.channel == Channel.MAIL else masked(row.target),
            _topics_of(row),
            f"{row.created_at:%F}",
        )
        for row in found
    ]
    click.echo(table(rows))


def _topics_of(subscriber: NoticeSubscriber) -> str:
    return subscriber.topics.replace(",", ", ") or "all"


@notices.command("remove")
@click.argument("number", type=int)
@sentences
def remove(number: int) -> None:
    """Send somebody no more notices; what waits to be sent there is dropped."""
    removed = remove_subscriber(db.session, number)
    db.session.commit()
    click.echo(f"Number {number} has no more notices by {removed.channel}.")


@notices.command("test")
@click.argument("number", type=int)
@sentences
def test(number: int) -> None:
    """Post a notice to somebody, to see whether it arrives."""
    notice = Notice(
        topic=Topic.TEST,
        key=f"test:{secrets.token_hex(8)}",
        subject="A notice to try it",
        text=f"If you read this, notices of {settings().base_url} reach you.",
    )
    notify_one(db.session, find_subscriber(db.session, number), notice, now=now())
    db.session.commit()
    click.echo(
        "Posted. The scheduler sends it; `flask --app app outbox list` shows what came of it."
    )
