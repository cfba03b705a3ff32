"""`tokens create|list|revoke`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click
from flask.cli import AppGroup

from admin.models import ApiToken
from admin.tokens import (
    Life,
    NewToken,
    Scope,
    issue_token,
    list_tokens,
    revoke_token,
    token_by_id,
)
from core.auditlog import COMMAND_LINE
from core.clock import now
from core.db import db, read_session
from core.printing import sentences, table

tokens = AppGroup("tokens", help="Let programs in to the admin's API.")


@tokens.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([str(scope) for scope in Scope]),
    multiple=True,
    required=True,
    help="What it may do; repeat it for each.",
)
@click.option(
    "--days",
    type=click.Choice([str(life) for life in Life]),
    default=Life.QUARTER.value,
    show_default=True,
    help="For how long it works.",
)
@sentences
def create(name: str, *, scopes: Sequence[str], days: str) -> None:
    """Make a token for a program, and print it: it is kept nowhere."""
    new = NewToken(name=name, scopes=[Scope(scope) for scope in scopes], life=Life(days))
    token, text = issue_token(db.session, new, actor=COMMAND_LINE, now=now())
    db.session.commit()
    # To stderr, so that the token alone can be sent on to where secrets are kept.
    click.echo(f"Number {token.id}, {_until(token)}. It is shown this once:", err=True)
    click.echo(text)


@tokens.command("list")
@sentences
def list_() -> None:
    """List the tokens that work, and those that were over last."""
    instant = now()
    found = list_tokens(read_session(), now=instant)
    if not found:
        click.echo("There are no tokens. See `flask --app app tokens create --help`.")
        return
    rows = [("NUMBER", "NAME", "MAY", "MADE BY", "WORKS", "USED")]
    rows += [
        (
            str(token.id),
            token.name,
            token.scopes,
            token.created_by,
            _works(token, instant),
            f"{token.used_at:%F}" if token.used_at else "never",
        )
        for token in found
    ]
    click.echo(table(rows))


@tokens.command("revoke")
@click.argument("number", type=click.IntRange(min=1))
@sentences
def revoke(number: int) -> None:
    """Let nobody in by a token any more. Repeating it changes nothing."""
    token = token_by_id(db.session, number)
    revoke_token(db.session, token, actor=COMMAND_LINE, now=now())
    db.session.commit()
    click.echo(f"{token.name} is not let in any more.")


def _works(token: ApiToken, instant: datetime) -> str:
    if token.revoked_at is not None:
        return f"revoked {token.revoked_at:%F}"
    return _until(token) if token.is_live(instant) else f"ended {token.expires_at:%F}"


def _until(token: ApiToken) -> str:
    return "until revoked" if token.expires_at is None else f"until {token.expires_at:%F}"
