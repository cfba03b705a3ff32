"""The named points at which a process kills itself, set in from outside: no code of ours knows.

A fuse is a point and a number: the process dies when it passes the point for that many times.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

import ops.jobs
import payments.gate
import payments.inbox
import payments.reconcile
import payments.webhook_routes
from payments.stripe_gateway import StripeGateway

# Where each point lies: in what only the web does, in the work on an event, which all do, and in
# what only the scheduler does.
OF_THE_WEB = (
    "donation written, not committed",
    "donation committed, Stripe not asked",
    "session made, not committed",
    "event accepted, not committed",
    "event committed, not acknowledged",
)
OF_WORK = (
    "claimed, nothing fetched",
    "fetched, nothing applied",
    "applied, not marked",
    "applied and marked, not committed",
    "applied and committed",
    "before any commit",
    "after any commit",
)
# Not a place to die, but what tells the commit of the books from others.
_APPLIED = "applied"
OF_THE_SCHEDULER = (
    "rolled, not committed",
    "reconciled, cursor not moved",
    "cursor moved, not committed",
)


class Fuse:
    """Counts how often the named point is passed, and kills at the given time."""

    def __init__(self, point: str, passes: int, hits: Path) -> None:
        self._point = point
        self._left = passes
        self._hits = hits
        self._thread = threading.local()

    def committed(self) -> None:
        """Pass what lies behind a commit: of this thread, the commit of the books or another."""
        if getattr(self._thread, "applied", False):
            self._thread.applied = False
            self.passed("applied and committed")
        self.passed("after any commit")

    def passed(self, point: str) -> None:
        """Die here, if it is time: no handler, no `finally`, no rollback."""
        if point == _APPLIED:
            self._thread.applied = True
        if point != self._point:
            return
        self._left -= 1
        if self._left == 0:
            # One write, which outlives us: the file belongs to the kernel, not to this process.
            with self._hits.open("a") as file:
                file.write(f"{point}\n")
            os.kill(os.getpid(), signal.SIGKILL)


def install(fuse: Fuse) -> None:
    """Lay the fuse beside every point."""
    gate, webhook = payments.gate, payments.webhook_routes
    inbox, reconcile = payments.inbox, payments.reconcile
    _after(gate, "begin_donation", fuse, "donation written, not committed")
    _before(StripeGateway, "create_checkout", fuse, "donation committed, Stripe not asked")
    _after(StripeGateway, "create_checkout", fuse, "session made, not committed")
    _after(webhook, "accept_event", fuse, "event accepted, not committed")
    _before(webhook, "_json", fuse, "event committed, not acknowledged")
    _before(inbox, "gather_for_event", fuse, "claimed, nothing fetched")
    _after(inbox, "gather_for_event", fuse, "fetched, nothing applied")
    _after(inbox, "apply_facts", fuse, "applied, not marked")
    _after(inbox, "_apply", fuse, "applied and marked, not committed")
    _after(inbox, "_apply", fuse, _APPLIED)
    _after(ops.jobs, "roll_due", fuse, "rolled, not committed")
    _before(reconcile, "_move_cursor", fuse, "reconciled, cursor not moved")
    _after(reconcile, "_move_cursor", fuse, "cursor moved, not committed")
    event.listen(Session, "before_commit", lambda _: fuse.passed("before any commit"))
    event.listen(Session, "after_commit", lambda _: fuse.committed())


def _before(owner: Any, name: str, fuse: Fuse, point: str) -> None:
    function: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(function)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        fuse.passed(point)
        return function(*arguments, **named)

    setattr(owner, name, wrapped)


def _after(owner: Any, name: str, fuse: Fuse, point: str) -> None:
    function: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(function)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        fuse.passed(point)
        return result

    setattr(owner, name, wrapped)
