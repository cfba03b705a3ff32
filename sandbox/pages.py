"""The hosted payment page, and the bank's page for 3-D Secure."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox import currencies, paying
from sandbox.cards import CARDS, read_entry
from sandbox.debits import METHOD, DebitEntry, read_debit
from sandbox.delivery import Post
from sandbox.paying import Outcome, Result
from sandbox.settings import Settings
from sandbox.store import Store
from sandbox.transaction import Body, Transaction

# Checkout waits this long for the answer to `checkout.session.completed` before it sends the donor
# on: https://docs.stripe.com/checkout/fulfillment
COMPLETED_WAIT_SECONDS = 10.0
FIELDS = ("method", "email", "card_number", "expiry", "cvc", "name")
BUTTONS = {"donate": "Donate", "book": "Book", "subscribe": "Subscribe"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the donor gets, and the event whose answer is waited for first."""

    page: str | Response
    status: int = 200
    after_event_id: str | None = None


def make_blueprint(store: Store, post: Post, settings: Settings) -> Blueprint:
    """Give the pages their addresses."""
    pages = Blueprint("pages", __name__, url_prefix="/pay")

    def send(shown: Shown) -> tuple[str | Response, int]:
        if shown.after_event_id is not None:
            post.wait_for_answer(shown.after_event_id, timeout_seconds=COMPLETED_WAIT_SECONDS)
        status = shown.page.status_code if isinstance(shown.page, Response) else shown.status
        return shown.page, status

    @pages.get("/<session_id>")
    def pay(session_id: str) -> tuple[str | Response, int]:
        with store.read() as tx:
            session = find_session(tx, session_id)
            return send(_form(tx, session) if session is not None else _unknown())

    @pages.post("/<session_id>")
    def submit(session_id: str) -> tuple[str | Response, int]:
        typed = {field: request.form.get(field, "") for field in FIELDS}
        with store.write() as tx:
            session = find_session(tx, session_id)
            shown = _unknown() if session is None else _submit(tx, session, typed, settings)
        return send(shown)

    @pages.get("/<session_id>/authenticate")
    def challenge(session_id: str) -> tuple[str | Response, int]:
        with store.read() as tx:
            session = find_session(tx, session_id)
            return send(_unknown() if session is None else _challenge(tx, session))

    @pages.post("/<session_id>/authenticate")
    def authenticate(session_id: str) -> tuple[str | Response, int]:
        passed = request.form.get("outcome") == "complete"
        with store.write() as tx:
            session = find_session(tx, session_id)
            shown = _unknown() if session is None else _authenticate(tx, session, passed=passed)
        return send(shown)

    return pages


def find_session(tx: Transaction, session_id: str) -> Body | None:
    """Find a session by an id that stood in an address."""
    session = tx.get(session_id)
    return session if session is not None and session["object"] == "checkout.session" else None


def success_url(session: Body) -> str:
    """Give the address that a donor who paid is sent to."""
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _submit(tx: Transaction, session: Body, typed: dict[str, str], settings: Settings) -> Shown:
    """Take the form; a second submission of a paid session only sends the donor on."""
    if session["status"] != "open":
        return _follow(session, paying.closed(session))
    by_debit = typed["method"] == "bank_debit"
    entry = read_debit(typed) if by_debit else read_entry(typed, now_seconds=tx.now)
    if isinstance(entry, dict):
        return _form(tx, session, typed=typed, errors=entry, status=422)
    if isinstance(entry, DebitEntry):
        result = paying.debit(tx, session, entry)
    else:
        result = paying.confirm(tx, session, entry, settings=settings)
    if result.outcome is Outcome.DECLINED:
        return _form(tx, session, typed=typed, message=result.message, status=402)
    return _follow(session, result)


def _authenticate(tx: Transaction, session: Body, *, passed: bool) -> Shown:
    pending = tx.hidden(session["id"]).get("authentication") or {"entry": {}}
    result = paying.authenticate(tx, session, passed=passed)
    if result.outcome is Outcome.DECLINED:
        typed = _typed_before(pending["entry"])
        return _form(tx, session, typed=typed, message=result.message, status=402)
    return _follow(session, result)


def _follow(session: Body, result: Result) -> Shown:
    if result.outcome in (Outcome.PAID, Outcome.PROCESSING):
        target = success_url(session)
    elif result.outcome is Outcome.AUTHENTICATE:
        target = url_for(".challenge", session_id=session["id"])
    else:
        target = url_for(".pay", session_id=session["id"])
    return Shown(redirect(target, 303), after_event_id=result.completed_event_id)


def _form(
    tx: Transaction,
    session: Body,
    *,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    message: str = "",
    status: int = 200,
) -> Shown:
    if session["status"] != "open":
        page = render_template("closed.html", session=session, success_url=success_url(session))
        return Shown(page)
    known_email = (session["customer_details"] or {}).get("email") or ""
    page = render_template(
        "pay.html",
        session=session,
        items=tx.hidden(session["id"])["line_items"],
        label=currencies.label,
        cards=CARDS.values(),
        takes_debits=METHOD in session["payment_method_types"],
        button=BUTTONS.get(session["submit_type"], "Pay"),
        typed={"email": known_email, **(typed or {})},
        errors=errors or {},
        message=message,
    )
    return Shown(page, status)


def _challenge(tx: Transaction, session: Body) -> Shown:
    pending = tx.hidden(session["id"]).get("authentication")
    if session["status"] != "open" or pending is None:
        return Shown(redirect(url_for(".pay", session_id=session["id"]), 303))
    amount = currencies.label(session["amount_total"], session["currency"])
    last4 = pending["entry"]["card"][-4:]
    return Shown(render_template("authenticate.html", session=session, amount=amount, last4=last4))


def _unknown() -> Shown:
    return Shown(render_template("unknown.html"), 404)


def _typed_before(entry: Body) -> dict[str, str]:
    """Put back into the form what the donor typed before the bank's page (but never the CVC)."""
    if not entry:
        return {}
    return {
        "email": entry["email"],
        "name": entry["name"],
        "card_number": entry["card"],
        "expiry": f"{entry['expiry_month']:02d} / {entry['expiry_year'] % 100:02d}",
    }
