"""Refunds: money on its way back to the donor."""

from sandbox import currencies
from sandbox.announce import announce
from sandbox.cards import RefundBehaviour
from sandbox.endpoint import Call, Endpoint
from sandbox.errors import invalid, refused, unspoken
from sandbox.ids import new_id
from sandbox.listing import page
from sandbox.resources import balance_transactions, disputes, metadata
from sandbox.transaction import Body, Transaction

URL = "/v1/refunds"
SPOKEN = frozenset({"amount", "charge", "expand", "metadata", "payment_intent", "reason"})
# How long the two test cards with asynchronous refunds take: on real Stripe it is longer.
ASYNCHRONOUS_AFTER_SECONDS = 10.0


def refund_charge(
    tx: Transaction, charge: Body, *, amount_minor: int | None, reason: str | None, notes: Body
) -> Body:
    """Give a charge back, all that is left of it or a part; raise a 400 for more."""
    disputes.forbid_refund(tx, charge)
    left_minor = charge["amount_captured"] - charge["amount_refunded"]
    amount_minor = left_minor if amount_minor is None else amount_minor
    _check(charge, amount_minor=amount_minor, left_minor=left_minor)
    behaviour = tx.hidden(charge["id"]).get("refund_behaviour", RefundBehaviour.AT_ONCE)
    refund = _build(tx, charge, amount_minor=amount_minor, reason=reason, notes=notes)
    if behaviour == RefundBehaviour.PENDING_FIRST:
        refund |= {"status": "pending", "pending_reason": "processing"}
    tx.add(refund)
    refund["balance_transaction"] = balance_transactions.add_for_refund(tx, refund)["id"]
    tx.save(refund)
    if behaviour != RefundBehaviour.AT_ONCE:
        action = "finish_refund" if behaviour == RefundBehaviour.PENDING_FIRST else "fail_refund"
        tx.schedule(action, refund["id"], due_at=tx.clock_seconds + ASYNCHRONOUS_AFTER_SECONDS)
    previous = _count_refunded(tx, charge, by_minor=amount_minor)
    announce(tx, "refund.created", refund)
    announce(tx, "charge.refunded", charge, previous=previous)
    return refund


def finish(tx: Transaction, refund_id: str) -> None:
    """Have a pending refund arrive."""
    refund = tx.need("refund", refund_id)
    if refund["status"] == "pending":
        _change(tx, refund, status="succeeded")


def fail(tx: Transaction, refund_id: str) -> None:
    """Have a refund fail, be it weeks after it was told to have succeeded."""
    refund = tx.need("refund", refund_id)
    if refund["status"] in ("pending", "succeeded"):
        _take_back(tx, refund, status="failed", failure_reason="expired_or_canceled_card")
        announce(tx, "refund.failed", refund)


def _check(charge: Body, *, amount_minor: int, left_minor: int) -> None:
    if charge["status"] != "succeeded":
        raise refused(
            f"This charge ({charge['id']}) was not successful: it cannot be refunded.",
            param="charge",
        )
    if left_minor == 0:
        raise refused(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    if amount_minor < 1:
        raise invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    if amount_minor > left_minor:
        currency = charge["currency"]
        raise refused(
            f"Refund amount ({currencies.label(amount_minor, currency)}) is greater than "
            f"unrefunded amount on charge ({currencies.label(left_minor, currency)})",
            param="amount",
        )
    if not currencies.is_whole(amount_minor, charge["currency"]):
        raise invalid(
            "This currency has no such small change: see the special cases in Stripe's list.",
            param="amount",
        )


def _build(
    tx: Transaction, charge: Body, *, amount_minor: int, reason: str | None, notes: Body
) -> Body:
    card = {
        "reference_status": "pending",
        "reference_type": "acquirer_reference_number",
        "type": "refund",
    }
    return {
        "id": new_id("re_"),
        "object": "refund",
        "amount": amount_minor,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": tx.now,
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": {"card": card, "type": "card"},
        "metadata": notes,
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def _count_refunded(tx: Transaction, charge: Body, *, by_minor: int) -> Body:
    """Keep a charge's own sum; give the former values for the event."""
    previous = {name: charge[name] for name in ("amount_refunded", "refunded")}
    charge["amount_refunded"] += by_minor
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    tx.save(charge)
    return {name: value for name, value in previous.items() if charge[name] != value}


def _take_back(tx: Transaction, refund: Body, *, status: str, failure_reason: str | None) -> None:
    back = balance_transactions.add_for_failed_refund(tx, refund)
    refund["failure_balance_transaction"] = back["id"]
    if failure_reason is not None:
        refund["failure_reason"] = failure_reason
    charge = tx.need("charge", refund["charge"])
    previous = _count_refunded(tx, charge, by_minor=-refund["amount"])
    _change(tx, refund, status=status)
    announce(tx, "charge.updated", charge, previous=previous)


def _change(tx: Transaction, refund: Body, *, status: str) -> None:
    previous = {"status": refund["status"]}
    refund["status"] = status
    refund.pop("pending_reason", None)
    tx.save(refund)
    announce(tx, "refund.updated", refund, previous=previous)
    announce(tx, "charge.refund.updated", refund, previous=previous)


def _create(call: Call) -> Body:
    for name in call.params:
        if name not in SPOKEN:
            raise unspoken(name)
    return refund_charge(
        call.tx,
        _charge(call),
        amount_minor=call.params.get("amount"),
        reason=call.params.get("reason"),
        notes=metadata.merge(call.params),
    )


def _charge(call: Call) -> Body:
    charge_id, intent_id = call.params.get("charge"), call.params.get("payment_intent")
    if charge_id is None and intent_id is None:
        raise invalid("One of the following params should be provided: payment_intent, charge.")
    if charge_id is not None and intent_id is not None:
        raise invalid(
            "Only one of the following params should be provided: payment_intent, charge."
        )
    if charge_id is None:
        intent = call.tx.need("payment_intent", str(intent_id), param="payment_intent")
        if intent["status"] != "succeeded":
            raise refused(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                param="payment_intent",
            )
        charge_id = intent["latest_charge"]
    return call.tx.need("charge", charge_id, param="charge")


def _retrieve(call: Call) -> Body:
    return call.tx.need("refund", call.object_id)


def _update(call: Call) -> Body:
    refund = call.tx.need("refund", call.object_id)
    before = refund["metadata"]
    refund["metadata"] = metadata.merge(call.params, into=before)
    announce(call.tx, "refund.updated", refund, previous={"metadata": before})
    return call.tx.save(refund)


def _cancel(call: Call) -> Body:
    """Cancel what has not arrived. Stripe's own rule on which methods can is narrower."""
    refund = call.tx.need("refund", call.object_id)
    if refund["status"] not in ("pending", "requires_action"):
        raise refused(
            f"This refund cannot be canceled: its status is {refund['status']}.",
        )
    _take_back(call.tx, refund, status="canceled", failure_reason=None)
    return refund


def _list(call: Call) -> Body:
    fields = {"charge": "$.charge", "payment_intent": "$.payment_intent"}
    for name in fields:
        if name in call.params:
            call.tx.need(name, call.params[name], param=name)
    return page(call.tx, "refund", call.params, url=URL, fields=fields)


ENDPOINTS = (
    Endpoint("POST", URL, "_refund_create_params:RefundCreateParams", _create),
    Endpoint("GET", URL, "_refund_list_params:RefundListParams", _list),
    Endpoint(
        "GET", f"{URL}/<object_id>", "_refund_retrieve_params:RefundRetrieveParams", _retrieve
    ),
    Endpoint("POST", f"{URL}/<object_id>", "_refund_update_params:RefundUpdateParams", _update),
    Endpoint(
        "POST", f"{URL}/<object_id>/cancel", "_refund_cancel_params:RefundCancelParams", _cancel
    ),
)
