from __future__ import annotations

import base64

import pytest
import stripe

from tests.sandbox.donor import FORM, create_session, pay_one
from tests.sandbox_process import Json, SandboxError, SandboxProcess

URL = "/v1/checkout/sessions"


def refused(sandbox: SandboxProcess, path: str, headers: dict[str, str]) -> tuple[int, Json]:
    with pytest.raises(SandboxError) as caught:
        sandbox.api("GET", path, headers=headers)
    error: Json = caught.value.body["error"]
    return caught.value.status, error


@pytest.mark.parametrize("key", ["sk_test_other", "rk_test_limited"])
def test_any_test_key_is_taken(sandbox: SandboxProcess, key: str) -> None:
    assert sandbox.api("GET", URL, headers={"Authorization": f"Bearer {key}"})["data"] is not None
    basic = base64.b64encode(f"{key}:".encode()).decode()
    assert sandbox.api("GET", URL, headers={"Authorization": f"Basic {basic}"})["data"] is not None


@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        ("", "did not provide an API key"),
        ("Bearer ", "did not provide an API key"),
        ("Basic ???", "did not provide an API key"),
        ("Bearer sk_live_secret", "takes no live keys"),
        ("Bearer rk_live_secret", "takes no live keys"),
        ("Bearer pk_test_public", "publishable"),
        ("Bearer sk_test_", "Invalid API Key"),
        ("Bearer nonsense", "Invalid API Key"),
    ],
)
def test_other_keys_are_refused_and_not_repeated(
    sandbox: SandboxProcess, authorization: str, words: str
) -> None:
    status, error = refused(sandbox, URL, {"Authorization": authorization})
    assert status == 401
    assert words in error["message"]
    assert "secret" not in error["message"].replace("secret API key", "").replace("SECRET_KEY", "")


def test_sdk_sees_an_authentication_error(sandbox: SandboxProcess) -> None:
    client = stripe.StripeClient("sk_live_x", base_addresses={"api": sandbox.url})
    with pytest.raises(stripe.AuthenticationError, match="not Stripe"):
        client.v1.events.list()


def test_only_the_pinned_version_is_spoken(sandbox: SandboxProcess) -> None:
    assert sandbox.api("GET", URL, headers={"Stripe-Version": str(stripe.api_version)})
    status, error = refused(sandbox, URL, {"Stripe-Version": "2020-08-27"})
    assert (status, error["type"]) == (400, "invalid_request_error")


def test_there_is_one_account(sandbox: SandboxProcess) -> None:
    assert refused(sandbox, URL, {"Stripe-Account": "acct_1"})[0] == 403


@pytest.mark.parametrize("path", ["/v1/topups/tu_1", "/v1/nothing", "/v2/core/events"])
def test_unknown_address_is_a_404_of_stripes_shape(sandbox: SandboxProcess, path: str) -> None:
    status, error = refused(sandbox, path, {})
    assert status == 404
    assert f"Unrecognized request URL (GET: {path})" in error["message"]


def test_every_answer_names_its_request(client: stripe.StripeClient) -> None:
    listed = client.v1.charges.list()
    assert listed.last_response is not None
    assert str(listed.last_response.request_id).startswith("req_")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.charges.retrieve("ch_nothing")
    assert caught.value.request_id is not None


def test_body_is_form_encoded(sandbox: SandboxProcess) -> None:
    with pytest.raises(SandboxError, match="form-encoded"):
        sandbox.api("POST", URL, FORM, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(
    "form",
    [
        {"metadata": "x", "metadata[a]": "b"},
        {"metadata[a]": "b", "metadata": "x"},
        {"metadata[a": "b"},
        {"[a]": "b"},
        {"a" + "[b]" * 20: "c"},
        {"line_items[a][quantity]": "1"},
        {"line_items[5][quantity]": "1"},
        {"line_items": "x"},
        {"mode[]": "payment"},
        {"customer_email[x]": "y"},
        {"expires_at": "soon"},
        {"adaptive_pricing[enabled]": "yes"},
        {f"metadata[{number}]": "x" for number in range(1001)},
    ],
)
def test_malformed_parameters_are_a_400(sandbox: SandboxProcess, form: dict[str, str]) -> None:
    with pytest.raises(SandboxError) as caught:
        sandbox.api("POST", URL, form)
    assert caught.value.status == 400
    assert caught.value.body["error"]["type"] == "invalid_request_error"


def test_oversize_body_is_refused(sandbox: SandboxProcess) -> None:
    with pytest.raises((SandboxError, OSError)) as caught:
        sandbox.api("POST", URL, {**FORM, "metadata[note]": "x" * 2_000_000})
    if isinstance(caught.value, SandboxError):
        assert caught.value.status == 413


def test_lists_know_their_parameters_too(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    with pytest.raises(SandboxError, match="unknown parameter: colour"):
        sandbox.api("GET", URL + "?colour=red")
    with pytest.raises(SandboxError, match="unknown parameter: created"):
        sandbox.api("GET", "/v1/events?created[since]=1")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.charges.list({"limit": 101})
    assert caught.value.param == "limit"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.charges.list({"limit": 0})


def test_expansion_reaches_through_objects_and_lists(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    intent = pay_one(sandbox)
    found = client.v1.payment_intents.list({"expand": ["data.latest_charge"], "limit": 1})
    assert isinstance(found.data[0].latest_charge, stripe.Charge)
    session = client.v1.checkout.sessions.list(
        {"payment_intent": intent["id"], "expand": ["data.payment_intent.latest_charge"]}
    ).data[0]
    assert isinstance(session.payment_intent, stripe.PaymentIntent)
    assert isinstance(session.payment_intent.latest_charge, stripe.Charge)


@pytest.mark.parametrize("path", ["metadata", "nothing", "data.payment_intent", "payment_intent.x"])
def test_what_cannot_be_expanded_is_refused(
    client: stripe.StripeClient, sandbox: SandboxProcess, path: str
) -> None:
    session_id = create_session(sandbox)["id"]
    sandbox.pay(session_id)
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        client.v1.checkout.sessions.retrieve(session_id, {"expand": [path]})


def test_expansion_of_a_list_begins_with_data(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=r"Try 'data\.latest_charge'"):
        client.v1.payment_intents.list({"expand": ["latest_charge"]})
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        client.v1.payment_intents.list({"expand": ["data.a.b.c.d.e"]})


def test_pages_follow_each_other_without_gap_or_repeat(client: stripe.StripeClient) -> None:
    email = "pages@example.com"
    made = [client.v1.customers.create({"email": email}).id for _ in range(7)][::-1]
    first = client.v1.customers.list({"email": email, "limit": 3})
    assert ([one.id for one in first.data], first.has_more) == (made[:3], True)
    assert first.url == "/v1/customers"
    assert [one.id for one in first.auto_paging_iter()] == made
    last = client.v1.customers.list({"email": email, "limit": 3, "starting_after": made[5]})
    assert ([one.id for one in last.data], last.has_more) == (made[6:], False)
    back = client.v1.customers.list({"email": email, "limit": 3, "ending_before": made[4]})
    assert ([one.id for one in back.data], back.has_more) == (made[1:4], True)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.customers.list({"starting_after": "cus_nothing"})
    assert caught.value.param == "starting_after"
    with pytest.raises(stripe.InvalidRequestError, match="only specify one"):
        client.v1.customers.list({"starting_after": made[1], "ending_before": made[2]})
