"""Prices, as they are made for one session from its `price_data`, and what they stand in."""

from sandbox.ids import new_id
from sandbox.transaction import Body, Transaction


def line_item(tx: Transaction, item: Body) -> Body:
    """Give a checked line item of a request in the session's shape."""
    data = item["price_data"]
    price = _price(tx, data)
    amount_minor = data["unit_amount"] * item["quantity"]
    return {
        "id": new_id("li_1"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount_minor,
        "amount_tax": 0,
        "amount_total": amount_minor,
        "currency": price["currency"],
        "description": data["product_data"]["name"],
        "metadata": {},
        "price": price,
        "quantity": item["quantity"],
    }


def plan_of(price: Body) -> Body:
    """Give the older object that a subscription's item still shows beside its price."""
    return {
        "id": price["id"],
        "object": "plan",
        "active": False,
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": "per_unit",
        "created": price["created"],
        "currency": price["currency"],
        "interval": price["recurring"]["interval"],
        "interval_count": price["recurring"]["interval_count"],
        "livemode": False,
        "metadata": {},
        "meter": None,
        "nickname": None,
        "product": price["product"],
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def _price(tx: Transaction, data: Body) -> Body:
    recurring = data.get("recurring")
    return {
        "id": new_id("price_1"),
        "object": "price",
        "active": False,
        "billing_scheme": "per_unit",
        "created": tx.now,
        "currency": data["currency"].lower(),
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": new_id("prod_", 14),
        "recurring": None if recurring is None else _recurring(recurring),
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time" if recurring is None else "recurring",
        "unit_amount": data["unit_amount"],
        "unit_amount_decimal": str(data["unit_amount"]),
    }


def _recurring(given: Body) -> Body:
    return {
        "interval": given["interval"],
        "interval_count": given.get("interval_count", 1),
        "meter": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }
