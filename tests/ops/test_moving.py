"""`move`: a site with everything arrives whole in the other kind of database, and goes on there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import insert, make_url, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app import create_app
from campaigns.ledger_models import LedgerEntry, Place, PublicName, Reference
from core.auditlog import list_records
from core.clock import MovableClock
from core.db import db, open_engine
from core.notices import NoticeEpisode
from core.settings import Settings
from ops import moving
from ops.copying import filled_tables
from payments.models import Breaker, Donation, Donor, Subscription
from tests.conftest import START, MakeCampaign, fresh_database, make_settings
from tests.fake_gateway import FakeGateway
from tests.ops.conftest import Run
from tests.payments.conftest import Books
from tests.payments.pages import give_online, look
from tests.subscribers import subscribe

ONLY_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ODD_MINOR = 2_345
# What a site with everything has something in, at the least.
FILLED = set(
    """
    audit_records breakers campaign_tiers campaigns checkout_counts donations donors expected_gifts
    export_runs inbox_events ledger_entries ledger_references notice_episodes notice_subscribers
    outbox_mails payout_lines payouts period_donors period_fees period_parts period_plans
    period_tiers periods places public_names quarantined_payments reconcile_cursors sign_in_links
    subscriptions suggested_amounts users
    """.split()
)


@pytest.fixture
def other_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[str]:
    """The address of an empty, migrated database of the other kind."""
    kind = "postgresql" if database_url.startswith("sqlite") else "sqlite"
    (tmp_path / "other").mkdir()
    with fresh_database(request, kind, tmp_path / "other") as url:
        yield url


@pytest.fixture
def settings(database_url: str) -> Settings:
    return make_settings(
        database_url=database_url, mail_url="smtp://mail.example", mail_from="a@b.c"
    )


def test_site_with_everything_arrives_whole_and_goes_on(
    app: Flask,
    run: Run,
    session: Session,
    settings: Settings,
    fake_gateway: FakeGateway,
    clock: MovableClock,
    other_url: str,
) -> None:
    fill(app, run, session, fake_gateway, clock)
    assert set(filled(settings.database_url)) >= FILLED
    pages = ("/api/v1/campaigns/support-us", "/api/v1/campaigns/support-us/periods")
    before = [app.test_client().get(page).json for page in pages]
    entries = look(session, select(LedgerEntry.amount_minor).order_by(LedgerEntry.id))

    moved = run("move", "--to", other_url)

    assert moved.exit_code == 0, moved.output
    assert "to the last value" in moved.output
    there = create_app(
        settings.model_copy(update={"database_url": str_url(other_url)}),
        clock=clock,
        gateway=fake_gateway,
    )
    command = there.test_cli_runner().invoke
    assert command(args=["ledger", "verify"]).exit_code == 0
    assert [there.test_client().get(page).json for page in pages] == before
    books = Books(there, fake_gateway, clock)
    with books.session() as found:
        assert list_records(found)[0].action == "site.moved"
    assert not any(row.action == "site.moved" for row in list_records(session))
    session.rollback()

    # A gift by the form, its event, a refund and a new user: what needs numbers of its own.
    client = there.test_client()
    assert give_online(client, amount="23.45", email="new@example.org").status_code == 303
    with books.session() as found:
        newest = found.scalars(select(Donation).order_by(Donation.id)).all()
    (checkout,) = (row.checkout_session_id for row in newest if row.amount_minor == ODD_MINOR)
    payment = fake_gateway.pay(checkout or "")
    event = fake_gateway.event("payment_intent.succeeded", payment.id, id_="evt_after")
    answer = client.post("/webhooks/stripe", data=event, headers=fake_gateway.signed(event))
    answer.close()
    assert answer.status_code == 200
    assert command(args=["users", "create", "late@courier.example"]).exit_code == 0
    with books.session() as found:
        amounts = found.scalars(select(LedgerEntry.amount_minor).order_by(LedgerEntry.id)).all()
        assert amounts == [*entries, ODD_MINOR]
        with pytest.raises(DBAPIError, match="append-only"):
            found.execute(LedgerEntry.__table__.delete())  # type: ignore[attr-defined]
    assert command(args=["ledger", "verify"]).exit_code == 0
    again = run("move", "--to", other_url)
    assert again.exit_code == 1
    assert "holds something already" in again.output
    with there.app_context():
        db.engine.dispose()


def fill(app: Flask, run: Run, session: Session, gateway: FakeGateway, clock: MovableClock) -> None:
    assert run("demo").exit_code == 0
    books = Books(app, gateway, clock)
    once, monthly, odd = (
        books.donate(form="once", cover_minor=60),
        books.donate(form="monthly", frequency="month"),
        books.donate(form="odd", email="odd@example.org"),
    )
    payment = gateway.pay(once)
    gateway.change_payment(payment.id, fee_minor=88, net_minor=1_972, settlement_currency="USD")
    gateway.refund(payment.id, 500)
    gateway.dispute(payment.id, 300)
    gateway.subscribe(monthly)
    gateway.change_payment(gateway.pay(odd).id, currency="EUR")
    for checkout in (once, monthly, odd):
        books.hear(checkout)
    client = app.test_client()
    given = give_online(client, amount="30", email="bo@example.org", source="https://a.example/b")
    assert given.status_code == 303
    event = gateway.event("payment_intent.succeeded", payment.id)
    client.post("/webhooks/stripe", data=event, headers=gateway.signed(event)).close()
    subscribe(session, "editor@courier.example")
    session.execute(insert(NoticeEpisode).values(name="inbox", since=START))
    session.execute(
        insert(Breaker).values(scope="campaign:99", tripped_at=START, last_over_at=START)
    )
    session.add(Place(source="https://a.example/b", slot="end", site="a.example"))
    gift_id = session.scalars(select(Reference.id).where(Reference.gift_id.is_(None))).first()
    session.execute(insert(PublicName).values(reference_id=gift_id, name="Zoë 🙂"))
    session.commit()
    for line in (
        "users create ann@courier.example --role owner",
        "campaigns plan support-us 2021-12 --tier 70",
        "donations record support-us --amount 520 --on 2021-05-10",
        "export donations -",
        "stripe reconcile",
    ):
        done = run(*line.split())
        assert done.exit_code == 0, (line, done.output)
    gateway.pay_out([gateway.payout_line(payment, 2_060, fee_minor=88)])
    run("stripe", "payouts")
    clock.advance(timedelta(days=31))
    run("campaigns", "roll")
    (plan,) = look(session, select(Subscription.stripe_id))
    books.hear(gateway.renew(plan).id)


def filled(url: str) -> list[str]:
    engine = open_engine(url)
    with engine.connect() as connection:
        found = filled_tables(connection)
    engine.dispose()
    return found


def str_url(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


@ONLY_SQLITE
def test_row_that_the_other_refuses_leaves_it_empty(
    run: Run, session: Session, make_campaign: MakeCampaign, other_url: str
) -> None:
    make_campaign()
    # SQLite does not hold texts to their length; PostgreSQL does.
    session.add(Donor(email="long@example.org", name="x" * 5_000, created_at=START))
    session.commit()
    refused = run("move", "--to", other_url)
    assert refused.exit_code == 1
    assert "A row of donors was not taken: value too long" in refused.output
    assert "xxx" not in refused.output
    assert filled(str_url(other_url)) == []


@ONLY_SQLITE
def test_nobody_writes_at_the_source_meanwhile(
    app: Flask, database_url: str, make_campaign: MakeCampaign, other_url: str
) -> None:
    make_campaign()
    refused = []

    def write(_table: str, _rows: int) -> None:
        other = sqlite3.connect(make_url(database_url).database or "", timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("UPDATE campaigns SET title = 'other'")
        refused.append(True)
        other.close()

    target_engine = open_engine(str_url(other_url))
    with app.app_context(), db.engine.connect() as source, target_engine.connect() as target:
        moving.lock_out_writers(source)
        moving.move(source, target, step=write)
        target.rollback()
        source.rollback()
    target_engine.dispose()
    assert refused


@ONLY_SQLITE
@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("mysql://a/b", "only sqlite and postgresql"),
        ("sqlite:////nowhere/at/all", "db upgrade"),
        ("postgresql://nobody@127.0.0.1:1/nothing", "does not answer"),
    ],
)
def test_what_is_no_empty_database_is_refused(run: Run, address: str, told: str) -> None:
    refused = run("move", "--to", address)
    assert refused.exit_code == 1
    assert told in refused.output
