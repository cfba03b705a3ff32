"""The donor's own page: change the card, end a monthly gift, or keep it after all."""

from collections.abc import Callable, Mapping

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox import currencies
from sandbox.cards import CARDS, CardEntry, read_entry
from sandbox.errors import ApiError
from sandbox.resources import customers, payment_methods, portal_sessions, subscriptions
from sandbox.store import Store
from sandbox.transaction import Body, Transaction

Answer = tuple[str | Response, int]
FIELDS = ("card_number", "expiry", "cvc", "name")
# A customer without an address still has a card.
NO_EMAIL = "donor@example.com"
CANCELED = "Your gift ends with the period that is paid for."
KEPT = "Your gift goes on as before."
CHANGED = "Your new card is used from now on."


class _Wrong(Exception):
    """What the donor typed is not good; the errors stand by field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__()
        self.errors = errors


def make_blueprint(store: Store) -> Blueprint:
    """Give the pages their addresses."""
    portal = Blueprint("portal", __name__, url_prefix="/portal")

    @portal.get("/<secret>")
    def show(secret: str) -> Answer:
        with store.write() as tx:
            session = portal_sessions.visit(tx, secret)
            said = {"canceled": CANCELED, "kept": KEPT, "changed": CHANGED}
            message = said.get(request.args.get("done", ""), "")
            return _gone() if session is None else _page(tx, session, secret, message=message)

    def work(secret: str, done: str, change: Callable[[Transaction, Body], None]) -> Answer:
        """Do what a button says; the page that follows is loaded anew, or the flow is over."""
        with store.write() as tx:
            session = portal_sessions.visit(tx, secret)
            if session is None:
                return _gone()
            try:
                change(tx, session)
            except _Wrong as wrong:
                return _page(tx, session, secret, errors=wrong.errors)
            except ApiError as error:
                return _page(tx, session, secret, alert=error.message)
        return redirect(_next(session, secret, done), 303), 303

    @portal.post("/<secret>/cancel")
    def cancel(secret: str) -> Answer:
        return work(secret, "canceled", lambda tx, session: _end(tx, session, wanted=True))

    @portal.post("/<secret>/keep")
    def keep(secret: str) -> Answer:
        return work(secret, "kept", lambda tx, session: _end(tx, session, wanted=False))

    @portal.post("/<secret>/card")
    def card(secret: str) -> Answer:
        return work(secret, "changed", _change_card)

    return portal


def _end(tx: Transaction, session: Body, *, wanted: bool) -> None:
    """Let one of the donor's own gifts end with its period, or go on."""
    subscription = tx.need("subscription", request.form.get("subscription", ""))
    if subscription["customer"] != session["customer"]:
        raise ApiError("This gift is not yours.")
    subscriptions.cancel_at_period_end(tx, subscription, wanted=wanted, flagged=False)


def _change_card(tx: Transaction, session: Body) -> None:
    """Use another card for all that the donor still gives."""
    customer = tx.need("customer", session["customer"])
    typed = {field: request.form.get(field, "") for field in FIELDS}
    email = customer["email"] or NO_EMAIL
    entry = read_entry({**typed, "email": email}, now_seconds=tx.now)
    if not isinstance(entry, CardEntry):
        raise _Wrong(entry)
    if entry.card.decline is not None:
        raise _Wrong({"card_number": entry.card.decline.message})
    method = payment_methods.add(tx, entry, customer_id=customer["id"])
    payment_methods.attach(tx, method["id"], customer_id=customer["id"])
    customers.use_card(tx, customer, method_id=method["id"])
    for subscription in _gifts(tx, session):
        subscriptions.change(tx, subscription, {"default_payment_method": method["id"]})


def _gifts(tx: Transaction, session: Body) -> list[Body]:
    found = tx.every("subscription", customer=session["customer"])
    return [subscription for subscription in found if subscription["status"] != "canceled"]


def _next(session: Body, secret: str, done: str) -> str:
    flow = session["flow"]
    if flow is not None and flow["after_completion"]["redirect"] is not None:
        return str(flow["after_completion"]["redirect"]["return_url"])
    return url_for("portal.show", secret=secret, done=done)


def _page(
    tx: Transaction,
    session: Body,
    secret: str,
    *,
    message: str = "",
    alert: str = "",
    errors: Mapping[str, str] | None = None,
) -> Answer:
    flow = session["flow"]["type"] if session["flow"] is not None else ""
    page = render_template(
        "portal.html",
        session=session,
        secret=secret,
        flow="" if message else flow,
        gifts=[_shown(tx, subscription) for subscription in _gifts(tx, session)],
        customer=tx.get(session["customer"]),
        cards=CARDS.values(),
        label=currencies.label,
        typed={field: request.form.get(field, "") for field in FIELDS if field != "cvc"},
        message=message,
        alert=alert,
        errors=errors or {},
    )
    return page, 422 if errors else 400 if alert else 200


def _shown(tx: Transaction, subscription: Body) -> Body:
    items = subscription["items"]["data"]
    method = tx.need("payment_method", subscription["default_payment_method"])
    return {
        **subscription,
        "amount_minor": sum(item["price"]["unit_amount"] * item["quantity"] for item in items),
        "recurring": items[0]["price"]["recurring"],
        "ends_at": items[0]["current_period_end"],
        "last4": method["card"]["last4"],
    }


def _gone() -> Answer:
    return render_template("portal_gone.html"), 410
