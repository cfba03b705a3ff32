"""Checkout Sessions: a payment page made for one donor."""

from typing import cast

from sandbox import session_rules
from sandbox.announce import announce
from sandbox.debits import METHOD
from sandbox.endpoint import Call, Endpoint
from sandbox.errors import refused, unspoken
from sandbox.ids import new_id
from sandbox.listing import LIMIT_DEFAULT, page, whole_list
from sandbox.resources import customers, metadata, payment_intents, prices, subscriptions
from sandbox.transaction import Body, Transaction

URL = "/v1/checkout/sessions"
FIRST_OF_SUBSCRIPTION = {
    "description": "Subscription creation",
    "setup_future_usage": "off_session",
}


def complete(
    tx: Transaction,
    session: Body,
    *,
    customer_id: str | None,
    details: Body,
    payment_status: str,
) -> Body:
    """Close a session whose donor has done their part; give the event that tells it."""
    session |= {
        "status": "complete",
        "payment_status": payment_status,
        "customer": customer_id,
        "customer_details": details,
        "url": None,
    }
    tx.save(session)
    return announce(tx, "checkout.session.completed", session)


def settle(tx: Transaction, intent_id: str, *, succeeded: bool) -> None:
    """Tell how the payment ended that was still processing when its session was completed."""
    for session in tx.every("checkout.session", payment_intent=intent_id):
        if succeeded:
            session["payment_status"] = "paid"
            tx.save(session)
        outcome = "succeeded" if succeeded else "failed"
        announce(tx, f"checkout.session.async_payment_{outcome}", session)


def expire(tx: Transaction, session_id: str) -> Body:
    """Close a session that nobody paid; one that is closed already stays as it is."""
    session = tx.need("checkout.session", session_id)
    if session["status"] != "open":
        return session
    session |= {"status": "expired", "url": None}
    tx.save(session)
    intent_id = tx.hidden(session_id).get("intent_id")
    if intent_id is not None:
        payment_intents.cancel(tx, tx.need("payment_intent", intent_id))
    announce(tx, "checkout.session.expired", session)
    return session


def details_of(email: str | None, name: str | None) -> Body:
    """Give what is known of the donor, in the session's shape."""
    return {
        "address": None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }


def _create(call: Call) -> Body:
    session_rules.check(call.params, now=call.tx.now)
    data = _data(call.params)
    email = call.params.get("customer_email")
    if "customer" in call.params:
        email = customers.living(call.tx, call.params["customer"], param="customer")["email"]
    session = _build(call, email=email)
    items = [prices.line_item(call.tx, item) for item in call.params["line_items"]]
    call.tx.add(session, hidden={"line_items": items, **data})
    call.tx.schedule("expire_session", session["id"], due_at=session["expires_at"])
    return session


def _data(params: Body) -> Body:
    """Give what is kept for the payment intent, and for the subscription where there is to be one.

    A subscription's payment intents carry nothing of ours: no metadata, no description.
    """
    if params["mode"] == "subscription":
        return {
            "payment_intent_data": FIRST_OF_SUBSCRIPTION,
            "subscription_data": subscriptions.check_data(params.get("subscription_data", {})),
            # https://support.stripe.com/questions/prefilling-saved-cards-in-checkout
            "allow_redisplay": params.get("payment_method_data", {}).get(
                "allow_redisplay", "always"
            ),
        }
    data = payment_intents.check_data(params.get("payment_intent_data", {}))
    return {"payment_intent_data": {**data, "payment_method_types": _method_types(params)}}


def _method_types(params: Body) -> list[str]:
    """Give how the donor can pay: by card, and single gifts by bank debit too."""
    excluded = params.get("excluded_payment_method_types", [])
    debits = params["mode"] == "payment" and METHOD not in excluded
    return ["card", METHOD] if debits else ["card"]


def _build(call: Call, *, email: str | None) -> Body:
    params = call.params
    session_id = new_id("cs_test_a1", 56)
    amount_minor = session_rules.total_minor(params)
    expires_at = call.tx.now + session_rules.EXPIRES_AFTER_SECONDS_MAX
    recurring = params["mode"] == "subscription"
    embedded = params.get("ui_mode") == "embedded_page"
    return {
        "id": session_id,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": params.get("adaptive_pricing", {}).get("enabled", False)},
        "after_expiration": None,
        "allow_promotion_codes": None,
        "amount_subtotal": amount_minor,
        "amount_total": amount_minor,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None,
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "client_secret": new_id(f"{session_id}_secret_", 48) if embedded else None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": call.tx.now,
        "currency": session_rules.currency_of(params),
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": _custom_text(params.get("custom_text", {})),
        "customer": params.get("customer"),
        "customer_account": None,
        "customer_creation": _customer_creation(params),
        "customer_details": details_of(email, None) if email is not None else None,
        "customer_email": params.get("customer_email"),
        "discounts": [],
        "expires_at": params.get("expires_at", expires_at),
        "integration_identifier": None,
        "invoice": None,
        "invoice_creation": None
        if recurring
        else {"enabled": False, "invoice_data": _invoice_data()},
        "livemode": False,
        "locale": params.get("locale"),
        "managed_payments": {"enabled": False},
        "metadata": metadata.merge(params),
        "mode": params["mode"],
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "always" if recurring else "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": _method_types(params),
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": _saved(params),
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": params.get("submit_type"),
        "subscription": None,
        "success_url": params.get("success_url"),
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": params.get("ui_mode", "hosted_page"),
        "url": None if embedded else f"{call.settings.public_url}/pay/{session_id}",
        "wallet_options": None,
        **(
            {"redirect_on_completion": "always", "return_url": params["return_url"]}
            if embedded
            else {}
        ),
    }


def _saved(params: Body) -> Body | None:
    """Give which of a customer's cards are offered again, as the session shows it."""
    if "customer" not in params:
        return None
    return {
        "allow_redisplay_filters": ["always"],
        "payment_method_remove": "disabled",
        "payment_method_save": "disabled",
        **params.get("saved_payment_method_options", {}),
    }


def _customer_creation(params: Body) -> str | None:
    if "customer" in params:
        return None
    return (
        "always"
        if params["mode"] == "subscription"
        else params.get("customer_creation", "if_required")
    )


def _custom_text(given: Body) -> Body:
    places = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
    return {place: given.get(place) or None for place in places}


def _invoice_data() -> Body:
    return {
        "account_tax_ids": None,
        "custom_fields": None,
        "description": None,
        "footer": None,
        "issuer": None,
        "metadata": {},
        "rendering_options": None,
    }


def _retrieve(call: Call) -> Body:
    return call.tx.need("checkout.session", call.object_id)


def _update(call: Call) -> Body:
    session = call.tx.need("checkout.session", call.object_id)
    for name in call.params:
        if name not in ("metadata", "expand"):
            raise unspoken(name)
    session["metadata"] = metadata.merge(call.params, into=session["metadata"])
    return call.tx.save(session)


def _expire(call: Call) -> Body:
    session = call.tx.need("checkout.session", call.object_id)
    if session["status"] != "open":
        raise refused(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of `{session['status']}`."
        )
    return expire(call.tx, session["id"])


def _list(call: Call) -> Body:
    fields = {
        "customer": "$.customer",
        "payment_intent": "$.payment_intent",
        "status": "$.status",
        "subscription": "$.subscription",
    }
    if "customer_details" in call.params:
        call.params["customer_details.email"] = call.params["customer_details"]["email"]
        fields["customer_details.email"] = "$.customer_details.email"
    return page(call.tx, "checkout.session", call.params, url=URL, fields=fields)


def _list_line_items(call: Call) -> Body:
    session = call.tx.need("checkout.session", call.object_id)
    items = cast("list[Body]", call.tx.hidden(session["id"])["line_items"])
    limit = min(call.params.get("limit", LIMIT_DEFAULT), len(items))
    url = f"{URL}/{session['id']}/line_items"
    return whole_list(items[:limit], url=url, has_more=limit < len(items))


_PARAMS = "checkout._session_{}_params:Session{}Params"
ENDPOINTS = (
    Endpoint("POST", URL, _PARAMS.format("create", "Create"), _create),
    Endpoint("GET", URL, _PARAMS.format("list", "List"), _list),
    Endpoint("GET", f"{URL}/<object_id>", _PARAMS.format("retrieve", "Retrieve"), _retrieve),
    Endpoint("POST", f"{URL}/<object_id>", _PARAMS.format("update", "Update"), _update),
    Endpoint("POST", f"{URL}/<object_id>/expire", _PARAMS.format("expire", "Expire"), _expire),
    Endpoint(
        "GET",
        f"{URL}/<object_id>/line_items",
        "checkout._session_line_item_list_params:SessionLineItemListParams",
        _list_line_items,
    ),
)
