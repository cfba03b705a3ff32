"""The door for Stripe's events."""

from __future__ import annotations

import threading
from typing import cast

from flask import Blueprint, Response, current_app, request

from core.clock import now
from core.db import in_transaction
from core.logs import bind, bound
from core.web import settings
from payments.edge import csrf, current_gateway, open_session
from payments.errors import PaymentsNotSetUp, UntrustedEvent
from payments.gateway import Event
from payments.inbox import accept_event, work_event

# How many of a process's threads may work events, each of which waits for Stripe.
MOST_AT_WORK = 2
_at_work = threading.BoundedSemaphore(MOST_AT_WORK)

bp = Blueprint("webhook", __name__)


@bp.post("/webhooks/stripe")
@csrf.exempt  # Stripe's signature stands for the token
def stripe_webhook() -> tuple[Response, int]:
    """Keep Stripe's event, acknowledge it, and work it once the answer is on its way."""
    gateway = current_gateway()
    if gateway is None:
        raise PaymentsNotSetUp("This site takes no payments by Stripe.")
    try:
        # The raw bytes, before anything has parsed them: only these are what was signed.
        body = request.get_data(cache=False)
        event = gateway.read_event(body, request.headers.get("Stripe-Signature", ""), now=now())
        _check_mode(event)
    except UntrustedEvent as error:
        current_app.logger.warning("webhook refused: %s", error.message)
        return _json({"error": {"code": error.code, "message": error.message}}), 400
    is_new = in_transaction(open_session, lambda session: accept_event(session, event, now=now()))
    response = _json({"received": True})
    request_id = bound()
    app, clock = current_app._get_current_object(), now  # type: ignore[attr-defined] # noqa: SLF001 - Flask's documented way

    def work() -> None:
        if not _at_work.acquire(blocking=False):
            return  # the scheduler does it: readers must not wait for a Stripe that is slow
        try:
            with app.app_context():
                bind(**request_id)
                state = work_event(
                    open_session, gateway, event.id, livemode=settings().livemode, now=clock
                )
                app.logger.info("event %s %s: %s", event.id, event.type, state)
        finally:
            _at_work.release()

    if is_new:
        # Stripe has its answer when this runs. If we die before it has, the scheduler does it.
        response.call_on_close(work)
    return response, 200


def _check_mode(event: Event) -> None:
    if event.livemode != settings().livemode:
        raise UntrustedEvent("The event is of the other mode (test or live).")


def _json(body: dict[str, object]) -> Response:
    return cast("Response", current_app.json.response(body))
