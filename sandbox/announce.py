"""Events: what happened, told once to the list and to every webhook endpoint that listens."""

import json
import time
from fnmatch import fnmatchcase

from sandbox import faults
from sandbox.faults import Fate
from sandbox.ids import new_id
from sandbox.settings import API_VERSION
from sandbox.transaction import Body, Transaction


def announce(
    tx: Transaction, event_type: str, about: Body, *, previous: Body | None = None
) -> Body:
    """Record an event with a snapshot of `about` as it is now, and put its deliveries in the queue.

    `previous` holds the former values of what an `….updated` event changed. The event and its
    deliveries are part of the transaction: what was rolled back was never announced.
    """
    data: Body = {"object": about}
    if previous is not None:
        data["previous_attributes"] = previous
    endpoints = [
        endpoint
        for endpoint in tx.every("webhook_endpoint", status="enabled")
        if any(fnmatchcase(event_type, pattern) for pattern in endpoint["enabled_events"])
    ]
    event = tx.add(
        {
            "id": new_id("evt_"),
            "object": "event",
            "api_version": API_VERSION,
            "created": tx.now,
            "data": data,
            "livemode": False,
            "pending_webhooks": len(endpoints),
            "request": {
                "id": tx.request.request_id,
                "idempotency_key": tx.request.idempotency_key,
            },
            "type": event_type,
        }
    )
    for endpoint in endpoints:
        _queue(tx, event, endpoint["id"], fate=faults.fate_of_delivery(tx, event_type))
    return event


def _queue(tx: Transaction, event: Body, endpoint_id: str, *, fate: Fate) -> None:
    """Have an event delivered, whether for the first time or once more.

    The payload is written once and sent byte for byte on every attempt, as Stripe does. Deliveries
    go by the machine's time and not by the sandbox's clock: a month that is skipped in a test
    should not give up on the receiver.
    """
    now = time.time()
    payload = json.dumps(event, indent=2, ensure_ascii=False)
    state, note = ("given_up", faults.DROPPED) if fate.dropped else ("waiting", "")
    tx.connection.executemany(
        """
        INSERT INTO deliveries
            (event_id, endpoint_id, copy, payload, state, first_at, next_at, note)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (event_id, endpoint_id, copy) DO UPDATE
        SET state = 'waiting', attempts = 0, note = '',
            first_at = excluded.first_at, next_at = excluded.next_at
        """,
        [
            (event["id"], endpoint_id, copy, payload, state, now, now + fate.delay_seconds, note)
            for copy in range(fate.copies)
        ],
    )


def redeliver(tx: Transaction, event_id: str) -> int:
    """Send an event to every enabled endpoint again; say to how many."""
    event = tx.need("event", event_id)
    endpoints = tx.every("webhook_endpoint", status="enabled")
    for endpoint in endpoints:
        _queue(tx, event, endpoint["id"], fate=Fate())
    return len(endpoints)
