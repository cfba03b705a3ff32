"""`scheduler run`, `doctor` and `demo`."""

from __future__ import annotations

import sys

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext

from core.clock import now
from core.db import db
from core.printing import sentences, sentences_on_any_tables
from core.web import settings
from ops import demo_data
from ops.advice import advise
from ops.health import examine
from ops.scheduler import run_scheduler
from ops.skew import compare_clocks
from payments.edge import current_gateway
from payments.fee_sums import verify_books

scheduler = AppGroup("scheduler", help="Run the jobs.")


@scheduler.command("run")
@with_appcontext
@sentences
def run() -> None:
    """Run the scheduler until it is stopped: rolls months, works the inbox, audits the books."""
    run_scheduler(current_app._get_current_object())  # type: ignore[attr-defined] # noqa: SLF001 - Flask's documented way


@click.command("doctor")
@with_appcontext
@sentences_on_any_tables
def doctor() -> None:
    """Look at everything that Goalpost needs, and say what to do about what is missing."""
    configured = settings()
    mode = "live" if configured.livemode else "test"
    stripe = "not set up: gifts are recorded by hand only"
    if configured.stripe_secret_key is not None:
        stripe = f"{mode} key" + (
            f", at the sandbox {configured.stripe_api_base}" if configured.stripe_api_base else ""
        )
    click.echo(f"  site       {configured.base_url} ({mode})")
    click.echo(f"  database   {db.engine.dialect.name}")
    click.echo(f"  Stripe     {stripe}")
    for name, told in advise(configured):
        click.echo(f"-- {name:<12} {told}")
    findings = list(examine())
    if all(finding.ok for finding in findings if finding.needed):
        findings += compare_clocks(db.session, current_gateway(), now=now)
    for finding in findings:
        click.echo(f"{'ok' if finding.ok else '!!'} {finding.name:<12} {finding.message}")
        if finding.detail:
            click.echo(f"{'':15} {finding.detail}")
    if all(finding.ok for finding in findings if finding.needed):
        audit = verify_books(db.session)
        right = not audit.differences
        click.echo(
            f"{'ok' if right else '!!'} {'ledger':<12} "
            + ("right" if right else "run `flask --app app ledger verify`")
        )
        if right and all(finding.ok for finding in findings):
            return
    sys.exit(1)


@click.command("demo")
@with_appcontext
@sentences
def demo() -> None:
    """Make the demo campaign with some months of history. Repeating it changes nothing."""
    if settings().livemode:
        raise click.ClickException("A live site gets no demo campaign.")
    with click.progressbar(
        length=demo_data.STEPS, label="Demo campaign", file=sys.stderr
    ) as progress:
        made = demo_data.make_demo(db.session, now=now(), step=lambda: progress.update(1))
        db.session.commit()
    click.echo("Made" if made else "It is there already:", nl=False)
    click.echo(f" {settings().base_url}/c/{demo_data.SLUG}")
