"""Subscriptions: a donor's promise to give again and again.

https://docs.stripe.com/api/subscriptions/object
"""

from typing import cast

from sandbox.announce import announce
from sandbox.cycles import boundary
from sandbox.endpoint import Call, Endpoint
from sandbox.errors import invalid, refused, unspoken
from sandbox.ids import new_id
from sandbox.listing import Condition, page, whole_list
from sandbox.resources import invoices, metadata, prices
from sandbox.transaction import Body, Transaction

URL = "/v1/subscriptions"
DAY_SECONDS = 24 * 3_600
TRIAL_DAYS_MAX = 730
DATA_SPOKEN = frozenset({"description", "metadata", "trial_period_days"})
# What lists of them take beside the fields of every list.
LISTED_BY = {"customer": "$.customer", "collection_method": "$.collection_method"}
LISTED = frozenset(
    {*LISTED_BY, "created", "ending_before", "expand", "limit", "starting_after", "status"}
)


def check_data(data: Body) -> Body:
    """Check a session's `subscription_data`, which is kept until the subscription is made."""
    for name in data:
        if name not in DATA_SPOKEN:
            raise unspoken(f"subscription_data[{name}]")
    if not 1 <= data.get("trial_period_days", 1) <= TRIAL_DAYS_MAX:
        raise invalid(
            f"Trial periods have 1 to {TRIAL_DAYS_MAX} days.",
            param="subscription_data[trial_period_days]",
        )
    return {**data, "metadata": metadata.merge(data, param="subscription_data[metadata]")}


def add(
    tx: Transaction, *, items: list[Body], data: Body, customer_id: str, method_id: str
) -> Body:
    """Begin a subscription to a session's line items; `data` is its `subscription_data`."""
    subscription = _build(tx, items=items, data=data, customer_id=customer_id, method_id=method_id)
    # How many intervals after the anchor the current period ends.
    cycle = 0 if subscription["trial_end"] is not None else 1
    tx.add(subscription, hidden={"cycle": cycle})
    announce(tx, "customer.subscription.created", subscription)
    return subscription


def begin_next_period(tx: Transaction, subscription: Body) -> None:
    """Move every item to its next period; what changed is told by the caller."""
    cycle = tx.hidden(subscription["id"])["cycle"] + 1
    tx.save_hidden(subscription["id"], {"cycle": cycle})
    for item in subscription["items"]["data"]:
        item["current_period_start"] = item["current_period_end"]
        item["current_period_end"] = boundary(
            subscription["billing_cycle_anchor"],
            interval=item["price"]["recurring"]["interval"],
            interval_count=item["price"]["recurring"]["interval_count"],
            number=cycle,
        )


def change(tx: Transaction, subscription: Body, changes: Body) -> Body:
    """Change fields of a subscription and tell what they were, where that is something else."""
    previous = {name: subscription[name] for name in changes if subscription[name] != changes[name]}
    subscription |= changes
    tx.save(subscription)
    if previous:
        announce(tx, "customer.subscription.updated", subscription, previous=previous)
    return subscription


def period_end(subscription: Body) -> int:
    """Give when the current period ends; it stands on the items, which all end together here."""
    return int(subscription["items"]["data"][0]["current_period_end"])


def cancel_at_period_end(
    tx: Transaction, subscription: Body, *, wanted: bool, flagged: bool
) -> Body:
    """Let a subscription end with its current period, or take that back.

    In flexible billing mode the donor's own cancellation in the portal shows as `cancel_at` alone;
    one by the API is `flagged` by `cancel_at_period_end` too.
    """
    _check_alive(subscription)
    return change(
        tx,
        subscription,
        {
            "cancel_at": period_end(subscription) if wanted else None,
            "cancel_at_period_end": wanted and flagged,
            "canceled_at": tx.now if wanted else None,
            "cancellation_details": _details("cancellation_requested" if wanted else None),
        },
    )


def cancel(tx: Transaction, subscription: Body, *, reason: str = "cancellation_requested") -> Body:
    """End a subscription now; nothing more is collected for it."""
    _check_alive(subscription)
    subscription |= {
        "status": "canceled",
        "canceled_at": subscription["canceled_at"] or tx.now,
        "ended_at": tx.now,
    }
    if subscription["cancellation_details"]["reason"] is None:
        subscription["cancellation_details"] = _details(reason)
    invoices.stop_collecting(tx, subscription["id"])
    announce(tx, "customer.subscription.deleted", tx.save(subscription))
    return subscription


def _check_alive(subscription: Body) -> None:
    if subscription["status"] == "canceled":
        raise refused(
            f"No such subscription: '{subscription['id']}'. It is canceled.",
            code="resource_missing",
        )


def _details(reason: str | None) -> Body:
    return {"comment": None, "feedback": None, "reason": reason}


def _build(
    tx: Transaction, *, items: list[Body], data: Body, customer_id: str, method_id: str
) -> Body:
    subscription_id = new_id("sub_1")
    trial_days = data.get("trial_period_days")
    trial_end = None if trial_days is None else tx.now + trial_days * DAY_SECONDS
    no_tax: Body = {"disabled_reason": None, "enabled": False, "liability": None}
    flexible = {"proration_discounts": "included"}
    shown = [_item(tx, subscription_id, item, trial_end=trial_end) for item in items]
    return {
        "id": subscription_id,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": no_tax,
        "billing_cycle_anchor": tx.now if trial_end is None else trial_end,
        "billing_cycle_anchor_config": None,
        "billing_mode": {"flexible": flexible, "type": "flexible"},
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": _details(None),
        "collection_method": "charge_automatically",
        "created": tx.now,
        "currency": items[0]["currency"],
        "customer": customer_id,
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": method_id,
        "default_source": None,
        "default_tax_rates": [],
        "description": data.get("description"),
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        "items": whole_list(shown, url=f"/v1/subscription_items?subscription={subscription_id}"),
        "latest_invoice": None,
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": data["metadata"],
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": tx.now,
        "status": "incomplete" if trial_end is None else "trialing",
        "test_clock": None,
        "transfer_data": None,
        "trial_end": trial_end,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": None if trial_end is None else tx.now,
    }


def _item(tx: Transaction, subscription_id: str, item: Body, *, trial_end: int | None) -> Body:
    price = item["price"]
    ends_at = trial_end or boundary(
        tx.now,
        interval=price["recurring"]["interval"],
        interval_count=price["recurring"]["interval_count"],
        number=1,
    )
    return {
        "id": new_id("si_", 14),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": tx.now,
        "current_period_end": ends_at,
        "current_period_start": tx.now,
        "discounts": [],
        "metadata": {},
        "plan": prices.plan_of(price),
        "price": price,
        "quantity": item["quantity"],
        "subscription": subscription_id,
        "tax_rates": [],
    }


def _retrieve(call: Call) -> Body:
    return call.tx.need("subscription", call.object_id)


def _update(call: Call) -> Body:
    tx, params = call.tx, call.params
    subscription = tx.need("subscription", call.object_id)
    for name in params:
        if name not in ("cancel_at_period_end", "expand", "metadata"):
            raise unspoken(name)
    _check_alive(subscription)
    if "metadata" in params:
        changed = metadata.merge(params, into=subscription["metadata"])
        change(tx, subscription, {"metadata": changed})
    if "cancel_at_period_end" in params:
        wanted: bool = params["cancel_at_period_end"]
        cancel_at_period_end(tx, subscription, wanted=wanted, flagged=True)
    return subscription


def _cancel(call: Call) -> Body:
    for name, value in call.params.items():
        if name in ("invoice_now", "prorate") and value:
            raise unspoken(name)
    subscription = call.tx.need("subscription", call.object_id)
    details = cast("Body", call.params.get("cancellation_details", {}))
    _check_alive(subscription)
    subscription["cancellation_details"] = {
        **_details("cancellation_requested"),
        **{name: details[name] or None for name in ("comment", "feedback") if name in details},
    }
    return cancel(call.tx, subscription)


def _list(call: Call) -> Body:
    """List subscriptions: those that are canceled only when they are asked for."""
    for name in call.params:
        if name not in LISTED:
            raise unspoken(name)
    status = call.params.get("status")
    if status is None:
        conditions = [Condition("json_extract(body, '$.status') != 'canceled'")]
    elif status == "all":
        conditions = []
    else:
        wanted = "canceled" if status == "ended" else status
        conditions = [Condition("json_extract(body, '$.status') = ?", [wanted])]
    return page(
        call.tx, "subscription", call.params, url=URL, fields=LISTED_BY, conditions=conditions
    )


_PARAMS = "_subscription_{}_params:Subscription{}Params"
ENDPOINTS = (
    Endpoint("GET", URL, _PARAMS.format("list", "List"), _list),
    Endpoint("GET", f"{URL}/<object_id>", _PARAMS.format("retrieve", "Retrieve"), _retrieve),
    Endpoint("POST", f"{URL}/<object_id>", _PARAMS.format("update", "Update"), _update),
    Endpoint("DELETE", f"{URL}/<object_id>", _PARAMS.format("cancel", "Cancel"), _cancel),
)
