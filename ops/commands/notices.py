"""`notices add|list|off|on|remove|rotate|test`."""

from __future__ import annotations

from datetime import timedelta

import click
from flask.cli import AppGroup

from core.auditlog import COMMAND_LINE
from core.clock import now
from core.db import db, read_session
from core.notices import post_test, remove_subscriber, turn_off, turn_on
from core.printing import sentences, table
from core.subscribers import (
    MOST_OVERLAP,
    TOPICS,
    Channel,
    NoticeSubscriber,
    Wish,
    add_subscriber,
    find_subscriber,
    list_subscribers,
    rotate_secret,
)
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
    _add(Channel.MAIL, address, topics)
    if settings().mail_url is None:
        click.echo("Note: MAIL_URL is not set, so no mail is sent until it is.", err=True)


@add.command("chat", epilog=_TOPIC_LINES)
@click.argument("url")
@_topics
@sentences
def add_chat(url: str, *, topics: tuple[str, ...]) -> None:
    """Have notices posted to a chat, as Slack and those like it take them."""
    _add(Channel.CHAT, url, topics)


@add.command("webhook", epilog=_TOPIC_LINES)
@click.argument("url")
@_topics
@sentences
def add_webhook(url: str, *, topics: tuple[str, ...]) -> None:
    """Have notices posted to a service of yours, with their data, signed."""
    added = _add(Channel.WEBHOOK, url, topics)
    click.echo("Calls are signed with this secret, which is not shown again:")
    click.echo(added.secret)


def _add(channel: Channel, target: str, topics: tuple[str, ...]) -> NoticeSubscriber:
    wish = Wish(channel=channel, target=target, topics=topics, local=is_local(settings()))
    added = add_subscriber(db.session, wish, actor=COMMAND_LINE, now=now())
    db.session.commit()
    click.echo(f"Number {added.id} has notices: {_topics_of(added)}.")
    click.echo(f"`flask --app app notices test {added.id}` sends one to try it.")
    return added


@notices.command("list")
@sentences
def list_() -> None:
    """List who has notices, and of what."""
    found = list_subscribers(read_session())
    if not found:
        click.echo("Nobody has notices. See `flask --app app notices add --help`.")
        return
    rows = [("NUMBER", "BY", "TO", "TOPICS", "STATE", "SINCE")]
    rows += [
        (
            str(row.id),
            row.channel,
            row.shown_target,
            _topics_of(row),
            "on" if row.is_on else "off",
            f"{row.created_at:%F}",
        )
        for row in found
    ]
    click.echo(table(rows))


def _topics_of(subscriber: NoticeSubscriber) -> str:
    return subscriber.topics.replace(",", ", ") or "all"


@notices.command("off")
@click.argument("number", type=int)
@sentences
def off(number: int) -> None:
    """Tell somebody nothing for a while; what waits to be sent there is dropped."""
    turn_off(db.session, find_subscriber(db.session, number), actor=COMMAND_LINE, now=now())
    db.session.commit()
    click.echo(f"Number {number} is off. `flask --app app notices on {number}` turns it on.")


@notices.command("on")
@click.argument("number", type=int)
@sentences
def on(number: int) -> None:
    """Tell somebody again what happens, from now on."""
    turn_on(db.session, find_subscriber(db.session, number), actor=COMMAND_LINE, now=now())
    db.session.commit()
    click.echo(f"Number {number} is on.")


@notices.command("rotate")
@click.argument("number", type=int)
@click.option(
    "--overlap-hours",
    default=24,
    show_default=True,
    type=click.IntRange(0, int(MOST_OVERLAP.total_seconds() // 3600)),
    help="For how long calls are signed with the secret of before, too.",
)
@sentences
def rotate(number: int, *, overlap_hours: int) -> None:
    """Sign calls to a webhook with a new secret."""
    subscriber = find_subscriber(db.session, number)
    overlap = timedelta(hours=overlap_hours)
    rotate_secret(db.session, subscriber, overlap=overlap, actor=COMMAND_LINE, now=now())
    db.session.commit()
    click.echo("Calls are signed with this secret, which is not shown again:")
    click.echo(subscriber.secret)


@notices.command("remove")
@click.argument("number", type=int)
@sentences
def remove(number: int) -> None:
    """Send somebody no more notices; what waits to be sent there is dropped."""
    subscriber = find_subscriber(db.session, number)
    remove_subscriber(db.session, subscriber, actor=COMMAND_LINE, now=now())
    db.session.commit()
    click.echo(f"Number {number} has no more notices by {subscriber.channel}.")


@notices.command("test")
@click.argument("number", type=int)
@sentences
def test(number: int) -> None:
    """Post a notice to somebody, to see whether it arrives."""
    subscriber = find_subscriber(db.session, number)
    post_test(db.session, subscriber, site=settings().base_url, actor=COMMAND_LINE, now=now())
    db.session.commit()
    click.echo(
        "Posted. The scheduler sends it; `flask --app app outbox list` shows what came of it."
    )
