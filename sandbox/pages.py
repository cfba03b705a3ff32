"""The hosted payment page, and the bank's page for 3-D Secure."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

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


Answer = tuple[str | Response, int, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the donor gets, and the event whose answer is waited for first."""

    page: str | Response
    status: int = 200
    after_event_id: str | None = None
    # Who may frame the page: nobody, or for an embedded session the site that asked for it.
    framed_by: str | None = None


def make_blueprint(store: Store, post: Post, settings: Settings) -> Blueprint:
    """Give the pages their addresses."""
    pages = Blueprint("pages", __name__, url_prefix="/pay")

    def send(shown: Shown) -> Answer:
        if shown.after_event_id is not None:
            post.wait_for_answer(shown.after_event_id, timeout_seconds=COMPLETED_WAIT_SECONDS)
        status = shown.page.status_code if isinstance(shown.page, Response) else shown.status
        return shown.page, status, _headers(shown)

    @pages.get("/<session_id>")
    def pay(session_id: str) -> Answer:
        with store.read() as tx:
            session = find_session(tx, session_id)
            return send(_form(tx, session) if session is not None else _unknown())

    @pages.post("/<session_id>")
    def submit(session_id: str) -> Answer:
        typed = {field: request.form.get(field, "") for field in FIELDS}
        with store.write() as tx:
            session = find_session(tx, session_id)
            shown = _unknown() if session is None else _submit(tx, session, typed, settings)
        return send(shown)

    @pages.get("/<session_id>/authenticate")
    def challenge(session_id: str) -> Answer:
        with store.read() as tx:
            session = find_session(tx, session_id)
            return send(_unknown() if session is None else _challenge(tx, session))

    @pages.post("/<session_id>/authenticate")
    def authenticate(session_id: str) -> Answer:
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
    address = session["success_url"] or session["return_url"]
    return str(address).replace("{CHECKOUT_SESSION_ID}", session["id"])


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
        if is_embedded(session):
            return _done(session, after_event_id=result.completed_event_id)
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
    if session["status"] == "complete" and is_embedded(session):
        return _done(session)
    framed_by = _origin_of(session)
    if session["status"] != "open":
        page = render_template("closed.html", session=session, success_url=success_url(session))
        return Shown(page, framed_by=framed_by)
    known_email = (session["customer_details"] or {}).get("email") or ""
    page = render_template(
        "pay.html",
        session=session,
        embedded=is_embedded(session),
        saved=_saved_cards(tx, session),
        items=tx.hidden(session["id"])["line_items"],
        label=currencies.label,
        cards=CARDS.values(),
        takes_debits=METHOD in session["payment_method_types"],
        button=BUTTONS.get(session["submit_type"], "Pay"),
        typed={"email": known_email, **(typed or {})},
        errors=errors or {},
        message=message,
    )
    return Shown(page, status, framed_by=framed_by)


def _saved_cards(tx: Transaction, session: Body) -> list[Body]:
    """Give the customer's cards that Stripe would offer here to whoever opened the page."""
    options = session["saved_payment_method_options"]
    if options is None:
        return []
    return [
        method
        for method in tx.every("payment_method", customer=session["customer"])
        if method["allow_redisplay"] in options["allow_redisplay_filters"]
    ]


def _challenge(tx: Transaction, session: Body) -> Shown:
    pending = tx.hidden(session["id"]).get("authentication")
    if session["status"] != "open" or pending is None:
        return Shown(redirect(url_for(".pay", session_id=session["id"]), 303))
    amount = currencies.label(session["amount_total"], session["currency"])
    last4 = pending["entry"]["card"][-4:]
    page = render_template(
        "authenticate.html",
        session=session,
        embedded=is_embedded(session),
        amount=amount,
        last4=last4,
    )
    return Shown(page, framed_by=_origin_of(session))


def is_embedded(session: Body) -> bool:
    """Tell whether a session is shown in a page of the site that asked for it."""
    return bool(session["ui_mode"] == "embedded_page")


def _done(session: Body, *, after_event_id: str | None = None) -> Shown:
    """Tell the page around this one where to go: a frame can't take it there by itself."""
    page = render_template("done.html", session=session, return_url=success_url(session))
    return Shown(page, after_event_id=after_event_id, framed_by=_origin_of(session))


def _origin_of(session: Body) -> str | None:
    if not is_embedded(session):
        return None
    parts = urlsplit(session["return_url"])
    return f"{parts.scheme}://{parts.netloc}"


def _headers(shown: Shown) -> dict[str, str]:
    if shown.framed_by is None:
        return {}
    return {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
        f"img-src 'self' data:; base-uri 'none'; frame-ancestors {shown.framed_by}"
    }


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
