"""`donations record|list`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime, time

import click
from flask.cli import AppGroup

from campaigns.catalog import find_campaign
from campaigns.labels import money_label
from campaigns.models import Campaign
from campaigns.progress import instant_text
from core.cadence import checked_key
from core.clock import now
from core.csv_file import guarded
from core.dates import day_of
from core.db import db, read_session
from core.money import parse_amount
from core.printing import PLAIN, sentences, table
from core.zones import first_instant
from ops.commands import noting
from payments.donating import ListedDonation, OfflineGift, list_donations, record_offline_gift

_NOON = time(12)

donations = AppGroup("donations", help="Record and list donations.")


@donations.command("record")
@click.argument("slug")
@click.option("--amount", required=True, help="In whole units, as in 520 or 20.50.")
@click.option("--on", "day", help="The day it was given, in the campaign's zone: 2021-05-10.")
@click.option("--note", help="Where it came from, for the books.")
@sentences
def record(slug: str, *, amount: str, day: str | None, note: str | None) -> None:
    """Record a gift that came without Stripe: a bank transfer, a cheque, another processor."""
    campaign = find_campaign(db.session, slug, drafts=True)
    gift = OfflineGift(
        amount_minor=parse_amount(amount, campaign.currency, locale=PLAIN),
        paid_at=now() if day is None else _noon(day, campaign),
        note=note[:255] if note else None,
    )
    donation = record_offline_gift(db.session, slug, gift, now=now())
    noting.note(
        "donation.recorded",
        f"donation:{donation.id}",
        {
            "campaign": campaign.slug,
            "amount_minor": donation.amount_minor,
            "currency": donation.currency,
            "paid_on": f"{gift.paid_at.astimezone(campaign.zone):%Y-%m-%d}",
        },
    )
    db.session.commit()
    click.echo(f"Recorded {money_label(campaign, donation.amount_minor)} as {donation.id}.")


def _noon(day: str, campaign: Campaign) -> datetime:
    """Return noon of that day in the campaign's zone, or now where the day is today."""
    given_on = day_of(day, field="on")
    noon = first_instant(datetime.combine(given_on, _NOON), campaign.zone)
    instant = now()
    return instant if instant.astimezone(campaign.zone).date() == given_on else noon


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
@sentences
def list_donations_(slug: str, *, period: str | None, format_: str) -> None:
    """List a campaign's donations, newest first."""
    session = read_session()
    key = checked_key(period) if period else None
    campaign = find_campaign(session, slug, drafts=True)
    listed = list_donations(session, slug, period_key=key)
    if format_ == "json":
        click.echo(json.dumps([_donation_json(row) for row in listed], indent=2))
    elif format_ == "csv":
        click.echo(_donations_csv(listed), nl=False)
    elif not listed:
        click.echo("No donations yet.")
    else:
        rows = [("DONATION", "STATE", "PERIOD", "AMOUNT", "COVER", "COUNTED", "GIVEN", "NOTE")]
        rows += [
            (
                row.donation.id,
                str(row.donation.state),
                row.period_key or "-",
                money_label(campaign, row.donation.amount_minor),
                money_label(campaign, row.donation.cover_minor),
                money_label(campaign, row.counted_minor),
                f"{(row.donation.paid_at or row.donation.created_at):%F %T} UTC",
                row.donation.note or "",
            )
            for row in listed
        ]
        click.echo(table(rows))


def _donation_json(row: ListedDonation) -> dict[str, object]:
    donation = row.donation
    return {
        "id": donation.id,
        "state": str(donation.state),
        "reference": donation.reference,
        "period": row.period_key,
        "currency": donation.currency,
        "amount_minor": donation.amount_minor,
        "cover_minor": donation.cover_minor,
        "counted_minor": row.counted_minor,
        "cover_counted_minor": row.cover_counted_minor,
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
    writer.writerows(
        [guarded(value) if isinstance(value, str) else value for value in row.values()]
        for row in rows
    )
    return out.getvalue()
