"""`ledger verify|adjustments` and `quarantine list|release|refuse`."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup

from campaigns.adjustments import list_adjustments
from campaigns.catalog import find_campaign
from campaigns.labels import money_label
from core.auditlog import COMMAND_LINE
from core.cadence import checked_key
from core.clock import now
from core.db import db, read_session
from core.money import format_money
from core.printing import PLAIN, sentences, table
from core.web import settings
from payments import quarantine as held_money
from payments.edge import current_gateway, open_session
from payments.errors import PaymentsNotSetUp
from payments.fee_sums import verify_books
from payments.models import QuarantineState
from payments.releasing import release_held

ledger = AppGroup("ledger", help="Check the books.")
quarantine = AppGroup("quarantine", help="Decide about money that is not counted.")


@ledger.command("verify")
@sentences
def verify() -> None:
    """Recompute every total from the entries; exit with 1 and the differences where they are."""
    audit = verify_books(read_session())
    for difference in audit.differences:
        click.echo(str(difference), err=True)
    if audit.differences:
        click.echo(f"{len(audit.differences)} differences.", err=True)
        sys.exit(1)
    click.echo(f"The books are right: {audit.entries} entries in {audit.periods} periods.")


@ledger.command("adjustments")
@click.argument("slug")
@click.option("--period", help="Only those of this month: 2021-05.")
@sentences
def adjustments(slug: str, *, period: str | None) -> None:
    """List what changed closed months after their end: why they are not as they were announced."""
    session = read_session()
    key = checked_key(period) if period else None
    campaign = find_campaign(session, slug, drafts=True)
    found = list_adjustments(session, slug, period_key=key)
    if not found:
        click.echo("Every closed month is as it was announced.")
        return
    rows = [("PERIOD", "POSTED", "REFERENCE", "AMOUNT", "CAUSE")]
    rows += [
        (
            entry.period_key,
            f"{entry.posted_at:%F %T} UTC",
            entry.reference,
            money_label(campaign, entry.amount_minor),
            entry.cause,
        )
        for entry in found
    ]
    click.echo(table(rows))


@quarantine.command("list")
@click.option("--state", type=click.Choice([state.value for state in QuarantineState]))
@sentences
def list_quarantine(*, state: str | None) -> None:
    """List money that came in and is not counted, and what was decided about it."""
    found = held_money.list_quarantined(
        read_session(), state=QuarantineState(state) if state else None
    )
    if not found:
        click.echo("Nothing in quarantine.")
        return
    rows = [("PAYMENT", "STATE", "AMOUNT", "PAID", "REASON")]
    rows += [
        (
            row.reference,
            str(row.state),
            format_money(row.amount_minor, row.currency, locale=PLAIN),
            f"{row.paid_at:%F %T} UTC",
            row.reason,
        )
        for row in found
    ]
    click.echo(table(rows))


@quarantine.command("release")
@click.argument("reference")
@click.option("--campaign", help="Which campaign it is for, where that is not known.")
@sentences
def release(reference: str, *, campaign: str | None) -> None:
    """Count held money, as a gift to the campaign that it was meant for or that is named."""
    gateway = current_gateway()
    if gateway is None:
        raise PaymentsNotSetUp("There is no Stripe key: Stripe must be asked how the money stands.")
    outcome = release_held(
        open_session,
        gateway,
        reference,
        slug=campaign,
        actor=COMMAND_LINE,
        livemode=settings().livemode,
        now=now,
    )
    click.echo(f"Released: {outcome}.")


@quarantine.command("refuse")
@click.argument("reference")
@sentences
def refuse(reference: str) -> None:
    """Never count held money. Refund it at Stripe if it should go back."""
    held_money.refuse(db.session, reference, actor=COMMAND_LINE, now=now())
    db.session.commit()
    click.echo(f"Refused: {reference} is not counted. It is still in your Stripe account.")
