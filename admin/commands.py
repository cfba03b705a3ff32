"""`users create|list|link|role|disable|enable|reset-factors|first-link`."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from admin.first import link_address
from admin.links import first_link, issue_link
from admin.models import LinkPurpose, User
from admin.roles import Role
from admin.users import (
    add_user,
    change_role,
    disable_user,
    enable_user,
    find_user,
    list_users,
    reset_factors,
)
from core.auditlog import COMMAND_LINE, record
from core.clock import now
from core.db import db, read_session
from core.printing import sentences, table

users = AppGroup("users", help="Decide who may sign in to the admin.")
_ROLES = click.Choice([str(role) for role in Role])


@users.command("create")
@click.argument("email")
@click.option(
    "--role", type=_ROLES, default=Role.OWNER.value, show_default=True, help="What they may do."
)
@sentences
def create(email: str, *, role: str) -> None:
    """Make a user, and print the link by which they choose a password."""
    user = add_user(db.session, email, Role(role), actor=COMMAND_LINE, now=now())
    _say_link(user)


@users.command("link")
@click.argument("email")
@sentences
def link(email: str) -> None:
    """Print a new link by which a user chooses a password."""
    user = find_user(db.session, email)
    record(db.session, COMMAND_LINE, "user.link_made", subject=f"user:{user.id}", now=now())
    _say_link(user)


def _say_link(user: User) -> None:
    token = issue_link(db.session, user, LinkPurpose.INVITE, now=now())
    db.session.commit()
    click.echo(f"{user.email} ({user.role}) chooses a password here, once, within three days:")
    click.echo(link_address(token))


@users.command("first-link")
@sentences
def first_link_() -> None:
    """Print the link that makes the first owner; nothing where there are users."""
    token = first_link(db.session, now=now())
    if token is not None:
        record(db.session, COMMAND_LINE, "user.first_link_made", subject="site", now=now())
    db.session.commit()
    if token is not None:
        click.echo(link_address(token))


@users.command("list")
@sentences
def list_() -> None:
    """List who may sign in."""
    found = list_users(read_session())
    if not found:
        click.echo("Nobody may sign in yet. See `flask --app app users create --help`.")
        return
    rows = [("ADDRESS", "ROLE", "ACTIVE", "FACTOR", "SEEN")]
    rows += [
        (
            row.user.email,
            row.user.role,
            "yes" if row.user.active else "no",
            "two" if row.user.has_second_factor else "one",
            f"{row.seen_at:%F}" if row.seen_at else "never",
        )
        for row in found
    ]
    click.echo(table(rows))


@users.command("role")
@click.argument("email")
@click.argument("role", type=_ROLES)
@sentences
def role_(email: str, *, role: str) -> None:
    """Give a user another role, and end their sessions."""
    user = find_user(db.session, email)
    change_role(db.session, user, Role(role), actor=COMMAND_LINE, now=now())
    db.session.commit()
    click.echo(f"{user.email} is {user.role} now.")


@users.command("disable")
@click.argument("email")
@sentences
def disable(email: str) -> None:
    """Let a user in no more, and end their sessions."""
    user = find_user(db.session, email)
    disable_user(db.session, user, actor=COMMAND_LINE, now=now())
    db.session.commit()
    click.echo(f"{user.email} can't sign in any more.")


@users.command("enable")
@click.argument("email")
@sentences
def enable(email: str) -> None:
    """Let a user in again."""
    user = find_user(db.session, email)
    enable_user(db.session, user, actor=COMMAND_LINE, now=now())
    db.session.commit()
    click.echo(f"{user.email} can sign in again.")


@users.command("reset-factors")
@click.argument("email")
@sentences
def reset(email: str) -> None:
    """Take away the second factors of a user who has lost them."""
    user = find_user(db.session, email)
    reset_factors(db.session, user, actor=COMMAND_LINE, now=now())
    db.session.commit()
    click.echo(f"{user.email} signs in by the password alone, until something more is set up.")
