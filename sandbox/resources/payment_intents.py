"""Payment intents: one payment, over however many attempts."""

from sandbox.announce import announce
from sandbox.cards import Decline
from sandbox.endpoint import Call, Endpoint
from sandbox.errors import invalid, unspoken
from sandbox.ids import new_id
from sandbox.listing import page
from sandbox.resources import metadata
from sandbox.transaction import Body, Transaction

URL = "/v1/payment_intents"
DATA_SPOKEN = frozenset(
    {
        "capture_method",
        "description",
        "metadata",
        "receipt_email",
        "statement_descriptor",
        "statement_descriptor_suffix",
    }
)


def check_data(data: Body) -> Body:
    """Check a session's `payment_intent_data`, which is kept until the intent is made."""
    for name in data:
        if name not in DATA_SPOKEN:
            raise unspoken(f"payment_intent_data[{name}]")
    if data.get("capture_method", "automatic_async") == "manual":
        raise invalid(
            "This sandbox captures every payment at once.",
            param="payment_intent_data[capture_method]",
        )
    merged = metadata.merge(data, param="payment_intent_data[metadata]")
    return {**data, "metadata": merged}


def add(
    tx: Transaction, *, amount_minor: int, currency: str, data: Body, customer_id: str | None
) -> Body:
    """Make the intent when the donor first confirms; `data` is the `payment_intent_data`."""
    intent_id = new_id("pi_")
    intent = {
        "id": intent_id,
        "object": "payment_intent",
        "amount": amount_minor,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": data.get("capture_method", "automatic_async"),
        "client_secret": new_id(f"{intent_id}_secret_"),
        "confirmation_method": "automatic",
        "created": tx.now,
        "currency": currency,
        "customer": customer_id,
        "customer_account": None,
        "description": data.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "managed_payments": None,
        "metadata": data.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": data.get("payment_method_types", ["card"]),
        "processing": None,
        "receipt_email": data.get("receipt_email"),
        "review": None,
        "setup_future_usage": data.get("setup_future_usage"),
        "shipping": None,
        "source": None,
        "statement_descriptor": data.get("statement_descriptor"),
        "statement_descriptor_suffix": data.get("statement_descriptor_suffix"),
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }
    tx.add(intent)
    announce(tx, "payment_intent.created", intent)
    return intent


def require_authentication(tx: Transaction, intent: Body, *, method_id: str, url: str) -> Body:
    """Wait for the donor to come back from their bank's page."""
    intent |= {
        "status": "requires_action",
        "payment_method": method_id,
        "last_payment_error": None,
        "next_action": {
            "type": "redirect_to_url",
            "redirect_to_url": {"url": url, "return_url": None},
        },
    }
    announce(tx, "payment_intent.requires_action", intent)
    return tx.save(intent)


def process(tx: Transaction, intent: Body, *, charge: Body) -> Body:
    """Wait for days, until the donor's bank has answered."""
    intent |= {
        "status": "processing",
        "latest_charge": charge["id"],
        "payment_method": charge["payment_method"],
        "last_payment_error": None,
        "next_action": None,
    }
    announce(tx, "payment_intent.processing", intent)
    return tx.save(intent)


def fail(tx: Transaction, intent: Body, *, error: Body, charge_id: str | None) -> Body:
    """Record a failed attempt: the intent waits for another card."""
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "latest_charge": charge_id or intent["latest_charge"],
        "last_payment_error": error,
    }
    announce(tx, "payment_intent.payment_failed", intent)
    return tx.save(intent)


def succeed(tx: Transaction, intent: Body, *, charge: Body) -> Body:
    """Record that the money was received."""
    intent |= {
        "status": "succeeded",
        "amount_received": charge["amount"],
        "latest_charge": charge["id"],
        "payment_method": charge["payment_method"],
        "last_payment_error": None,
        "next_action": None,
    }
    announce(tx, "payment_intent.succeeded", intent)
    return tx.save(intent)


def error_of(decline: Decline, *, method: Body, charge_id: str | None) -> Body:
    """Give `last_payment_error` as Stripe shapes it."""
    error: Body = {
        "code": decline.code,
        "doc_url": "https://docs.stripe.com/error-codes#" + decline.code.replace("_", "-"),
        "message": decline.message,
        "payment_method": method,
        "type": "invalid_request_error" if charge_id is None else "card_error",
    }
    if charge_id is not None:
        error["charge"] = charge_id
    if decline.decline_code is not None:
        error["decline_code"] = decline.decline_code
    return error


def cancel(tx: Transaction, intent: Body) -> Body:
    """Give up on an intent whose session expired."""
    intent |= {
        "status": "canceled",
        "canceled_at": tx.now,
        "cancellation_reason": "automatic",
        "next_action": None,
    }
    announce(tx, "payment_intent.canceled", intent)
    return tx.save(intent)


def _retrieve(call: Call) -> Body:
    intent = call.tx.need("payment_intent", call.object_id)
    if call.params.get("client_secret", intent["client_secret"]) != intent["client_secret"]:
        raise invalid(
            "The client_secret provided does not match the client_secret associated with the "
            "PaymentIntent.",
            param="client_secret",
        )
    return intent


def _update(call: Call) -> Body:
    intent = call.tx.need("payment_intent", call.object_id)
    for name in call.params:
        if name not in ("metadata", "description", "expand"):
            raise unspoken(name)
    intent["metadata"] = metadata.merge(call.params, into=intent["metadata"])
    intent["description"] = call.params.get("description", intent["description"])
    return call.tx.save(intent)


def _list(call: Call) -> Body:
    fields = {"customer": "$.customer"}
    return page(call.tx, "payment_intent", call.params, url=URL, fields=fields)


ENDPOINTS = (
    Endpoint("GET", URL, "_payment_intent_list_params:PaymentIntentListParams", _list),
    Endpoint(
        "GET",
        f"{URL}/<object_id>",
        "_payment_intent_retrieve_params:PaymentIntentRetrieveParams",
        _retrieve,
    ),
    Endpoint(
        "POST",
        f"{URL}/<object_id>",
        "_payment_intent_update_params:PaymentIntentUpdateParams",
        _update,
    ),
)
