"""`campaigns schedule|plan|plans`: when periods begin, and what they begin with."""

from __future__ import annotations

import click

from campaigns.catalog import find_campaign
from campaigns.fields import (
    Typed,
    plan_fields,
    schedule_of,
    stored_of,
    told_changes,
    told_rule,
)
from campaigns.labels import money_label
from campaigns.models import Campaign
from campaigns.plans import Amounts, Plan, forget_plan, list_plans, plan_like, plan_period
from campaigns.timing import Timing, change_timing
from core.cadence import Cadence, Rhythm, checked_key
from core.clock import now
from core.dates import end_of
from core.db import db, read_session
from core.errors import Invalid
from core.money import parse_amount
from core.printing import PLAIN, sentences, table
from ops.commands.campaigns import RHYTHMS, amounts_by_frequency, campaigns
from ops.commands.noting import note_campaign

__all__ = ["campaigns"]  # with these commands


@campaigns.command("schedule")
@click.argument("slug")
@click.option("--every", type=click.Choice(RHYTHMS), help="How long a period is.")
@click.option("--from-day", type=int, help="Day of the month on which periods begin, 1 to 31.")
@click.option("--from-month", type=int, help="Month in which the first quarter or year begins.")
@click.option("--timezone", help="IANA zone in which periods begin.")
@click.option("--until", help="New last day of a campaign that runs once: 2021-08-31.")
@click.option("--tier", "tiers", multiple=True, help="A goal; '' for none. Takes the place of all.")
@click.option("--carry", help="How goals go on: same, missed (what was missed is added), or +5%.")
@click.option("--currency", help="Never changes: says why.")
@sentences
def schedule(
    slug: str,
    *,
    every: str | None,
    from_day: int | None,
    from_month: int | None,
    timezone: str | None,
    until: str | None,
    tiers: tuple[str, ...],
    carry: str | None,
    currency: str | None,
) -> None:
    """Change when periods begin and what they begin with, from the end of the present one on."""
    campaign = find_campaign(db.session, slug, drafts=True, locked=True)
    before = _timing_fields(campaign)
    timing = Timing(
        timezone=timezone,
        cadence=_cadence(campaign, every, from_day, from_month),
        ends_at=None if until is None else end_of(until, campaign.zone, field="until"),
        currency=currency,
        tiers_minor=_tiers(campaign, tiers),
        carry=carry,
    )
    holds_from = change_timing(db.session, campaign, timing, now=now())
    campaign = find_campaign(db.session, slug, drafts=True)
    if told := told_changes(before, _timing_fields(campaign)):
        note_campaign("campaign.rescheduled", campaign, told)
    db.session.commit()
    if holds_from is None:
        click.echo(f"Changed {campaign.slug}.")
    else:
        local = holds_from.astimezone(campaign.zone)
        click.echo(
            f"Changed {campaign.slug}: holds from {local:%F %H:%M} ({campaign.timezone}) on. The"
            " present period stays as it is; `campaigns plan` changes its goals."
        )


@campaigns.command("plan")
@click.argument("slug")
@click.argument("period")
@click.option("--tier", "tiers", multiple=True, help="A goal; '' for none. Repeat for more.")
@click.option("--title", help="What readers see in this period.")
@click.option("--description", help="What the money of this period is for.")
@click.option("--amount", "amounts", multiple=True, help="As in month=5: suggests it. Repeat.")
@click.option("--like", help="Another period, whose goals and words are taken: 2020-12.")
@click.option("--forget", is_flag=True, help="Take the plan back.")
@sentences
def plan(
    slug: str,
    period: str,
    *,
    tiers: tuple[str, ...],
    title: str | None,
    description: str | None,
    amounts: tuple[str, ...],
    like: str | None,
    forget: bool,
) -> None:
    """Set the goals and words of a period ahead: 2021-12, 2021-Q4, 2021 or 2021-12-15."""
    campaign = find_campaign(db.session, slug, drafts=True)
    if forget:
        if not forget_plan(db.session, campaign, period):
            raise Invalid(f"Nothing is planned for {period}.", field="period")
        note_campaign("campaign.plan_forgotten", campaign, {"period": checked_key(period)})
        db.session.commit()
        click.echo(f"{period} begins as the campaign says.")
        return
    before = _plan_fields(campaign, period)
    if like is not None:
        plan_like(db.session, campaign, period, like=like)
    suggested = amounts_by_frequency(campaign.currency, amounts)
    named = Plan(
        title=title,
        description=description,
        tiers_minor=_tiers(campaign, tiers),
        amounts_minor={
            frequency: tuple(one.amount_minor for one in found)
            for frequency, found in suggested.items()
        },
    )
    if like is None and named == Plan():
        raise Invalid("Say what is planned: --tier, --title, --description, --amount or --like.")
    plan_period(db.session, campaign, period, named)
    if told := told_changes(before, _plan_fields(campaign, period)):
        how = {} if like is None else {"like": like}
        note_campaign("campaign.planned", campaign, {"period": checked_key(period), **how, **told})
    db.session.commit()
    click.echo(f"Planned {period} of {campaign.slug}.")


@campaigns.command("plans")
@click.argument("slug")
@sentences
def plans(slug: str) -> None:
    """List what is planned for the periods to come."""
    session = read_session()
    campaign = find_campaign(session, slug, drafts=True)
    found = list_plans(session, campaign)
    if not found:
        click.echo(f"Nothing is planned. Goals are carried over: {campaign.carry}.")
        return
    rows = [("PERIOD", "TIERS", "AMOUNTS", "TITLE")]
    rows += [
        (
            key,
            "as carried over"
            if planned.tiers_minor is None
            else ", ".join(money_label(campaign, tier) for tier in planned.tiers_minor) or "none",
            _amounts(campaign, planned.amounts_minor),
            planned.title or "",
        )
        for key, planned in found
    ]
    click.echo(table(rows))


def _timing_fields(campaign: Campaign) -> Typed:
    goals = {"tier": stored_of(campaign)["tier"], "carry": told_rule(campaign)}
    return {**schedule_of(campaign), **goals}


def _plan_fields(campaign: Campaign, period: str) -> Typed:
    planned = dict(list_plans(db.session, campaign))
    return plan_fields(campaign, planned.get(checked_key(period)))


def _cadence(
    campaign: Campaign, every: str | None, day: int | None, month: int | None
) -> Cadence | None:
    if every is None and day is None and month is None:
        return None
    rhythm = Rhythm(campaign.rhythm if every is None else every)
    return Cadence(
        Rhythm.MONTH if rhythm is Rhythm.ONCE else rhythm,
        campaign.first_day if day is None else day,
        campaign.first_month if month is None else month,
    )


def _tiers(campaign: Campaign, tiers: tuple[str, ...]) -> tuple[int, ...] | None:
    if not tiers:
        return None
    return tuple(parse_amount(tier, campaign.currency, locale=PLAIN) for tier in tiers if tier)


def _amounts(campaign: Campaign, amounts: Amounts) -> str:
    return "; ".join(
        f"{frequency} " + ", ".join(money_label(campaign, amount) for amount in suggested)
        for frequency, suggested in amounts.items()
    )
