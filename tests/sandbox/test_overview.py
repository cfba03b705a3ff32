from __future__ import annotations

import time

import pytest

from tests.sandbox.donor import create_session, pay_one, payment, subscribe, visit
from tests.sandbox.receiver import Receiver
from tests.sandbox_process import SandboxProcess


def test_overview_shows_sessions_payments_events_and_deliveries(
    sandbox: SandboxProcess, receiver: Receiver
) -> None:
    open_session = create_session(sandbox)
    intent = pay_one(sandbox)
    sandbox.pay(create_session(sandbox)["id"], "4000000000000002")
    receiver.wait_for("payment_intent.succeeded", intent["id"])
    page = visit(sandbox, "/").text
    for _ in range(100):  # it writes down what was answered a moment after the answer
        if "HTTP 200" in page:
            break
        time.sleep(0.05)
        page = visit(sandbox, "/").text
    for words in (
        "This is not Stripe.",
        open_session["url"],
        f"/objects/{intent['id']}",
        "Jane Donor",
        "Your card was declined.",
        "delivered",
        "HTTP 200",
        receiver.url,
    ):
        assert words in page


def test_object_is_shown_as_json_and_unknown_ones_are_not_found(sandbox: SandboxProcess) -> None:
    intent = pay_one(sandbox)
    page = visit(sandbox, f"/objects/{intent['id']}")
    assert page.status == 200
    assert "This is not Stripe." in page.text
    assert "amount_received" in page.text
    assert visit(sandbox, "/objects/pi_nothing").status == 404


def test_payment_is_refunded_in_part_and_then_whole(sandbox: SandboxProcess) -> None:
    intent = pay_one(sandbox)
    path = f"/charges/{intent['latest_charge']['id']}/refund"
    assert visit(sandbox, path, {"amount": "$10.50"}).status == 303
    assert payment(sandbox, intent["id"])["latest_charge"]["amount_refunded"] == 1050
    assert visit(sandbox, path, {"amount": ""}).status == 303
    assert payment(sandbox, intent["id"])["latest_charge"]["refunded"] is True


@pytest.mark.parametrize("amount", ["25.01", "0", "-1", "ten", "1.234", "٥"])
def test_wrong_refund_is_explained_and_moves_nothing(sandbox: SandboxProcess, amount: str) -> None:
    intent = pay_one(sandbox)
    path = f"/charges/{intent['latest_charge']['id']}/refund"
    page = visit(sandbox, path, {"amount": amount})
    assert page.status == 400
    assert 'role="alert"' in page.text
    assert payment(sandbox, intent["id"])["latest_charge"]["amount_refunded"] == 0
    assert visit(sandbox, "/charges/ch_nothing/refund", {}).status == 404


def test_event_is_redelivered(sandbox: SandboxProcess, receiver: Receiver) -> None:
    intent = pay_one(sandbox)
    event_id = receiver.wait_for("payment_intent.succeeded", intent["id"])[0].event["id"]
    assert visit(sandbox, f"/events/{event_id}/redeliver", {}).status == 303
    receiver.wait_for("payment_intent.succeeded", intent["id"], count=2)
    assert visit(sandbox, "/events/evt_nothing/redeliver", {}).status == 404


def test_buttons_are_not_pressed_by_looking(sandbox: SandboxProcess) -> None:
    charge_id = pay_one(sandbox)["latest_charge"]["id"]
    assert visit(sandbox, f"/charges/{charge_id}/refund").status == 405


def test_controls_take_json_only(sandbox: SandboxProcess) -> None:
    session_id = create_session(sandbox)["id"]
    assert visit(sandbox, f"/_sandbox/sessions/{session_id}/pay", {"card": "1"}).status == 415
    assert sandbox.api("GET", f"/v1/checkout/sessions/{session_id}")["status"] == "open"


def test_dispute_is_opened_and_won_by_its_buttons(sandbox: SandboxProcess) -> None:
    intent_id = pay_one(sandbox)["id"]
    assert visit(sandbox, f"/press/dispute/{intent_id}", {}).status == 303
    dispute = sandbox.api("GET", f"/v1/disputes?payment_intent={intent_id}")["data"][0]
    page = visit(sandbox, "/").text
    assert f"/press/win/{dispute['id']}" in page
    assert f"/press/dispute/{intent_id}" not in page
    assert visit(sandbox, f"/press/win/{dispute['id']}", {}).status == 303
    again = visit(sandbox, f"/press/lose/{dispute['id']}", {})
    assert (again.status, 'role="alert"' in again.text) == (400, True)
    assert sandbox.api("GET", f"/v1/disputes/{dispute['id']}")["status"] == "won"


def test_inquiry_is_escalated_or_closed_by_its_buttons(sandbox: SandboxProcess) -> None:
    for button, status in (("escalate", "needs_response"), ("close", "warning_closed")):
        intent_id = pay_one(sandbox)["id"]
        visit(sandbox, f"/press/inquire/{intent_id}", {})
        dispute = sandbox.api("GET", f"/v1/disputes?payment_intent={intent_id}")["data"][0]
        assert dispute["status"] == "warning_needs_response"
        assert visit(sandbox, f"/press/{button}/{dispute['id']}", {}).status == 303
        assert sandbox.api("GET", f"/v1/disputes/{dispute['id']}")["status"] == status


def test_debit_is_settled_or_failed_by_its_buttons(sandbox: SandboxProcess) -> None:
    for button, status in (("settle", "succeeded"), ("fail", "requires_payment_method")):
        paid = sandbox.pay(create_session(sandbox)["id"], method="bank_debit")
        assert f"/press/{button}/{paid['payment_intent']}" in visit(sandbox, "/").text
        visit(sandbox, f"/press/{button}/{paid['payment_intent']}", {})
        assert payment(sandbox, paid["payment_intent"])["status"] == status


def test_subscription_is_shown_and_ended_by_its_buttons(sandbox: SandboxProcess) -> None:
    subscription_id = subscribe(sandbox)["id"]
    assert f"/press/end/{subscription_id}" in visit(sandbox, "/").text
    visit(sandbox, f"/press/end/{subscription_id}", {})
    path = f"/v1/subscriptions/{subscription_id}"
    assert sandbox.api("GET", path)["cancel_at"] is not None
    visit(sandbox, f"/press/cancel/{subscription_id}", {})
    assert sandbox.api("GET", path)["status"] == "canceled"
    assert f"/press/cancel/{subscription_id}" not in visit(sandbox, "/").text


def test_unknown_buttons_do_nothing(sandbox: SandboxProcess) -> None:
    intent_id = pay_one(sandbox)["id"]
    assert visit(sandbox, f"/press/burn/{intent_id}", {}).status == 404
    assert visit(sandbox, f"/press/dispute/{intent_id}").status == 405
    before = sandbox.now()
    assert visit(sandbox, "/clock/century", {}).status == 404
    assert visit(sandbox, "/clock/month").status == 405
    assert sandbox.now() - before < 60
