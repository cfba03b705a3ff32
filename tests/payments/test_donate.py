from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from core.clock import MovableClock
from core.web import PAGE_POLICY
from payments.models import Donation, Donor
from tests.conftest import MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.pages import fields_of, give_online, look, open_form


@pytest.fixture(autouse=True)
def _campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


def donations(session: Session) -> list[Donation]:
    return list(look(session, select(Donation).order_by(Donation.created_at, Donation.id)))


def test_valid_form_leads_to_stripes_page(client: FlaskClient, session: Session) -> None:
    response = give_online(client, amount="20", email="Ann@Example.org", name="Ann")
    assert response.status_code == 303
    assert response.location == "https://checkout.stripe.com/c/pay/cs_test_1"
    (donation,) = donations(session)
    assert (donation.state, donation.amount_minor, donation.currency) == ("pending", 2_000, "USD")
    assert donation.checkout_session_id == "cs_test_1"
    (donor,) = look(session, select(Donor))
    assert (donor.email, donor.name) == ("ann@example.org", "Ann")


def test_link_from_the_widget_fills_in_the_form(client: FlaskClient) -> None:
    fields = open_form(client, amount="20", source="https://paper.example/a?x=1", slot="top")
    assert fields["amount"] == "20"
    assert fields["slot"] == "top"


def test_article_and_slot_travel_with_the_gift(client: FlaskClient, session: Session) -> None:
    give_online(client, amount="20", source="https://paper.example/a?reader=7#x", slot="top")
    (donation,) = donations(session)
    assert donation.source == "https://paper.example/a"
    assert donation.slot == "top"


@pytest.mark.parametrize(
    "source",
    ["javascript:alert(1)", "//evil", "ftp://x/y", "https://u:p@x/", "http://[", "", "x" * 9999],
)
def test_source_that_is_no_article_is_left_out(
    client: FlaskClient, session: Session, source: str
) -> None:
    assert give_online(client, amount="20", source=source, slot="A B").status_code == 303
    (donation,) = donations(session)
    assert donation.source is None
    assert donation.slot is None


@pytest.mark.parametrize(
    ("amount", "sentence"),
    [
        ("", "Enter an amount."),
        ("-5", "The amount must be more than zero."),
        ("abc", "is not an amount"),
        ("NaN", "is not an amount"),
        ("1e5", "is not an amount"),
        ("1,00", "is not an amount"),
        ("٢٠", "is not an amount"),
        ("0", "The least is 0.50 $."),
        ("0.49", "The least is 0.50 $."),
        ("1000000", "The most is 999,999.99 $."),
        ("9223372036854775808", "is not an amount"),
        ("20.005", "no such small unit"),
        ("<script>alert(1)</script>", "is not an amount"),
    ],
)
def test_wrong_amount_gets_the_form_again_with_a_sentence_and_what_was_typed(
    client: FlaskClient, session: Session, amount: str, sentence: str
) -> None:
    response = give_online(client, amount=amount, name="Ann", message="Keep on")
    assert response.status_code == 422
    assert sentence in response.text
    assert 'aria-invalid="true"' in response.text
    assert "<script>alert" not in response.text
    fields = fields_of(response)
    assert (fields["amount"], fields["name"], fields["message"]) == (amount, "Ann", "Keep on")
    assert donations(session) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x" * 121),
        ("name", "a\x00b"),
        ("email", "not an address"),
        ("email", f"{'x' * 250}@example.org"),
        ("message", "x" * 501),
        ("message", "a\x1bb"),
        ("frequency", "fortnight"),
    ],
)
def test_wrong_field_gets_the_form_again(
    client: FlaskClient, session: Session, field: str, value: str
) -> None:
    response = give_online(client, **{"amount": "20", field: value})
    assert response.status_code == 422
    assert f'id="{field}-error"' in response.text
    assert fields_of(response)["amount"] == "20"
    assert donations(session) == []


@pytest.mark.parametrize(
    "text", ["\u202eevil", "zero\u200bwidth", "😀", "'; DROP TABLE donations; --"]
)
def test_strange_but_printable_text_is_kept_inert(
    client: FlaskClient, session: Session, text: str
) -> None:
    assert give_online(client, amount="20", message=text).status_code == 303
    (donation,) = donations(session)
    assert donation.message == text


@pytest.mark.parametrize("token", ["", "forged"])
def test_form_without_its_token_is_given_again_with_what_was_typed(
    client: FlaskClient, session: Session, token: str
) -> None:
    response = give_online(client, amount="20", csrf_token=token)
    assert response.status_code == 400
    assert "press the button once more" in response.text
    fields = fields_of(response)
    assert fields["amount"] == "20"
    assert donations(session) == []
    again = client.post("/c/support-us/donate", data=fields)
    assert again.status_code == 303


def test_unknown_fields_are_ignored(client: FlaskClient, session: Session) -> None:
    assert give_online(client, amount="20", state="paid", amount_minor="1").status_code == 303
    (donation,) = donations(session)
    assert (donation.state, donation.amount_minor) == ("pending", 2_000)


def test_double_click_makes_one_donation(client: FlaskClient, session: Session) -> None:
    fields = open_form(client) | {"amount": "20"}
    answers = [client.post("/c/support-us/donate", data=fields) for _ in range(3)]
    assert {answer.location for answer in answers} == {
        "https://checkout.stripe.com/c/pay/cs_test_1"
    }
    assert len(donations(session)) == 1


def test_same_form_with_another_amount_is_another_donation(
    client: FlaskClient, session: Session
) -> None:
    fields = open_form(client)
    client.post("/c/support-us/donate", data=fields | {"amount": "20"})
    response = client.post("/c/support-us/donate", data=fields | {"amount": "50"})
    assert response.location.endswith("cs_test_2")
    assert sorted(found.amount_minor for found in donations(session)) == [2_000, 5_000]


def test_form_sent_again_after_paying_leads_to_the_thanks(
    client: FlaskClient, fake_gateway: FakeGateway
) -> None:
    fields = open_form(client) | {"amount": "20"}
    client.post("/c/support-us/donate", data=fields)
    fake_gateway.pay("cs_test_1")
    response = client.post("/c/support-us/donate", data=fields)
    assert response.status_code == 303
    assert response.location.startswith("/c/support-us/thanks?donation=don_")


def test_unreachable_stripe_keeps_the_choices_and_says_so(
    client: FlaskClient, session: Session, fake_gateway: FakeGateway
) -> None:
    fake_gateway.unavailable = True
    response = give_online(client, amount="20", name="Ann")
    assert response.status_code == 503
    assert "Nothing was charged" in response.text
    fields = fields_of(response)
    assert (fields["amount"], fields["name"]) == ("20", "Ann")
    fake_gateway.unavailable = False
    assert client.post("/c/support-us/donate", data=fields).status_code == 303
    assert len(donations(session)) == 1  # the retry is the same donation


def test_lost_answer_gives_the_same_session_on_retry(
    client: FlaskClient, session: Session, fake_gateway: FakeGateway
) -> None:
    fake_gateway.lost_answers = 1
    response = give_online(client, amount="20")
    assert response.status_code == 503
    (donation,) = donations(session)
    assert donation.checkout_session_id is None
    again = client.post("/c/support-us/donate", data=fields_of(response))
    assert again.location.endswith("cs_test_1")
    assert fake_gateway.calls["create_checkout"] == 2


def test_donation_that_stripe_refuses_is_given_up_for_another(
    client: FlaskClient, session: Session, fake_gateway: FakeGateway
) -> None:
    fake_gateway.refused = True
    response = give_online(client, amount="20")
    assert response.status_code == 503
    assert [found.state for found in donations(session)] == ["failed"]
    fake_gateway.refused = False
    again = client.post("/c/support-us/donate", data=fields_of(response))
    assert again.status_code == 303
    assert sorted(found.state for found in donations(session)) == ["failed", "pending"]


def test_retry_asks_for_the_very_same_session_however_late(
    client: FlaskClient, fake_gateway: FakeGateway, clock: MovableClock
) -> None:
    fake_gateway.lost_answers = 1
    response = give_online(client, amount="20")
    clock.set(clock.now().replace(hour=11))
    # Other parameters under the same key would be refused, by Stripe and by the fake.
    assert client.post("/c/support-us/donate", data=fields_of(response)).status_code == 303


def test_page_lets_the_form_lead_to_stripe_and_nowhere_else(client: FlaskClient) -> None:
    policy = client.get("/c/support-us").headers["Content-Security-Policy"]
    assert "form-action 'self' https://checkout.stripe.com;" in policy
    assert "frame-ancestors 'none'" in policy
    assert policy.replace(" https://checkout.stripe.com", "") == PAGE_POLICY


def test_page_is_not_stored_and_its_cookie_is_guarded(client: FlaskClient) -> None:
    response = client.get("/c/support-us")
    assert response.headers["Cache-Control"] == "no-store"
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.parametrize("address", ["/c/nothing", "/c/draft"])
@pytest.mark.parametrize(
    ("accept", "type_"), [("text/html", "text/html"), ("application/json", "application/json")]
)
def test_unknown_or_draft_campaign_is_404_in_the_form_asked_for(
    client: FlaskClient, make_campaign: MakeCampaign, address: str, accept: str, type_: str
) -> None:
    make_campaign(slug="draft", draft=True)
    response = client.get(address, headers={"Accept": accept})
    assert response.status_code == 404
    assert response.mimetype == type_
    assert "There is no campaign" in response.text


def test_giving_to_an_unknown_campaign_is_404(client: FlaskClient) -> None:
    assert client.post("/c/nothing/donate", data={"amount": "20"}).status_code == 404


def test_front_page_lists_public_campaigns(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign(slug="draft", title="Not yet", draft=True)
    page = client.get("/").text
    assert "Support us" in page
    assert "Not yet" not in page


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_giving_takes_a_post_only(client: FlaskClient, method: str) -> None:
    assert getattr(client, method)("/c/support-us/donate").status_code == 405


def test_oversize_form_is_refused(client: FlaskClient, session: Session) -> None:
    response = give_online(client, amount="20", message="x" * 300_000)
    assert response.status_code == 413
    assert donations(session) == []


def test_amount_is_filled_in_as_the_campaigns_language_types_it(
    client: FlaskClient, session: Session, make_campaign: MakeCampaign
) -> None:
    make_campaign(slug="hilf", locale="de", currency="EUR", money_format=None)
    fields = open_form(client, "hilf", amount="2.5")
    assert fields["amount"] == "2,50"
    assert client.post("/c/hilf/donate", data=fields).status_code == 303
    (donation,) = donations(session)
    assert open_form(client, "hilf", donation=donation.id)["amount"] == "2,50"
