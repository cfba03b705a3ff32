"""`outbox list|retry`."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from core.clock import now
from core.db import db, read_session
from core.outbox import OutboxMail, retry_failed
from core.sending import SendState, list_posted
from ops.commands.printing import sentences, table

outbox = AppGroup("outbox", help="See and retry mail.")


@outbox.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@sentences
def list_outbox(*, limit: int) -> None:
    """List mails, the newest first, with what became of each."""
    mails = list_posted(read_session(), OutboxMail, limit=limit)
    if not mails:
        click.echo("No mail.")
        return
    rows = [("POSTED", "STATE", "TRIES", "TO", "SUBJECT", "ERROR")]
    rows += [
        (
            f"{mail.posted_at:%F %T} UTC",
            str(mail.state),
            str(mail.attempts),
            mail.recipient,
            mail.subject,
            mail.error or "",
        )
        for mail in mails
    ]
    click.echo(table(rows))
    if any(mail.state == SendState.FAILED for mail in mails):
        click.echo("What failed was given up. `flask --app app outbox retry` sends it anew.")


@outbox.command("retry")
@sentences
def retry_outbox() -> None:
    """Have mails that were given up sent anew."""
    count = retry_failed(db.session, now=now())
    db.session.commit()
    click.echo(f"{count} mails wait for the scheduler." if count else "Nothing was given up.")
