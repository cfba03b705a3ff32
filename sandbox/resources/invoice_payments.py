"""Invoice payments: what ties an invoice to the payment intent that pays it.

Since *basil* neither of the two names the other.
https://docs.stripe.com/api/invoice-payment
"""

from sandbox.announce import announce
from sandbox.endpoint import Call, Endpoint
from sandbox.errors import invalid
from sandbox.ids import new_id
from sandbox.listing import page
from sandbox.transaction import Body, Transaction

URL = "/v1/invoice_payments"
# A record of money that went another way than through Stripe.
OUTSIDE = "payment_record"


def add(tx: Transaction, invoice: Body, *, intent_id: str) -> Body:
    """Say which payment intent is to pay an invoice."""
    payment = {"type": "payment_intent", "payment_intent": intent_id}
    return tx.add(_build(tx, invoice, payment=payment, is_default=True))


def add_outside(tx: Transaction, invoice: Body) -> Body:
    """Record that an invoice was paid outside Stripe."""
    payment = {"type": OUTSIDE, OUTSIDE: new_id("pr_")}
    return tx.add(_build(tx, invoice, payment=payment, is_default=False))


def pay(tx: Transaction, invoice_payment: Body, *, amount_minor: int) -> Body:
    """Record that the money was received."""
    invoice_payment |= {"amount_paid": amount_minor, "status": "paid"}
    invoice_payment["status_transitions"]["paid_at"] = tx.now
    announce(tx, "invoice_payment.paid", tx.save(invoice_payment))
    return invoice_payment


def cancel_open(tx: Transaction, invoice: Body) -> None:
    """Give up on the payments of an invoice that was paid another way."""
    for invoice_payment in of_invoice(tx, invoice["id"]):
        if invoice_payment["status"] == "open":
            invoice_payment["status"] = "canceled"
            invoice_payment["status_transitions"]["canceled_at"] = tx.now
            tx.save(invoice_payment)


def of_invoice(tx: Transaction, invoice_id: str) -> list[Body]:
    """Give an invoice's payments, the oldest first."""
    return tx.every("invoice_payment", invoice=invoice_id)


def _build(tx: Transaction, invoice: Body, *, payment: Body, is_default: bool) -> Body:
    return {
        "id": new_id("inpay_"),
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": invoice["amount_due"],
        "created": tx.now,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": is_default,
        "livemode": False,
        "payment": payment,
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }


def _retrieve(call: Call) -> Body:
    return call.tx.need("invoice_payment", call.object_id)


def _list(call: Call) -> Body:
    params = call.params
    fields = {"invoice": "$.invoice", "status": "$.status"}
    if "invoice" in params:
        call.tx.need("invoice", params["invoice"], param="invoice")
    if "payment" in params:
        kind = params["payment"]["type"]
        if kind not in params["payment"]:
            raise invalid(f"Missing required param: payment[{kind}].", param=f"payment[{kind}]")
        params = {**params, "payment": params["payment"][kind]}
        fields["payment"] = f"$.payment.{kind}"
    return page(call.tx, "invoice_payment", params, url=URL, fields=fields)


_PARAMS = "_invoice_payment_{}_params:InvoicePayment{}Params"
ENDPOINTS = (
    Endpoint("GET", URL, _PARAMS.format("list", "List"), _list),
    Endpoint("GET", f"{URL}/<object_id>", _PARAMS.format("retrieve", "Retrieve"), _retrieve),
)
