"""Bugs that the crash loop must find, set into a child: each is one that others have shipped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.orm import Session

import payments.inbox
import payments.webhook_routes
from payments.books import Occasion
from payments.edge import open_session
from payments.models import InboxState

ACCEPTED_LATER_SECONDS = 0.3


def acknowledge_early() -> None:
    """Answer Stripe first and keep its event a little later."""
    routes: Any = payments.webhook_routes
    keep = routes.in_transaction

    def later(open_session: Any, work: Any) -> bool:
        threading.Timer(ACCEPTED_LATER_SECONDS, keep, (open_session, work)).start()
        return False

    routes.in_transaction = later


def split_the_transaction() -> None:
    """Mark the event as done in one transaction, and bring the books along in another."""
    inbox: Any = payments.inbox

    def apply(session: Session, event_id: str, facts: Any, occasion: Occasion) -> None:
        with open_session() as first:
            inbox._mark(first, event_id, InboxState.DONE, "", now=occasion.now)  # noqa: SLF001 - what is broken on purpose
            first.commit()
        time.sleep(0.05)
        inbox.apply_facts(session, facts, occasion)

    inbox._apply = apply  # noqa: SLF001 - what is broken on purpose


BUGS: Mapping[str, Callable[[], None]] = {
    "acknowledge early": acknowledge_early,
    "split the transaction": split_the_transaction,
}
