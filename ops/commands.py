"""The command line: each command parses, calls one service, commits once, and prints."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, time
from functools import wraps
from typing import ParamSpec, TypeVar

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext

from campaigns.audit import verify_ledger
from campaigns.catalog import (
    NewCampaign,
    create_campaign,
    find_campaign,
    list_campaigns,
    publish_campaign,
)
from campaigns.labels import money_label
from campaigns.models import Campaign, CampaignState
from campaigns.periods import due_campaign_ids, roll_campaign
from campaigns.progress import instant_text, read_progress
from core.clock import now
from core.db import db, read_session
from core.errors import DomainError, Invalid
from core.money import known_currency, parse_amount
from core.months import Month, first_instant
from core.web import settings
from ops import demo_data, jobs
from ops.health import examine
from ops.scheduler import run_scheduler
from payments.donating import ListedDonation, OfflineGift, list_donations, record_offline_gift
from payments.inbox import list_events, retry_events
from payments.models import InboxState

P = ParamSpec("P")
R = TypeVar("R")
# Amounts on the command line are plain numbers, whatever the campaign's language: 2500 or 20.50.
_PLAIN = "en"
_NOON = time(12)


def _sentences(command: Callable[P, R]) -> Callable[P, R]:
    """Print a DomainError as one sentence, and leave with status 1."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except DomainError as error:
            raise click.ClickException(error.message) from None

    return run


def init_app(app: Flask) -> None:
    """Register the commands."""
    for command in (campaigns, donations, ledger, inbox, scheduler, doctor, demo):
        app.cli.add_command(command)


campaigns = AppGroup("campaigns", help="Create, list and roll campaigns.")
donations = AppGroup("donations", help="Record and list donations.")
ledger = AppGroup("ledger", help="Check the books.")
inbox = AppGroup("inbox", help="See and retry Stripe's events.")
scheduler = AppGroup("scheduler", help="Run the jobs.")


@campaigns.command("create")
@click.argument("slug")
@click.option("--title", required=True, help="What readers see, as in “Support us”.")
@click.option("--currency", required=True, help="ISO 4217 code, as in USD.")
@click.option("--timezone", required=True, help="IANA zone in which months begin.")
@click.option("--tier", "tiers", multiple=True, help="A goal on the bar; repeat for more.")
@click.option("--money-format", help="As in '{amount} {symbol}'; else the locale decides.")
@click.option("--locale", default="en", show_default=True, help="Language of the labels.")
@click.option("--description", default="", help="What the money is for.")
@click.option("--draft", is_flag=True, help="Keep it unseen until `campaigns publish`.")
@_sentences
def create(
    slug: str,
    *,
    title: str,
    currency: str,
    timezone: str,
    tiers: tuple[str, ...],
    money_format: str | None,
    locale: str,
    description: str,
    draft: bool,
) -> None:
    """Create a campaign and its first period."""
    code = known_currency(currency)
    new = NewCampaign(
        slug=slug,
        title=title,
        currency=code,
        timezone=timezone,
        tiers_minor=tuple(parse_amount(tier, code, locale=_PLAIN) for tier in tiers),
        money_format=money_format,
        locale=locale,
        description=description,
        draft=draft,
    )
    campaign = create_campaign(db.session, new, now=now())
    db.session.commit()
    click.echo(f"Created {campaign.slug}: {settings().base_url}/c/{campaign.slug}")


@campaigns.command("publish")
@click.argument("slug")
@_sentences
def publish(slug: str) -> None:
    """Show a draft to the public."""
    campaign = publish_campaign(db.session, slug)
    db.session.commit()
    click.echo(f"{campaign.slug} is {campaign.state}: {settings().base_url}/c/{campaign.slug}")


@campaigns.command("list")
@_sentences
def list_() -> None:
    """List all campaigns, drafts too, with what the present period has raised."""
    session = read_session()
    rows = [("SLUG", "STATE", "PERIOD", "RAISED", "TIERS", "ZONE", "TITLE")]
    for campaign in list_campaigns(session, drafts=True):
        tiers = ", ".join(money_label(campaign, tier.amount_minor) for tier in campaign.tiers)
        period, raised = _standing(campaign)
        rows.append(
            (
                campaign.slug,
                str(campaign.state),
                period,
                raised,
                tiers or "none",
                campaign.timezone,
                campaign.title,
            )
        )
    if len(rows) == 1:
        click.echo("No campaign yet. Make one with `flask --app app campaigns create --help`.")
        return
    click.echo(_table(rows))


def _standing(campaign: Campaign) -> tuple[str, str]:
    if campaign.state == CampaignState.DRAFT:
        return "-", "-"
    progress = read_progress(db.session, campaign.slug, now=now(), base_url=settings().base_url)
    return progress.period.key, progress.raised_label


@campaigns.command("roll")
@click.option("--dry-run", is_flag=True, help="Say what would be closed, and change nothing.")
@_sentences
def roll(*, dry_run: bool) -> None:
    """Close every period that has ended and open the next one."""
    if dry_run:
        rolled = [
            period
            for campaign_id in due_campaign_ids(db.session, now=now())
            for period in roll_campaign(db.session, campaign_id, now=now())
        ]
        db.session.rollback()
    else:
        rolled = jobs.roll()
    verb = "Would close" if dry_run else "Closed"
    for period in rolled:
        label = money_label(
            find_campaign(db.session, period.slug, drafts=True), period.as_closed_minor
        )
        click.echo(f"{verb} {period.slug} {period.key} at {label}; next is {period.opened_key}.")
    if not rolled:
        click.echo("Nothing to roll.")


@donations.command("record")
@click.argument("slug")
@click.option("--amount", required=True, help="In whole units, as in 520 or 20.50.")
@click.option("--on", "day", help="The day it was given, in the campaign's zone: 2021-05-10.")
@click.option("--note", help="Where it came from, for the books.")
@_sentences
def record(slug: str, *, amount: str, day: str | None, note: str | None) -> None:
    """Record a gift that came without Stripe: a bank transfer, a cheque, another processor."""
    campaign = find_campaign(db.session, slug, drafts=True)
    gift = OfflineGift(
        amount_minor=parse_amount(amount, campaign.currency, locale=_PLAIN),
        paid_at=now() if day is None else _noon(day, campaign),
        note=note[:255] if note else None,
    )
    donation = record_offline_gift(db.session, slug, gift, now=now())
    db.session.commit()
    click.echo(f"Recorded {money_label(campaign, donation.amount_minor)} as {donation.id}.")


def _noon(day: str, campaign: Campaign) -> datetime:
    """Return noon of that day in the campaign's zone, or now where the day is today."""
    try:
        wall = datetime.strptime(day, "%Y-%m-%d")  # noqa: DTZ007 - a wall day on purpose
    except ValueError:
        raise Invalid(f"“{day}” is not a day. Write it as 2021-05-10.", field="on") from None
    noon = first_instant(datetime.combine(wall, _NOON), campaign.zone)
    instant = now()
    return instant if instant.astimezone(campaign.zone).date() == wall.date() else noon


@donations.command("list")
@click.argument("slug")
@click.option("--period", help="Only what counts in this month: 2021-05.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
)
@_sentences
def list_donations_(slug: str, *, period: str | None, format_: str) -> None:
    """List a campaign's donations, newest first."""
    session = read_session()
    key = Month.parse(period).key if period else None
    campaign = find_campaign(session, slug, drafts=True)
    listed = list_donations(session, slug, period_key=key)
    if format_ == "json":
        click.echo(json.dumps([_donation_json(row) for row in listed], indent=2))
    elif format_ == "csv":
        click.echo(_donations_csv(listed), nl=False)
    elif not listed:
        click.echo("No donations yet.")
    else:
        rows = [("DONATION", "STATE", "PERIOD", "AMOUNT", "COUNTED", "GIVEN", "NOTE")]
        rows += [
            (
                row.donation.id,
                str(row.donation.state),
                row.period_key or "-",
                money_label(campaign, row.donation.amount_minor),
                money_label(campaign, row.counted_minor),
                f"{(row.donation.paid_at or row.donation.created_at):%F %T} UTC",
                row.donation.note or row.donation.quarantine_reason or "",
            )
            for row in listed
        ]
        click.echo(_table(rows))


def _donation_json(row: ListedDonation) -> dict[str, object]:
    donation = row.donation
    return {
        "id": donation.id,
        "state": str(donation.state),
        "reference": donation.reference,
        "period": row.period_key,
        "currency": donation.currency,
        "amount_minor": donation.amount_minor,
        "counted_minor": row.counted_minor,
        "created_at": instant_text(donation.created_at),
        "paid_at": instant_text(donation.paid_at) if donation.paid_at else None,
        "source": donation.source,
        "slot": donation.slot,
        "note": donation.note,
    }


def _donations_csv(listed: Sequence[ListedDonation]) -> str:
    out = io.StringIO()
    rows = [_donation_json(row) for row in listed]
    names = list(rows[0]) if rows else ["id"]
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([_formula_safe(value) for value in row.values()] for row in rows)
    return out.getvalue()


def _formula_safe(value: object) -> object:
    """Keep spreadsheets from running a cell (OWASP: CSV injection)."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


@ledger.command("verify")
@_sentences
def verify() -> None:
    """Recompute every total from the entries; exit with 1 and the differences where they are."""
    audit = verify_ledger(read_session())
    for difference in audit.differences:
        click.echo(
            f"{difference.where}: {difference.figure} is kept as {difference.kept},"
            f" the entries say {difference.recomputed}",
            err=True,
        )
    if audit.differences:
        click.echo(f"{len(audit.differences)} differences.", err=True)
        sys.exit(1)
    click.echo(f"The books are right: {audit.entries} entries in {audit.periods} periods.")


@inbox.command("list")
@click.option("--state", type=click.Choice([state.value for state in InboxState]))
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@_sentences
def list_inbox(*, state: str | None, limit: int) -> None:
    """List Stripe's events, the newest first, with what came of each."""
    events = list_events(read_session(), state=InboxState(state) if state else None, limit=limit)
    if not events:
        click.echo("No events.")
        return
    rows = [("EVENT", "TYPE", "STATE", "TRIES", "RECEIVED", "OUTCOME")]
    rows += [
        (
            event.event_id,
            event.type,
            str(event.state),
            str(event.attempts),
            f"{event.received_at:%F %T} UTC",
            event.outcome or "",
        )
        for event in events
    ]
    click.echo(_table(rows))


@inbox.command("retry")
@click.argument("event_id", required=False)
@_sentences
def retry_inbox(event_id: str | None) -> None:
    """Work failed events now, or the one that is named, whatever became of it before."""
    count = retry_events(db.session, now=now(), event_id=event_id)
    db.session.commit()
    jobs.work_inbox()
    click.echo(f"Tried {count} events again; `inbox list` shows what came of them.")


@scheduler.command("run")
@with_appcontext
def run() -> None:
    """Run the scheduler until it is stopped: rolls months, works the inbox, audits the books."""
    run_scheduler(current_app._get_current_object())  # type: ignore[attr-defined] # noqa: SLF001 - Flask's documented way


@click.command("doctor")
@with_appcontext
@_sentences
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
    findings = list(examine())
    for finding in findings:
        click.echo(f"{'ok' if finding.ok else '!!'} {finding.name:<12} {finding.message}")
    if all(finding.ok for finding in findings if finding.needed):
        audit = verify_ledger(db.session)
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
@_sentences
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


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
