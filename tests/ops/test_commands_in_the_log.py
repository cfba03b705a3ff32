"""Every command that changes something writes its line into the audit log; no other writes any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session

from core.auditlog import COMMAND_LINE, AuditRecord, list_records
from core.clock import MovableClock
from core.outbox import Mail, OutboxMail, post_mail
from core.settings import Settings
from payments.models import Donor, InboxEvent
from tests.conftest import START, MakeCampaign, make_settings
from tests.fake_gateway import FakeGateway
from tests.ops.conftest import Run
from tests.payments.conftest import Books

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ANN = "ann@example.org"
# What each writes, by a command line that does it. They run one after another, on one site.
WRITES: dict[str, tuple[str, str]] = {
    "backup": ("backup {folder}/copy", "site.backup_begun"),
    "campaigns create": (
        "campaigns create boats --title Boats --currency EUR --timezone Europe/Berlin --draft",
        "campaign.created",
    ),
    "campaigns edit": ("campaigns edit boats --title Ships", "campaign.changed"),
    "campaigns publish": ("campaigns publish boats", "campaign.published"),
    "campaigns schedule": ("campaigns schedule boats --carry +5%", "campaign.rescheduled"),
    "campaigns plan": ("campaigns plan boats 2021-08 --tier 70", "campaign.planned"),
    "campaigns roll": ("campaigns roll", "campaign.rolled"),
    "donations record": ("donations record boats --amount 20", "donation.recorded"),
    "donors export": (f"donors export {ANN}", "donor.exported"),
    "donors statement": (f"donors statement {ANN} --year 2021 --mail", "donor.statement_mailed"),
    "donors erase": (f"donors erase {ANN} --yes", "donor.erased"),
    "export donations": ("export donations -", "export.begun"),
    "export entries": ("export entries -", "export.begun"),
    "export months": ("export months -", "export.begun"),
    "guard open": ("guard open site", "guard.opened"),
    "inbox retry": ("inbox retry", "inbox.retried"),
    "outbox retry": ("outbox retry", "outbox.retried"),
    "stripe connect": ("stripe connect", "stripe.connected"),
    "stripe reconcile": ("stripe reconcile", "stripe.reconcile_begun"),
    "stripe payouts": ("stripe payouts", "stripe.payouts_asked"),
    "tokens create": ("tokens create CRM --scope totals:read", "token.made"),
    "tokens revoke": ("tokens revoke 1", "token.revoked"),
    "users first-link": ("users first-link", "user.first_link_made"),
    "users create": ("users create bo@courier.example --role editor", "user.added"),
    "users link": ("users link bo@courier.example", "user.link_made"),
    "users role": ("users role bo@courier.example viewer", "user.role_changed"),
    "users disable": ("users disable bo@courier.example", "user.disabled"),
    "users enable": ("users enable bo@courier.example", "user.enabled"),
    "users reset-factors": ("users reset-factors bo@courier.example", "user.factors_reset"),
}
# Why each writes nothing, or which test holds it to its line. A group stands for all in it.
OTHERS = {
    "campaigns list": "reads",
    "campaigns plans": "reads",
    "db": "Alembic's; what a migration changes, it says itself",
    "demo": "makes the demo's campaign on a test site, as an empty one is set up",
    "doctor": "reads",
    "donations list": "reads",
    "guard status": "reads",
    "inbox list": "reads",
    "ledger": "reads",
    "move": "tests/ops/test_moving.py",
    "notices": "tests/ops/test_notices.py",
    "outbox list": "reads",
    "quarantine list": "reads",
    "restore": "tests/ops/test_copies.py",
    "quarantine refuse": "tests/payments/test_quarantine.py",
    "quarantine release": "tests/payments/test_quarantine.py",
    "scheduler run": "does what nobody asks for by hand",
    "serve": "serves what others ask for",
    "stripe drift": "reads, and tells",
    "tokens list": "reads",
    "users list": "reads",
    "stripe refunds": "tests/payments/test_refunding.py",
}
_FLASKS_OWN = {"run", "shell", "routes"}


@pytest.fixture
def settings(database_url: str) -> Settings:
    return make_settings(
        database_url=database_url, mail_url="smtp://mail.example", mail_from="a@b.c"
    )


def commands(group: click.Group, *words: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *words, name)
        elif " ".join((*words, name)) not in _FLASKS_OWN:
            yield " ".join((*words, name))


def test_every_command_says_what_it_writes_or_why_nothing(app: Flask) -> None:
    assert isinstance(app.cli, click.Group)
    silent = [
        command
        for command in commands(app.cli)
        if command not in WRITES and not {command, command.split()[0]} & OTHERS.keys()
    ]
    assert silent == []


def test_each_writes_its_line(
    app: Flask,
    run: Run,
    session: Session,
    clock: MovableClock,
    fake_gateway: FakeGateway,
    make_campaign: MakeCampaign,
    tmp_path: Path,
) -> None:
    make_campaign()
    books = Books(app, fake_gateway, clock)
    checkout = books.donate(email=ANN)
    fake_gateway.pay(checkout)
    books.hear(checkout)
    session.execute(update(Donor).values(name="Ann Example"))
    post_mail(session, Mail(key="1", recipient="bo@b.c", subject="Hi", text="Hi"), now=START)
    session.execute(update(OutboxMail).values(state="failed"))
    session.add(
        InboxEvent(
            event_id="evt_1", type="charge.updated", body=b"{}", occurred_at=START,
            received_at=START, state="failed", next_attempt_at=START,
        )
    )  # fmt: skip
    session.commit()
    for command, (line, action) in WRITES.items():
        before = newest(session)
        if command == "campaigns roll":
            clock.set(START.replace(month=6))
        done = run(*line.format(folder=tmp_path).split())
        told = list_records(session)
        session.rollback()
        written = [row for row in told if before is None or row.id > before.id]
        assert {(row.action, row.actor_id) for row in written} == {(action, COMMAND_LINE.id)}, (
            f"{line}: {done.output} {done.exception!r}"
        )
        kept = " ".join(row.details + row.subject for row in written)
        assert not any(trace in kept for trace in (ANN, "Ann")), line


def test_what_changes_nothing_writes_nothing(
    run: Run, session: Session, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    for line in (
        "campaigns edit support-us --state open",
        "campaigns publish support-us",
        "campaigns roll",
        "campaigns roll --dry-run",
        "outbox retry",
        "inbox retry",
        "donors erase nobody@example.org --yes",
        "campaigns edit support-us --accent nonsense --state paused",
    ):
        run(*line.split())
        assert newest(session) is None, line


def test_a_state_goes_the_ways_of_the_page(
    run: Run, session: Session, make_campaign: MakeCampaign
) -> None:
    make_campaign("kites", draft=True)
    refused = run("campaigns", "edit", "kites", "--state", "paused", "--title", "Kites")
    assert refused.exit_code == 1
    assert "can't become paused" in refused.output
    assert newest(session) is None
    assert run("campaigns", "edit", "kites", "--state", "open", "--title", "Kites").exit_code == 0
    moved, changed = list_records(session)
    assert (moved.action, changed.action) == ("campaign.published", "campaign.changed")
    assert moved.told == {"state": ["draft", "open"]}
    assert changed.told == {"title": ["Support us", "Kites"]}


def newest(session: Session) -> AuditRecord | None:
    found = list_records(session, limit=1)
    session.rollback()
    return found[0] if found else None
