"""Portal sessions: a short-lived address under which a donor looks after their own gifts.

https://docs.stripe.com/api/customer_portal/sessions
"""

from typing import cast

from sandbox.addresses import is_web_address
from sandbox.announce import announce
from sandbox.endpoint import Call, Endpoint
from sandbox.errors import invalid, unspoken
from sandbox.ids import new_id
from sandbox.resources.portal_configurations import DEFAULT_ID
from sandbox.transaction import Body, Transaction

URL = "/v1/billing_portal/sessions"
SPOKEN = frozenset({"configuration", "customer", "expand", "flow_data", "locale", "return_url"})
FLOWS = ("payment_method_update", "subscription_cancel")
# Unused, the address dies within minutes; every visit keeps it for another hour.
UNUSED_SECONDS = 5 * 60
USED_SECONDS = 3_600


def visit(tx: Transaction, secret: str) -> Body | None:
    """Find the session that an address leads to, and keep it open for another while."""
    found = tx.bodies(
        "SELECT body FROM objects WHERE kind = 'billing_portal.session' "
        "AND json_extract(hidden, '$.secret') = ?",
        [secret],
    )
    if not found or tx.hidden(found[0]["id"])["expires_at"] <= tx.now:
        return None
    hidden = {"secret": secret, "expires_at": tx.now + USED_SECONDS}
    tx.save_hidden(found[0]["id"], hidden)
    return found[0]


def _create(call: Call) -> Body:
    tx, params = call.tx, call.params
    for name in params:
        if name not in SPOKEN:
            raise unspoken(name)
    if "customer" not in params:
        raise invalid("Missing required param: customer.", param="customer")
    customer = tx.need("customer", params["customer"], param="customer")
    configuration_id = params.get("configuration", DEFAULT_ID)
    tx.need("billing_portal.configuration", configuration_id, param="configuration")
    _check_address(params.get("return_url"), param="return_url")
    flow = None
    if "flow_data" in params:
        flow = _flow(tx, params["flow_data"], customer_id=customer["id"])
    secret = new_id("test_", 40)
    session = {
        "id": new_id("bps_1"),
        "object": "billing_portal.session",
        "after_expiration": None,
        "configuration": configuration_id,
        "created": tx.now,
        "customer": customer["id"],
        "customer_account": None,
        "flow": flow,
        "livemode": False,
        "locale": params.get("locale"),
        "on_behalf_of": None,
        "return_url": params.get("return_url"),
        "url": f"{call.settings.public_url}/portal/{secret}",
    }
    tx.add(session, hidden={"secret": secret, "expires_at": tx.now + UNUSED_SECONDS})
    announce(tx, "billing_portal.session.created", session)
    return session


def _flow(tx: Transaction, data: Body, *, customer_id: str) -> Body:
    kind = data["type"]
    if kind not in FLOWS:
        raise unspoken(f"flow_data[type]={kind}")
    cancel = None
    if kind == "subscription_cancel":
        given = cast("Body", data.get(kind, {}))
        where = "flow_data[subscription_cancel][subscription]"
        if "retention" in given:
            raise unspoken("flow_data[subscription_cancel][retention]")
        if "subscription" not in given:
            raise invalid(f"Missing required param: {where}.", param=where)
        subscription = tx.need("subscription", given["subscription"], param=where)
        if subscription["customer"] != customer_id:
            raise invalid("The subscription does not belong to the customer.", param=where)
        if subscription["status"] == "canceled" or subscription["cancel_at"] is not None:
            raise invalid("The subscription is canceled already.", param=where)
        cancel = {"retention": None, "subscription": subscription["id"]}
    return {
        "after_completion": _after_completion(data.get("after_completion", {})),
        "subscription_cancel": cancel,
        "subscription_update": None,
        "subscription_update_confirm": None,
        "type": kind,
    }


def _after_completion(given: Body) -> Body:
    redirect = given.get("redirect")
    if redirect is not None:
        where = "flow_data[after_completion][redirect][return_url]"
        _check_address(redirect["return_url"], param=where)
    return {
        "hosted_confirmation": given.get("hosted_confirmation"),
        "redirect": redirect,
        "type": given.get("type", "portal_homepage"),
    }


def _check_address(address: str | None, *, param: str) -> None:
    if address is not None and not is_web_address(address):
        raise invalid(
            "Not a valid URL: an explicit scheme (such as https) must be provided.",
            param=param,
            code="url_invalid",
        )


ENDPOINTS = (
    Endpoint("POST", URL, "billing_portal._session_create_params:SessionCreateParams", _create),
)
