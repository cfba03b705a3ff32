"""Charges: one attempt to take money from a card or a bank account."""

from sandbox.announce import announce
from sandbox.cards import CardEntry, Decline
from sandbox.debits import LAST4, METHOD, DebitEntry
from sandbox.endpoint import Call, Endpoint
from sandbox.errors import unspoken
from sandbox.ids import new_id
from sandbox.listing import page
from sandbox.resources import balance_transactions, metadata, payment_methods
from sandbox.transaction import Body, Transaction

URL = "/v1/charges"
# Stripe settles with `automatic_async` after it has answered; a receiver must live with the gap.
SETTLED_AFTER_SECONDS = 1.0


def succeed(
    tx: Transaction, intent: Body, *, method_id: str, entry: CardEntry, authenticated: bool
) -> Body:
    """Take the money of an intent; the balance transaction follows a second later."""
    charge = _build(tx, intent, method_id=method_id, entry=entry)
    charge["payment_method_details"] = {
        "card": _card(intent, entry, authenticated=authenticated),
        "type": "card",
    }
    tx.add(charge, hidden={"refund_behaviour": entry.card.refunds})
    return arrive(tx, charge)


def begin_debit(tx: Transaction, intent: Body, *, method_id: str, entry: DebitEntry) -> Body:
    """Ask the donor's bank for the money; it answers in days, and the charge is dated today."""
    charge = _build(tx, intent, method_id=method_id, entry=entry)
    charge["payment_method_details"] = {"type": METHOD, METHOD: _debit()}
    tx.add(charge)
    announce(tx, "charge.pending", charge)
    return charge


def arrive(tx: Transaction, charge: Body) -> Body:
    """Have a charge's money arrive."""
    charge |= {
        "amount_captured": charge["amount"],
        "captured": True,
        "paid": True,
        "status": "succeeded",
        "outcome": _outcome(
            outcome_type="authorized",
            network_status="approved_by_network",
            seller_message="Payment complete.",
        ),
    }
    announce(tx, "charge.succeeded", tx.save(charge))
    tx.schedule("settle_charge", charge["id"], due_at=tx.clock_seconds + SETTLED_AFTER_SECONDS)
    return charge


def bounce(tx: Transaction, charge: Body, *, decline: Decline) -> Body:
    """Have the donor's bank refuse a charge that was pending."""
    charge |= _failure(decline)
    announce(tx, "charge.failed", tx.save(charge))
    return charge


def fail(
    tx: Transaction, intent: Body, *, method_id: str, entry: CardEntry, decline: Decline
) -> Body:
    """Record that the bank said no."""
    charge = _build(tx, intent, method_id=method_id, entry=entry) | _failure(decline)
    card = _card(intent, entry, authenticated=False)
    charge["payment_method_details"] = {"card": card, "type": "card"}
    tx.add(charge)
    announce(tx, "charge.failed", charge)
    return charge


def settle(tx: Transaction, charge_id: str) -> None:
    """Work out the fee of a charge and tell it. Doing it twice changes nothing."""
    charge = tx.need("charge", charge_id)
    if charge["balance_transaction"] is None:
        transaction = balance_transactions.add_for_charge(tx, charge)
        charge["balance_transaction"] = transaction["id"]
        tx.save(charge)
        announce(tx, "charge.updated", charge, previous={"balance_transaction": None})


def _failure(decline: Decline) -> Body:
    return {
        "failure_code": decline.code,
        "failure_message": decline.message,
        "paid": False,
        "status": "failed",
        "outcome": _outcome(
            outcome_type="issuer_declined",
            network_status="declined_by_network",
            reason=decline.decline_code or decline.code,
            seller_message="The bank did not return any further details with this decline.",
        ),
    }


def _outcome(
    *, outcome_type: str, network_status: str, seller_message: str, reason: str | None = None
) -> Body:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": network_status,
        "reason": reason,
        "risk_level": "normal",
        "risk_score": 12,
        "seller_message": seller_message,
        "type": outcome_type,
    }


def _build(tx: Transaction, intent: Body, *, method_id: str, entry: CardEntry | DebitEntry) -> Body:
    return {
        "id": new_id("ch_"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": payment_methods.billing_details(entry),
        "calculated_statement_descriptor": "SANDBOX",
        "captured": False,
        "created": tx.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method_id,
        "payment_method_details": None,
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "pending",
        "transfer_data": None,
        "transfer_group": None,
    }


def _debit() -> Body:
    return {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "SANDBOX BANK",
        "expected_debit_date": None,
        "fingerprint": "sandboxaccount01",
        "last4": LAST4,
        "mandate": None,
        "payment_reference": None,
        "routing_number": "110000000",
    }


def _card(intent: Body, entry: CardEntry, *, authenticated: bool) -> Body:
    secured = {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": None,
        "version": "2.2.0",
    }
    return {
        "amount_authorized": intent["amount"],
        "authorization_code": None,
        "brand": entry.card.brand,
        "checks": payment_methods.checks(),
        "country": "US",
        "exp_month": entry.expiry_month,
        "exp_year": entry.expiry_year,
        "extended_authorization": {"status": "disabled"},
        "fingerprint": entry.card.fingerprint,
        "funding": "credit",
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": entry.card.number[-4:],
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": entry.card.brand,
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
        "regulated_status": "unregulated",
        "three_d_secure": secured if authenticated else None,
        "transaction_link_id": None,
        "wallet": None,
    }


def _retrieve(call: Call) -> Body:
    return call.tx.need("charge", call.object_id)


def _update(call: Call) -> Body:
    charge = call.tx.need("charge", call.object_id)
    for name in call.params:
        if name not in ("metadata", "expand"):
            raise unspoken(name)
    before = charge["metadata"]
    charge["metadata"] = metadata.merge(call.params, into=before)
    announce(call.tx, "charge.updated", charge, previous={"metadata": before})
    return call.tx.save(charge)


def _list(call: Call) -> Body:
    fields = {"payment_intent": "$.payment_intent", "customer": "$.customer"}
    if "payment_intent" in call.params:
        call.tx.need("payment_intent", call.params["payment_intent"], param="payment_intent")
    return page(call.tx, "charge", call.params, url=URL, fields=fields)


ENDPOINTS = (
    Endpoint("GET", URL, "_charge_list_params:ChargeListParams", _list),
    Endpoint(
        "GET", f"{URL}/<object_id>", "_charge_retrieve_params:ChargeRetrieveParams", _retrieve
    ),
    Endpoint("POST", f"{URL}/<object_id>", "_charge_update_params:ChargeUpdateParams", _update),
)
