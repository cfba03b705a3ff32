"""`inbox list|retry` and `stripe reconcile|drift|refunds|payouts|connect`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import click
from flask.cli import AppGroup

from core.auditlog import COMMAND_LINE
from core.clock import now
from core.db import db, read_session
from core.errors import Invalid
from core.money import exact_money, format_money
from core.printing import PLAIN, sentences, table
from core.web import settings
from ops import jobs
from ops.commands.noting import SITE, note
from ops.watch import COMPARED, note_look, tell_drift
from payments.drift import find_drift
from payments.edge import current_gateway, open_session
from payments.errors import PaymentsNotSetUp
from payments.facts import HANDLED
from payments.gateway import Gateway
from payments.inbox import list_events, retry_events
from payments.models import InboxEvent, InboxState
from payments.payout_reading import differing_payouts
from payments.payouts import bring_payouts
from payments.reconcile import reconcile
from payments.refund_view import Which, list_requests
from payments.refunding import MOST_LISTED, ask_for_refund, log_asked_again

inbox = AppGroup("inbox", help="See and retry Stripe's events.")
stripe = AppGroup("stripe", help="Hold the books against Stripe.")
DRIFT_DAYS = 90
LATE = timedelta(days=1)


@inbox.command("list")
@click.option("--state", type=click.Choice([state.value for state in InboxState]))
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@sentences
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
            f"{_late(event)}{event.outcome or ''}",
        )
        for event in events
    ]
    click.echo(table(rows))


def _late(event: InboxEvent) -> str:
    """Mark an event that took long to reach us: its money counts in the month it was paid in."""
    delay = event.received_at - event.occurred_at
    return f"({delay.days} days late) " if delay >= LATE else ""


@inbox.command("retry")
@click.argument("event_id", required=False)
@sentences
def retry_inbox(event_id: str | None) -> None:
    """Work failed events now, or the one that is named, whatever became of it before."""
    count = retry_events(db.session, now=now(), event_id=event_id)
    if count:
        note("inbox.retried", SITE, {"events": event_id or count})
    db.session.commit()
    jobs.work_inbox()
    click.echo(f"Tried {count} events again; `inbox list` shows what came of them.")


@stripe.command("reconcile")
@click.option("--since", help="From this day on (UTC): 2021-05-01. Else from where it ended last.")
@click.option(
    "--adopt",
    is_flag=True,
    help="Make donations anew that Stripe tells of and the books have lost: once, after a backup"
    " was restored. Not where another site shares the Stripe account.",
)
@sentences
def reconcile_(since: str | None, *, adopt: bool) -> None:
    """Bring the books to what Stripe says, and report whatever still differs."""
    gateway = _gateway()
    day = _day(since) if since else None
    asked = {"since": since or "where it ended last"} | ({"adopt": True} if adopt else {})
    # Before it begins: it commits object by object, and may be stopped at any of them.
    note("stripe.reconcile_begun", SITE, asked)
    db.session.commit()
    with _progress("Asking Stripe") as step:
        found = reconcile(
            open_session,
            gateway,
            livemode=settings().livemode,
            now=now,
            since=day,
            adopt=adopt,
            step=step,
        )
    click.echo(
        f"Went through {found.looked_at} {found.by} since {found.since:%F %T} UTC:"
        f" {found.new} new, {found.failed} failed."
    )
    if found.failed:
        click.echo("What failed is tried again; `inbox list --state failed` shows it.")
    _report_drift(gateway, found.since)


@stripe.command("drift")
@click.option("--since", help=f"From this day on (UTC); else the last {DRIFT_DAYS} days.")
@sentences
def drift(since: str | None) -> None:
    """Compare the books with Stripe's, object by object; exit with 1 where they differ."""
    _report_drift(_gateway(), _day(since) if since else now() - timedelta(days=DRIFT_DAYS))


@stripe.command("refunds")
@click.option("--all", "everything", is_flag=True, help="Those that have come to a good end, too.")
@click.option("--retry", "request_id", help="Ask once more for this one, under the same key.")
@sentences
def refunds(*, everything: bool, request_id: str | None) -> None:
    """List refunds that were asked for here and wait, were refused or failed; ask again for one."""
    if request_id is not None:
        gateway = _gateway()
        log_asked_again(db.session, request_id, actor=COMMAND_LINE, now=now())
        db.session.commit()
        ask_for_refund(
            open_session,
            gateway,
            request_id,
            livemode=settings().livemode,
            now=now,
            by_hand=True,
        )
    which = Which.ALL if everything else Which.OPEN
    found = list_requests(db.session, which, limit=MOST_LISTED)
    if not found:
        click.echo("No refund waits, and none was refused.")
        return
    rows = [("REQUEST", "OF", "AMOUNT", "STATE", "TRIES", "ASKED FOR", "ERROR")]
    rows += [
        (
            one.request.id,
            one.request.donation_id or one.request.reference,
            exact_money(one.request.amount_minor, one.request.currency),
            one.request.refund_status or one.request.state,
            str(one.request.attempts),
            f"{one.request.requested_at:%F %T} UTC",
            one.request.error or "",
        )
        for one in found
    ]
    click.echo(table(rows))


@stripe.command("payouts")
@click.option("--since", help="From this day on (UTC): 2021-05-01. Else from where it ended last.")
@sentences
def payouts(since: str | None) -> None:
    """Bring in what Stripe paid out to the bank; exit with 1 where a sum differs from its lines."""
    gateway, day = _gateway(), _day(since) if since else None
    note("stripe.payouts_asked", SITE)
    db.session.commit()
    with _progress("Asking Stripe") as step:
        found = bring_payouts(
            open_session,
            gateway,
            livemode=settings().livemode,
            now=now,
            since=day,
            step=step,
        )
    click.echo(
        f"Went through {found.seen} payouts since {found.since:%F %T} UTC:"
        f" {found.completed} came in with their lines, {found.matched} lines were matched anew."
    )
    differing = differing_payouts(read_session())
    if not differing:
        return
    rows: list[tuple[str, ...]] = [("PAYOUT", "ARRIVES", "AMOUNT", "LINES", "DIFFERENCE")]
    rows += [
        (
            payout.id,
            payout.arrives_on,
            exact_money(payout.amount_minor, payout.currency),
            exact_money(payout.lines_minor, payout.currency),
            exact_money(payout.difference_minor or 0, payout.currency),
        )
        for payout in differing
    ]
    click.echo(table(rows))
    sys.exit(1)


@stripe.command("connect")
@sentences
def connect() -> None:
    """Register this site's webhook endpoint at Stripe, and print its signing secret."""
    base_url = settings().base_url
    if not settings().https:
        click.echo(f"Note: Stripe itself can't reach {base_url}; the sandbox can.", err=True)
    secret = _gateway().register_webhook(f"{base_url}/webhooks/stripe", sorted(HANDLED))
    note("stripe.connected", SITE, {"new": secret is not None})
    db.session.commit()
    if secret is None:
        click.echo("There was an endpoint at this address: it now gets all events that we handle.")
        click.echo("Its signing secret is in Stripe's dashboard, under Webhooks.")
        return
    click.echo("Registered. Put this line into .env, and start Goalpost anew:")
    click.echo(f"STRIPE_WEBHOOK_SECRET={secret}")


def _report_drift(gateway: Gateway, since: datetime) -> None:
    with _progress("Comparing") as step:
        found = list(find_drift(open_session, gateway, since=since, step=step))
    if not found:
        with open_session() as session:
            note_look(session, COMPARED, (), now=now())
            session.commit()
        click.echo("No drift: our books equal Stripe's.")
        return
    rows: list[tuple[str, ...]] = [("OBJECT", "OURS", "STRIPE'S", "DIFFERENCE")]
    rows += [
        (
            row.reference,
            *(
                format_money(amount_minor, row.currency, locale=PLAIN)
                for amount_minor in (row.ours_minor, row.stripes_minor, row.difference_minor)
            ),
        )
        for row in found
    ]
    click.echo(table(rows))
    with open_session() as session:
        differences = [": ".join((row[0], ", ".join(row[1:]))) for row in rows[1:]]
        tell_drift(session, differences, books="stripe", now=now())
        note_look(session, COMPARED, differences, now=now())
        session.commit()
    sys.exit(1)


def _gateway() -> Gateway:
    gateway = current_gateway()
    if gateway is None:
        raise PaymentsNotSetUp("There is no Stripe key: set STRIPE_SECRET_KEY.")
    return gateway


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise Invalid(f"“{text}” is not a day. Write it as 2021-05-10.", field="since") from None


@contextmanager
def _progress(label: str) -> Iterator[Callable[[str], None]]:
    """Show on stderr how far it is, thing by thing: nobody knows beforehand how many there are."""
    count = 0

    def step(thing: str) -> None:
        nonlocal count
        count += 1
        if sys.stderr.isatty():
            click.echo(f"\r{label}: {count} ({thing[:40]:<40})", nl=False, err=True)

    try:
        yield step
    finally:
        click.echo(f"\r{label}: {count} done.{' ' * 40}".rstrip(), err=True)
