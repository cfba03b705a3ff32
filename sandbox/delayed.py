"""What becomes of a payment that was only processing when its session was completed."""

from sandbox.debits import BOUNCED
from sandbox.errors import refused
from sandbox.resources import charges, checkout_sessions, payment_intents
from sandbox.transaction import Body, Transaction

SETTLED_AFTER_SECONDS = 3 * 24 * 3_600


def settle(tx: Transaction, intent: Body) -> Body:
    """Have the money arrive."""
    charge = _pending_charge(tx, intent)
    charges.arrive(tx, charge)
    payment_intents.succeed(tx, intent, charge=charge)
    checkout_sessions.settle(tx, intent["id"], succeeded=True)
    return intent


def fail(tx: Transaction, intent: Body) -> Body:
    """Have the donor's bank refuse, days after they were thanked."""
    charge = _pending_charge(tx, intent)
    method = tx.need("payment_method", charge["payment_method"])
    charges.bounce(tx, charge, decline=BOUNCED)
    error = payment_intents.error_of(BOUNCED, method=method, charge_id=charge["id"])
    payment_intents.fail(tx, intent, error=error, charge_id=charge["id"])
    checkout_sessions.settle(tx, intent["id"], succeeded=False)
    return intent


def settle_in_time(tx: Transaction, intent_id: str) -> None:
    """Have the money arrive by itself, unless somebody decided before."""
    intent = tx.need("payment_intent", intent_id)
    if intent["status"] == "processing":
        settle(tx, intent)


def _pending_charge(tx: Transaction, intent: Body) -> Body:
    if intent["status"] != "processing":
        raise refused(f"{intent['id']} is not processing: its status is {intent['status']}.")
    return tx.need("charge", intent["latest_charge"])
