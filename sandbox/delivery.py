"""Webhooks: sign each event, post it, and try again until it is taken or three days are over."""

import hashlib
import hmac
import http.client
import logging
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from sandbox.store import Store
from sandbox.transaction import Transaction

log = logging.getLogger(__name__)

# Stripe's own waits are minutes and hours; these are compressed, so that one can watch them.
RETRY_DELAYS_SECONDS = (1, 2, 5, 15, 60, 300, 900, 3_600, 10_800, 21_600, 43_200)
GIVE_UP_AFTER_SECONDS = 3 * 24 * 3_600
ANSWER_TIMEOUT_SECONDS = 10
COURIERS = 4  # Deliveries overtake each other, as Stripe's do; a slow answer holds up no other.
IDLE_SECONDS = 30.0
USER_AGENT = "Goalpost-Sandbox/1.0 (this is not Stripe)"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt that a courier has taken on."""

    sequence: int
    event_id: str
    payload: str
    url: str
    secret: str
    attempts: int
    copy: int
    first_at: float


class Post:
    """The threads that deliver; everything they know stands in the state file."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"courier-{number}", daemon=True)
            for number in range(COURIERS)
        ]

    def start(self) -> None:
        """Take up what a former process left undone, and begin."""
        with self._store.write() as tx:
            tx.connection.execute("UPDATE deliveries SET state = 'waiting' WHERE state = 'sending'")
        for thread in self._threads:
            thread.start()

    def stop(self, *, timeout_seconds: float) -> None:
        """Take no new work; wait a little for what is on its way (it is sent again otherwise)."""
        self._stopping.set()
        self._store.changes.ring()
        until = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(timeout=max(0.0, until - time.monotonic()))

    def wait_for_answer(self, event_id: str, *, timeout_seconds: float) -> None:
        """Wait until every endpoint has answered an event once, well or badly."""
        until = time.monotonic() + timeout_seconds
        while (left := until - time.monotonic()) > 0 and not self._stopping.is_set():
            count = self._store.changes.count
            with self._store.read() as tx:
                waiting = tx.connection.execute(
                    "SELECT count(*) FROM deliveries WHERE event_id = ? "
                    "AND (state = 'sending' OR (state = 'waiting' AND attempts = 0))",
                    (event_id,),
                ).fetchone()[0]
            if not waiting:
                return
            self._store.changes.wait_beyond(count, timeout_seconds=left)

    def _work(self) -> None:
        while not self._stopping.is_set():
            count = self._store.changes.count
            wait_seconds = self._seconds_to_next()
            if wait_seconds > 0:
                self._store.changes.wait_beyond(count, timeout_seconds=wait_seconds)
                continue
            with self._store.write() as tx:
                delivery = _claim(tx)
            if delivery is not None:
                taken, note = post(delivery, signed_at=int(self._store.signing_seconds()))
                with self._store.write() as tx:
                    _record(tx, delivery, taken=taken, note=note)

    def _seconds_to_next(self) -> float:
        """Only read: a courier who wrote when there was nothing to do would wake all the others."""
        with self._store.read() as tx:
            next_at = tx.connection.execute(
                f"SELECT min(deliveries.next_at) {DELIVERABLE}"
            ).fetchone()[0]
        return IDLE_SECONDS if next_at is None else min(IDLE_SECONDS, next_at - time.time())


DELIVERABLE = """
FROM deliveries JOIN objects ON objects.id = deliveries.endpoint_id
WHERE deliveries.state = 'waiting' AND json_extract(objects.body, '$.status') = 'enabled'
"""


def _claim(tx: Transaction) -> Delivery | None:
    row = tx.connection.execute(
        f"SELECT deliveries.sequence, event_id, payload, json_extract(objects.body, '$.url'), "
        f"json_extract(objects.hidden, '$.secret'), attempts, copy, first_at {DELIVERABLE} "
        "AND next_at <= ? ORDER BY next_at, deliveries.sequence LIMIT 1",
        (time.time(),),
    ).fetchone()
    if row is None:
        return None
    delivery = Delivery(*row)
    tx.connection.execute(
        "UPDATE deliveries SET state = 'sending', attempts = attempts + 1 WHERE sequence = ?",
        (delivery.sequence,),
    )
    return delivery


def _record(tx: Transaction, delivery: Delivery, *, taken: bool, note: str) -> None:
    next_at = (
        time.time() + RETRY_DELAYS_SECONDS[min(delivery.attempts, len(RETRY_DELAYS_SECONDS) - 1)]
    )
    if taken:
        state = "delivered"
    elif next_at > delivery.first_at + GIVE_UP_AFTER_SECONDS:
        state = "given_up"
    else:
        state = "waiting"
    # Not if it was put in the queue again while it was on its way: then it goes once more.
    changed = tx.connection.execute(
        "UPDATE deliveries SET state = ?, next_at = ?, note = ? "
        "WHERE sequence = ? AND state = 'sending'",
        (state, next_at, note, delivery.sequence),
    ).rowcount
    if taken and changed and delivery.copy == 0:
        event = tx.need("event", delivery.event_id)
        event["pending_webhooks"] = max(0, event["pending_webhooks"] - 1)
        tx.save(event)


def signature(payload: bytes, *, secret: str, timestamp: int) -> str:
    """Sign as Stripe does: HMAC-SHA256 over the timestamp, a full stop and the raw body.

    https://docs.stripe.com/webhooks#verify-manually
    """
    signed = f"{timestamp}.".encode() + payload
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leave a redirect be: to Stripe it is a failure, and so it is here."""

    def redirect_request(self, *_request: Any, **_more: Any) -> None:
        """Make no second request."""


# A proxy of the environment has no business between two processes on one machine.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


def post(delivery: Delivery, *, signed_at: int) -> tuple[bool, str]:
    """Send one attempt; say whether it was taken (2xx), and a note for people on what came back."""
    payload = delivery.payload.encode()
    header = signature(payload, secret=delivery.secret, timestamp=signed_at)
    request = urllib.request.Request(  # noqa: S310 - endpoints' addresses are checked when stored
        delivery.url,
        data=payload,
        method="POST",
        headers={
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": header,
            "User-Agent": USER_AGENT,
        },
    )
    try:
        with _opener.open(request, timeout=ANSWER_TIMEOUT_SECONDS) as answer:
            return True, f"HTTP {answer.status}"
    except urllib.error.HTTPError as error:
        with error:
            return False, f"HTTP {error.code}"
    except TimeoutError:
        return False, f"no answer within {ANSWER_TIMEOUT_SECONDS} seconds"
    except urllib.error.URLError as error:
        reason = getattr(error.reason, "strerror", None) or error.reason
        return False, f"could not connect: {reason}"[:200]
    except (OSError, http.client.HTTPException) as error:
        return False, f"broken answer: {error!r}"[:200]
