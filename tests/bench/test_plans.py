"""What must not slow down with the books' size goes through an index, whatever the size."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from campaigns.adjustments import list_adjustments
from campaigns.announcing import unannounced_period_ids
from campaigns.catalog import CampaignChanges, change_campaign, list_campaigns
from campaigns.face import read_face, read_faces
from campaigns.history import Reader, read_chapter, read_closings, read_history
from campaigns.ledger import Gift, Reduction, state_gift
from campaigns.ledger_models import ReferenceKind
from campaigns.look import Shown
from campaigns.models import Campaign
from campaigns.progress import read_progress
from campaigns.rolling import due_campaign_ids, roll_campaign
from core.auditlog import COMMAND_LINE
from core.calls import due_call_ids
from core.db import db
from core.outbox import due_mail_ids
from core.sheets import Format
from payments.export_filters import Export, What
from payments.exporting import begin_export
from payments.inbox import due_event_ids, read_backlog
from payments.privacy import Retention, tidy
from payments.thanking import post_thanks
from tests.conftest import START, MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.pages import give_online

BASE_URL = "https://goal.example.org"
Statement = tuple[str, Any]
# Those that have a row for each gift, event or donor.
GROWING = (
    "ledger_entries", "ledger_references", "period_donors", "donations", "donors", "inbox_events",
    "quarantined_payments", "subscriptions",
)  # fmt: skip


@pytest.fixture
def engine(app: Flask) -> Engine:
    with app.app_context():
        return db.engine


@pytest.fixture
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


@contextmanager
def recorded(engine: Engine) -> Iterator[list[Statement]]:
    statements: list[Statement] = []

    def record(
        _c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: Any
    ) -> None:  # fmt: skip
        # An INSERT looks nothing up but its unique keys. What SQLite's plan lists for one are
        # checks of foreign keys, which it leaves out as long as none is violated.
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            statements.append((statement, parameters[0] if many else parameters))

    event.listen(engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", record)


def scans(engine: Engine, statements: list[Statement]) -> list[str]:
    """Return the steps of the statements' plans that go through a whole growing table."""
    found = []
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            # Small tables are scanned by choice. Where it is no choice, it says so all the same.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for statement, parameters in statements:
            if engine.dialect.name == "postgresql":
                rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
                steps = [row[0] for row in rows if "Seq Scan" in row[0]]
            else:
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                steps = [
                    row[3] for row in rows if row[3].startswith("SCAN") and " USING " not in row[3]
                ]
            found += [
                f"{step}: {statement}" for step in steps if any(table in step for table in GROWING)
            ]
        connection.rollback()
    return found


@pytest.mark.parametrize("period", [None, "2021-05"])
@pytest.mark.parametrize("what", list(What))
def test_page_of_an_export_is_found_by_an_index(
    engine: Engine, app: Flask, campaign: Campaign, session: Session, what: What, period: str | None
) -> None:
    _gift(session, campaign)
    session.commit()
    with app.app_context():
        maker = db.sessionmaker
    export = Export(what=what, format=Format.CSV, slug=campaign.slug, period=period)
    stream = begin_export(maker, export, actor=COMMAND_LINE, clock=lambda: START)
    with recorded(engine) as statements:
        assert list(stream)
    pages = [statement for statement, _ in statements if "JOIN" in statement]
    assert len(pages) == 2  # counted, and read
    assert scans(engine, statements) == []


def test_scan_is_seen(engine: Engine, campaign: Campaign) -> None:
    assert campaign.id
    assert scans(engine, [("SELECT sum(amount_minor) FROM ledger_entries", ())])


def _gift(session: Session, campaign: Campaign) -> None:
    gift = Gift(reference="pi_1", kind=ReferenceKind.PAYMENT, effect_minor=5000, paid_at=START)
    refund = Reduction(reference="re_1", kind=ReferenceKind.REFUND, effect_minor=-2000)
    state_gift(session, campaign, gift, [refund], cause="test", now=START)


def _roll(session: Session, campaign: Campaign) -> None:
    later = START.replace(month=8)
    due_campaign_ids(session, now=later)
    roll_campaign(session, campaign.id, now=later)


def _read_everything_on_a_face(session: Session, campaign: Campaign) -> None:
    change_campaign(session, campaign.slug, CampaignChanges(shows=tuple(Shown)), now=START)
    read_face(session, campaign.slug, now=START, base_url=BASE_URL)


def _read_the_history(session: Session, campaign: Campaign) -> None:
    _gift(session, campaign)
    later = START.replace(month=8)
    roll_campaign(session, campaign.id, now=later)
    reduction = Reduction(reference="re_2", kind=ReferenceKind.REFUND, effect_minor=-1000)
    gift = Gift(reference="pi_1", kind=ReferenceKind.PAYMENT, effect_minor=5000, paid_at=START)
    state_gift(session, campaign, gift, [reduction], cause="test", now=later)
    months = read_history(session, campaign.slug, now=later, base_url=BASE_URL)
    assert any(month.changes for month in months)
    read_chapter(session, campaign, "2021-05", Reader(now=later, base_url=BASE_URL))
    read_closings(session, campaign, now=later, base_url=BASE_URL, limit=24)


KEEP = Retention(
    messages=timedelta(days=365),
    events=timedelta(days=90),
    abandoned=timedelta(days=7),
    mail=timedelta(days=30),
)
PATHS: dict[str, Callable[[Session, Campaign], object]] = {
    "read the bar": lambda session, campaign: read_progress(
        session, campaign.slug, now=START, base_url=BASE_URL
    ),
    "read a face": _read_everything_on_a_face,
    "read all bars": lambda session, _: read_faces(
        session, list_campaigns(session, limit=24), now=START, base_url=BASE_URL
    ),
    "read the history": _read_the_history,
    "post a gift and a refund": _gift,
    "roll": _roll,
    "thank": lambda session, _: post_thanks(
        session, site_name="Goalpost", base_url=BASE_URL, now=START
    ),
    "find goals to tell of": lambda session, _: unannounced_period_ids(session),
    "find calls to make": lambda session, _: due_call_ids(session, now=START),
    "find mail to send": lambda session, _: due_mail_ids(session, now=START),
    "forget what is old": lambda session, _: tidy(session, KEEP, now=START),
    "look into the inbox": lambda session, _: due_event_ids(session, now=START),
    "read the backlog": lambda session, _: read_backlog(session),
    "list adjustments": lambda session, campaign: list_adjustments(session, campaign.slug),
}


@pytest.mark.parametrize("path", PATHS)
def test_no_growing_table_is_gone_through(
    session: Session, engine: Engine, campaign: Campaign, path: str
) -> None:
    with recorded(engine) as statements:
        PATHS[path](session, campaign)
        session.commit()
    assert statements
    assert scans(engine, statements) == []


def test_event_is_taken_and_worked_without_going_through_a_table(
    client: FlaskClient, engine: Engine, campaign: Campaign, fake_gateway: FakeGateway
) -> None:
    assert campaign.id
    with recorded(engine) as statements:
        checkout_url = give_online(client, amount="20", email="ada@example.org").location
        payment = fake_gateway.pay(checkout_url.rpartition("/")[2])
        body = fake_gateway.event("payment_intent.succeeded", payment.id, payment_id=payment.id)
        answer = client.post("/webhooks/stripe", data=body, headers=fake_gateway.signed(body))
        client.get(f"/c/support-us/thanks?donation={payment.donation_id}")
    assert answer.status_code == 200
    assert any("UPDATE periods" in statement for statement, _ in statements)
    assert scans(engine, statements) == []
