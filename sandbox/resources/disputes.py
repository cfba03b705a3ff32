"""Disputes: a donor's bank takes a payment back, or first only asks about it (an inquiry).

https://docs.stripe.com/disputes/how-disputes-work
"""

from typing import cast

from sandbox import currencies
from sandbox.announce import announce
from sandbox.endpoint import Call, Endpoint
from sandbox.errors import ApiError, invalid, refused, unspoken
from sandbox.ids import new_id
from sandbox.listing import page
from sandbox.resources import balance_transactions, metadata
from sandbox.transaction import Body, Transaction

URL = "/v1/disputes"
RESPONSE_SECONDS = 9 * 24 * 3_600
FEE_MINOR = 1_500
REASONS = frozenset(
    """
    bank_cannot_process check_returned credit_not_processed customer_initiated
    debit_not_authorized duplicate fraudulent general incorrect_account_details
    insufficient_funds noncompliant product_not_received product_unacceptable
    subscription_canceled unrecognized
    """.split()
)
INQUIRY = frozenset({"warning_needs_response", "warning_under_review"})
OPEN = frozenset({"needs_response", "under_review"})
# An inquiry that is open or closed, and a dispute that was won, leave the charge refundable.
UNREFUNDABLE = OPEN | {"lost"}
EVIDENCE = (
    """
    access_activity_log appeal billing_address cancellation_policy cancellation_policy_disclosure
    cancellation_rebuttal customer_communication customer_email_address customer_name
    customer_purchase_ip customer_signature duplicate_charge_documentation
    duplicate_charge_explanation duplicate_charge_id product_description receipt refund_policy
    refund_policy_disclosure refund_refusal_explanation service_date service_documentation
    shipping_address shipping_carrier shipping_date shipping_documentation
    shipping_tracking_number uncategorized_file uncategorized_text
    """
).split()


def open_dispute(
    tx: Transaction, intent: Body, *, amount_minor: int | None, kind: str, reason: str
) -> Body:
    """Have the donor's bank dispute a payment, or (`kind` is `inquiry`) only ask about it.

    A dispute takes the money at once; an inquiry moves nothing. Without an amount it is the
    charge's whole one, also where a part was refunded before.
    """
    charge = _charge_to_dispute(tx, intent)
    amount_minor = charge["amount"] if amount_minor is None else amount_minor
    if not 0 < amount_minor <= currencies.MOST_MINOR:
        raise invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    if reason not in REASONS:
        raise invalid(f"Invalid reason: must be one of {', '.join(sorted(REASONS))}")
    if kind not in ("dispute", "inquiry"):
        raise invalid("Invalid kind: must be 'dispute' or 'inquiry'", param="kind")
    dispute = tx.add(_build(tx, charge, amount_minor=amount_minor, reason=reason))
    charge["disputed"] = True
    tx.save(charge)
    if kind == "inquiry":
        announce(tx, "charge.dispute.created", dispute)
        return dispute
    dispute["status"] = "needs_response"
    _become_chargeback(dispute)
    announce(tx, "charge.dispute.created", tx.save(dispute))
    return _withdraw(tx, dispute)


def escalate(tx: Transaction, dispute: Body) -> Body:
    """Turn an inquiry into a dispute: now the money is taken."""
    _check_status(dispute, INQUIRY, "escalated")
    _become_chargeback(dispute)
    _change(tx, dispute, status="needs_response")
    return _withdraw(tx, dispute)


def win(tx: Transaction, dispute: Body, *, reinstated: bool = True) -> Body:
    """Decide for the merchant. The money comes back at once, or later by `reinstate`."""
    _check_status(dispute, OPEN, "won")
    dispute["is_charge_refundable"] = True
    _change(tx, dispute, status="won")
    if reinstated:
        reinstate(tx, dispute)
    return _close(tx, dispute)


def lose(tx: Transaction, dispute: Body) -> Body:
    """Decide for the donor: the money stays where it is."""
    _check_status(dispute, OPEN, "lost")
    _change(tx, dispute, status="lost")
    return _close(tx, dispute)


def close_inquiry(tx: Transaction, dispute: Body) -> Body:
    """End an inquiry that never became a dispute."""
    _check_status(dispute, INQUIRY, "closed as an inquiry")
    _change(tx, dispute, status="warning_closed")
    return _close(tx, dispute)


def reinstate(tx: Transaction, dispute: Body) -> Body:
    """Give the merchant back what the dispute took; Stripe keeps its fee."""
    transactions = cast("list[Body]", dispute["balance_transactions"])
    if len(transactions) != 1:
        raise refused(f"Dispute {dispute['id']} holds no money that could be reinstated.")
    transactions.append(balance_transactions.add_for_reinstated_dispute(tx, dispute))
    announce(tx, "charge.dispute.funds_reinstated", tx.save(dispute))
    return dispute


def respond(tx: Transaction, dispute: Body) -> Body:
    """Send the evidence: the bank looks at it now."""
    under_review = {
        "needs_response": "under_review",
        "warning_needs_response": "warning_under_review",
    }
    _check_status(dispute, frozenset(under_review), "answered")
    dispute["evidence_details"]["submission_count"] += 1
    dispute["evidence_details"]["submission_method"] = "manual"
    return _change(tx, dispute, status=under_review[dispute["status"]])


def forbid_refund(tx: Transaction, charge: Body) -> None:
    """Raise Stripe's 400 where a dispute has the charge's money already."""
    disputes = tx.every("dispute", charge=charge["id"])
    if any(dispute["status"] in UNREFUNDABLE for dispute in disputes):
        raise refused(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )


def _charge_to_dispute(tx: Transaction, intent: Body) -> Body:
    if intent["status"] != "succeeded":
        raise refused(f"Nobody can dispute {intent['id']}: it did not succeed.")
    charge = tx.need("charge", intent["latest_charge"])
    if any(
        dispute["status"] in OPEN | INQUIRY for dispute in tx.every("dispute", charge=charge["id"])
    ):
        raise refused(f"{intent['id']} is disputed already.", code="charge_disputed")
    return charge


def _become_chargeback(dispute: Body) -> None:
    dispute["is_charge_refundable"] = False
    if dispute["payment_method_details"] is not None:
        dispute["payment_method_details"]["card"]["case_type"] = "chargeback"


def _withdraw(tx: Transaction, dispute: Body) -> Body:
    taken = balance_transactions.add_for_dispute(tx, dispute, fee=FEE_MINOR)
    dispute["balance_transactions"] = [taken]
    announce(tx, "charge.dispute.funds_withdrawn", tx.save(dispute))
    return dispute


def _change(tx: Transaction, dispute: Body, *, status: str) -> Body:
    previous = {"status": dispute["status"]}
    dispute["status"] = status
    announce(tx, "charge.dispute.updated", tx.save(dispute), previous=previous)
    return dispute


def _close(tx: Transaction, dispute: Body) -> Body:
    announce(tx, "charge.dispute.closed", dispute)
    return dispute


def _check_status(dispute: Body, allowed: frozenset[str], verb: str) -> None:
    if dispute["status"] not in allowed:
        raise refused(
            f"Dispute {dispute['id']} cannot be {verb}: its status is {dispute['status']}."
        )


def _build(tx: Transaction, charge: Body, *, amount_minor: int, reason: str) -> Body:
    card = charge["payment_method_details"].get("card")
    return {
        "id": new_id("dp_"),
        "object": "dispute",
        "amount": amount_minor,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": tx.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": tx.now + RESPONSE_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "intended_submission_method": None,
        "is_charge_refundable": True,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": None if card is None else _card_details(card),
        "reason": reason,
        "status": "warning_needs_response",
    }


def _card_details(card: Body) -> Body:
    details = {
        "brand": card["brand"],
        "case_type": "inquiry",
        "network": card["brand"],
        "network_reason_code": "10.4",
    }
    return {"card": details, "type": "card"}


def _retrieve(call: Call) -> Body:
    return call.tx.need("dispute", call.object_id)


def _update(call: Call) -> Body:
    """Take evidence; like Stripe, send it to the bank unless `submit` is false."""
    dispute = call.tx.need("dispute", call.object_id)
    params = call.params
    for name in params:
        if name not in ("evidence", "expand", "metadata", "submit"):
            raise unspoken(name)
    if dispute["status"] not in OPEN | INQUIRY and "evidence" in params:
        raise _closed_already()
    dispute["metadata"] = metadata.merge(params, into=dispute["metadata"])
    if "evidence" in params:
        dispute["evidence"] |= params["evidence"]
        dispute["evidence_details"]["has_evidence"] = True
    if "evidence" in params and params.get("submit", True):
        return respond(call.tx, dispute)
    announce(call.tx, "charge.dispute.updated", call.tx.save(dispute), previous={})
    return dispute


def _accept(call: Call) -> Body:
    dispute = call.tx.need("dispute", call.object_id)
    if dispute["status"] != "needs_response":
        raise _closed_already()
    return lose(call.tx, dispute)


def _closed_already() -> ApiError:
    return refused("This dispute is already closed.")


def _list(call: Call) -> Body:
    fields = {"charge": "$.charge", "payment_intent": "$.payment_intent"}
    for name in fields:
        if name in call.params:
            call.tx.need(name, call.params[name], param=name)
    return page(call.tx, "dispute", call.params, url=URL, fields=fields)


_PARAMS = "_dispute_{}_params:Dispute{}Params"
ENDPOINTS = (
    Endpoint("GET", URL, _PARAMS.format("list", "List"), _list),
    Endpoint("GET", f"{URL}/<object_id>", _PARAMS.format("retrieve", "Retrieve"), _retrieve),
    Endpoint("POST", f"{URL}/<object_id>", _PARAMS.format("update", "Update"), _update),
    Endpoint("POST", f"{URL}/<object_id>/close", _PARAMS.format("close", "Close"), _accept),
)
