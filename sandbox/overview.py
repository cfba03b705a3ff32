"""The overview: what the sandbox holds, with the few buttons that Stripe's Dashboard would have."""

import json
from datetime import UTC, datetime
from typing import cast

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox import currencies
from sandbox.announce import redeliver
from sandbox.errors import ApiError
from sandbox.resources import refunds
from sandbox.settings import API_VERSION, Settings
from sandbox.store import Store
from sandbox.transaction import Body, Transaction

SHOWN_MAX = 25


def make_blueprint(store: Store, settings: Settings) -> Blueprint:
    """Give the overview its addresses."""
    overview = Blueprint("overview", __name__)
    overview.add_app_template_filter(_moment, "moment")
    overview.add_app_template_filter(currencies.label, "money")

    def page(message: str = "") -> str:
        with store.read() as tx:
            return render_template(
                "overview.html",
                sessions=[_session(tx, session) for session in _latest(tx, "checkout.session")],
                charges=[_charge(tx, charge) for charge in _latest(tx, "charge")],
                events=[_event(tx, event) for event in _latest(tx, "event")],
                endpoints=tx.every("webhook_endpoint", status="enabled"),
                now=tx.now,
                settings=settings,
                version=API_VERSION,
                shown_max=SHOWN_MAX,
                message=message,
            )

    @overview.get("/")
    def index() -> str:
        return page()

    @overview.get("/objects/<object_id>")
    def show(object_id: str) -> tuple[str, int]:
        with store.read() as tx:
            body = tx.get(object_id)
        if body is None:
            return render_template("unknown.html"), 404
        text = json.dumps(body, indent=2, ensure_ascii=False)
        return render_template("object.html", body=body, text=text), 200

    @overview.post("/charges/<charge_id>/refund")
    def refund(charge_id: str) -> tuple[str, int] | Response:
        try:
            with store.write() as tx:
                _refund(tx, charge_id, request.form.get("amount", ""))
        except ApiError as error:
            return page(error.message), error.status
        return redirect(url_for(".index", _anchor="payments"), 303)

    @overview.post("/events/<event_id>/redeliver")
    def send_again(event_id: str) -> tuple[str, int] | Response:
        try:
            with store.write() as tx:
                redeliver(tx, event_id)
        except ApiError as error:
            return page(error.message), error.status
        return redirect(url_for(".index", _anchor="events"), 303)

    return overview


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
    left_minor = charge["amount_captured"] - charge["amount_refunded"]
    refunded = tx.every("refund", charge=charge["id"])
    return {**charge, "left_minor": left_minor, "refund_list": refunded}


def _event(tx: Transaction, event: Body) -> Body:
    rows = tx.connection.execute(
        "SELECT state, attempts, note FROM deliveries WHERE event_id = ? ORDER BY sequence",
        (event["id"],),
    ).fetchall()
    deliveries = [dict(zip(("state", "attempts", "note"), row, strict=True)) for row in rows]
    return {**event, "deliveries": deliveries}


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
