"""Counting held money: Stripe is asked how it stands now, and the books are brought to that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from core.auditlog import Actor
from core.db import OpenSession, in_transaction
from core.errors import NotFound
from payments import quarantine
from payments.books import Occasion, apply_facts, look_and_apply
from payments.facts import Facts, gather_for_payment
from payments.gateway import Gateway


def release_held(
    open_session: OpenSession,
    gateway: Gateway,
    reference: str,
    *,
    slug: str | None,
    actor: Actor,
    livemode: bool,
    now: Callable[[], datetime],
) -> str:
    """Count held money as a gift to the campaign it was meant for or that is named.

    Decided, written into the log and counted in one transaction, with what Stripe says of it now:
    what was given back meanwhile counts no more. Returns in words what came of it. Raises NotFound
    and Conflict where nothing is held, and Invalid where it can't ever count.
    """
    in_transaction(open_session, lambda session: _check_held(session, reference))

    def apply(session: Session, /, *, facts: Facts, seen: Mapping[str, int]) -> str:
        told = (found.payment for found in facts.payments if found.payment.id == reference)
        payment = next(told, None)
        if payment is None:
            raise NotFound("Stripe has no such payment.")
        instant = now()
        quarantine.release(
            session, payment, slug=slug, site_livemode=livemode, actor=actor, now=instant
        )
        cause = f"released:{reference}"
        occasion = Occasion(cause=cause, livemode=livemode, now=instant, seen=seen)
        return apply_facts(session, facts, occasion)

    gather = partial(gather_for_payment, gateway, reference)
    return look_and_apply(open_session, gather, apply, payment_id=reference) or "nothing of ours"


def _check_held(session: Session, reference: str) -> None:
    quarantine.find_held(session, reference)
