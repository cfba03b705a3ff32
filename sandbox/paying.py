"""What happens when a donor presses the button of the payment page.

Both steps are safe to repeat: they run in a write transaction, and a session that is no longer
open takes no more money.
"""

from dataclasses import asdict, dataclass
from enum import Enum

from sandbox import delayed, renewals
from sandbox.cards import CARDS, CardEntry, Decline
from sandbox.debits import METHOD, DebitEntry
from sandbox.resources import (
    charges,
    checkout_sessions,
    customers,
    payment_intents,
    payment_methods,
)
from sandbox.settings import Settings
from sandbox.transaction import Body, Transaction

UNAUTHENTICATED = Decline(
    code="payment_intent_authentication_failure",
    decline_code=None,
    message=(
        "We are unable to authenticate your payment method. Please choose a different payment "
        "method and try again."
    ),
)


class Outcome(Enum):
    """Where the donor stands now."""

    PAID = "paid"
    PROCESSING = "processing"
    DECLINED = "declined"
    AUTHENTICATE = "requires_action"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome, what to tell the donor of it, and the event that the page waits for."""

    outcome: Outcome
    message: str = ""
    completed_event_id: str | None = None


def confirm(tx: Transaction, session: Body, entry: CardEntry, *, settings: Settings) -> Result:
    """Try to pay a session by card."""
    if session["status"] != "open":
        return closed(session)
    method = payment_methods.add(
        tx,
        entry,
        customer_id=session["customer"],
        allow_redisplay=tx.hidden(session["id"]).get("allow_redisplay", "limited"),
    )
    if session["amount_total"] == 0:
        return _begin_trial(tx, session, entry, method=method)
    intent = _intent_of(tx, session)
    if entry.card.secured:
        url = f"{settings.public_url}/pay/{session['id']}/authenticate"
        payment_intents.require_authentication(tx, intent, method_id=method["id"], url=url)
        typed = {**asdict(entry), "card": entry.card.number}
        _remember(tx, session, {"entry": typed, "method_id": method["id"]})
        return Result(Outcome.AUTHENTICATE)
    return _charge(tx, session, intent, entry, method=method, authenticated=False)


def debit(tx: Transaction, session: Body, entry: DebitEntry) -> Result:
    """Complete a session by bank debit: it stays unpaid until the bank has answered."""
    if session["status"] != "open":
        return closed(session)
    if METHOD not in session["payment_method_types"]:
        return Result(Outcome.DECLINED, "This payment takes no bank debits. Pay with a card.")
    intent = _intent_of(tx, session)
    method = payment_methods.add_debit(tx, entry, customer_id=session["customer"])
    _remember(tx, session, None)
    intent["customer"] = _customer_of(tx, session, entry)
    charge = charges.begin_debit(tx, intent, method_id=method["id"], entry=entry)
    payment_intents.process(tx, intent, charge=charge)
    tx.schedule(
        "settle_debit", intent["id"], due_at=tx.clock_seconds + delayed.SETTLED_AFTER_SECONDS
    )
    return _complete(tx, session, entry, customer_id=intent["customer"], payment_status="unpaid")


def authenticate(tx: Transaction, session: Body, *, passed: bool) -> Result:
    """Come back from the bank's page; `passed` says which of its buttons was pressed."""
    pending = tx.hidden(session["id"]).get("authentication")
    if session["status"] != "open":
        return closed(session)
    if pending is None:
        return Result(Outcome.DECLINED, "Enter your card again.")
    _remember(tx, session, None)
    intent = _intent_of(tx, session)
    method = tx.need("payment_method", pending["method_id"])
    if not passed:
        error = payment_intents.error_of(UNAUTHENTICATED, method=method, charge_id=None)
        payment_intents.fail(tx, intent, error=error, charge_id=None)
        return Result(Outcome.DECLINED, UNAUTHENTICATED.message)
    entry = payment_methods.entry_of(tx, method["id"])
    return _charge(tx, session, intent, entry, method=method, authenticated=True)


def pay_without_session(tx: Transaction, *, amount_minor: int, currency: str, data: Body) -> Body:
    """Pay by a good card outside Checkout, as for something that is no donation."""
    intent = payment_intents.add(
        tx, amount_minor=amount_minor, currency=currency, data=data, customer_id=None
    )
    entry = CardEntry(
        card=CARDS["4242424242424242"],
        email="customer@example.com",
        name="Another Customer",
        expiry_month=12,
        expiry_year=2049,
    )
    method = payment_methods.add(tx, entry, customer_id=None)
    charge = charges.succeed(tx, intent, method_id=method["id"], entry=entry, authenticated=False)
    return payment_intents.succeed(tx, intent, charge=charge)


def closed(session: Body) -> Result:
    """Say how a session that takes no more money ended."""
    if session["status"] != "complete":
        return Result(Outcome.CLOSED)
    unpaid = session["payment_status"] == "unpaid"
    return Result(Outcome.PROCESSING if unpaid else Outcome.PAID)


def _intent_of(tx: Transaction, session: Body) -> Body:
    """Find the session's payment intent; it is made at the first attempt and kept for the next.

    The session of a subscription never shows it: the subscription's first invoice will have it.
    """
    hidden = tx.hidden(session["id"])
    if "intent_id" in hidden:
        return tx.need("payment_intent", hidden["intent_id"])
    intent = payment_intents.add(
        tx,
        amount_minor=session["amount_total"],
        currency=session["currency"],
        data=hidden["payment_intent_data"],
        customer_id=session["customer"],
    )
    tx.save_hidden(session["id"], {**hidden, "intent_id": intent["id"]})
    if session["mode"] == "payment":
        session["payment_intent"] = intent["id"]
        tx.save(session)
    return intent


def _remember(tx: Transaction, session: Body, authentication: Body | None) -> None:
    hidden = tx.hidden(session["id"])
    tx.save_hidden(session["id"], {**hidden, "authentication": authentication})


def _charge(
    tx: Transaction,
    session: Body,
    intent: Body,
    entry: CardEntry,
    *,
    method: Body,
    authenticated: bool,
) -> Result:
    decline = entry.card.decline
    if decline is not None:
        charge = charges.fail(tx, intent, method_id=method["id"], entry=entry, decline=decline)
        error = payment_intents.error_of(decline, method=method, charge_id=charge["id"])
        payment_intents.fail(tx, intent, error=error, charge_id=charge["id"])
        return Result(Outcome.DECLINED, decline.message)
    intent["customer"] = _customer_of(tx, session, entry)
    invoice = None
    if session["mode"] == "subscription":
        invoice = renewals.begin(
            tx, session, customer_id=str(intent["customer"]), method_id=method["id"]
        )
    charge = charges.succeed(
        tx, intent, method_id=method["id"], entry=entry, authenticated=authenticated
    )
    payment_intents.succeed(tx, intent, charge=charge)
    if invoice is not None:
        renewals.settle_first(tx, invoice, intent_id=intent["id"])
    return _complete(tx, session, entry, customer_id=intent["customer"], payment_status="paid")


def _begin_trial(tx: Transaction, session: Body, entry: CardEntry, *, method: Body) -> Result:
    """Keep the card and take nothing yet. Stripe's check of the card is no more than this here."""
    if entry.card.decline is not None:
        return Result(Outcome.DECLINED, entry.card.decline.message)
    customer_id = _customer_of(tx, session, entry)
    renewals.begin(tx, session, customer_id=str(customer_id), method_id=method["id"])
    return _complete(
        tx, session, entry, customer_id=customer_id, payment_status="no_payment_required"
    )


def _complete(
    tx: Transaction,
    session: Body,
    entry: CardEntry | DebitEntry,
    *,
    customer_id: str | None,
    payment_status: str,
) -> Result:
    details = checkout_sessions.details_of(entry.email, entry.name)
    event = checkout_sessions.complete(
        tx, session, customer_id=customer_id, details=details, payment_status=payment_status
    )
    return Result(closed(session).outcome, completed_event_id=event["id"])


def _customer_of(tx: Transaction, session: Body, entry: CardEntry | DebitEntry) -> str | None:
    """Make a customer where the session asks for one; fill in the address of one without."""
    if session["customer"] is not None:
        customer = tx.need("customer", session["customer"])
        if customer["email"] is None:
            customers.update(tx, customer, {"email": entry.email})
        return str(customer["id"])
    if session["customer_creation"] == "always":
        customer = customers.add(tx, {"email": entry.email, "name": entry.name})
        return str(customer["id"])
    return None
