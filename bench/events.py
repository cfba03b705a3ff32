"""Events a second: accepted at the webhook's door, and worked into the books.

Each beside what the bare database does: accepting is one INSERT a transaction, working at least
an INSERT and an UPDATE of the one row that holds the total.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from sqlalchemy import insert
from werkzeug.test import EnvironBuilder

from bench import bare
from bench.gateway import event_body, signature_of
from bench.rounds import rate
from bench.sites import NOW, Site
from payments.gateway import Payment
from payments.inbox import work_event
from payments.models import Donation, DonationState, InboxState

AMOUNT_MINOR = 2000
_numbers = itertools.count(1)


@dataclass(slots=True)
class Rates:
    """Events, or transactions, a second of each round."""

    kind: str
    threads: int
    bare_insert: list[float] = field(default_factory=list)
    accepted: list[float] = field(default_factory=list)
    bare_update: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)


def measure_events(
    site: Site,
    *,
    threads: Sequence[int],
    rounds: int,
    events: int,
    step: Callable[[str], None],
) -> list[Rates]:
    """Measure both, and their limits, in turns."""
    bare.make_tables(site)
    measured = [Rates(site.kind, number) for number in threads]
    for number in range(rounds + 1):
        for rates in measured:
            step(f"{site.kind}: events, {rates.threads} threads, round {number} of {rounds}")
            figures = _round(site, threads=rates.threads, events=events)
            if number:  # the first round warms up
                for name, figure in figures.items():
                    getattr(rates, name).append(figure)
    return measured


def _round(site: Site, *, threads: int, events: int) -> dict[str, float]:
    payment_ids = [f"pi_event{next(_numbers)}" for _ in range(events)]
    bodies = [event_body(payment_id, at=NOW) for payment_id in payment_ids]
    requests = [_request(body) for body in bodies]
    _expect(site, payment_ids)
    return {
        "bare_insert": rate(bare.writer(site, hot_row=False), bodies, threads=threads),
        "accepted": rate(lambda share: _accept(site, share), requests, threads=threads),
        "bare_update": rate(bare.writer(site, hot_row=True), bodies, threads=threads),
        "worked": rate(lambda share: _work(site, share), payment_ids, threads=threads),
    }


def _expect(site: Site, payment_ids: Sequence[str]) -> None:
    """Write down the donations, and let Stripe know of their payments."""
    donations = {payment_id: f"don_{payment_id}" for payment_id in payment_ids}
    with site.open_session() as session:
        session.execute(
            insert(Donation),
            [
                {
                    "id": donation_id,
                    "campaign_id": site.campaign_id,
                    "state": DonationState.PENDING,
                    "amount_minor": AMOUNT_MINOR,
                    "currency": "USD",
                    "created_at": NOW,
                }
                for donation_id in donations.values()
            ],
        )
        session.commit()
    for payment_id, donation_id in donations.items():
        site.payments[payment_id] = Payment(
            id=payment_id,
            status="succeeded",
            received_minor=AMOUNT_MINOR,
            currency="USD",
            livemode=False,
            donation_id=donation_id,
            paid_at=NOW,
            email=f"{payment_id}@example.org",
            name=None,
        )


def _request(body: bytes) -> dict[str, Any]:
    builder = EnvironBuilder(
        "/webhooks/stripe",
        method="POST",
        input_stream=BytesIO(body),
        content_type="application/json",
        content_length=len(body),
    )
    return builder.get_environ() | {"HTTP_STRIPE_SIGNATURE": signature_of(body, at=NOW)}


def _accept(site: Site, requests: Sequence[dict[str, Any]]) -> None:
    statuses: list[str] = []

    def start(status: str, *_: object) -> Callable[[bytes], object]:
        statuses.append(status)
        return lambda _: None

    for environ in requests:
        # Not closed: closing is what works the event, after Stripe has its answer.
        b"".join(site.app.wsgi_app(environ, start))
    if any(not status.startswith("200") for status in statuses):
        raise RuntimeError(f"an event was not accepted: {sorted(set(statuses))}")


def _work(site: Site, payment_ids: Sequence[str]) -> None:
    for payment_id in payment_ids:
        state = work_event(
            site.open_session, site.gateway, f"evt_{payment_id}", livemode=False, now=lambda: NOW
        )
        if state is not InboxState.DONE:
            raise RuntimeError(f"the event of {payment_id} was not worked: {state}")
