from __future__ import annotations

from collections.abc import Iterator

import pytest
import stripe

from tests.sandbox.donor import client_of, subscribe, visit
from tests.sandbox_process import Json, SandboxError, SandboxProcess, running_sandbox

URL = "/v1/billing_portal/sessions"
LATER_DECLINED = "4000000000000341"
CARD = {"card_number": "4242 4242 4242 4242", "expiry": "12/49", "cvc": "123", "name": "Jane"}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with running_sandbox(tmp_path_factory.mktemp("portal") / "sandbox.sqlite") as sandbox:
        yield sandbox


def enter(sandbox: SandboxProcess, subscription: Json, **form: str) -> str:
    """Give the path of a new portal session of the subscription's donor."""
    session = sandbox.api("POST", URL, {"customer": subscription["customer"], **form})
    return str(session["url"]).removeprefix(sandbox.url)


def fetch(sandbox: SandboxProcess, subscription: Json) -> Json:
    return sandbox.api("GET", f"/v1/subscriptions/{subscription['id']}")


def test_portal_shows_the_donors_gifts(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    subscription, another = subscribe(sandbox), subscribe(sandbox)
    session = client.v1.billing_portal.sessions.create(
        {
            "customer": subscription["customer"],
            "return_url": "https://goalpost.example/manage",
            "expand": ["configuration"],
        }
    )
    assert session.id.startswith("bps_")
    assert isinstance(session.configuration, stripe.billing_portal.Configuration)
    assert session.configuration.is_default is True
    page = visit(sandbox, session.url.removeprefix(sandbox.url))
    assert page.status == 200
    for words in (
        "This is not Stripe.",
        "$25.00",
        subscription["id"],
        'href="https://goalpost.example/manage"',
        "ends in 4242",
    ):
        assert words in page.text
    assert another["id"] not in page.text
    told = sandbox.events("billing_portal.session.created")
    assert told[-1]["data"]["object"]["id"] == session.id


def test_donor_ends_a_gift_and_keeps_it_after_all(sandbox: SandboxProcess) -> None:
    subscription = subscribe(sandbox)
    path = enter(sandbox, subscription)
    form = {"subscription": subscription["id"]}
    sent = visit(sandbox, f"{path}/cancel", form)
    assert sent.status == 303
    assert "Your gift ends" in visit(sandbox, str(sent.location)).text
    ending = fetch(sandbox, subscription)
    assert ending["cancel_at"] == ending["items"]["data"][0]["current_period_end"]
    assert (ending["status"], ending["cancel_at_period_end"]) == ("active", False)
    assert visit(sandbox, f"{path}/keep", form).status == 303
    assert fetch(sandbox, subscription)["cancel_at"] is None


def test_donor_cannot_end_the_gift_of_another(sandbox: SandboxProcess) -> None:
    subscription, another = subscribe(sandbox), subscribe(sandbox)
    path = enter(sandbox, subscription)
    page = visit(sandbox, f"{path}/cancel", {"subscription": another["id"]})
    assert page.status == 400
    assert "not yours" in page.text
    assert fetch(sandbox, another)["cancel_at"] is None
    assert visit(sandbox, f"{path}/cancel", {"subscription": "sub_nothing"}).status == 400


def test_new_card_pays_the_next_renewal(own: SandboxProcess) -> None:
    subscription = subscribe(own, LATER_DECLINED)
    own.advance_months()
    assert fetch(own, subscription)["status"] == "past_due"
    sent = visit(own, f"{enter(own, subscription)}/card", CARD)
    assert sent.status == 303
    changed = fetch(own, subscription)
    assert changed["default_payment_method"] != subscription["default_payment_method"]
    customer = client_of(own).v1.customers.retrieve(subscription["customer"])
    assert customer.invoice_settings is not None
    method_id = customer.invoice_settings.default_payment_method
    assert method_id == changed["default_payment_method"]
    own.advance(4 * 86_400)
    assert fetch(own, subscription)["status"] == "active"


@pytest.mark.parametrize(
    ("field", "typed"),
    [("card_number", "4000000000000002"), ("card_number", "1"), ("expiry", "1/20"), ("cvc", "")],
)
def test_bad_card_is_explained_and_not_kept(
    sandbox: SandboxProcess, field: str, typed: str
) -> None:
    subscription = subscribe(sandbox)
    page = visit(sandbox, f"{enter(sandbox, subscription)}/card", {**CARD, field: typed})
    assert page.status == 422
    assert f'id="{field}-error"' in page.text
    kept = fetch(sandbox, subscription)["default_payment_method"]
    assert kept == subscription["default_payment_method"]


def test_address_is_short_lived_until_it_is_used(own: SandboxProcess) -> None:
    subscription = subscribe(own)
    unused, used = enter(own, subscription), enter(own, subscription)
    assert visit(own, used).status == 200
    own.advance(6 * 60)
    assert visit(own, unused).status == 410
    form = {"subscription": subscription["id"]}
    assert visit(own, f"{unused}/cancel", form).status == 410
    assert fetch(own, subscription)["cancel_at"] is None
    assert visit(own, used).status == 200
    own.advance(3_700)
    assert visit(own, used).status == 410
    assert visit(own, "/portal/test_guess").status == 410


def test_flow_leads_straight_to_its_end(
    client: stripe.StripeClient, sandbox: SandboxProcess
) -> None:
    subscription = subscribe(sandbox)
    session = client.v1.billing_portal.sessions.create(
        {
            "customer": subscription["customer"],
            "flow_data": {
                "type": "subscription_cancel",
                "subscription_cancel": {"subscription": subscription["id"]},
                "after_completion": {
                    "type": "redirect",
                    "redirect": {"return_url": "https://goalpost.example/goodbye"},
                },
            },
        }
    )
    assert session.flow is not None
    assert session.flow.type == "subscription_cancel"
    path = session.url.removeprefix(sandbox.url)
    assert "Use another card" not in visit(sandbox, path).text
    sent = visit(sandbox, f"{path}/cancel", {"subscription": subscription["id"]})
    assert sent.location == "https://goalpost.example/goodbye"
    card_path = enter(sandbox, subscription, **{"flow_data[type]": "payment_method_update"})
    page = visit(sandbox, card_path).text
    assert "Use another card" in page
    assert "Keep giving" not in page


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"customer": "cus_nothing"}, "No such customer"),
        ({"return_url": "javascript:alert(1)"}, "Not a valid URL"),
        ({"configuration": "bpc_other"}, "No such billing_portal.configuration"),
        ({"flow_data[type]": "subscription_update"}, "does not speak"),
        ({"flow_data[type]": "subscription_cancel"}, "Missing required param"),
        ({"on_behalf_of": "acct_1"}, "does not speak"),
    ],
)
def test_wrong_portal_session_is_refused(
    sandbox: SandboxProcess, form: dict[str, str], words: str
) -> None:
    customer = sandbox.api("POST", "/v1/customers", {"email": "portal@example.com"})
    with pytest.raises(SandboxError, match=words):
        sandbox.api("POST", URL, {"customer": customer["id"], **form})


def test_flow_is_for_the_customers_own_living_gift(sandbox: SandboxProcess) -> None:
    subscription, another = subscribe(sandbox), subscribe(sandbox)
    form = {"flow_data[type]": "subscription_cancel"}
    where = "flow_data[subscription_cancel][subscription]"
    with pytest.raises(SandboxError, match="does not belong"):
        enter(sandbox, subscription, **form, **{where: another["id"]})
    sandbox.cancel(subscription["id"])
    with pytest.raises(SandboxError, match="canceled already"):
        enter(sandbox, subscription, **form, **{where: subscription["id"]})
    assert "No gift goes on" in visit(sandbox, enter(sandbox, subscription)).text
