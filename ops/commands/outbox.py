"""`outbox list|retry`."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from core.calls import OutboxCall
from core.clock import now
from core.db import db, read_session
from core.outbox import OutboxMail, retry_failed
from core.printing import masked, sentences, table
from core.sending import Sendable, SendState, list_posted, retry_given_up
from core.web import settings
from ops.commands.noting import SITE, note

outbox = AppGroup("outbox", help="See and retry mail, and calls to webhooks.")


@outbox.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@sentences
def list_outbox(*, limit: int) -> None:
    """List mails and calls, the newest first, with what became of each."""
    session = read_session()
    mails = list_posted(session, OutboxMail, limit=limit)
    calls = list_posted(session, OutboxCall, limit=limit)
    posted: list[Sendable] = sorted(
        [*mails, *calls], key=lambda row: (row.posted_at, row.id), reverse=True
    )[:limit]
    if not posted:
        click.echo("No mail and no calls.")
        return
    rows = [("POSTED", "KIND", "STATE", "TRIES", "TO", "ABOUT", "ERROR")]
    rows += [
        (
            f"{row.posted_at:%F %T} UTC",
            "mail" if isinstance(row, OutboxMail) else "call",
            str(row.state),
            str(row.attempts),
            row.recipient if isinstance(row, OutboxMail) else masked(row.recipient),
            row.subject if isinstance(row, OutboxMail) else row.key,
            row.error or "",
        )
        for row in posted
    ]
    click.echo(table(rows))
    if settings().mail_url is None and any(mail.state == SendState.WAITING for mail in mails):
        click.echo("No mail is sent: MAIL_URL is not set.")
    if any(row.state == SendState.FAILED for row in posted):
        click.echo("What failed was given up. `flask --app app outbox retry` sends it anew.")


@outbox.command("retry")
@sentences
def retry_outbox() -> None:
    """Have mails and calls that were given up sent anew."""
    mails = retry_failed(db.session, now=now())
    calls = retry_given_up(db.session, OutboxCall, now=now())
    if mails or calls:
        note("outbox.retried", SITE, {"mails": mails, "calls": calls})
    db.session.commit()
    if not mails and not calls:
        click.echo("Nothing was given up.")
        return
    click.echo(f"{mails} mails and {calls} calls wait for the scheduler.")
