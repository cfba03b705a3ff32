"""Customers: a donor whom the merchant wants to know again."""

from sandbox.addresses import is_email
from sandbox.announce import announce
from sandbox.endpoint import Call, Endpoint
from sandbox.errors import invalid, missing, unspoken
from sandbox.ids import new_id
from sandbox.listing import page
from sandbox.resources import metadata, subscriptions
from sandbox.transaction import Body, Transaction

URL = "/v1/customers"
FIELDS = ("description", "email", "name", "phone")
SPOKEN = frozenset({*FIELDS, "expand", "metadata", "preferred_locales"})


def add(tx: Transaction, params: Body) -> Body:
    """Store a new customer."""
    customer = {
        "id": new_id("cus_", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": tx.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": new_id("", 8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": metadata.merge(params),
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": params.get("preferred_locales", []),
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    customer |= {name: params[name] for name in FIELDS if name in params}
    tx.add(customer)
    announce(tx, "customer.created", customer)
    return customer


def update(tx: Transaction, customer: Body, params: Body) -> Body:
    """Change what is named in `params`, and tell what it was."""
    wanted = {name: params[name] for name in (*FIELDS, "preferred_locales") if name in params}
    if "metadata" in params:
        wanted["metadata"] = metadata.merge(params, into=customer["metadata"])
    previous = {name: customer[name] for name in wanted if customer[name] != wanted[name]}
    if previous:
        customer |= wanted
        tx.save(customer)
        announce(tx, "customer.updated", customer, previous=previous)
    return customer


def use_card(tx: Transaction, customer: Body, *, method_id: str) -> Body:
    """Charge this card where nothing else is said."""
    before = customer["invoice_settings"]
    customer["invoice_settings"] = {**before, "default_payment_method": method_id}
    announce(tx, "customer.updated", tx.save(customer), previous={"invoice_settings": before})
    return customer


def living(tx: Transaction, customer_id: str, *, param: str = "id") -> Body:
    """Find a customer; one that was deleted is as good as none."""
    customer = tx.need("customer", customer_id, param=param)
    if customer.get("deleted"):
        raise missing("customer", customer_id, param=param)
    return customer


def _checked(params: Body) -> Body:
    for name in params:
        if name not in SPOKEN:
            raise unspoken(name)
    if "email" in params and not is_email(params["email"]):
        raise invalid(
            f"Invalid email address: {params['email'][:100]}", param="email", code="email_invalid"
        )
    return params


def _create(call: Call) -> Body:
    return add(call.tx, _checked(call.params))


def _retrieve(call: Call) -> Body:
    return call.tx.need("customer", call.object_id)


def _update(call: Call) -> Body:
    customer = living(call.tx, call.object_id)
    return update(call.tx, customer, _checked(call.params))


def _delete(call: Call) -> Body:
    """Delete a customer, and end what they give regularly: what is left only says so."""
    customer = living(call.tx, call.object_id)
    for subscription in call.tx.every("subscription", customer=customer["id"]):
        if subscription["status"] != "canceled":
            subscriptions.cancel(call.tx, subscription)
    announce(call.tx, "customer.deleted", customer)
    return call.tx.save({"id": customer["id"], "object": "customer", "deleted": True})


def _list(call: Call) -> Body:
    """List customers; the address is compared letter by letter, case and all, as Stripe does."""
    if "test_clock" in call.params:
        raise unspoken("test_clock")
    return page(call.tx, "customer", call.params, url=URL, fields={"email": "$.email"})


ENDPOINTS = (
    Endpoint("POST", URL, "_customer_create_params:CustomerCreateParams", _create),
    Endpoint("GET", URL, "_customer_list_params:CustomerListParams", _list),
    Endpoint(
        "GET", f"{URL}/<object_id>", "_customer_retrieve_params:CustomerRetrieveParams", _retrieve
    ),
    Endpoint("POST", f"{URL}/<object_id>", "_customer_update_params:CustomerUpdateParams", _update),
    Endpoint(
        "DELETE", f"{URL}/<object_id>", "_customer_delete_params:CustomerDeleteParams", _delete
    ),
)
