"""Invoices: what one period of a subscription costs, from the draft to the payment.

https://docs.stripe.com/api/invoices/object
"""

from typing import cast

from sandbox import currencies
from sandbox.announce import announce
from sandbox.endpoint import Call, Endpoint
from sandbox.errors import unspoken
from sandbox.ids import new_id
from sandbox.listing import page, whole_list
from sandbox.resources import invoice_payments
from sandbox.transaction import Body, Transaction

URL = "/v1/invoices"


def add(tx: Transaction, subscription: Body, *, reason: str, free: bool = False) -> Body:
    """Draft the invoice of a subscription's current period; a trial's is `free`."""
    customer = tx.need("customer", subscription["customer"])
    invoice_id = new_id("in_")
    items = cast("list[Body]", subscription["items"]["data"])
    lines = [_line(invoice_id, subscription, item, free=free) for item in items]
    invoice = _build(tx, subscription, customer, invoice_id=invoice_id, lines=lines)
    invoice["billing_reason"] = reason
    tx.add(invoice)
    announce(tx, "invoice.created", invoice)
    return invoice


def finalize(tx: Transaction, invoice: Body) -> Body:
    """Close a draft: from now on its amount stands, and it has a number."""
    customer = tx.need("customer", invoice["customer"])
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
    customer["next_invoice_sequence"] += 1
    tx.save(customer)
    invoice |= {
        "status": "open",
        "number": number,
        "effective_at": tx.now,
        "automatically_finalizes_at": None,
        "webhooks_delivered_at": tx.now,
    }
    invoice["status_transitions"]["finalized_at"] = tx.now
    announce(tx, "invoice.finalized", tx.save(invoice))
    return invoice


def mark_paid(tx: Transaction, invoice: Body, *, outside: bool = False) -> Body:
    """Record that nothing is left to pay, be it that the money came another way (`outside`)."""
    paid_minor = invoice["amount_due"]
    invoice |= {
        "status": "paid",
        "amount_paid": paid_minor,
        "amount_paid_off_stripe": paid_minor if outside else 0,
        "amount_remaining": 0,
        "attempted": True,
        "auto_advance": False,
        "next_payment_attempt": None,
    }
    invoice["status_transitions"]["paid_at"] = tx.now
    announce(tx, "invoice.paid", tx.save(invoice))
    if not outside:
        announce(tx, "invoice.payment_succeeded", invoice)
    return invoice


def count_attempt(tx: Transaction, invoice: Body, *, next_attempt_at: int | None) -> Body:
    """Record that a payment failed, and when the next is tried."""
    invoice |= {
        "attempt_count": invoice["attempt_count"] + 1,
        "attempted": True,
        "next_payment_attempt": next_attempt_at,
        "auto_advance": next_attempt_at is not None,
    }
    announce(tx, "invoice.payment_failed", tx.save(invoice))
    return invoice


def stop_collecting(tx: Transaction, subscription_id: str) -> None:
    """Leave a canceled subscription's unpaid invoices alone, as Stripe does."""
    for invoice in _of_subscription(tx, subscription_id):
        if invoice["status"] in ("draft", "open"):
            invoice |= {"auto_advance": False, "next_payment_attempt": None}
            tx.save(invoice)


def subscription_id_of(invoice: Body) -> str:
    """Give the subscription that an invoice belongs to."""
    return str(invoice["parent"]["subscription_details"]["subscription"])


def _of_subscription(tx: Transaction, subscription_id: str) -> list[Body]:
    return tx.bodies(
        "SELECT body FROM objects WHERE kind = 'invoice' AND "
        "json_extract(body, '$.parent.subscription_details.subscription') = ? ORDER BY sequence",
        [subscription_id],
    )


def _build(
    tx: Transaction, subscription: Body, customer: Body, *, invoice_id: str, lines: list[Body]
) -> Body:
    total_minor = sum(line["amount"] for line in lines)
    no_tax: Body = {"disabled_reason": None, "enabled": False, "liability": None}
    return {
        "id": invoice_id,
        "object": "invoice",
        "account_country": "US",
        "account_name": "Sandbox",
        "account_tax_ids": None,
        "amount_due": total_minor,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_remaining": total_minor,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": True,
        "automatic_tax": {**no_tax, "provider": None, "status": None},
        "automatically_finalizes_at": None,
        "billing_reason": "subscription_cycle",
        "collection_method": "charge_automatically",
        "created": tx.now,
        "currency": subscription["currency"],
        "custom_fields": None,
        "customer": customer["id"],
        "customer_account": None,
        "customer_address": None,
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": None,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": subscription["description"],
        "discounts": [],
        "due_date": None,
        "effective_at": None,
        "ending_balance": 0,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "lines": whole_list(lines, url=f"{URL}/{invoice_id}/lines"),
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "parent": {
            "quote_details": None,
            "subscription_details": {
                "metadata": subscription["metadata"],
                "subscription": subscription["id"],
            },
            "type": "subscription_details",
        },
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": tx.now,
        "period_start": tx.now,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": 0,
        "statement_descriptor": None,
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "subtotal": total_minor,
        "subtotal_excluding_tax": total_minor,
        "test_clock": None,
        "total": total_minor,
        "total_discount_amounts": [],
        "total_excluding_tax": total_minor,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": None,
    }


def _line(invoice_id: str, subscription: Body, item: Body, *, free: bool) -> Body:
    price, quantity = item["price"], item["quantity"]
    unit_minor = 0 if free else price["unit_amount"]
    amount_minor = unit_minor * quantity
    label = currencies.label(unit_minor, price["currency"])
    return {
        "id": new_id("il_"),
        "object": "line_item",
        "amount": amount_minor,
        "currency": price["currency"],
        "description": f"{quantity} × (at {label} / {price['recurring']['interval']})",
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice_id,
        "livemode": False,
        "metadata": subscription["metadata"],
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": subscription["id"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "period": {"end": item["current_period_end"], "start": item["current_period_start"]},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": str(unit_minor),
        },
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "subscription": subscription["id"],
        "subtotal": amount_minor,
        "taxes": [],
    }


def _retrieve(call: Call) -> Body:
    return call.tx.need("invoice", call.object_id)


def _list(call: Call) -> Body:
    for name in ("customer_account", "due_date"):
        if name in call.params:
            raise unspoken(name)
    for name in ("subscription", "customer"):
        if name in call.params:
            call.tx.need(name, call.params[name], param=name)
    fields = {
        "collection_method": "$.collection_method",
        "customer": "$.customer",
        "status": "$.status",
        "subscription": "$.parent.subscription_details.subscription",
    }
    return page(call.tx, "invoice", call.params, url=URL, fields=fields)


def payments_of(tx: Transaction, invoice: Body) -> Body:
    """Give the list that an invoice shows when it is asked to."""
    found = invoice_payments.of_invoice(tx, invoice["id"])[::-1]
    return whole_list(found, url=f"{invoice_payments.URL}?invoice={invoice['id']}")


_PARAMS = "_invoice_{}_params:Invoice{}Params"
ENDPOINTS = (
    Endpoint("GET", URL, _PARAMS.format("list", "List"), _list),
    Endpoint("GET", f"{URL}/<object_id>", _PARAMS.format("retrieve", "Retrieve"), _retrieve),
)
