"""Faults of giving: a Stripe that is down, strange money, hostile texts and addresses, floods."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page as Tab
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from core.money import MOST_CHARGE_MINOR
from payments.models import Donation
from tests.conftest import MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.pages import fields_of, give_online, look, open_form

TEXTS = ("name", "message", "dedication")
ADDRESS = "/c/support-us/donate"


@pytest.fixture
def _campaign(make_campaign: MakeCampaign) -> None:
    make_campaign()


pytestmark = pytest.mark.usefixtures("_campaign")


def donations(session: Session) -> list[Donation]:
    return list(look(session, select(Donation)))


# 23, 24, 25: Stripe


def test_every_choice_that_changes_is_another_donation_at_stripe(
    client: FlaskClient, session: Session, fake_gateway: FakeGateway
) -> None:
    form = open_form(client) | {"amount": "20"}
    for change in ({}, {"cover_fees": "1"}, {"frequency": "month"}, {"dedication": "Ann"}):
        # The fake refuses a key that comes again with other parameters, as Stripe does.
        assert client.post(ADDRESS, data=form | change).status_code == 303
    assert len(donations(session)) == 4
    assert fake_gateway.calls["create_checkout"] == 4


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/c/support-us",
        "/c/support-us/fees?amount=20",
        "/embed/support-us",
        "/api/v1/campaigns/support-us",
    ],
)
def test_what_readers_see_is_there_while_stripe_is_down(
    client: FlaskClient, fake_gateway: FakeGateway, path: str
) -> None:
    fake_gateway.unavailable = True
    assert client.get(path).status_code == 200


def test_two_tabs_of_one_form_make_one_donation(client: FlaskClient, session: Session) -> None:
    form = open_form(client) | {"amount": "20", "cover_fees": "1"}
    first, second = (client.post(ADDRESS, data=form) for _ in range(2))
    assert first.location == second.location
    assert len(donations(session)) == 1


# 31, 32, 33: money. What may be typed in each language stands in payments/test_reading_the_form.py.


@pytest.mark.parametrize(
    ("currency", "typed", "amount_minor", "shown"),
    [
        ("JPY", "2000", 2_000, "2000"),
        ("KWD", "2.50", 2_500, "2.500"),
        ("ISK", "2000", 200_000, "2000"),
        ("UGX", "5000", 500_000, "5000"),
        ("USD", "2.50", 250, "2.50"),
    ],
)
def test_every_currency_is_asked_for_in_stripe_s_own_unit_and_shown_in_people_s(
    client: FlaskClient,
    make_campaign: MakeCampaign,
    fake_gateway: FakeGateway,
    currency: str,
    typed: str,
    amount_minor: int,
    shown: str,
) -> None:
    make_campaign("roof", currency=currency)
    assert give_online(client, "roof", amount=typed).status_code == 303
    asked = fake_gateway.asked("cs_test_1")
    assert (asked.amount_minor, asked.currency) == (amount_minor, currency)
    back = open_form(client, "roof", donation=asked.donation_id)
    assert back["amount"] == shown


@pytest.mark.parametrize(
    ("currency", "typed"),
    [("JPY", "2000.5"), ("KWD", "2.505"), ("ISK", "2000.50"), ("UGX", "0.5"), ("USD", "2.505")],
)
def test_a_part_of_the_smallest_coin_is_refused(
    client: FlaskClient, make_campaign: MakeCampaign, session: Session, currency: str, typed: str
) -> None:
    make_campaign("roof", currency=currency)
    assert give_online(client, "roof", amount=typed).status_code == 422
    assert donations(session) == []


@pytest.mark.parametrize(
    "typed", ["1000000000", "92233720368547758.07", "9223372036854775808", "9" * 40, "9" * 4000]
)
def test_no_sum_comes_near_the_end_of_a_number(
    client: FlaskClient, session: Session, typed: str
) -> None:
    assert give_online(client, amount=typed, cover_fees="1").status_code == 422
    assert donations(session) == []


def test_the_fees_never_lift_a_payment_over_what_a_card_takes(
    client: FlaskClient, session: Session
) -> None:
    assert give_online(client, amount="999999.99", cover_fees="1").status_code == 303
    (donation,) = donations(session)
    assert donation.amount_minor + donation.cover_minor <= MOST_CHARGE_MINOR


# 51, 52: texts


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize(
    "text",
    [
        "'; DROP TABLE donations; --",
        '" OR 1=1 /*',
        "%s {0} {amount} ${7*7} {{7*7}}",
        "\u202eevil\u202c",
        "zero\u200b\u200d\ufeffwidth",
        "😀𝕬",
        "e\u0301" * 20,
    ],
)
def test_strange_texts_are_kept_as_they_are(
    client: FlaskClient, session: Session, field: str, text: str
) -> None:
    assert give_online(client, amount="20", anonymous="", **{field: text}).status_code == 303
    (donation,) = donations(session)
    if field != "name":
        assert getattr(donation, field) == text
    address = f"/c/support-us?donation={donation.id}"
    assert fields_of(client.get(address))[field] == text.removesuffix("\ufeff")


def test_a_message_of_several_lines_is_kept_as_browsers_send_it(
    client: FlaskClient, session: Session
) -> None:
    assert give_online(client, amount="20", message="Dear all,\r\n\r\nkeep on").status_code == 303
    (donation,) = donations(session)
    assert donation.message == "Dear all,\n\nkeep on"


@pytest.mark.parametrize("field", [*TEXTS, "email"])
@pytest.mark.parametrize("text", ["a\x00b", "\x1b[31m", "a\x7fb", "a\r\x0bx"])
def test_what_cannot_be_printed_is_refused(
    client: FlaskClient, session: Session, field: str, text: str
) -> None:
    answer = give_online(client, amount="20", **{field: text})
    assert answer.status_code == 422
    assert not re.search(r"[\x00\x1b\x7f\x0b]", answer.text)
    assert donations(session) == []


@pytest.mark.parametrize("field", ["source", "slot", "form_token", "frequency", "csrf_token"])
def test_a_nul_where_no_text_is_asked_for_is_no_error_of_ours(
    client: FlaskClient, field: str
) -> None:
    assert give_online(client, amount="20", **{field: "a\x00b"}).status_code < 500
    assert client.get("/c/support-us", query_string={field: "a\x00b"}).status_code == 200


@pytest.mark.parametrize("field", [*TEXTS, "email", "amount", "source"])
def test_a_megabyte_in_a_field_is_refused(
    client: FlaskClient, session: Session, field: str
) -> None:
    answer = give_online(client, **({"amount": "20"} | {field: "x" * 1_000_000}))
    assert answer.status_code == 413
    assert donations(session) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_markup_in_every_field_is_inert_in_a_real_browser(client: FlaskClient, page: Tab) -> None:
    attack = (
        "</textarea></script></title>\"'><img src=x onerror=window.hacked=1>"
        "<script>window.hacked=1</script><a href=javascript:window.hacked=1>x</a>"
    )
    fields = ("amount", "name", "email", "message", "dedication", "source", "slot", "frequency")
    answer = give_online(client, **dict.fromkeys(fields, attack))
    assert answer.status_code == 422
    linked = client.get("/c/support-us", query_string=dict.fromkeys((*fields, "lang"), attack))
    for text in (answer.text, linked.text):
        # Without a policy: the page itself is to be harmless, not only what the header forbids.
        page.set_content(text)
        assert page.evaluate("window.hacked") is None
        assert page.locator("img[onerror], a[href^='javascript:'], img[src=x]").count() == 0
    page.set_content(answer.text)
    assert page.locator("#message").input_value() == attack
    assert page.locator("#amount").input_value() == attack


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_markup_in_a_campaign_s_own_words_is_inert_in_a_real_browser(
    client: FlaskClient, make_campaign: MakeCampaign, page: Tab
) -> None:
    attack = "</title></h1>\"'><img src=x onerror=window.hacked=1><script>window.hacked=1</script>"
    make_campaign("evil", title=attack, description=attack)
    for path in ("/c/evil", "/c/evil?lang=de", "/"):
        page.set_content(client.get(path).text)
        assert page.evaluate("window.hacked") is None
        assert page.locator("h1 img, h2 img, .lead img, .share img[onerror]").count() == 0


# 53, 55: addresses


@pytest.mark.parametrize(
    "source",
    [
        "javascript:alert(1)",
        "JaVaScRiPt://x/%0aalert(1)",
        "//evil.example",
        "\\\\evil.example",
        "data:text/html,x",
        "https://good.example@evil.example/",
        "https:///evil",
        "/c/support-us",
    ],
)
def test_no_address_but_the_web_s_is_kept_or_led_to(
    client: FlaskClient, session: Session, source: str
) -> None:
    answer = give_online(client, amount="20", source=source)
    assert answer.location == "https://checkout.stripe.com/c/pay/cs_test_1"
    (donation,) = donations(session)
    assert donation.source is None
    for name in ("next", "return_url", "success_url", "url"):
        page = client.get("/c/support-us", query_string={name: source})
        assert page.status_code == 200
        assert page.location is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"},
        {"Forwarded": "host=evil.example;proto=https"},
        {"X-Original-URL": "http://evil.example/"},
    ],
)
def test_addresses_come_from_the_settings_whatever_a_request_says(
    client: FlaskClient, fake_gateway: FakeGateway, headers: dict[str, str]
) -> None:
    opened = client.get("/c/support-us", headers=headers)
    assert "evil.example" not in opened.text
    assert '<link rel="canonical" href="http://localhost:8000/c/support-us">' in opened.text
    form = fields_of(opened) | {"amount": "20"}
    answer = client.post(ADDRESS, data=form, headers=headers)
    assert answer.status_code == 303
    assert "evil.example" not in answer.location
    asked = fake_gateway.asked("cs_test_1")
    for address in (asked.success_url, asked.cancel_url):
        assert address.startswith("http://localhost:8000/c/support-us")


def test_what_passes_a_page_on_leads_to_it(client: FlaskClient) -> None:
    text = client.get("/c/support-us").text
    links = re.findall(r'<a class="share-way"[^>]*href="([^"]+)"', text)
    assert len(links) == 6
    for link in links:
        parts = urlsplit(link.replace("&amp;", "&"))
        said = " ".join(value for values in parse_qs(parts.query).values() for value in values)
        assert "http://localhost:8000/c/support-us" in said
    assert not re.search(r'<(script|img|link rel="stylesheet")[^>]+(src|href)="https?:', text)


# 60, 63: forms


def test_fields_that_no_form_has_change_nothing(client: FlaskClient, session: Session) -> None:
    strange = {
        "state": "paid", "amount_minor": "1", "cover_minor": "5", "currency": "EUR", "id": "don_x",
        "paid_at": "2021-01-01", "donor_id": "1", "public_name": "Ann", "campaign_id": "9",
        "consent_text": "anything", "locale": "xx", "reference": "pi_1", "__class__": "x",
    }  # fmt: skip
    assert give_online(client, amount="20", **strange).status_code == 303
    (donation,) = donations(session)
    assert (donation.state, donation.amount_minor, donation.cover_minor) == ("pending", 2_000, 0)
    assert (donation.currency, donation.locale, donation.consent_text) == ("USD", "en", None)
    assert (donation.paid_at, donation.public_name, donation.reference) == (None, None, None)


def test_a_field_that_is_sent_twice_counts_once(client: FlaskClient, session: Session) -> None:
    form = MultiDict(open_form(client))
    form.setlist("amount", ["20", "99999"])
    assert client.post(ADDRESS, data=form).status_code == 303
    assert [donation.amount_minor for donation in donations(session)] == [2_000]


def test_ten_thousand_fields_are_refused(client: FlaskClient, session: Session) -> None:
    form = open_form(client) | {"amount": "20"} | {f"f{n}": "" for n in range(10_000)}
    assert client.post(ADDRESS, data=form).status_code == 413
    part = '--x\r\nContent-Disposition: form-data; name="f"\r\n\r\n\r\n'
    answer = client.post(
        ADDRESS, data=f"{part * 4_000}--x--", content_type="multipart/form-data; boundary=x"
    )
    assert answer.status_code == 413
    assert donations(session) == []


@pytest.mark.parametrize("type_", ["application/json", "text/plain", "multipart/form-data", "x"])
def test_a_body_that_is_no_form_gives_nothing(
    client: FlaskClient, session: Session, type_: str
) -> None:
    answer = client.post(ADDRESS, data=b"\xff\x00{[" * 1000, content_type=type_)
    assert 400 <= answer.status_code < 500
    assert donations(session) == []
