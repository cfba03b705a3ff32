"""The gateway through the official SDK against the sandbox: what Stripe says, in our words."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from payments.errors import CustomerGone, GatewayRefused, GatewayUnavailable
from payments.gateway import CheckoutRequest, Frequency, RefundOrder
from payments.stripe_gateway import StripeGateway, trusted_url
from tests.conftest import make_settings
from tests.sandbox_process import SandboxProcess, running_sandbox


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox") / "state.sqlite") as process:
        yield process


@pytest.fixture
def gateway(sandbox: SandboxProcess) -> StripeGateway:
    return StripeGateway(make_settings(stripe_api_base=sandbox.url))


def request(
    name: str, *, frequency: Frequency = "once", amount_minor: int = 2_000, **more: Any
) -> CheckoutRequest:
    return CheckoutRequest(
        donation_id=f"don_{name}",
        campaign_slug="support-us",
        label="Support us",
        amount_minor=amount_minor,
        currency="USD",
        frequency=frequency,
        email="ann@example.org",
        success_url="https://goal.example/thanks",
        cancel_url="https://goal.example/c",
        expires_at=datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2),
        **more,
    )


def customer_of(gateway: StripeGateway, sandbox: SandboxProcess, name: str) -> str:
    """Give every month for the first time; return the customer that Checkout made."""
    opened = gateway.create_checkout(request(name, frequency="month"))
    sandbox.pay(opened.id)
    plan_id = gateway.checkout(opened.id).subscription_id or ""
    return gateway.subscription(plan_id).customer_id


def test_session_is_opened_once_for_a_donation(gateway: StripeGateway) -> None:
    asked = request("once")
    opened = gateway.create_checkout(asked)
    assert gateway.create_checkout(asked) == opened
    assert (opened.status, opened.paid, opened.payment_id) == ("open", False, None)
    assert opened.donation_id == "don_once"
    assert opened.url is not None
    assert trusted_url(opened.url, gateway.checkout_origin) == opened.url


def test_same_donation_with_another_amount_is_refused(gateway: StripeGateway) -> None:
    gateway.create_checkout(request("changed"))
    with pytest.raises(GatewayRefused):
        gateway.create_checkout(request("changed", amount_minor=5_000))


def test_paid_session_names_its_payment_and_donation(
    gateway: StripeGateway, sandbox: SandboxProcess
) -> None:
    opened = gateway.create_checkout(request("paid"))
    sandbox.pay(opened.id)
    checkout = gateway.checkout(opened.id)
    assert (checkout.status, checkout.paid, checkout.url) == ("complete", True, None)
    assert checkout.payment_id is not None
    payment = gateway.payment(checkout.payment_id)
    assert payment.succeeded
    assert (payment.received_minor, payment.currency) == (2_000, "USD")
    assert (payment.donation_id, payment.livemode) == ("don_paid", False)
    assert (payment.campaign_slug, payment.cover_minor) == ("support-us", 0)
    assert gateway.invoice_of(payment.id) is None


@pytest.mark.parametrize("frequency", ["once", "month", "year"])
@pytest.mark.parametrize("embedded", [False, True])
@pytest.mark.parametrize("locale", ["en", "de_CH", "fr_CA", "es_MX", "bg", "ja", "pt_BR", "ar"])
def test_stripe_takes_every_kind_of_session(
    gateway: StripeGateway,
    sandbox: SandboxProcess,
    frequency: Frequency,
    locale: str,
    *,
    embedded: bool,
) -> None:
    cover: dict[str, Any] = {"cover_minor": 91, "cover_label": "To cover the fees"}
    asked = request(
        f"{frequency}_{locale}_{embedded}",
        frequency=frequency,
        locale=locale,
        embedded=embedded,
        **cover,
    )
    opened = gateway.create_checkout(asked)
    assert gateway.create_checkout(asked) == opened
    told = sandbox.api("GET", f"/v1/checkout/sessions/{opened.id}?expand[]=line_items")
    assert told["amount_total"] == 2_091
    assert [item["description"] for item in told["line_items"]["data"]] == [
        "Support us",
        "To cover the fees",
    ]
    assert (opened.url is None, opened.client_secret is not None) == (embedded, embedded)


def test_gift_and_cover_are_one_payment_with_its_receipt(
    gateway: StripeGateway, sandbox: SandboxProcess
) -> None:
    opened = gateway.create_checkout(request("covered", cover_minor=91, cover_label="Fees"))
    payment_id = sandbox.pay(opened.id)["payment_intent"]
    assert gateway.payment(payment_id).received_minor == 2_091
    intent = sandbox.api("GET", f"/v1/payment_intents/{payment_id}?expand[]=latest_charge")
    assert intent["receipt_email"] == "ann@example.org"
    assert intent["latest_charge"]["receipt_email"] == "ann@example.org"


def test_subscription_takes_gift_and_cover_each_time(
    gateway: StripeGateway, sandbox: SandboxProcess
) -> None:
    opened = gateway.create_checkout(
        request("covered_monthly", frequency="month", cover_minor=91, cover_label="Fees")
    )
    sandbox.pay(opened.id)
    told = gateway.checkout(opened.id)
    assert gateway.subscription(told.subscription_id or "").amount_minor == 2_091
    (payment_id,) = gateway.invoice(told.invoice_id or "").payment_ids
    assert gateway.payment(payment_id).received_minor == 2_091


def test_second_regular_gift_is_of_the_same_customer_and_shows_no_card(
    gateway: StripeGateway, sandbox: SandboxProcess
) -> None:
    customer_id = customer_of(gateway, sandbox, "first_of_two")
    asked = request("second_of_two", frequency="year", customer_id=customer_id)
    opened = gateway.create_checkout(asked)
    with urllib.request.urlopen(opened.url or "") as answer:  # noqa: S310 - our own sandbox
        page = answer.read().decode()
    assert "Support us" in page
    assert "•••• 4242" not in page
    sandbox.pay(opened.id)
    plan_id = gateway.checkout(opened.id).subscription_id or ""
    assert gateway.subscription(plan_id).customer_id == customer_id


def test_customer_that_was_deleted_is_told_apart_and_done_without(
    gateway: StripeGateway, sandbox: SandboxProcess
) -> None:
    customer_id = customer_of(gateway, sandbox, "deleted")
    sandbox.api("DELETE", f"/v1/customers/{customer_id}")
    asked = request("after_deletion", frequency="month", customer_id=customer_id)
    for _ in range(2):  # Stripe keeps the refusal under its key
        with pytest.raises(CustomerGone):
            gateway.create_checkout(asked)
    opened = gateway.create_checkout(replace(asked, customer_id=None))
    assert opened.status == "open"


def test_closed_session_cannot_be_paid_and_is_closed_once(
    gateway: StripeGateway, sandbox: SandboxProcess
) -> None:
    opened = gateway.create_checkout(request("closed", embedded=True))
    assert gateway.expire_checkout(opened.id).status == "expired"
    assert sandbox.pay(opened.id)["outcome"] == "closed"
    with pytest.raises(GatewayRefused):
        gateway.expire_checkout(opened.id)


def test_fee_is_known_once_stripe_has_settled(
    gateway: StripeGateway, sandbox: SandboxProcess
) -> None:
    opened = gateway.create_checkout(request("fee"))
    payment_id = sandbox.pay(opened.id)["payment_intent"]
    assert gateway.payment(payment_id).fee_minor is None
    sandbox.advance(60)
    settled = gateway.payment(payment_id)
    assert settled.fee_minor == 88  # 2.9 % and 30 cents
    assert settled.net_minor == 1_912


def test_refunds_are_listed_with_their_state(
    gateway: StripeGateway, sandbox: SandboxProcess
) -> None:
    opened = gateway.create_checkout(request("refunded"))
    payment_id = sandbox.pay(opened.id)["payment_intent"]
    assert gateway.refunds(payment_id) == []
    sandbox.refund(payment_id, 500)
    (refund,) = gateway.refunds(payment_id)
    assert (refund.status, refund.amount_minor, refund.effect_minor) == ("succeeded", 500, -500)


def test_subscription_is_found_from_its_payment_alone(
    gateway: StripeGateway, sandbox: SandboxProcess
) -> None:
    opened = gateway.create_checkout(request("monthly", frequency="month"))
    sandbox.pay(opened.id)
    checkout = gateway.checkout(opened.id)
    assert checkout.payment_id is None
    assert checkout.invoice_id is not None
    invoice = gateway.invoice(checkout.invoice_id)
    assert invoice.is_first
    (payment_id,) = invoice.payment_ids
    assert gateway.payment(payment_id).donation_id is None  # metadata is not inherited
    assert gateway.invoice_of(payment_id) == invoice
    subscription = gateway.subscription(invoice.subscription_id or "")
    assert (subscription.donation_id, subscription.interval) == ("don_monthly", "month")
    assert (subscription.amount_minor, subscription.status) == (2_000, "active")


def test_the_portal_of_a_customer_is_opened(
    gateway: StripeGateway, sandbox: SandboxProcess
) -> None:
    opened = gateway.create_checkout(request("managed", frequency="month"))
    sandbox.pay(opened.id)
    invoice = gateway.invoice(gateway.checkout(opened.id).invoice_id or "")
    customer_id = gateway.subscription(invoice.subscription_id or "").customer_id
    address = gateway.open_portal(customer_id, return_url="https://goal.example/manage")
    assert address.startswith(f"{gateway.portal_origin}/portal/")
    with urllib.request.urlopen(address) as answer:  # noqa: S310 - our own sandbox
        assert "https://goal.example/manage" in answer.read().decode()


def test_the_portal_of_nobody_is_refused(gateway: StripeGateway) -> None:
    with pytest.raises(GatewayRefused):
        gateway.open_portal("cus_nobody", return_url="https://goal.example/manage")


def test_events_and_payments_are_listed(gateway: StripeGateway, sandbox: SandboxProcess) -> None:
    opened = gateway.create_checkout(request("listed"))
    payment_id = sandbox.pay(opened.id)["payment_intent"]
    since = datetime.now(UTC) - timedelta(hours=1)
    listed = [event for event in gateway.events(since) if event.payment_id == payment_id]
    assert {"payment_intent.succeeded", "charge.succeeded"} <= {event.type for event in listed}
    assert payment_id in set(gateway.payment_ids(since))
    assert list(gateway.payment_ids(datetime.now(UTC) + timedelta(days=1))) == []


def test_endpoint_is_registered_and_then_updated(gateway: StripeGateway) -> None:
    url = "https://goal.example/webhooks/stripe"
    secret = gateway.register_webhook(url, ["payment_intent.succeeded"])
    assert secret is not None
    assert secret.startswith("whsec_")
    assert gateway.register_webhook(url, ["payment_intent.succeeded", "refund.created"]) is None


def test_what_stripe_does_not_know_is_refused(gateway: StripeGateway) -> None:
    with pytest.raises(GatewayRefused):
        gateway.payment("pi_nothing")


def test_stripe_that_does_not_answer_is_unavailable() -> None:
    gateway = StripeGateway(make_settings(stripe_api_base="http://127.0.0.1:9"))
    with pytest.raises(GatewayUnavailable):
        gateway.checkout("cs_test_1")


def test_address_that_is_not_stripes_is_refused() -> None:
    with pytest.raises(GatewayRefused):
        trusted_url("http://evil.example/pay", "https://checkout.stripe.com")


def test_refund_order_makes_one_refund_that_names_its_request(
    gateway: StripeGateway, sandbox: SandboxProcess
) -> None:
    opened = gateway.create_checkout(request("given_back"))
    payment_id = sandbox.pay(opened.id)["payment_intent"]
    order = RefundOrder(
        request_id="rfr_1", payment_id=payment_id, amount_minor=500, reason="duplicate"
    )
    made = gateway.create_refund(order)
    assert gateway.create_refund(order) == made
    assert gateway.refunds(payment_id) == [made]
    assert (made.amount_minor, made.request_id, made.status) == (500, "rfr_1", "succeeded")
    told = sandbox.api("GET", f"/v1/refunds/{made.id}")
    assert told["reason"] == "duplicate"
    with pytest.raises(GatewayRefused, match="IdempotencyError"):
        gateway.create_refund(replace(order, amount_minor=600))
    with pytest.raises(GatewayRefused, match="greater than"):
        gateway.create_refund(replace(order, request_id="rfr_2", amount_minor=1_501))
    assert gateway.refunds(payment_id) == [made]


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429, "times": 1},
        {"status": 429, "code": "lock_timeout", "times": 1},
        {"status": 409, "code": "idempotency_key_in_use", "times": 3},
    ],
)
def test_busy_stripe_is_no_refusal_of_a_refund(
    gateway: StripeGateway, sandbox: SandboxProcess, fault: dict[str, Any]
) -> None:
    name = f"busy_{fault.get('code', fault['status'])}"
    payment_id = sandbox.pay(gateway.create_checkout(request(name)).id)["payment_intent"]
    order = RefundOrder(
        request_id=f"rfr_{name}", payment_id=payment_id, amount_minor=2_000, reason=None
    )
    sandbox.faults(api={"path": "/v1/refunds", "method": "POST", **fault})
    with pytest.raises(GatewayUnavailable):
        gateway.create_refund(order)
    sandbox.clear_faults()
    made = gateway.create_refund(order)
    assert gateway.refunds(payment_id) == [made]


def test_payout_is_told_with_its_lines_and_without_its_own(
    gateway: StripeGateway, sandbox: SandboxProcess
) -> None:
    payment = sandbox.foreign_payment(10_000, "chf")
    sandbox.refund(payment["id"], 1_000)
    dispute = sandbox.dispute(sandbox.foreign_payment(2_000, "chf")["id"])
    sandbox.advance(5)  # what was paid is on the balance a moment later
    sandbox.bill(77, "chf")
    made = sandbox.pay_out("chf", reconciled=False)
    since = datetime.fromtimestamp(made["created"], UTC)
    told = next(one for one in gateway.payouts(since) if one.id == made["id"])
    assert (told.amount_minor, told.currency, told.status) == (made["amount"], "CHF", "in_transit")
    assert (told.automatic, told.reconciled, told.livemode, told.failure) == (
        True,
        False,
        False,
        None,
    )
    sandbox.control(f"/_sandbox/payouts/{made['id']}/reconcile")
    assert gateway.payout(made["id"]).reconciled
    lines = list(gateway.payout_lines(made["id"]))
    assert sum(line.net_minor for line in lines) == told.amount_minor
    assert {(line.category, line.net_minor, line.payment_id) for line in lines} == {
        ("charge", 10_000 - 320, payment["id"]),
        ("charge", 2_000 - 88, dispute["payment_intent"]),
        ("refund", -1_000, payment["id"]),
        ("dispute", -2_000 - 1_500, dispute["payment_intent"]),
        ("fee", -77, None),
    }
    sandbox.end_payout(made["id"], "fail")
    assert gateway.payout(made["id"]).failure == "The bank account has been closed."
    assert list(gateway.payouts(since + timedelta(days=30))) == []


def test_payout_that_is_not_there_is_refused(gateway: StripeGateway) -> None:
    with pytest.raises(GatewayRefused, match="resource_missing"):
        gateway.payout("po_nothing")


def test_the_time_of_an_answer_is_stripe_s(gateway: StripeGateway) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert before <= gateway.told_at() <= datetime.now(UTC)
