"""`guard status|open`."""

from __future__ import annotations

import click
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from campaigns.catalog import find_campaign, list_campaigns
from campaigns.fields import subject_of
from core.clock import now
from core.db import db, read_session
from core.printing import sentences, table
from ops.commands import noting
from payments.edge import current_limits
from payments.guarding import SITE, campaign_scope, read_standings, reset

guard = AppGroup("guard", help="See and take off the guard against card testing.")


@guard.command("status")
@sentences
def status() -> None:
    """Show what payments were begun in the last hour, and which forms are guarded."""
    limits = current_limits()
    if limits is None:
        click.echo("The guard is off: RATELIMIT_ENABLED is false.")
        return
    session = read_session()
    slugs = _slugs(session)
    rows: list[tuple[str, ...]] = [
        ("FORM", "BEGUN", "PAID", "ON THEIR WAY", "TURNED DOWN", "SENT BACK", "STATE")
    ]
    for standing in read_standings(session, limits, now=now()):
        counts = standing.counts
        numbers = (counts.begun, counts.paid, counts.agreed, counts.failed, counts.refused)
        name = slugs.get(standing.scope, standing.scope)
        state = "open"
        if standing.is_guarded:
            state = f"guarded until {standing.calm_at:%F %T} UTC, if it is calm"
        rows.append((name, *map(str, numbers), state))
    click.echo(table(rows))


@guard.command("open")
@click.argument("form")
@sentences
def open_form(*, form: str) -> None:
    """Take the guard off a campaign's form (or, by `site`, off all), and count anew."""
    session = db.session
    campaign = None if form == SITE else find_campaign(session, form, drafts=True)
    reset(session, campaign)
    noting.note("guard.opened", noting.SITE if campaign is None else subject_of(campaign))
    session.commit()
    click.echo("Every form is open." if form == SITE else f"The form of {form} is open.")


def _slugs(session: Session) -> dict[str, str]:
    return {campaign_scope(campaign.id): campaign.slug for campaign in list_campaigns(session)}
