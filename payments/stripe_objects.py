"""Stripe's objects to our words. Reads what the API returned; imports nothing of the SDK to run."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from payments.gateway import (
    Checkout,
    Dispute,
    Invoice,
    Payment,
    Payout,
    PayoutLine,
    Refund,
    Subscription,
)

if TYPE_CHECKING:
    from stripe import StripeObject

# Where a refund carries the id of the request of ours that made it.
REQUEST_ID = "goalpost_refund_request"
_MOST_DIGITS = 16


def checkout_from(session: StripeObject) -> Checkout:
    """Read a `checkout.session`."""
    return Checkout(
        id=session["id"],
        url=session["url"],
        status=session["status"],
        paid=session["payment_status"] == "paid",
        donation_id=metadata_of(session).get("donation"),
        payment_id=id_of(session["payment_intent"]),
        invoice_id=id_of(session["invoice"]),
        subscription_id=id_of(session["subscription"]),
        client_secret=session["client_secret"],
    )


def payment_from(intent: StripeObject) -> Payment:
    """Read a `payment_intent` whose `latest_charge.balance_transaction` is expanded."""
    charge = intent["latest_charge"]
    billing = charge["billing_details"] if charge is not None else None
    # Null until Stripe has settled the charge: unknown, which is not zero.
    balance = charge["balance_transaction"] if charge is not None else None
    return Payment(
        id=intent["id"],
        status=intent["status"],
        received_minor=intent["amount_received"],
        currency=intent["currency"].upper(),
        livemode=intent["livemode"],
        donation_id=metadata_of(intent).get("donation"),
        paid_at=None if charge is None else instant_of(charge["created"]),
        email=billing["email"] if billing is not None else None,
        name=billing["name"] if billing is not None else None,
        fee_minor=None if balance is None else balance["fee"],
        net_minor=None if balance is None else balance["net"],
        settlement_currency=None if balance is None else balance["currency"].upper(),
        campaign_slug=metadata_of(intent).get("campaign"),
        cover_minor=_cover_of(intent),
    )


def refund_from(refund: StripeObject) -> Refund:
    """Read a `refund`."""
    metadata = refund["metadata"] or {}
    return Refund(
        id=refund["id"],
        status=refund["status"],
        amount_minor=refund["amount"],
        request_id=metadata[REQUEST_ID] if REQUEST_ID in metadata else None,  # noqa: SIM401 - no dict
    )


def dispute_from(dispute: StripeObject) -> Dispute:
    """Read a `dispute`: its balance transactions tell whether the money is away.

    A withdrawal takes (its amount is under zero), a reinstatement brings as much back. A dispute
    that is won is over for us even where the money is still on its way.
    """
    moved = sum(transaction["amount"] for transaction in dispute["balance_transactions"])
    return Dispute(
        id=dispute["id"],
        status=dispute["status"],
        amount_minor=dispute["amount"],
        withdrawn=moved < 0 and dispute["status"] != "won",
    )


def subscription_from(subscription: StripeObject) -> Subscription:
    """Read a `subscription`: the gift is an item of it, and what covers the fees another.

    They were begun together and renew together, so the first tells when and how often.
    """
    items = subscription["items"]["data"]
    item = items[0]
    cancel_at = subscription["cancel_at"]
    renews_at = item["current_period_end"] if "current_period_end" in item else None  # noqa: SIM401 - a StripeObject is no dict
    return Subscription(
        id=subscription["id"],
        status=subscription["status"],
        donation_id=metadata_of(subscription).get("donation"),
        customer_id=id_of(subscription["customer"]) or "",
        interval=item["price"]["recurring"]["interval"],
        amount_minor=sum(each["price"]["unit_amount"] * each["quantity"] for each in items),
        currency=item["price"]["currency"].upper(),
        cancel_at=None if cancel_at is None else instant_of(cancel_at),
        renews_at=None if renews_at is None else instant_of(renews_at),
        campaign_slug=metadata_of(subscription).get("campaign"),
        cover_minor=_cover_of(subscription),
    )


def invoice_from(invoice: StripeObject, payments: Iterable[StripeObject]) -> Invoice:
    """Read an `invoice` and its `invoice_payment`s, of which those by Stripe that paid count."""
    parent = invoice["parent"]
    details = parent["subscription_details"] if parent is not None else None
    paid = (
        id_of(entry["payment"]["payment_intent"])
        for entry in payments
        if entry["status"] == "paid"
        and entry["payment"]["type"] == "payment_intent"
        and (entry["amount_paid"] or 0) > 0
    )
    return Invoice(
        id=invoice["id"],
        subscription_id=id_of(details["subscription"]) if details is not None else None,
        is_first=invoice["billing_reason"] == "subscription_create",
        payment_ids=tuple(payment_id for payment_id in paid if payment_id is not None),
    )


def payout_from(payout: StripeObject) -> Payout:
    """Read a `payout`. Its day of arrival is told as midnight, UTC."""
    return Payout(
        id=payout["id"],
        amount_minor=payout["amount"],
        currency=payout["currency"].upper(),
        status=payout["status"],
        arrives_on=instant_of(payout["arrival_date"]).date(),
        created_at=instant_of(payout["created"]),
        livemode=payout["livemode"],
        automatic=payout["automatic"],
        reconciled=payout["reconciliation_status"] == "completed",
        failure=payout["failure_message"] or payout["failure_code"],
    )


def payout_line_from(transaction: StripeObject) -> PayoutLine:
    """Read a `balance_transaction` whose `source` is expanded.

    Charges, refunds and disputes name their payment; fees and payouts have none.
    """
    source = transaction["source"]
    has_payment = source is not None and "payment_intent" in source
    return PayoutLine(
        id=transaction["id"],
        category=transaction["reporting_category"],
        amount_minor=transaction["amount"],
        fee_minor=transaction["fee"],
        net_minor=transaction["net"],
        currency=transaction["currency"].upper(),
        occurred_at=instant_of(transaction["created"]),
        source_id=id_of(source),
        payment_id=id_of(source["payment_intent"]) if has_payment else None,
        description=transaction["description"],
    )


def metadata_of(source: StripeObject) -> dict[str, str]:
    """Return an object's metadata."""
    metadata = source["metadata"]
    return {} if metadata is None else dict(metadata.to_dict())


def _cover_of(source: StripeObject) -> int:
    """Return what of it covers the fees, as its metadata says: a person can write there, too."""
    text = metadata_of(source).get("cover", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS else 0


def id_of(value: Any) -> str | None:
    """Return the id of something that Stripe tells as an id or, expanded, as the thing."""
    if value is None or isinstance(value, str):
        return value
    return str(value["id"])


def instant_of(seconds: int) -> datetime:
    """Return the instant that Stripe writes as seconds of Unix time."""
    return datetime.fromtimestamp(seconds, UTC)
