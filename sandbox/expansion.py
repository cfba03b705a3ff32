"""`expand[]`: put objects where their ids stand.

https://docs.stripe.com/api/expanding_objects
"""

from typing import cast

from sandbox.errors import ApiError, invalid
from sandbox.listing import LIMIT_DEFAULT, whole_list
from sandbox.resources import invoices
from sandbox.transaction import Body, Transaction

DEPTH_MAX = 4

# Fields that hold an id, by the kind of object that has them; some stand inside a part of it.
EXPANDABLE: dict[str, frozenset[str]] = {
    "checkout.session": frozenset({"customer", "invoice", "payment_intent", "subscription"}),
    "subscription": frozenset({"customer", "default_payment_method", "latest_invoice"}),
    "billing_portal.session": frozenset({"configuration"}),
    "invoice": frozenset({"customer", "parent.subscription_details.subscription"}),
    "invoice_payment": frozenset({"invoice", "payment.payment_intent"}),
    "payment_intent": frozenset({"customer", "latest_charge", "payment_method"}),
    "charge": frozenset(
        {"balance_transaction", "customer", "failure_balance_transaction", "payment_intent"}
    ),
    "dispute": frozenset({"charge", "payment_intent"}),
    "refund": frozenset(
        {"balance_transaction", "charge", "failure_balance_transaction", "payment_intent"}
    ),
    "balance_transaction": frozenset({"source"}),
    "payout": frozenset({"balance_transaction", "failure_balance_transaction"}),
    "payment_method": frozenset({"customer"}),
}


def expand(tx: Transaction, body: Body, paths: list[str]) -> Body:
    """Expand every path in an object or a list; raise a 400 for one that cannot be."""
    for path in paths:
        steps = path.split(".")
        if len(steps) - (steps[0] == "data") > DEPTH_MAX:
            raise invalid(f"You cannot expand more than {DEPTH_MAX} levels of a property: {path}")
        _step(tx, body, steps, path)
    return body


def _step(tx: Transaction, here: Body, steps: list[str], path: str) -> None:
    field, rest = steps[0], steps[1:]
    if here.get("object") == "list":
        if field != "data" or not rest:
            raise _refusal(path, hint="" if field == "data" else f" Try 'data.{path}' instead.")
        for item in cast("list[Body]", here["data"]):
            _step(tx, item, rest, path)
        return
    kind = here.get("object", "")
    if (kind, field) in INCLUDABLE:
        here.setdefault(field, INCLUDABLE[kind, field](tx, here))
    else:
        here, field, rest = _reach(here, steps, path)
        if isinstance(here.get(field), str):
            here[field] = tx.get(here[field])
    if rest and isinstance(here.get(field), dict):
        _step(tx, here[field], rest, path)


def _reach(here: Body, steps: list[str], path: str) -> tuple[Body, str, list[str]]:
    """Walk to the part of an object that has the field; give the part, the field and what follows.

    Where the object has no such part, as an invoice without a subscription, there is nothing to do.
    """
    expandable = EXPANDABLE.get(here.get("object", ""), frozenset())
    for length in range(1, len(steps) + 1):
        if ".".join(steps[:length]) in expandable:
            for step in steps[: length - 1]:
                here = here.get(step) or {}
            return here, steps[length - 1], steps[length:]
    raise _refusal(path)


def _refusal(path: str, hint: str = "") -> ApiError:
    return invalid(f"This property cannot be expanded ({path}).{hint}", param="expand")


def _line_items(tx: Transaction, session: Body) -> Body:
    items = cast("list[Body]", tx.hidden(session["id"])["line_items"])
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    return whole_list(items[:LIMIT_DEFAULT], url=url, has_more=len(items) > LIMIT_DEFAULT)


def _refunds(tx: Transaction, charge: Body) -> Body:
    refunds = tx.every("refund", charge=charge["id"])[::-1]
    url = f"/v1/charges/{charge['id']}/refunds"
    return whole_list(refunds[:LIMIT_DEFAULT], url=url, has_more=len(refunds) > LIMIT_DEFAULT)


# Lists that an object has only when asked for.
INCLUDABLE = {
    ("charge", "refunds"): _refunds,
    ("checkout.session", "line_items"): _line_items,
    ("invoice", "payments"): invoices.payments_of,
}
