"""What only time does: this file has a sandbox of its own, whose clock runs ahead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.store import Store
from sandbox.upkeep import advance
from tests.sandbox.donor import FORM, create_session, pay_one, payment
from tests.sandbox_process import SandboxError, SandboxProcess, running_sandbox

DAY_SECONDS = 24 * 3600
PENDING_CARD = "4000000000007726"
FAILING_CARD = "4000000000005126"


@pytest.fixture(scope="module")
def own_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("clock") / "sandbox.sqlite") as sandbox:
        yield sandbox


def told(sandbox: SandboxProcess, refund_id: str) -> list[str]:
    return [
        event["type"] for event in sandbox.events() if event["data"]["object"]["id"] == refund_id
    ]


def test_session_expires_by_itself_and_says_so(own_sandbox: SandboxProcess) -> None:
    early = create_session(own_sandbox, expires_at=str(own_sandbox.now() + 1900))["id"]
    late = create_session(own_sandbox)["id"]
    failed = create_session(own_sandbox, expires_at=str(own_sandbox.now() + 1900))["id"]
    intent_id = own_sandbox.pay(failed, "4000000000000002")["payment_intent"]
    own_sandbox.advance(2000)
    told = own_sandbox.events("checkout.session.expired")
    expired = [event["data"]["object"]["id"] for event in told]
    assert (early in expired, failed in expired, late in expired) == (True, True, False)
    assert own_sandbox.pay(early)["outcome"] == "closed"
    intent = own_sandbox.api("GET", f"/v1/payment_intents/{intent_id}")
    assert intent["status"] == "canceled"
    assert own_sandbox.pay(late)["outcome"] == "paid"
    own_sandbox.advance(DAY_SECONDS)
    told = own_sandbox.events("checkout.session.expired")
    assert late not in [event["data"]["object"]["id"] for event in told]


def test_pending_refund_arrives_later(own_sandbox: SandboxProcess) -> None:
    intent = pay_one(own_sandbox, PENDING_CARD)
    refund = own_sandbox.refund(intent["id"], 700)
    assert refund["status"] == "pending"
    assert payment(own_sandbox, intent["id"])["latest_charge"]["amount_refunded"] == 700
    own_sandbox.advance(60)
    assert own_sandbox.api("GET", f"/v1/refunds/{refund['id']}")["status"] == "succeeded"
    assert told(own_sandbox, refund["id"]) == [
        "refund.created",
        "refund.updated",
        "charge.refund.updated",
    ]


def test_refund_can_fail_after_it_succeeded(own_sandbox: SandboxProcess) -> None:
    intent = pay_one(own_sandbox, FAILING_CARD)
    refund = own_sandbox.refund(intent["id"])
    assert refund["status"] == "succeeded"
    own_sandbox.advance(60)
    failed = own_sandbox.api(
        "GET", f"/v1/refunds/{refund['id']}?expand[]=failure_balance_transaction"
    )
    assert failed["status"] == "failed"
    assert failed["failure_reason"] == "expired_or_canceled_card"
    assert failed["failure_balance_transaction"]["net"] == 2500
    charge = payment(own_sandbox, intent["id"])["latest_charge"]
    assert (charge["amount_refunded"], charge["refunded"]) == (0, False)
    assert "refund.failed" in told(own_sandbox, refund["id"])


def test_events_reach_thirty_days_back(own_sandbox: SandboxProcess) -> None:
    pay_one(own_sandbox)
    own_sandbox.advance(29 * DAY_SECONDS)
    assert own_sandbox.events("payment_intent.succeeded")
    own_sandbox.advance(2 * DAY_SECONDS)
    assert own_sandbox.events("payment_intent.succeeded") == []
    assert own_sandbox.api("GET", "/v1/charges")["data"]  # The objects themselves stay.


def test_key_lives_for_a_day(own_sandbox: SandboxProcess) -> None:
    url = "/v1/checkout/sessions"
    first = own_sandbox.api("POST", url, FORM, key="day")
    own_sandbox.advance(DAY_SECONDS - 60)
    assert own_sandbox.api("POST", url, FORM, key="day")["id"] == first["id"]
    own_sandbox.advance(120)
    assert own_sandbox.api("POST", url, FORM, key="day")["id"] != first["id"]


@pytest.mark.parametrize("seconds", [-1, "3600", True, 1e3, 10**12])
def test_clock_only_goes_ahead(own_sandbox: SandboxProcess, seconds: object) -> None:
    before = own_sandbox.now()
    with pytest.raises(SandboxError, match="whole number"):
        own_sandbox.control("/_sandbox/clock", {"advance_seconds": seconds})
    assert own_sandbox.now() - before < 5


def test_site_that_follows_the_clock_is_told_of_every_move(tmp_path: Path) -> None:
    alone = Store(tmp_path / "alone.sqlite")
    followed = Store(tmp_path / "followed.sqlite", clock_file=tmp_path / "clock")
    followed.tell_clock()
    assert (tmp_path / "clock").read_text() == "0\n"
    for store in (alone, followed):
        advance(store, DAY_SECONDS)
        advance(store, DAY_SECONDS)
    assert (tmp_path / "clock").read_text() == f"{2 * DAY_SECONDS}\n"
    # Webhooks are signed at the machine's time, or at that of the site that follows.
    assert followed.signing_seconds() - alone.signing_seconds() > DAY_SECONDS
