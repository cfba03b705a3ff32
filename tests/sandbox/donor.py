"""Small things that every test of the sandbox needs: a session, a client, a browser without one."""

from __future__ import annotations

import http.client
import time
import urllib.parse
from dataclasses import dataclass

import stripe

from tests.sandbox_process import API_KEY, Json, SandboxProcess

FORM = {
    "mode": "payment",
    "success_url": "https://goalpost.example/thanks?session={CHECKOUT_SESSION_ID}",
    "line_items[0][quantity]": "1",
    "line_items[0][price_data][currency]": "usd",
    "line_items[0][price_data][unit_amount]": "2500",
    "line_items[0][price_data][product_data][name]": "Support us",
}
MONTHLY = {
    **FORM,
    "mode": "subscription",
    "line_items[0][price_data][recurring][interval]": "month",
    "subscription_data[metadata][of]": "subscription",
    "metadata[of]": "session",
}
CARD = {
    "email": "jane@example.com",
    "card_number": "4242 4242 4242 4242",
    "expiry": "12 / 49",
    "cvc": "123",
    "name": "Jane Donor",
}
AMOUNT = "line_items[0][price_data][unit_amount]"
CURRENCY = "line_items[0][price_data][currency]"


def client_of(sandbox: SandboxProcess, *, retries: int = 0) -> stripe.StripeClient:
    return stripe.StripeClient(
        API_KEY, base_addresses={"api": sandbox.url}, max_network_retries=retries
    )


def create_session(sandbox: SandboxProcess, **changes: str) -> Json:
    """Create a session over plain HTTP; `changes` are further form fields."""
    return sandbox.api("POST", "/v1/checkout/sessions", {**FORM, **changes})


def pay_one(sandbox: SandboxProcess, card: str = "4242424242424242", **changes: str) -> Json:
    """Create a session, pay it and give its payment intent with the charge."""
    session = create_session(sandbox, **changes)
    paid = sandbox.pay(session["id"], card)
    return payment(sandbox, paid["payment_intent"])


def subscribe(sandbox: SandboxProcess, card: str = "4242424242424242", **changes: str) -> Json:
    """Create a session for a monthly gift, pay it and give its subscription."""
    session = sandbox.api("POST", "/v1/checkout/sessions", {**MONTHLY, **changes})
    paid = sandbox.pay(session["id"], card)
    return sandbox.api("GET", f"/v1/subscriptions/{paid['subscription']}")


def payment(sandbox: SandboxProcess, intent_id: str) -> Json:
    path = "latest_charge.balance_transaction"
    return sandbox.api("GET", f"/v1/payment_intents/{intent_id}?expand[]={path}")


def settled(sandbox: SandboxProcess, intent_id: str) -> Json:
    """Wait until a payment is on the balance, which is a moment after it was paid."""
    for _ in range(200):
        charge: Json = payment(sandbox, intent_id)["latest_charge"]
        if charge["balance_transaction"] is not None:
            return charge
        time.sleep(0.05)
    raise AssertionError("it never came onto the balance")


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    location: str | None
    text: str
    headers: dict[str, str]


def visit(sandbox: SandboxProcess, path: str, form: dict[str, str] | None = None) -> Page:
    """Open a page, or send its form; redirects are not followed."""
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=20)
    try:
        if form is None:
            connection.request("GET", path)
        else:
            body = urllib.parse.urlencode(form)
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        text = answer.read().decode()
        return Page(answer.status, answer.getheader("Location"), text, headers)
    finally:
        connection.close()
