"""What happens by itself when its time has come: settling, expiry, slow refunds, old keys."""

import threading
from collections.abc import Callable

from sandbox import delayed, idempotency, renewals
from sandbox.cycles import boundary
from sandbox.resources import charges, checkout_sessions, collecting, payouts, refunds
from sandbox.store import Store
from sandbox.transaction import Transaction

ACTIONS: dict[str, Callable[[Transaction, str], object]] = {
    "arrive_payout": payouts.arrive,
    "expire_session": checkout_sessions.expire,
    "fail_refund": refunds.fail,
    "finalize_invoice": collecting.finalize,
    "finish_refund": refunds.finish,
    "reconcile_payout": payouts.reconcile,
    "renew_subscription": renewals.renew,
    "retry_invoice": collecting.retry,
    "settle_charge": charges.settle,
    "settle_debit": delayed.settle_in_time,
}
IDLE_SECONDS = 60.0


class Upkeep:
    """The thread that does what is due; what is to be done stands in the state file."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin, with what fell due while no process ran."""
        with self._store.write() as tx:
            idempotency.prune(tx)
        self._thread.start()

    def stop(self, *, timeout_seconds: float) -> None:
        """Finish the job at hand and take no other."""
        self._stopping.set()
        self._store.changes.ring()
        self._thread.join(timeout=timeout_seconds)

    def _work(self) -> None:
        while not self._stopping.is_set():
            count = self._store.changes.count
            wait_seconds = self._seconds_to_next()
            if wait_seconds > 0:
                self._store.changes.wait_beyond(count, timeout_seconds=wait_seconds)
            else:
                do_next(self._store)

    def _seconds_to_next(self) -> float:
        with self._store.read() as tx:
            due_at = tx.connection.execute("SELECT min(due_at) FROM jobs").fetchone()[0]
            return IDLE_SECONDS if due_at is None else min(IDLE_SECONDS, due_at - tx.clock_seconds)


def do_next(store: Store) -> bool:
    """Do the one job that has been due the longest, and say whether there was one.

    It happens at the time at which it was due: a clock that is moved by three months brings three
    renewals a month apart, and Stripe had not stopped while this process did.
    """
    with store.write() as tx:
        row = tx.connection.execute(
            "SELECT sequence, action, object_id, due_at FROM jobs WHERE due_at <= ? "
            "ORDER BY due_at, sequence LIMIT 1",
            (tx.clock_seconds,),
        ).fetchone()
        if row is None:
            return False
        sequence, action, object_id, due_at = row
        tx.clock_seconds = due_at
        ACTIONS[action](tx, object_id)
        tx.connection.execute("DELETE FROM jobs WHERE sequence = ?", (sequence,))
    return True


def advance_months(store: Store, months: int) -> None:
    """Move the clock ahead by calendar months, and far enough that what renews then is charged."""
    with store.read() as tx:
        target = boundary(tx.now, interval="month", interval_count=1, number=months)
        seconds = target - tx.now + 2 * renewals.DRAFT_SECONDS
    advance(store, seconds)


def advance(store: Store, seconds: int) -> None:
    """Move the sandbox's clock ahead, and do everything that falls due on the way."""
    with store.write() as tx:
        tx.connection.execute("UPDATE clock SET ahead_seconds = ahead_seconds + ?", (seconds,))
    # A site that follows is there before the webhooks of what happens now.
    store.tell_clock()
    while do_next(store):
        pass
    with store.write() as tx:
        idempotency.prune(tx)
