"""Reading `/metrics` as Prometheus does."""

from __future__ import annotations

from datetime import timedelta

from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.orm import Session

from core.clock import MovableClock
from ops.metrics import KEPT_SECONDS, PREFIX
from payments.models import InboxEvent, InboxState

Labels = frozenset[tuple[str, str]]
SECOND = timedelta(seconds=1)


class Scrape:
    """What was told in one go."""

    def __init__(self, text: str) -> None:
        self.text = text
        families = list(text_string_to_metric_families(text))
        self.names = {family.name for family in families}
        self.samples: dict[str, dict[Labels, float]] = {
            family.name: {frozenset(one.labels.items()): one.value for one in family.samples}
            for family in families
        }

    def __call__(self, name: str, /, **labels: str) -> float:
        """Return one number, by its name without the prefix."""
        return self.samples[f"{PREFIX}{name}"][frozenset(labels.items())]


def scrape(client: FlaskClient) -> Scrape:
    """Ask from this machine."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    return Scrape(answer.text)


def scrape_anew(client: FlaskClient, clock: MovableClock) -> Scrape:
    """Ask when nothing is kept from before."""
    clock.advance(KEPT_SECONDS * SECOND)
    return scrape(client)


def leave_event(session: Session, clock: MovableClock, state: InboxState) -> InboxEvent:
    """Put an event of Stripe's into the inbox that is not worked; commits."""
    event = InboxEvent(
        event_id="evt_left",
        type="charge.updated",
        body=b"{}",
        occurred_at=clock.now(),
        received_at=clock.now(),
        state=state,
        next_attempt_at=clock.now(),
    )
    session.add(event)
    session.commit()
    return event
