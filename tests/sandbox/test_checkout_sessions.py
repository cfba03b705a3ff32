from __future__ import annotations

import time

import pytest
import stripe

from tests.sandbox.donor import AMOUNT, CURRENCY, FORM, create_session
from tests.sandbox_process import SandboxError, SandboxProcess


def refusal(sandbox: SandboxProcess, changes: dict[str, str]) -> dict[str, str]:
    form = {**FORM, **changes}
    with pytest.raises(SandboxError) as caught:
        sandbox.api(
            "POST", "/v1/checkout/sessions", {k: v for k, v in form.items() if v != "absent"}
        )
    assert caught.value.status == 400
    error: dict[str, str] = caught.value.body["error"]
    assert error["type"] == "invalid_request_error"
    return error


def test_sdk_creates_a_session_as_goalpost_does(client: stripe.StripeClient) -> None:
    expires_at = int(time.time()) + 3600
    session = client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "submit_type": "donate",
            "success_url": "https://goalpost.example/thanks",
            "cancel_url": "https://goalpost.example/c/support-us",
            "customer_email": "jane@example.com",
            "client_reference_id": "donation_17",
            "expires_at": expires_at,
            "metadata": {"donation": "17"},
            "payment_intent_data": {"metadata": {"donation": "17"}, "description": "Support us"},
            "line_items": [
                {
                    "quantity": 2,
                    "price_data": {
                        "currency": "usd",
                        "unit_amount": 1250,
                        "product_data": {"name": "Support us"},
                    },
                }
            ],
        },
        {"idempotency_key": "donation-17"},
    )
    assert session.id.startswith("cs_test_")
    assert session.livemode is False
    assert session.amount_total == 2500
    assert session.currency == "usd"
    assert session.status == "open"
    assert session.payment_status == "unpaid"
    assert session.payment_intent is None
    assert session.expires_at == expires_at
    assert session.url is not None
    assert session.url.endswith(f"/pay/{session.id}")
    assert session.metadata is not None
    assert session.metadata.to_dict() == {"donation": "17"}
    assert session.client_reference_id == "donation_17"
    assert session.submit_type == "donate"


def test_line_items_are_listed_and_included_when_asked_for(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    session_id = create_session(sandbox)["id"]
    items = client.v1.checkout.sessions.line_items.list(session_id)
    assert [item.description for item in items.data] == ["Support us"]
    assert items.data[0].amount_total == 2500
    assert "line_items" not in client.v1.checkout.sessions.retrieve(session_id)
    expanded = client.v1.checkout.sessions.retrieve(session_id, {"expand": ["line_items"]})
    assert expanded.line_items is not None
    assert expanded.line_items.data[0].price is not None
    assert expanded.line_items.data[0].price.unit_amount == 2500


def test_without_an_expiry_a_session_lives_for_a_day(sandbox: SandboxProcess) -> None:
    session = create_session(sandbox)
    assert session["expires_at"] == session["created"] + 24 * 3600


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"mode": "absent"}, "mode", "parameter_missing"),
        ({"mode": "setup"}, "mode", None),
        ({"mode": "gift"}, "mode", None),
        ({"success_url": "absent"}, "success_url", "parameter_missing"),
        ({"success_url": "javascript:alert(1)"}, "success_url", "url_invalid"),
        ({"success_url": "//evil.example"}, "success_url", "url_invalid"),
        ({"cancel_url": "/c/support-us"}, "cancel_url", "url_invalid"),
        ({"ui_mode": "hosted"}, "ui_mode", None),
        ({"ui_mode": "embedded"}, "ui_mode", None),
        ({"ui_mode": "custom"}, "ui_mode", None),
        ({"ui_mode": "elements"}, "ui_mode", None),
        ({"ui_mode": "embedded_page"}, "return_url", "parameter_missing"),
        (
            {"ui_mode": "embedded_page", "return_url": "https://goalpost.example/thanks"},
            "success_url",
            None,
        ),
        ({"return_url": "https://goalpost.example/thanks"}, "return_url", None),
        ({"locale": "xx"}, "locale", None),
        ({"payment_method_data[allow_redisplay]": "limited"}, "payment_method_data", None),
        (
            {"payment_intent_data[receipt]": "x"},
            "payment_intent_data[receipt]",
            "parameter_unknown",
        ),
        ({"payment_method_types[0]": "card"}, "payment_method_types", "parameter_unknown"),
        ({"surprise": "1"}, "surprise", "parameter_unknown"),
        ({"allow_promotion_codes": "true"}, "allow_promotion_codes", "parameter_unknown"),
        ({"submit_type": "give"}, "submit_type", None),
        ({"customer_email": ""}, "customer_email", "parameter_invalid_empty"),
        ({"customer_email": "jane"}, "customer_email", "email_invalid"),
        ({"customer": "cus_nobody"}, "customer", "resource_missing"),
        ({"client_reference_id": "x" * 201}, "client_reference_id", None),
        ({"subscription_data[description]": "x"}, "subscription_data", None),
        ({"excluded_payment_method_types[0]": "card"}, "excluded_payment_method_types", None),
        ({AMOUNT: "25.00"}, AMOUNT, "parameter_invalid_integer"),
        ({AMOUNT: "1e5"}, AMOUNT, "parameter_invalid_integer"),
        ({AMOUNT: "٢٥٠٠"}, AMOUNT, "parameter_invalid_integer"),
        ({AMOUNT: "9" * 19}, AMOUNT, "parameter_invalid_integer"),
        ({AMOUNT: "-1"}, AMOUNT, "parameter_invalid_integer"),
        ({AMOUNT: "absent"}, AMOUNT, "parameter_missing"),
        ({AMOUNT: "49"}, None, "amount_too_small"),
        ({AMOUNT: "0"}, None, "amount_too_small"),
        ({AMOUNT: "1000000000000"}, None, "amount_too_large"),
        ({CURRENCY: "absent"}, CURRENCY, "parameter_missing"),
        ({CURRENCY: "xyz"}, CURRENCY, None),
        ({CURRENCY: "gbp", AMOUNT: "29"}, None, "amount_too_small"),
        ({CURRENCY: "jpy", AMOUNT: "49"}, None, "amount_too_small"),
        ({CURRENCY: "sek", AMOUNT: "299"}, None, "amount_too_small"),
        ({CURRENCY: "kwd", AMOUNT: "1001"}, AMOUNT, None),
        ({CURRENCY: "isk", AMOUNT: "50050"}, AMOUNT, None),
        ({"currency": "eur"}, "line_items", None),
        ({"line_items[0][quantity]": "absent"}, "line_items[0][quantity]", None),
        ({"line_items[0][quantity]": "0"}, "line_items[0][quantity]", None),
        ({"line_items[0][price]": "price_1"}, "line_items[0][price]", "resource_missing"),
        (
            {"line_items[0][price_data][recurring][interval]": "month"},
            "line_items[0][price_data][recurring]",
            None,
        ),
        (
            {"line_items[0][price_data][product_data][name]": ""},
            "line_items[0][price_data][product_data][name]",
            "parameter_invalid_empty",
        ),
        (
            {"payment_intent_data[capture_method]": "manual"},
            "payment_intent_data[capture_method]",
            None,
        ),
        ({"metadata[note]": "x" * 501}, "metadata[note]", None),
        ({f"metadata[{'k' * 41}]": "x"}, "metadata", None),
        ({f"metadata[k{number}]": "x" for number in range(51)}, "metadata", None),
        ({"metadata[a][b]": "c"}, "metadata[a]", None),
    ],
)
def test_what_stripe_refuses_is_refused_by_name(
    sandbox: SandboxProcess, changes: dict[str, str], param: str | None, code: str | None
) -> None:
    error = refusal(sandbox, changes)
    assert error.get("param") == param
    assert error.get("code") == code
    assert error["message"]


@pytest.mark.parametrize(
    ("currency", "amount"),
    [
        ("usd", 50),
        ("gbp", 30),
        ("jpy", 50),
        ("kwd", 1000),
        ("isk", 50000),
        ("usd", 999_999_999_999),
    ],
)
def test_the_least_and_the_most_are_taken(
    sandbox: SandboxProcess, currency: str, amount: int
) -> None:
    session = create_session(sandbox, **{CURRENCY: currency.upper(), AMOUNT: str(amount)})
    assert (session["amount_total"], session["currency"]) == (amount, currency)


@pytest.mark.parametrize(
    ("seconds", "taken"), [(1700, False), (1900, True), (86300, True), (86500, False)]
)
def test_expiry_lies_between_half_an_hour_and_a_day(
    sandbox: SandboxProcess, seconds: int, *, taken: bool
) -> None:
    expires_at = str(int(time.time()) + seconds)
    if taken:
        assert create_session(sandbox, expires_at=expires_at)["expires_at"] == int(expires_at)
    else:
        assert refusal(sandbox, {"expires_at": expires_at})["param"] == "expires_at"


def test_unknown_session_is_a_404(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.checkout.sessions.retrieve("cs_test_nothing")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_another_kind_of_object_is_not_a_session(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    intent_id = sandbox.pay(create_session(sandbox)["id"])["payment_intent"]
    with pytest.raises(stripe.InvalidRequestError, match=r"No such checkout\.session"):
        client.v1.checkout.sessions.retrieve(intent_id)


def test_session_is_found_by_its_payment(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    session_id = create_session(sandbox)["id"]
    create_session(sandbox)
    intent_id = sandbox.pay(session_id)["payment_intent"]
    found = client.v1.checkout.sessions.list({"payment_intent": intent_id})
    assert [session.id for session in found.data] == [session_id]
    statuses = {session.status for session in client.v1.checkout.sessions.list({"status": "open"})}
    assert statuses == {"open"}


def test_metadata_is_merged_and_unset(client: stripe.StripeClient, sandbox: SandboxProcess) -> None:
    session_id = create_session(sandbox, **{"metadata[a]": "1", "metadata[b]": "2"})["id"]
    updated = client.v1.checkout.sessions.update(session_id, {"metadata": {"b": "", "0": "3"}})
    assert updated.metadata is not None
    assert updated.metadata.to_dict() == {"a": "1", "0": "3"}


def test_expired_session_takes_no_money(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    session_id = create_session(sandbox)["id"]
    expired = client.v1.checkout.sessions.expire(session_id)
    assert (expired.status, expired.payment_status, expired.url) == ("expired", "unpaid", None)
    assert sandbox.pay(session_id)["outcome"] == "closed"
    assert client.v1.checkout.sessions.retrieve(session_id).payment_intent is None


def test_only_an_open_session_can_be_expired(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    session_id = create_session(sandbox)["id"]
    sandbox.pay(session_id)
    with pytest.raises(stripe.InvalidRequestError, match="status of `complete`"):
        client.v1.checkout.sessions.expire(session_id)
