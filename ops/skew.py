"""Clocks that must agree: this machine's, the database server's, and Stripe's.

Stripe's events are refused where their signature is five minutes old or lies ahead, and months turn
by this machine's clock: one that is wrong loses hours before anybody sees why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.clock import is_moved_on_purpose
from ops.health import Finding
from payments.errors import GatewayRefused, GatewayUnavailable
from payments.gateway import Gateway

# Answers take a while, and Stripe's are dated to the second.
MOST_APART = timedelta(seconds=30)


def compare_clocks(
    session: Session, gateway: Gateway | None, *, now: Callable[[], datetime]
) -> Iterator[Finding]:
    """Hold this machine's clock to the others that can be asked; `now` reads it.

    SQLite has no clock of its own. A demo's clock is moved on purpose, and held to none.
    """
    if is_moved_on_purpose():
        return
    if session.get_bind().dialect.name == "postgresql":
        told = session.scalars(text("SELECT clock_timestamp()")).one()
        yield _compared("clock", "the database server's", told, now())
    if gateway is None:
        return
    try:
        told = gateway.told_at()
    except (GatewayUnavailable, GatewayRefused) as error:
        yield Finding("Stripe", ok=False, message=f"does not answer as it should: {error}")
        return
    yield Finding("Stripe", ok=True, message="answers to this key")
    yield _compared("clock", "Stripe's", told, now())


def _compared(name: str, whose: str, told: datetime, ours: datetime) -> Finding:
    apart = ours - told
    if abs(apart) <= MOST_APART:
        return Finding(name, ok=True, message=f"agrees with {whose}")
    seconds = round(abs(apart).total_seconds())
    side = "ahead of" if apart > timedelta(0) else "behind"
    return Finding(
        name,
        ok=False,
        message=(
            f"is {seconds:,} s {side} {whose}: have it set by NTP (`timedatectl`). Stripe's"
            " events are refused from five minutes on, and months turn by it"
        ),
    )
