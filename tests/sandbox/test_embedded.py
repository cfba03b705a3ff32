"""Sessions that are embedded in the merchant's own page, and the stand-in for Stripe.js."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
import stripe

from tests.sandbox.donor import CARD, FORM, MONTHLY, Page, create_session, subscribe, visit
from tests.sandbox_process import Json, SandboxProcess

RETURN = "https://goalpost.example/thanks?session={CHECKOUT_SESSION_ID}"
WHERE = {"ui_mode": "embedded_page", "return_url": RETURN}


@pytest.fixture
def session(sandbox: SandboxProcess) -> Json:
    form = {name: value for name, value in FORM.items() if name != "success_url"}
    return sandbox.api("POST", "/v1/checkout/sessions", form | WHERE)


def ask(sandbox: SandboxProcess, secret: str) -> int:
    request = urllib.request.Request(  # noqa: S310 - our own process
        f"{sandbox.url}/endive/session", data=secret.encode(), method="POST"
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own process
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def may_be_framed_by(page: Page) -> str:
    return page.headers["content-security-policy"].rpartition("frame-ancestors ")[2]


def test_session_has_a_secret_and_no_address(session: Json) -> None:
    assert session["url"] is None
    assert session["success_url"] is None
    assert session["return_url"] == RETURN
    assert session["client_secret"].startswith(f"{session['id']}_secret_")


def test_hosted_session_has_an_address_and_no_secret(sandbox: SandboxProcess) -> None:
    hosted = create_session(sandbox)
    assert hosted["client_secret"] is None
    assert hosted["url"] is not None


def test_secret_finds_its_session_while_that_is_open(
    sandbox: SandboxProcess, session: Json, client: stripe.StripeClient
) -> None:
    assert ask(sandbox, session["client_secret"]) == 200
    for wrong in ("", session["id"], f"{session['client_secret']}x", f"{session['id']}_secret_"):
        assert ask(sandbox, wrong) == 404
    client.v1.checkout.sessions.expire(session["id"])
    assert ask(sandbox, session["client_secret"]) == 404


def test_only_the_site_that_asked_may_frame_it(sandbox: SandboxProcess, session: Json) -> None:
    path = f"/pay/{session['id']}"
    assert may_be_framed_by(visit(sandbox, path)) == "https://goalpost.example"
    refused = visit(sandbox, path, CARD | {"cvc": ""})
    assert (refused.status, may_be_framed_by(refused)) == (422, "https://goalpost.example")
    hosted = visit(sandbox, f"/pay/{create_session(sandbox)['id']}")
    assert may_be_framed_by(hosted) == "'none'"
    assert "script-src" not in hosted.headers["content-security-policy"]


def test_paid_session_leads_the_page_around_it_back(sandbox: SandboxProcess, session: Json) -> None:
    path = f"/pay/{session['id']}"
    target = f'href="https://goalpost.example/thanks?session={session["id"]}" target="_top"'
    for page in (visit(sandbox, path, CARD), visit(sandbox, path), visit(sandbox, path, CARD)):
        assert page.status == 200
        assert target in page.text
    told = sandbox.api("GET", f"/v1/checkout/sessions/{session['id']}")
    assert (told["status"], told["payment_status"]) == ("complete", "paid")


def test_script_is_served_as_stripe_serves_it(sandbox: SandboxProcess) -> None:
    page = visit(sandbox, "/endive/stripe.js")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/javascript")
    assert "createEmbeddedCheckoutPage" in page.text


@pytest.mark.parametrize(
    ("kept", "filters", "shown"),
    [
        ({}, {}, True),
        ({"payment_method_data[allow_redisplay]": "limited"}, {}, False),
        ({}, {"saved_payment_method_options[allow_redisplay_filters][0]": "unspecified"}, False),
        (
            {"payment_method_data[allow_redisplay]": "limited"},
            {"saved_payment_method_options[allow_redisplay_filters][0]": "limited"},
            True,
        ),
    ],
)
def test_cards_of_a_subscription_are_offered_again_unless_that_is_ruled_out(
    sandbox: SandboxProcess, kept: dict[str, str], filters: dict[str, str], *, shown: bool
) -> None:
    customer_id = subscribe(sandbox, **kept)["customer"]
    form = MONTHLY | {"customer": customer_id} | filters
    again = sandbox.api("POST", "/v1/checkout/sessions", form)
    assert ("•••• 4242" in visit(sandbox, f"/pay/{again['id']}").text) is shown


def test_deleted_customer_is_gone_with_what_they_give(
    sandbox: SandboxProcess, client: stripe.StripeClient
) -> None:
    gift = subscribe(sandbox)
    assert client.v1.customers.delete(gift["customer"]).deleted
    assert client.v1.subscriptions.retrieve(gift["id"]).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.checkout.sessions.create(
            {
                "mode": "payment",
                "customer": gift["customer"],
                "success_url": "https://goalpost.example/thanks",
                "line_items": [
                    {
                        "quantity": 1,
                        "price_data": {
                            "currency": "usd",
                            "unit_amount": 500,
                            "product_data": {"name": "Support us"},
                        },
                    }
                ],
            }
        )
    assert (caught.value.code, caught.value.param) == ("resource_missing", "customer")
