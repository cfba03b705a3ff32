"""Subscriptions over the months: this file has a sandbox of its own, whose clock runs ahead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import stripe

from sandbox.cycles import boundary
from tests.sandbox.donor import client_of, subscribe, visit
from tests.sandbox_process import Json, SandboxError, SandboxProcess, running_sandbox

LATER_DECLINED = "4000000000000341"
DAY_SECONDS = 86_400
TRIAL = "subscription_data[trial_period_days]"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("renewals") / "sandbox.sqlite") as sandbox:
        yield sandbox


@pytest.fixture
def own_client(own: SandboxProcess) -> stripe.StripeClient:
    return client_of(own)


def fetch(own: SandboxProcess, subscription: Json) -> Json:
    return own.api("GET", f"/v1/subscriptions/{subscription['id']}")


def invoices(own: SandboxProcess, subscription: Json) -> list[Json]:
    """Give a subscription's invoices, the oldest first."""
    query = f"subscription={subscription['id']}&limit=100&expand[]=data.payments"
    found: list[Json] = own.api("GET", f"/v1/invoices?{query}")["data"]
    return found[::-1]


def to_period_end(own: SandboxProcess, subscription: Json) -> int:
    ends_at = fetch(own, subscription)["items"]["data"][0]["current_period_end"]
    own.advance(max(0, ends_at - own.now()) + 1)
    return int(ends_at)


def test_renewal_is_a_draft_for_an_hour_and_then_paid(
    own: SandboxProcess, own_client: stripe.StripeClient
) -> None:
    subscription = subscribe(own)
    renews_at = to_period_end(own, subscription)
    draft = invoices(own, subscription)[-1]
    assert (draft["status"], draft["amount_paid"], draft["number"]) == ("draft", 0, None)
    assert (draft["billing_reason"], draft["created"]) == ("subscription_cycle", renews_at)
    assert draft["payments"]["data"] == []
    own.advance(3_700)
    paid = own_client.v1.invoices.retrieve(draft["id"], {"expand": ["payments"]})
    assert (paid.status, paid.amount_paid) == ("paid", 2500)
    assert paid.status_transitions.paid_at == renews_at + 3_600
    assert paid.payments is not None
    intent_id = paid.payments.data[0].payment.payment_intent
    assert isinstance(intent_id, str)
    intent = own_client.v1.payment_intents.retrieve(intent_id, {"expand": ["latest_charge"]})
    assert intent.metadata.to_dict() == {}
    assert (intent.created, intent.customer) == (renews_at + 3_600, subscription["customer"])
    charge = intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert charge.created == renews_at + 3_600
    types = [
        event["type"]
        for event in own.events()
        if event["created"] in (renews_at, renews_at + 3_600)
    ]
    assert types == [
        "invoice.created",
        "customer.subscription.updated",
        "invoice.finalized",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
    ]


def test_months_at_once_bring_renewals_a_month_apart(own: SandboxProcess) -> None:
    subscription = subscribe(own)
    anchor = subscription["billing_cycle_anchor"]
    own.advance_months(3)
    created = [invoice["created"] for invoice in invoices(own, subscription)]
    expected = [
        boundary(anchor, interval="month", interval_count=1, number=number) for number in range(4)
    ]
    assert created == expected
    assert {invoice["status"] for invoice in invoices(own, subscription)} == {"paid"}
    period = fetch(own, subscription)["items"]["data"][0]
    assert period["current_period_start"] == expected[-1]
    numbers = [invoice["number"] for invoice in invoices(own, subscription)]
    assert [number[-4:] for number in numbers] == ["0001", "0002", "0003", "0004"]


def test_yearly_gift_does_not_renew_after_a_month(own: SandboxProcess) -> None:
    changes = {"line_items[0][price_data][recurring][interval]": "year"}
    subscription = subscribe(own, **changes)
    own.advance_months(1)
    assert len(invoices(own, subscription)) == 1


def test_card_that_fails_later_leaves_the_gift_past_due_and_ends_it(own: SandboxProcess) -> None:
    subscription = subscribe(own, LATER_DECLINED)
    assert subscription["status"] == "active"
    to_period_end(own, subscription)
    own.advance(3_700)
    failed = invoices(own, subscription)[-1]
    assert (failed["status"], failed["amount_paid"], failed["attempt_count"]) == ("open", 0, 1)
    assert fetch(own, subscription)["status"] == "past_due"
    told = [event["data"]["object"]["id"] for event in own.events("invoice.payment_failed")]
    assert told == [failed["id"]]
    assert failed["payments"]["data"][0]["status"] == "open"
    own.advance(15 * DAY_SECONDS)
    ended = fetch(own, subscription)
    assert (ended["status"], ended["cancellation_details"]["reason"]) == (
        "canceled",
        "payment_failed",
    )
    assert invoices(own, subscription)[-1]["attempt_count"] == 4
    own.advance_months(2)
    assert len(invoices(own, subscription)) == 2


def test_failed_invoice_can_be_paid_outside(
    own: SandboxProcess, own_client: stripe.StripeClient
) -> None:
    subscription = subscribe(own, LATER_DECLINED)
    to_period_end(own, subscription)
    own.advance(3_700)
    failed = invoices(own, subscription)[-1]
    with pytest.raises(stripe.CardError, match="declined"):
        own_client.v1.invoices.pay(failed["id"])
    own_client.v1.invoices.pay(failed["id"], {"paid_out_of_band": True})
    paid = own_client.v1.invoices.retrieve(failed["id"])
    assert (paid.status, paid.amount_paid, paid.amount_paid_off_stripe) == ("paid", 2500, 2500)
    told = [event["data"]["object"]["id"] for event in own.events("invoice.paid")]
    assert paid.id in told
    succeeded = own.events("invoice.payment_succeeded")
    assert paid.id not in [event["data"]["object"]["id"] for event in succeeded]
    payments = own_client.v1.invoice_payments.list({"invoice": failed["id"]}).data
    assert [(one.payment.type, one.status) for one in payments] == [
        ("payment_record", "paid"),
        ("payment_intent", "canceled"),
    ]
    assert fetch(own, subscription)["status"] == "active"
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        own_client.v1.invoices.pay(failed["id"], {"paid_out_of_band": True})
    with pytest.raises(SandboxError, match="already paid"):
        own.pay_outside(failed["id"])


def test_draft_can_be_paid_outside_and_is_not_charged_as_well(own: SandboxProcess) -> None:
    subscription = subscribe(own)
    to_period_end(own, subscription)
    draft = invoices(own, subscription)[-1]
    assert own.pay_outside(draft["id"])["status"] == "paid"
    own.advance(3_700)
    payments = invoices(own, subscription)[-1]["payments"]["data"]
    assert [one["payment"]["type"] for one in payments] == ["payment_record"]


def test_end_with_the_period_comes_with_it(own: SandboxProcess) -> None:
    subscription = subscribe(own)
    own.cancel(subscription["id"], at_period_end=True)
    assert fetch(own, subscription)["status"] == "active"
    ends_at = to_period_end(own, subscription)
    ended = fetch(own, subscription)
    assert (ended["status"], ended["ended_at"]) == ("canceled", ends_at)
    own.advance_months(1)
    assert len(invoices(own, subscription)) == 1


def test_draft_of_a_canceled_gift_is_not_charged(own: SandboxProcess) -> None:
    subscription = subscribe(own)
    to_period_end(own, subscription)
    own.cancel(subscription["id"])
    own.advance_months(1)
    statuses = [invoice["status"] for invoice in invoices(own, subscription)]
    assert statuses == ["paid", "draft"]


def test_trial_begins_with_an_invoice_of_nothing(own: SandboxProcess) -> None:
    subscription = subscribe(own, **{TRIAL: "7"})
    assert subscription["status"] == "trialing"
    zero = invoices(own, subscription)[0]
    assert (zero["status"], zero["total"], zero["amount_paid"]) == ("paid", 0, 0)
    assert zero["payments"]["data"] == []
    session = own.events("checkout.session.completed")[-1]["data"]["object"]
    assert (session["amount_total"], session["payment_status"]) == (0, "no_payment_required")
    own.advance(7 * DAY_SECONDS + 3_700)
    first = invoices(own, subscription)[-1]
    assert (first["status"], first["amount_paid"]) == ("paid", 2500)
    assert first["created"] == subscription["trial_end"]
    assert fetch(own, subscription)["status"] == "active"


@pytest.mark.parametrize(
    ("anchor", "interval", "count", "number", "expected"),
    [
        ("2024-01-31T10:00", "month", 1, 1, "2024-02-29T10:00"),
        ("2024-01-31T10:00", "month", 1, 2, "2024-03-31T10:00"),
        ("2023-01-31T10:00", "month", 1, 13, "2024-02-29T10:00"),
        ("2023-12-31T23:59", "month", 3, 1, "2024-03-31T23:59"),
        ("2024-02-29T00:00", "year", 1, 1, "2025-02-28T00:00"),
        ("2024-02-29T00:00", "year", 1, 4, "2028-02-29T00:00"),
        ("2024-12-30T00:00", "week", 2, 1, "2025-01-13T00:00"),
        ("2024-02-28T00:00", "day", 1, 2, "2024-03-01T00:00"),
    ],
)
def test_periods_are_counted_from_the_anchor(
    anchor: str, interval: str, count: int, number: int, expected: str
) -> None:
    def seconds(text: str) -> int:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())

    found = boundary(seconds(anchor), interval=interval, interval_count=count, number=number)
    assert found == seconds(expected)


@pytest.mark.parametrize("months", [0, -1, 121, "1", True, 1.5])
def test_clock_moves_by_whole_months_ahead(own: SandboxProcess, months: object) -> None:
    with pytest.raises(SandboxError, match="whole number"):
        own.control("/_sandbox/clock", {"advance_months": months})


def test_overview_moves_the_clock_by_a_day_and_a_month(own: SandboxProcess) -> None:
    subscription = subscribe(own)
    before = own.now()
    assert visit(own, "/clock/day", {}).status == 303
    assert 86_400 <= own.now() - before < 86_400 + 60
    assert visit(own, "/clock/month", {}).status == 303
    statuses = [invoice["status"] for invoice in invoices(own, subscription)]
    assert statuses == ["paid", "paid"]
