"""`campaigns create|edit|publish|list|roll`."""

from __future__ import annotations

from collections.abc import Sequence

import click
from flask.cli import AppGroup

from campaigns.catalog import (
    CampaignChanges,
    NewCampaign,
    campaigns_by_id,
    change_campaign,
    create_campaign,
    find_campaign,
    list_campaigns,
)
from campaigns.fees import parse_fees
from campaigns.fields import stored_of, told_changes, told_creation
from campaigns.labels import money_label
from campaigns.look import FREQUENCIES, Frequency, Shown, Suggestion
from campaigns.matching import NO_MATCHING, Matching, matching_of
from campaigns.models import Campaign, CampaignState
from campaigns.progress import read_progress
from campaigns.rolling import Rolled, due_campaign_ids, roll_due
from campaigns.states import done_by, move_campaign
from campaigns.story import MOST_STORY_CHARACTERS
from campaigns.timing import Run
from core.auditlog import COMMAND_LINE
from core.cadence import Cadence, Rhythm
from core.clock import now
from core.dates import begin_of, end_of
from core.db import db, read_session
from core.errors import Invalid
from core.money import known_currency, parse_amount
from core.printing import PLAIN, sentences, table
from core.web import settings
from core.zones import load_zone
from ops import jobs
from ops.commands.noting import note_campaign

# A draft is published by its own command, and nothing that was seen becomes one again.
_STATES = [str(state) for state in CampaignState if state != CampaignState.DRAFT]


class _StoryFile(click.ParamType[str]):
    """The text of a file, of standard input for `-`, and the empty one for no name at all."""

    name = "file"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read the file; fail with a sentence where that can't be done."""
        if not value:
            return ""
        try:
            with click.open_file(value, encoding="utf-8-sig") as file:
                text: str = file.read(MOST_STORY_CHARACTERS + 1)
        except (OSError, UnicodeDecodeError) as error:
            self.fail(f"{value} can't be read as text: {error}", param, ctx)
        return text


STORY = _StoryFile()

RHYTHMS = [str(rhythm) for rhythm in Rhythm if rhythm is not Rhythm.ONCE]

campaigns = AppGroup("campaigns", help="Create, change, list and roll campaigns.")


@campaigns.command("create")
@click.argument("slug")
@click.option("--title", required=True, help="What readers see, as in “Support us”.")
@click.option("--currency", required=True, help="ISO 4217 code, as in USD.")
@click.option("--timezone", required=True, help="IANA zone in which months begin.")
@click.option("--tier", "tiers", multiple=True, help="A goal on the bar; repeat for more.")
@click.option("--money-format", help="As in '{amount} {symbol}'; else the locale decides.")
@click.option("--locale", default="en", show_default=True, help="Language of the labels.")
@click.option("--description", default="", help="What the money is for.")
@click.option("--every", type=click.Choice(RHYTHMS), default="month", show_default=True)
@click.option("--from-day", type=int, default=1, help="Day on which periods begin, 1 to 31.")
@click.option("--from-month", type=int, default=1, help="Month in which years begin, 1 to 12.")
@click.option("--from", "begin", help="For a campaign that runs once: its first day, 2021-05-01.")
@click.option("--until", "end", help="For a campaign that runs once: its last day, 2021-08-31.")
@click.option("--draft", is_flag=True, help="Keep it unseen until `campaigns publish`.")
@sentences
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
    every: str,
    from_day: int,
    from_month: int,
    begin: str | None,
    end: str | None,
    draft: bool,
) -> None:
    """Create a campaign and its first period."""
    code = known_currency(currency)
    new = NewCampaign(
        slug=slug,
        title=title,
        currency=code,
        timezone=timezone,
        tiers_minor=tuple(parse_amount(tier, code, locale=PLAIN) for tier in tiers),
        money_format=money_format,
        locale=locale,
        description=description,
        draft=draft,
        cadence=Cadence(Rhythm(every), from_day, from_month),
        run=_run(begin, end, timezone),
    )
    campaign = create_campaign(db.session, new, now=now())
    note_campaign("campaign.created", campaign, told_creation(campaign))
    db.session.commit()
    click.echo(f"Created {campaign.slug}: {settings().base_url}/c/{campaign.slug}")


def _run(begin: str | None, end: str | None, timezone: str) -> Run | None:
    if begin is None and end is None:
        return None
    if begin is None or end is None:
        raise Invalid("A campaign that runs once has --from and --until.", field="until")
    zone = load_zone(timezone)
    return Run(
        starts_at=begin_of(begin, zone, field="from"), ends_at=end_of(end, zone, field="until")
    )


@campaigns.command("edit")
@click.argument("slug")
@click.option("--title", help="What readers see.")
@click.option("--description", help="What the money is for.")
@click.option("--state", type=click.Choice(_STATES), help="Whether it takes gifts.")
@click.option("--accent", help="Colour of the bar, as in #18806c; '' for the default one.")
@click.option("--button", help="Text of the button, as in “Support us”; '' for the default one.")
@click.option("--locale", help="Language of the labels, where a reader asks for none.")
@click.option("--money-format", help="As in '{amount} {symbol}'; '' for the language's own.")
@click.option("--capitals/--no-capitals", default=None, help="The month as MAY 2021, or May 2021.")
@click.option("--show", "shows", multiple=True, help=f"{', '.join(Shown)}; '' for none. Repeat.")
@click.option("--frequency", "frequencies", multiple=True, help="once, month or year. Repeat.")
@click.option(
    "--amount",
    "amounts",
    multiple=True,
    help="As in month=5, or 'month=20:pays for a day in court': suggests it. Repeat.",
)
@click.option("--host", "hosts", multiple=True, help="May frame it; '' for all. Repeat.")
@click.option(
    "--story",
    type=STORY,
    help="File of Markdown that says what it is for, - for standard input; '' for none.",
)
@click.option(
    "--fees",
    help="What a payment costs, for donors who cover it: 2.9+0.30; off; '' for what is usual.",
)
@click.option("--match", "sponsor", help="Who adds to every gift; '' ends it.")
@click.option(
    "--match-up-to", "match_most", help="The most that is added in one period, as in 1000."
)
@click.option("--match-percent", type=int, help="How much is added: 100, the default, doubles.")
@click.option(
    "--match-counts/--match-apart",
    default=None,
    help="Whether the bar shows what is added, or gifts alone (the default).",
)
@sentences
def edit(
    slug: str,
    *,
    title: str | None,
    description: str | None,
    state: str | None,
    accent: str | None,
    button: str | None,
    locale: str | None,
    money_format: str | None,
    capitals: bool | None,
    shows: tuple[str, ...],
    frequencies: tuple[str, ...],
    amounts: tuple[str, ...],
    hosts: tuple[str, ...],
    story: str | None,
    fees: str | None,
    sponsor: str | None,
    match_most: str | None,
    match_percent: int | None,
    match_counts: bool | None,
) -> None:
    """Change what is named and leave the rest. Several of one kind take the place of what was."""
    campaign = find_campaign(db.session, slug, drafts=True, locked=True)
    before = stored_of(campaign)
    changes = CampaignChanges(
        title=title,
        description=description,
        accent=accent,
        button=button,
        locale=locale,
        money_format=money_format,
        capitals=capitals,
        shows=_named(shows),
        frequencies=_named(frequencies),
        hosts=_named(hosts),
        suggestions=amounts_by_frequency(campaign.currency, amounts),
        story=story,
        fees=None if fees is None else parse_fees(fees, campaign.currency),
        matching=_matching(
            campaign,
            sponsor=sponsor,
            most=match_most,
            percent=match_percent,
            counts=match_counts,
        ),
    )
    change_campaign(db.session, slug, changes, now=now())
    campaign = find_campaign(db.session, slug, drafts=True)
    if told := told_changes(before, stored_of(campaign)):
        note_campaign("campaign.changed", campaign, told)
    if state is not None:
        _move(campaign, CampaignState(state))
    db.session.commit()
    click.echo(f"Changed {campaign.slug}: {settings().base_url}/c/{campaign.slug}")


def _move(campaign: Campaign, to: CampaignState) -> None:
    before = move_campaign(db.session, campaign.slug, to)
    if before is not to:
        note_campaign(done_by(before, to), campaign, {"state": [before.value, to.value]})


def _named(given: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return what was named: None for nothing, and nothing for the empty text alone."""
    return tuple(name for name in given if name) if given else None


def amounts_by_frequency(
    currency: str, amounts: tuple[str, ...]
) -> dict[Frequency, tuple[Suggestion, ...]]:
    """Read amounts to suggest, as in `month=20:a day in court`; raise Invalid."""
    suggested: dict[Frequency, tuple[Suggestion, ...]] = {}
    for given in amounts:
        name, _, rest = given.partition("=")
        amount, _, note = rest.partition(":")
        frequency = next((known for known in FREQUENCIES if known == name), None)
        if frequency is None:
            raise Invalid(f"Write an amount as month=5, not “{given[:40]}”.", field="amount")
        suggested.setdefault(frequency, ())
        if rest:
            more = Suggestion(parse_amount(amount, currency, locale=PLAIN), note)
            suggested[frequency] += (more,)
    return suggested


def _matching(
    campaign: Campaign,
    *,
    sponsor: str | None,
    most: str | None,
    percent: int | None,
    counts: bool | None,
) -> Matching | None:
    """Return the rule that the options make of the campaign's own; None where none is given."""
    if sponsor is None and most is None and percent is None and counts is None:
        return None
    if sponsor is not None and not sponsor.strip():
        return NO_MATCHING
    rule = matching_of(campaign)
    if rule is None:
        if sponsor is None:
            raise Invalid("Say who adds to the gifts: --match 'The Foundation'.", field="match")
        if most is None:
            raise Invalid(
                "Say how much is added in one period at most: --match-up-to 1000.",
                field="match_up_to",
            )
        rule = NO_MATCHING
    return Matching(
        sponsor=rule.sponsor if sponsor is None else sponsor,
        most_minor=rule.most_minor if most is None else _most_minor(most, campaign.currency),
        percent=rule.percent if percent is None else percent,
        counts=rule.counts if counts is None else counts,
    )


def _most_minor(text: str, currency: str) -> int:
    try:
        return parse_amount(text, currency, locale=PLAIN)
    except Invalid as error:
        raise Invalid(f"--match-up-to: {error.message}", field="match_up_to") from None


@campaigns.command("publish")
@click.argument("slug")
@sentences
def publish(slug: str) -> None:
    """Show a draft to the public."""
    campaign = find_campaign(db.session, slug, drafts=True)
    if campaign.state == CampaignState.DRAFT:
        _move(campaign, CampaignState.OPEN)
    db.session.commit()
    click.echo(f"{campaign.slug} is {campaign.state}: {settings().base_url}/c/{campaign.slug}")


@campaigns.command("list")
@sentences
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
    click.echo(table(rows))


def _standing(campaign: Campaign) -> tuple[str, str]:
    if campaign.state == CampaignState.DRAFT:
        return "-", "-"
    progress = read_progress(db.session, campaign.slug, now=now(), base_url=settings().base_url)
    return progress.period.key, money_label(campaign, progress.given_minor)


@campaigns.command("roll")
@click.option("--dry-run", is_flag=True, help="Say what would be closed, and change nothing.")
@sentences
def roll(*, dry_run: bool) -> None:
    """Close every period that has ended and open the next one."""
    if dry_run:
        rolled: list[Rolled] = []
        while closed := roll_due(db.session, now=now()):
            rolled += closed
        db.session.rollback()
        _tell_rolled(rolled, verb="Would close")
    else:
        # One line for each as its batch is committed: with thousands, that is the progress.
        rolled = jobs.roll(told=_tell_rolled, actor=COMMAND_LINE)
        if len(rolled) > jobs.MOST_LINES:
            click.echo(f"Closed {len(rolled)} periods.")
        if due_campaign_ids(db.session, now=now()):
            click.echo("There are more: run it again, or leave them to the scheduler.")
    if not rolled:
        click.echo("Nothing to roll.")


def _tell_rolled(rolled: Sequence[Rolled], *, verb: str = "Closed") -> None:
    campaigns = campaigns_by_id(db.session, {period.campaign_id for period in rolled})
    for period in rolled:
        label = money_label(campaigns[period.campaign_id], period.as_closed_minor)
        following = f"next is {period.opened_key}" if period.opened_key else "none follows"
        click.echo(f"{verb} {period.slug} {period.key} at {label}; {following}.")
    # The roll goes on in transactions of its own, and on SQLite one that is open stops them.
    db.session.rollback()
