"""What our books say, read with every worker dead, and held against the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.orm import Session

from campaigns.catalog import NewCampaign, create_campaign
from campaigns.ledger_models import LedgerEntry, Reference
from campaigns.models import Period
from core.clock import SystemClock
from core.db import engine_options, prepare_engine
from core.settings import Settings
from payments.fee_sums import verify_books
from payments.models import Donation, InboxEvent
from tests.crash.truth import list_all, read_truth
from tests.sandbox_process import Json, SandboxProcess

SLUG = "support-us"
ZONE = ZoneInfo("America/New_York")
# Events that are done only once what they tell of is in the books.
BOOKED = ("payment_intent.succeeded", "refund.created")


@dataclass(frozen=True)
class Books:
    """The ledger by reference, the months, and the state of each event and session."""

    posted: Counter[str]
    months: dict[str, int]
    events: dict[str, str]
    sessions: dict[str, str | None]  # by donation
    differences: Sequence[object]


@contextmanager
def opened(settings: Settings) -> Iterator[Session]:
    """Open the database, and leave no connection behind."""
    engine: Engine = create_engine(**engine_options(settings))
    prepare_engine(engine)
    try:
        with Session(engine) as session:
            yield session
    finally:
        engine.dispose()


def make_campaign(settings: Settings) -> None:
    """Make the campaign that all donors give to."""
    new = NewCampaign(slug=SLUG, title="Support us", currency="USD", timezone=ZONE.key)
    with opened(settings) as session:
        create_campaign(session, new, now=SystemClock().now())
        session.commit()


def read_books(settings: Settings) -> Books:
    """Read it all in one snapshot."""
    with opened(settings) as session:
        posted: Counter[str] = Counter()
        for name, minor in session.execute(
            select(Reference.name, func.sum(LedgerEntry.amount_minor))
            .join(Reference, Reference.id == LedgerEntry.reference_id)
            .group_by(Reference.name)
        ):
            if minor:
                posted[name] = int(minor)
        return Books(
            posted=posted,
            months={
                key: minor
                for key, minor in session.execute(select(Period.key, Period.raised_minor))
                if minor
            },
            events=dict(session.execute(select(InboxEvent.event_id, InboxEvent.state)).all()),
            sessions=dict(
                session.execute(
                    select(Donation.id, Donation.checkout_session_id).where(
                        Donation.form_key.is_not(None)
                    )
                ).all()
            ),
            differences=verify_books(session).differences,
        )


def check_after_crash(books: Books, sandbox: SandboxProcess, promised: set[str]) -> None:
    """What was acknowledged is recorded, and what is recorded is true.

    `promised` are the Checkout Sessions that donors were sent to.
    """
    assert books.differences == (), books.differences
    kept = {session_id for session_id in books.sessions.values() if session_id}
    assert promised <= kept, f"donors were sent to {promised - kept}, which are not on record"
    acknowledged = {
        delivery["event"] for delivery in sandbox.deliveries() if delivery["state"] == "delivered"
    }
    lost = acknowledged - books.events.keys()
    assert not lost, f"acknowledged and not recorded: {lost}"
    truth = read_truth(sandbox, ZONE)
    for name, minor in books.posted.items():
        assert name in truth.most, f"{name} is in the books, and not at Stripe"
        assert abs(minor) <= truth.most[name], name
    for event in _newest(sandbox, *BOOKED):
        reference = event["data"]["object"]["id"]
        counts = reference in truth.posted  # and was not given back since
        if counts and books.events.get(event["id"]) == "done":
            assert reference in books.posted, f"{event['id']} is done, {reference} is not"


def check_after_reconciliation(books: Books, sandbox: SandboxProcess) -> None:
    """The amounts are equal, nothing waits, and each donation has one session at most."""
    truth = read_truth(sandbox, ZONE)
    assert dict(books.posted) == truth.posted
    assert books.months == {key: minor for key, minor in truth.months.items() if minor}
    assert set(books.events.values()) <= {"done", "unhandled"}, Counter(books.events.values())
    sessions = Counter(
        session["client_reference_id"] for session in list_all(sandbox, "checkout/sessions")
    )
    assert sessions.keys() <= books.sessions.keys(), "Stripe heard of a donation before we did"
    assert set(sessions.values()) <= {1}, "a donation has two sessions"


def _newest(sandbox: SandboxProcess, *kinds: str) -> Iterator[Json]:
    """Return the newest hundred events of each kind: the others were looked at before."""
    for kind in kinds:
        yield from sandbox.api("GET", f"/v1/events?limit=100&type={kind}")["data"]
