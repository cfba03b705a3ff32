"""`users create|list`."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from admin.roles import Role
from admin.users import add_user, list_users
from core.auditlog import COMMAND_LINE
from core.clock import now
from core.db import db, read_session
from core.printing import sentences, table

users = AppGroup("users", help="Decide who may sign in.")


@users.command("create")
@click.argument("email")
@click.option(
    "--role",
    type=click.Choice([str(role) for role in Role]),
    default=Role.OWNER.value,
    show_default=True,
    help="What they may do.",
)
@sentences
def create(email: str, *, role: str) -> None:
    """Make a user, and print the link by which they choose a password."""
    user = add_user(db.session, email, Role(role), actor=COMMAND_LINE, now=now())
    db.session.commit()
    click.echo(f"{user.email} is {user.role}.")


@users.command("list")
@sentences
def list_() -> None:
    """List who may sign in."""
    found = list_users(read_session())
    if not found:
        click.echo("Nobody may sign in yet. See `flask --app app users create --help`.")
        return
    rows = [("ADDRESS", "ROLE", "ACTIVE", "SINCE")]
    rows += [
        (user.email, user.role, "yes" if user.active else "no", f"{user.created_at:%F}")
        for user in found
    ]
    click.echo(table(rows))
