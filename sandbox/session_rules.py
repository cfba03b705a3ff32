"""What Stripe asks of a new Checkout Session beyond the type of each parameter.

https://docs.stripe.com/api/checkout/sessions/create
"""

import re
from typing import cast

from sandbox import currencies
from sandbox.addresses import is_email, is_web_address
from sandbox.errors import ApiError, invalid, unspoken
from sandbox.transaction import Body

EXPIRES_AFTER_SECONDS_MIN = 30 * 60
EXPIRES_AFTER_SECONDS_MAX = 24 * 3_600
LINE_ITEMS_MAX = 100
QUANTITY_MAX = 999_999
REFERENCE = re.compile(r"[\w-]{1,200}", re.ASCII)

SPOKEN = frozenset(
    {
        "adaptive_pricing",
        "cancel_url",
        "client_reference_id",
        "currency",
        "custom_text",
        "customer",
        "customer_creation",
        "customer_email",
        "excluded_payment_method_types",
        "expand",
        "expires_at",
        "line_items",
        "locale",
        "metadata",
        "mode",
        "payment_intent_data",
        "payment_method_data",
        "return_url",
        "saved_payment_method_options",
        "submit_type",
        "subscription_data",
        "success_url",
        "ui_mode",
    }
)
MODES = ("payment", "subscription")
# By where a session is shown: the addresses that it needs, and those that it may have.
UI_MODES = {
    "hosted_page": (("success_url",), ("cancel_url",)),
    "embedded_page": (("return_url",), ()),
}
ADDRESSES = ("success_url", "cancel_url", "return_url")
ONLY_IN_MODES = {
    "customer_creation": ("payment", "setup"),
    "payment_intent_data": ("payment",),
    # Cards of single gifts are not kept here: there is nothing to say of them.
    "payment_method_data": ("subscription",),
    "setup_intent_data": ("setup",),
    "subscription_data": ("subscription",),
}
INTERVALS_MAX = {"day": 1_095, "week": 156, "month": 36, "year": 3}
PRICE_DATA_SPOKEN = frozenset({"currency", "product_data", "recurring", "unit_amount"})


def check(params: Body, *, now: int) -> None:
    """Raise Stripe's 400 for what does not go together."""
    _check_mode(params)
    for name in params:
        if name not in SPOKEN:
            raise unspoken(name)
    _check_addresses(params)
    _check_customer(params)
    _check_expiry(params, now=now)
    reference = params.get("client_reference_id")
    if reference is not None and not REFERENCE.fullmatch(reference):
        raise invalid(
            "client_reference_id may have up to 200 letters, digits, dashes and underscores.",
            param="client_reference_id",
        )
    if "card" in params.get("excluded_payment_method_types", []):
        raise invalid(
            "No valid payment method types for this Checkout Session.",
            param="excluded_payment_method_types",
        )
    _check_line_items(params)


def total_minor(params: Body) -> int:
    """Add up what is to be paid now: the line items, and nothing of a trial."""
    if "trial_period_days" in params.get("subscription_data", {}):
        return 0
    items = cast("list[Body]", params["line_items"])
    return sum(item["price_data"]["unit_amount"] * item["quantity"] for item in items)


def currency_of(params: Body) -> str:
    """Give the one currency of a checked request."""
    currency: str = params["line_items"][0]["price_data"]["currency"]
    return currency.lower()


def _check_mode(params: Body) -> None:
    mode = params.get("mode")
    if mode is None:
        raise _missing("mode")
    if mode not in MODES:
        raise invalid(f"This sandbox does not speak mode '{mode}'.", param="mode")
    if params.get("ui_mode", "hosted_page") not in UI_MODES:
        raise invalid("This sandbox has the hosted and the embedded page only.", param="ui_mode")
    for name, others in ONLY_IN_MODES.items():
        if name in params and mode not in others:
            other = "` or `".join(others)
            raise invalid(
                f"You can not pass `{name}` in `{mode}` mode, only in `{other}` mode.", param=name
            )


def _check_addresses(params: Body) -> None:
    ui_mode = params.get("ui_mode", "hosted_page")
    needed, optional = UI_MODES[ui_mode]
    for name in needed:
        if name not in params:
            raise _missing(name)
    for name in ADDRESSES:
        if name in params and name not in needed + optional:
            raise invalid(f"`{name}` is not allowed when `ui_mode` is `{ui_mode}`.", param=name)
        if name in params and not is_web_address(params[name]):
            raise invalid(
                "Not a valid URL: an explicit scheme (such as https) must be provided.",
                param=name,
                code="url_invalid",
            )


def _check_customer(params: Body) -> None:
    for other in ("customer_email", "customer_creation"):
        if "customer" in params and other in params:
            raise invalid(
                f"You may only specify one of these parameters: customer, {other}.", param=other
            )
    email = params.get("customer_email")
    if email is not None and not is_email(email):
        raise invalid(
            f"Invalid email address: {email[:100]}", param="customer_email", code="email_invalid"
        )


def _check_expiry(params: Body, *, now: int) -> None:
    expires_at = params.get("expires_at")
    if expires_at is None:
        return
    if expires_at < now + EXPIRES_AFTER_SECONDS_MIN:
        raise invalid(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session "
            "creation.",
            param="expires_at",
        )
    if expires_at > now + EXPIRES_AFTER_SECONDS_MAX:
        raise invalid(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            param="expires_at",
        )


def _check_line_items(params: Body) -> None:
    items = cast("list[Body]", params.get("line_items", []))
    if not items:
        raise _missing("line_items")
    if len(items) > LINE_ITEMS_MAX:
        raise invalid(f"You may pass up to {LINE_ITEMS_MAX} line items.", param="line_items")
    for index, item in enumerate(items):
        _check_line_item(item, f"line_items[{index}]", mode=params["mode"])
    intervals = {str(item["price_data"].get("recurring")) for item in items}
    if len(intervals) > 1:
        raise invalid("This sandbox bills all prices of a session together.", param="line_items")
    wanted = {item["price_data"]["currency"].lower() for item in items}
    if "currency" in params:
        wanted.add(params["currency"].lower())
    if len(wanted) > 1:
        raise invalid(
            "Checkout does not support multiple prices with different currencies.",
            param="line_items",
        )
    if total_minor(params) or "subscription_data" not in params:
        _check_total(total_minor(params), currency_of(params))


def _check_line_item(item: Body, where: str, *, mode: str) -> None:
    for name in item:
        if name not in ("price", "price_data", "quantity"):
            raise unspoken(f"{where}[{name}]")
    if "price" in item:
        raise invalid(
            f"No such price: '{item['price'][:100]}'. This sandbox keeps none: send `price_data`.",
            param=f"{where}[price]",
            code="resource_missing",
        )
    if "price_data" not in item:
        raise _missing(f"{where}[price_data]")
    _check_price(item["price_data"], f"{where}[price_data]")
    _check_recurring(item["price_data"].get("recurring"), f"{where}[price_data]", mode=mode)
    if not 1 <= item.get("quantity", 0) <= QUANTITY_MAX:
        raise invalid(
            "Quantity is required. Add `quantity`, from 1 on, to the line item.",
            param=f"{where}[quantity]",
        )


def _check_price(price: Body, where: str) -> None:
    for name in price:
        if name not in PRICE_DATA_SPOKEN:
            raise unspoken(f"{where}[{name}]")
    for name in ("product_data", "unit_amount"):
        if name not in price:
            raise _missing(f"{where}[{name}]")
    if price["currency"].lower() not in currencies.SUPPORTED:
        raise invalid(f"Invalid currency: {price['currency'][:20]}.", param=f"{where}[currency]")
    if price["unit_amount"] < 0:
        raise invalid(
            "Invalid non-negative integer",
            param=f"{where}[unit_amount]",
            code="parameter_invalid_integer",
        )
    if not currencies.is_whole(price["unit_amount"], price["currency"].lower()):
        raise invalid(
            "This currency has no such small change: see the special cases in Stripe's list.",
            param=f"{where}[unit_amount]",
        )


def _check_recurring(recurring: Body | None, where: str, *, mode: str) -> None:
    if recurring is None and mode == "subscription":
        raise invalid(
            "You must provide at least one recurring price in `subscription` mode when using "
            "prices. This sandbox wants every price to be recurring.",
            param=f"{where}[recurring]",
        )
    if recurring is not None and mode == "payment":
        raise invalid(
            "You specified `payment` mode but passed a recurring price. Either switch to "
            "`subscription` mode or use only one-time prices.",
            param=f"{where}[recurring]",
        )
    if recurring is not None:
        most = INTERVALS_MAX[recurring["interval"]]
        if not 1 <= recurring.get("interval_count", 1) <= most:
            raise invalid(
                f"Prices recur every 1 to {most} {recurring['interval']}s: three years at most.",
                param=f"{where}[recurring][interval_count]",
            )


def _check_total(amount_minor: int, currency: str) -> None:
    least_minor = currencies.least_minor(currency)
    if amount_minor < least_minor:
        raise invalid(
            "The Checkout Session's total amount due must add up to at least "
            f"{currencies.label(least_minor, currency)} {currency}",
            code="amount_too_small",
        )
    if amount_minor > currencies.MOST_MINOR:
        raise invalid(
            "The Checkout Session's total amount due must be no more than "
            f"{currencies.label(currencies.MOST_MINOR, currency)} {currency}",
            code="amount_too_large",
        )


def _missing(param: str) -> ApiError:
    return invalid(f"Missing required param: {param}.", param=param, code="parameter_missing")
