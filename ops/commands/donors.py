"""`donors export|erase|statement`."""

from __future__ import annotations

import json

import click
from flask.cli import AppGroup

from core.clock import now
from core.db import db
from core.printing import sentences
from core.web import settings
from core.words import SOURCE_LANGUAGE
from ops.commands.noting import note
from payments.donating import find_donor
from payments.errors import DonorNotFound
from payments.letters import locale_of_donor
from payments.models import Donor
from payments.privacy import erase_donor, export_donor
from payments.statements import post_statement, read_statement, write_statement

donors = AppGroup("donors", help="What is held on a person, and its erasure.")


@donors.command("export")
@click.argument("email")
@sentences
def export(email: str) -> None:
    """Print all that is held on one donor, as JSON."""
    donor = _donor(email)
    told = export_donor(db.session, email)
    counts = {"gifts": len(told["donations"]), "mails": len(told["mails"])}
    note("donor.exported", f"donor:{donor.id}", counts)
    db.session.commit()
    click.echo(json.dumps(told, ensure_ascii=False, indent=2))


@donors.command("erase")
@click.argument("email")
@click.option("--yes", is_flag=True, help="Don't ask.")
@sentences
def erase(email: str, *, yes: bool) -> None:
    """Forget a donor: name, address, messages, mails. Totals stay to the cent."""
    if not yes:
        click.confirm(f"Forget {email}? There is no way back", abort=True)
    donor = _donor(email)
    erased = erase_donor(db.session, email, now=now())
    counts = {"gifts": erased.donations, "mails": erased.mails, "events": erased.events}
    note("donor.erased", f"donor:{donor.id}", counts)
    db.session.commit()
    click.echo(
        f"Erased: {erased.donations} donations keep their amounts and nobody's name,"
        f" {erased.mails} mails and {erased.events} of Stripe's events keep no words."
    )
    if erased.customer_ids:
        click.echo(f"Stripe keeps its own. Delete there: {', '.join(erased.customer_ids)}")


@donors.command("statement")
@click.argument("email")
@click.option("--year", type=int, required=True, help="The year, as in 2026.")
@click.option("--mail", is_flag=True, help="Mail it to the donor instead of printing it.")
@sentences
def statement(email: str, *, year: int, mail: bool) -> None:
    """Print what a donor gave in a year, or mail it to the donor."""
    session, chosen = db.session, settings()
    donor = _donor(email)
    locale = locale_of_donor(session, donor.id) or SOURCE_LANGUAGE
    if not mail:
        letter = write_statement(
            read_statement(session, donor, year),
            locale=locale,
            site_name=chosen.site_name,
            base_url=chosen.base_url,
        )
        click.echo(letter.text, nl=False)
        return
    if chosen.mail_url is None:
        raise click.ClickException("This site sends no mail: MAIL_URL says how it would.")
    is_new = post_statement(
        session,
        donor,
        year,
        locale=locale,
        site_name=chosen.site_name,
        base_url=chosen.base_url,
        now=now(),
    )
    if is_new:
        note("donor.statement_mailed", f"donor:{donor.id}", {"year": year})
    session.commit()
    click.echo(
        f"Posted to {donor.email}; the scheduler sends it."
        if is_new
        else "It was posted less than five minutes ago; once is enough."
    )


def _donor(email: str) -> Donor:
    donor = find_donor(db.session, email)
    if donor is None:
        raise DonorNotFound
    return donor
