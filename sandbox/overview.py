"""The overview: what the sandbox holds, with the few buttons that Stripe's Dashboard would have."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox import buttons, currencies, faults, upkeep
from sandbox.announce import redeliver
from sandbox.buttons import Button
from sandbox.errors import ApiError
from sandbox.resources import refunds
from sandbox.resources.disputes import UNREFUNDABLE
from sandbox.settings import API_VERSION, Settings
from sandbox.store import Store
from sandbox.transaction import Body, Transaction

Answer = tuple[str, int] | Response

SHOWN_MAX = 25
PRESSED: dict[str, Button] = {
    "dispute": buttons.dispute,
    "inquire": lambda tx, id_, _: buttons.dispute(tx, id_, {"kind": "inquiry"}),
    "win": buttons.win,
    "lose": buttons.BUTTONS["/disputes/<object_id>/lose"],
    "escalate": buttons.BUTTONS["/disputes/<object_id>/escalate"],
    "close": buttons.BUTTONS["/disputes/<object_id>/close_inquiry"],
    "settle": buttons.settle,
    "fail": buttons.fail,
    "cancel": buttons.cancel,
    "arrive": buttons.BUTTONS["/payouts/<object_id>/arrive"],
    "return": buttons.BUTTONS["/payouts/<object_id>/fail"],
    "end": lambda tx, id_, _: buttons.cancel(tx, id_, {"at_period_end": True}),
}
# Where a button leads back to, by the kind of object that it is about; else to the payments.
ANCHORS = {"po": "payouts", "sub": "subscriptions"}
DAY_SECONDS = 24 * 3_600


def make_blueprint(store: Store, settings: Settings) -> Blueprint:
    """Give the overview its addresses."""
    blueprint = Blueprint("overview", __name__)
    blueprint.add_app_template_filter(_moment, "moment")
    blueprint.add_app_template_filter(currencies.label, "money")
    overview = _Overview(store, settings)
    blueprint.add_url_rule("/", view_func=overview.index)
    blueprint.add_url_rule("/objects/<object_id>", view_func=overview.show)
    for rule, button in (
        ("/press/<name>/<object_id>", overview.press),
        ("/charges/<charge_id>/refund", overview.refund),
        ("/payouts", overview.pay_out),
        ("/events/<event_id>/redeliver", overview.send_again),
        ("/clock/day", overview.move_by_day),
        ("/clock/month", overview.move_by_month),
    ):
        blueprint.add_url_rule(rule, view_func=button, methods=["POST"])
    return blueprint


class _Overview:
    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    def index(self, message: str = "") -> str:
        """Show everything, the latest first."""
        with self._store.read() as tx:
            return render_template(
                "overview.html",
                sessions=[_session(tx, session) for session in _latest(tx, "checkout.session")],
                subscriptions=[_gift(tx, gift) for gift in _latest(tx, "subscription")],
                payouts=_latest(tx, "payout"),
                charges=[_charge(tx, charge) for charge in _latest(tx, "charge")],
                events=[_event(tx, event) for event in _latest(tx, "event")],
                endpoints=tx.every("webhook_endpoint", status="enabled"),
                faulty=faults.current(tx) is not None,
                now=tx.now,
                settings=self._settings,
                version=API_VERSION,
                shown_max=SHOWN_MAX,
                message=message,
            )

    def show(self, object_id: str) -> tuple[str, int]:
        """Show one object as the API gives it."""
        with self._store.read() as tx:
            body = tx.get(object_id)
        if body is None:
            return render_template("unknown.html"), 404
        text = json.dumps(body, indent=2, ensure_ascii=False)
        return render_template("object.html", body=body, text=text), 200

    def press(self, name: str, object_id: str) -> Answer:
        """Do what banks, time and donors do to an object."""
        button = PRESSED.get(name, _no_button)
        anchor = ANCHORS.get(object_id.partition("_")[0], "payments")
        return self._do(lambda tx: button(tx, object_id, {}), anchor=anchor)

    def pay_out(self) -> Answer:
        """Pay out all that is on the balance."""
        return self._do(lambda tx: buttons.pay_out_every_currency(tx, "", {}), anchor="payouts")

    def refund(self, charge_id: str) -> Answer:
        """Refund what was typed, or the rest where nothing was."""
        typed = request.form.get("amount", "")
        return self._do(lambda tx: _refund(tx, charge_id, typed), anchor="payments")

    def send_again(self, event_id: str) -> Answer:
        """Send an event to every endpoint once more."""
        return self._do(lambda tx: redeliver(tx, event_id), anchor="events")

    def move_by_day(self) -> Response:
        """Move the clock, and do all that falls due on the way."""
        upkeep.advance(self._store, DAY_SECONDS)
        return redirect(url_for(".index"), 303)

    def move_by_month(self) -> Response:
        """Move the clock, and do all that falls due on the way."""
        upkeep.advance_months(self._store, 1)
        return redirect(url_for(".index"), 303)

    def _do(self, change: Callable[[Transaction], object], *, anchor: str) -> Answer:
        """Do what a button says, or say why not; the list that follows is loaded anew."""
        try:
            with self._store.write() as tx:
                change(tx)
        except ApiError as error:
            return self.index(error.message), error.status
        return redirect(url_for(".index", _anchor=anchor), 303)


def _no_button(_tx: Transaction, _object_id: str, _given: Body) -> Body:
    raise ApiError("There is no such button.", status=404)


def _refund(tx: Transaction, charge_id: str, typed: str) -> None:
    """Refund what was typed, or the rest where nothing was."""
    charge = tx.need("charge", charge_id)
    amount_minor = None
    if typed.strip():
        amount_minor = currencies.parse(typed.lstrip("$€£¥ "), charge["currency"])
        if amount_minor is None:
            raise ApiError(f"“{typed[:40]}” is not an amount of {charge['currency'].upper()}.")
    refunds.refund_charge(
        tx, charge, amount_minor=amount_minor, reason="requested_by_customer", notes={}
    )


def _latest(tx: Transaction, kind: str) -> list[Body]:
    return tx.bodies(
        "SELECT body FROM objects WHERE kind = ? ORDER BY sequence DESC LIMIT ?", [kind, SHOWN_MAX]
    )


def _session(tx: Transaction, session: Body) -> Body:
    items = cast("list[Body]", tx.hidden(session["id"])["line_items"])
    return {**session, "description": ", ".join(item["description"] for item in items)}


def _charge(tx: Transaction, charge: Body) -> Body:
    disputes = tx.every("dispute", charge=charge["id"])
    left_minor = charge["amount_captured"] - charge["amount_refunded"]
    if any(dispute["status"] in UNREFUNDABLE for dispute in disputes):
        left_minor = 0
    return {
        **charge,
        "left_minor": left_minor,
        "refund_list": tx.every("refund", charge=charge["id"]),
        "dispute_list": disputes,
        "disputable": charge["status"] == "succeeded" and not disputes,
    }


def _gift(tx: Transaction, subscription: Body) -> Body:
    """Show a subscription with its amount, its donor and when it goes on."""
    items = cast("list[Body]", subscription["items"]["data"])
    customer = tx.get(subscription["customer"]) or {}
    return {
        **subscription,
        "amount_minor": sum(item["price"]["unit_amount"] * item["quantity"] for item in items),
        "interval": items[0]["price"]["recurring"]["interval"],
        "renews_at": items[0]["current_period_end"],
        "donor": customer.get("name") or customer.get("email"),
    }


def _event(tx: Transaction, event: Body) -> Body:
    rows = tx.connection.execute(
        "SELECT state, attempts, note FROM deliveries WHERE event_id = ? ORDER BY sequence",
        (event["id"],),
    ).fetchall()
    deliveries = [dict(zip(("state", "attempts", "note"), row, strict=True)) for row in rows]
    return {**event, "deliveries": deliveries}


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
