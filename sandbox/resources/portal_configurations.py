"""Portal configurations: the one that an account begins with, and no other.

https://docs.stripe.com/api/customer_portal/configurations
"""

from sandbox.endpoint import Call, Endpoint
from sandbox.listing import page
from sandbox.transaction import Body, Transaction

URL = "/v1/billing_portal/configurations"
DEFAULT_ID = "bpc_default"


def ensure_default(tx: Transaction) -> None:
    """Make the default configuration, where this state has none yet."""
    if tx.get(DEFAULT_ID) is None:
        tx.add(_build(tx))


def _build(tx: Transaction) -> Body:
    return {
        "id": DEFAULT_ID,
        "object": "billing_portal.configuration",
        "active": True,
        "application": None,
        "business_profile": {
            "headline": None,
            "privacy_policy_url": None,
            "terms_of_service_url": None,
        },
        "created": tx.now,
        "default_return_url": None,
        "features": {
            "customer_update": {"allowed_updates": [], "enabled": False},
            "invoice_history": {"enabled": False},
            "payment_method_update": {"enabled": True, "payment_method_configuration": None},
            "subscription_cancel": {
                "cancellation_reason": {"enabled": False, "options": []},
                "enabled": True,
                "mode": "at_period_end",
                "proration_behavior": "none",
            },
            "subscription_update": {
                "billing_cycle_anchor": None,
                "default_allowed_updates": [],
                "enabled": False,
                "proration_behavior": "none",
                "schedule_at_period_end": {"conditions": []},
                "trial_update_behavior": "end_trial",
            },
        },
        "is_default": True,
        "livemode": False,
        "login_page": {"enabled": False, "url": None},
        "metadata": {},
        "name": None,
        "updated": tx.now,
    }


def _retrieve(call: Call) -> Body:
    return call.tx.need("billing_portal.configuration", call.object_id)


def _list(call: Call) -> Body:
    return page(call.tx, "billing_portal.configuration", call.params, url=URL)


_PARAMS = "billing_portal._configuration_{}_params:Configuration{}Params"
ENDPOINTS = (
    Endpoint("GET", URL, _PARAMS.format("list", "List"), _list),
    Endpoint("GET", f"{URL}/<object_id>", _PARAMS.format("retrieve", "Retrieve"), _retrieve),
)
