"""Payment methods: the card that a donor typed, without its number, or their bank account."""

from dataclasses import asdict

from sandbox.announce import announce
from sandbox.cards import CARDS, CardEntry
from sandbox.debits import LAST4, METHOD, DebitEntry
from sandbox.ids import new_id
from sandbox.transaction import Body, Transaction


def add(
    tx: Transaction,
    entry: CardEntry,
    *,
    customer_id: str | None,
    allow_redisplay: str = "limited",
) -> Body:
    """Store a card as Stripe shows one; `allow_redisplay` says where it may be offered again."""
    card = entry.card
    return tx.add(
        {
            **_build(tx, entry, customer_id=customer_id),
            "allow_redisplay": allow_redisplay,
            "card": {
                "brand": card.brand,
                "checks": checks(),
                "country": "US",
                "display_brand": card.brand,
                "exp_month": entry.expiry_month,
                "exp_year": entry.expiry_year,
                "fingerprint": card.fingerprint,
                "funding": "credit",
                "generated_from": None,
                "last4": card.number[-4:],
                "networks": {"available": [card.brand], "preferred": None},
                "regulated_status": "unregulated",
                "three_d_secure_usage": {"supported": True},
                "wallet": None,
            },
            "type": "card",
        },
        hidden={"entry": {**asdict(entry), "card": card.number}},
    )


def add_debit(tx: Transaction, entry: DebitEntry, *, customer_id: str | None) -> Body:
    """Store a bank account as Stripe shows one."""
    return tx.add(
        {
            **_build(tx, entry, customer_id=customer_id),
            "type": METHOD,
            METHOD: {
                "account_holder_type": "individual",
                "account_type": "checking",
                "bank_name": "SANDBOX BANK",
                "financial_connections_account": None,
                "fingerprint": "sandboxaccount01",
                "last4": LAST4,
                "networks": {"preferred": "ach", "supported": ["ach"]},
                "routing_number": "110000000",
                "status_details": {},
            },
        }
    )


def attach(tx: Transaction, method_id: str, *, customer_id: str) -> Body:
    """Keep a card for later payments of a customer."""
    method = tx.need("payment_method", method_id)
    method["customer"] = customer_id
    announce(tx, "payment_method.attached", tx.save(method))
    return method


def entry_of(tx: Transaction, method_id: str) -> CardEntry:
    """Give what the donor once typed, to charge the card again."""
    entry = tx.hidden(method_id)["entry"]
    return CardEntry(**{**entry, "card": CARDS[entry["card"]]})


def _build(tx: Transaction, entry: CardEntry | DebitEntry, *, customer_id: str | None) -> Body:
    return {
        "id": new_id("pm_"),
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": billing_details(entry),
        "created": tx.now,
        "customer": customer_id,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
    }


def billing_details(entry: CardEntry | DebitEntry) -> Body:
    """Give what the donor said of themselves."""
    return {
        "address": {
            "city": None,
            "country": None,
            "line1": None,
            "line2": None,
            "postal_code": None,
            "state": None,
        },
        "email": entry.email,
        "name": entry.name,
        "phone": None,
        "tax_id": None,
    }


def checks() -> Body:
    """Give what the bank is said to have checked."""
    return {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}
