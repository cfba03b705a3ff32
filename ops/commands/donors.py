"""`donors export|erase`."""

from __future__ import annotations

import json

import click
from flask.cli import AppGroup

from core.clock import now
from core.db import db, read_session
from ops.commands.printing import sentences
from payments.privacy import erase_donor, export_donor

donors = AppGroup("donors", help="What is held on a person, and its erasure.")


@donors.command("export")
@click.argument("email")
@sentences
def export(email: str) -> None:
    """Print all that is held on one donor, as JSON."""
    click.echo(json.dumps(export_donor(read_session(), email), ensure_ascii=False, indent=2))


@donors.command("erase")
@click.argument("email")
@click.option("--yes", is_flag=True, help="Don't ask.")
@sentences
def erase(email: str, *, yes: bool) -> None:
    """Forget a donor: name, address, messages, mails. Totals stay to the cent."""
    if not yes:
        click.confirm(f"Forget {email}? There is no way back", abort=True)
    erased = erase_donor(db.session, email, now=now())
    db.session.commit()
    click.echo(
        f"Erased: {erased.donations} donations keep their amounts and nobody's name,"
        f" {erased.mails} mails and {erased.events} of Stripe's events keep no words."
    )
    if erased.customer_ids:
        click.echo(f"Stripe keeps its own. Delete there: {', '.join(erased.customer_ids)}")
