"""Our side, as the tests of properties drive it: the services themselves, on a real database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import create_engine, event, func, select, update
from sqlalchemy.orm import Session, sessionmaker

from campaigns.catalog import NewCampaign, create_campaign, find_campaign
from campaigns.models import Campaign, CampaignTier, Period, PeriodTier
from campaigns.rolling import due_campaign_ids, roll_campaign
from core.auditlog import COMMAND_LINE
from core.clock import MovableClock
from core.db import engine_options, in_transaction, prepare_engine
from payments import quarantine
from payments.books import Occasion, apply_facts
from payments.donating import (
    OfflineGift,
    Wish,
    checkout_request,
    record_offline_gift,
    start_donation,
)
from payments.errors import GatewayUnavailable
from payments.facts import gather_for_checkout, gather_for_payment
from payments.fee_sums import verify_books
from payments.gateway import Frequency
from payments.inbox import MOST_BACK_OFF, accept_event, due_event_ids, work_event
from payments.models import Donation, Donor, InboxState, QuarantinedPayment
from payments.reconcile import Reconciled, reconcile
from tests.conftest import make_settings
from tests.properties.conftest import OpenDatabase
from tests.properties.oracle import Asked, Oracle, donor_of
from tests.properties.replay import replay
from tests.properties.stripe import TalkativeStripe

START = datetime(2021, 5, 12, 10, 11, 12, tzinfo=UTC)
# Two months that begin 18 hours apart.
ZONES = {"far-east": "Pacific/Kiritimati", "support-us": "America/New_York"}
CURRENCIES = {"far-east": "EUR", "support-us": "USD"}
SLUGS = tuple(ZONES)
TIERS = (250_000, 500_000)
MOST_TRIES = 5
T = TypeVar("T")


class Site:
    """A site with two campaigns, a Stripe beside it, and an oracle that hears what it hears."""

    def __init__(self, open_database: OpenDatabase) -> None:
        self._open = ExitStack()
        settings = make_settings(database_url=self._open.enter_context(open_database()))
        engine = create_engine(**engine_options(settings))
        prepare_engine(engine)
        if settings.sqlite:
            # The books of a test need not outlive it.
            event.listen(engine, "connect", lambda found, _: found.execute("PRAGMA synchronous=0"))
        self._open.callback(engine.dispose)
        self.open_session = sessionmaker(engine, expire_on_commit=False)
        self.clock = MovableClock(START)
        self.stripe = TalkativeStripe(settings, self.clock)
        self.oracle = Oracle(ZONES, CURRENCIES)
        self.erased: Counter[str] = Counter()
        self.refused: set[str] = set()
        self._forms = 0
        self._template: tuple[int, ...] = TIERS
        self._entries: list[Any] = []
        self._closed: dict[int, tuple[datetime, int]] = {}
        self._tiers: dict[int, tuple[int, ...]] = {}
        for slug in SLUGS:
            new = NewCampaign(
                slug=slug,
                title=slug,
                currency=CURRENCIES[slug],
                timezone=ZONES[slug],
                tiers_minor=TIERS,
            )
            self.do(partial(create_campaign, new=new, now=self.clock.now()))
        # Stripe is asked about what happened since the first donation, and not before.
        self.donate(SLUGS[0], 100, email=None, frequency="once")

    def close(self) -> None:
        self._open.close()

    def do(self, work: Callable[[Session], T]) -> T:
        """Do something in a transaction of its own."""
        return in_transaction(self.open_session, work)

    def donate(
        self,
        slug: str,
        amount_minor: int,
        *,
        email: str | None,
        frequency: Frequency,
        cover_minor: int = 0,
    ) -> str | None:
        """Fill in the form; return the session to be paid, None where Stripe can't be reached."""
        self._forms += 1
        wish = Wish(
            form_token=f"form {self._forms}",
            amount_minor=amount_minor,
            cover_minor=cover_minor,
            frequency=frequency,
            email=email,
        )

        def start(session: Session) -> tuple[Campaign, Donation]:
            campaign = find_campaign(session, slug)
            return campaign, start_donation(session, campaign, wish, now=self.clock.now())

        campaign, donation = self.do(start)
        self.oracle.asked[donation.id] = Asked(
            slug,
            amount_minor,
            CURRENCIES[slug],
            donor_of(email, self.erased) if email else None,
            cover_minor,
        )
        request = checkout_request(campaign, donation, email=email, base_url="http://localhost")
        try:
            checkout = self.stripe.create_checkout(request)
        except GatewayUnavailable:
            return None
        kept = update(Donation).where(Donation.id == donation.id)
        self.do(lambda session: session.execute(kept.values(checkout_session_id=checkout.id)))
        return checkout.id

    def receive(self, body: bytes, *, work: bool) -> None:
        """Take an event as the webhook does; without `work` we die before it is worked."""
        event = self.stripe.parse_event(body)
        new = self.do(partial(accept_event, event=event, now=self.clock.now()))
        if new and work:
            self._work(event.id)

    def work_due(self) -> int:
        """Work what is due, as the scheduler does; return how many events were tried."""
        due = self.do(partial(due_event_ids, now=self.clock.now()))
        for event_id in due:
            self._work(event_id)
        return len(due)

    def _work(self, event_id: str) -> None:
        state = work_event(
            self.open_session, self.stripe, event_id, livemode=False, now=self.clock.now
        )
        self._heard(applied=state == InboxState.DONE)

    def visit_thanks(self, checkout_id: str) -> None:
        """Come back from Stripe's page: the same facts, fetched for another reason."""
        try:
            facts = gather_for_checkout(self.stripe, checkout_id)
        except GatewayUnavailable:
            self._heard(applied=False)
            return
        self.do(partial(apply_facts, facts=facts, occasion=self._occasion("thanks")))
        self._heard(applied=True)

    def reconcile(self, since: datetime | None = None) -> Reconciled | None:
        """Ask Stripe for all that happened; None where it can't be reached."""
        try:
            found = reconcile(
                self.open_session, self.stripe, livemode=False, now=self.clock.now, since=since
            )
        except GatewayUnavailable:
            self._heard(applied=False)
            return None
        self._heard(applied=True)
        return found

    def release(self, payment_id: str, slug: str | None) -> None:
        """Decide that held money counts, as the command does."""
        facts = gather_for_payment(self.stripe, payment_id)
        told = self.stripe.told(payment_id)

        def decide(session: Session) -> None:
            now = self.clock.now()
            quarantine.release(
                session,
                told.payment,
                slug=slug,
                site_livemode=False,
                actor=COMMAND_LINE,
                now=now,
            )
            apply_facts(session, facts, self._occasion("released"))

        try:
            self.do(decide)
        except BaseException:
            self._heard(applied=False)
            raise
        self._heard(applied=True)
        self.oracle.release(told, slug)

    def refuse(self, payment_id: str) -> None:
        refuse = partial(
            quarantine.refuse, reference=payment_id, actor=COMMAND_LINE, now=self.clock.now()
        )
        self.do(refuse)

    def record(self, slug: str, amount_minor: int, paid_at: datetime) -> None:
        gift = OfflineGift(amount_minor=amount_minor, paid_at=paid_at)
        found = self.do(
            lambda session: record_offline_gift(session, slug, gift, now=self.clock.now())
        )
        assert found.reference is not None
        self.oracle.record(found.reference, slug, amount_minor, paid_at)

    def roll(self) -> None:
        """Close what has ended, as the scheduler's job does."""
        now = self.clock.now()
        for campaign_id in self.do(partial(due_campaign_ids, now=now)):
            self.do(partial(roll_campaign, campaign_id=campaign_id, now=now))
        late = select(func.count()).where(Period.ends_at <= now, Period.closed_at.is_(None))
        assert self.do(lambda session: session.scalar(late)) == 0

    def change_tiers(self, *amounts_minor: int) -> None:
        """Give every campaign other goals, for the months to come."""

        def change(session: Session) -> None:
            for slug in SLUGS:
                campaign = find_campaign(session, slug)
                campaign.tiers.clear()
                session.flush()
                campaign.tiers.extend(CampaignTier(amount_minor=minor) for minor in amounts_minor)

        self.do(change)
        self._template = amounts_minor

    def erase(self, email: str) -> None:
        """Forget a donor's name and address; the ledger's key of the donor is opaque and stays."""
        forget = update(Donor).where(Donor.email == email).values(email=None, name=None)
        if self.do(lambda session: session.execute(forget.returning(Donor.id)).all()):
            self.erased[email] += 1

    def _occasion(self, cause: str) -> Occasion:
        return Occasion(cause=cause, livemode=False, now=self.clock.now())

    def _heard(self, *, applied: bool) -> None:
        payment_ids = dict.fromkeys(self.stripe.asked_about)
        self.stripe.asked_about.clear()
        for payment_id in payment_ids if applied else ():
            self.oracle.hear(self.stripe.told(payment_id), erased=self.erased)

    def check(self) -> None:
        """Hold the books against the ledger's law, and against what the oracle knows."""
        self.do(self._check)

    def check_after_reconciliation(self) -> None:
        """See that the books equal Stripe's whatever was dropped, once we could ask for it."""
        self.stripe.unavailable = False
        self.reconcile()
        # What had failed is tried again as its back-off ends.
        for _ in range(MOST_TRIES):
            self.clock.advance(MOST_BACK_OFF)
            if not self.work_due():
                break
        for payment_id in self.stripe.all_payment_ids():
            self.oracle.hear(self.stripe.told(payment_id), erased=self.erased)
        self.check()

    def _check(self, session: Session) -> None:
        found = replay(session)
        found.check()
        assert verify_books(session).differences == ()
        books, expected = found.books(), self.oracle.books()
        assert books.posted == expected.posted
        assert books.covers == expected.covers
        assert books.months == expected.months
        # Only added to, and closed for good.
        assert list(found.entries[: len(self._entries)]) == self._entries
        self._entries = list(found.entries)
        for id_, closed in self._closed.items():
            row = found.periods[id_]
            assert (row.closed_at, row.as_closed_minor) == closed
        self._closed = {
            id_: (row.closed_at, row.as_closed_minor)
            for id_, row in found.periods.items()
            if row.closed_at is not None
        }
        self._check_tiers(session)
        paid = select(Donation.reference).where(Donation.state == "paid")
        assert sorted(map(str, session.scalars(paid))) == sorted(self.oracle.gifts)
        held = session.scalars(select(QuarantinedPayment.reference)).all()
        assert sorted(held) == sorted(self.oracle.held)

    def _check_tiers(self, session: Session) -> None:
        """A month keeps the goals that it began with."""
        tiers: dict[int, list[int]] = {id_: [] for id_ in session.scalars(select(Period.id)).all()}
        for tier in session.scalars(select(PeriodTier).order_by(PeriodTier.amount_minor)):
            tiers[tier.period_id].append(tier.amount_minor)
        for id_, amounts in tiers.items():
            assert tuple(amounts) == self._tiers.setdefault(id_, self._template)
