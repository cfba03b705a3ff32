"""What Stripe is asked for, to the last parameter: the SDK's own types say what may be sent."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from payments.gateway import CheckoutRequest, Frequency
from payments.stripe_checkout import (
    PAGE_LANGUAGES,
    checkout_key,
    checkout_params,
    embedding_at,
    page_language,
)

METADATA = {"donation": "don_1", "campaign": "support-us"}
THANKS = "https://goal.example/c/support-us/thanks?donation=don_1"
FORM = "https://goal.example/c/support-us?donation=don_1"
REQUEST = CheckoutRequest(
    donation_id="don_1",
    campaign_slug="support-us",
    label="Support us",
    amount_minor=2_000,
    currency="USD",
    frequency="once",
    email=None,
    success_url=THANKS,
    cancel_url=FORM,
    expires_at=datetime(2021, 5, 12, 12, tzinfo=UTC),
)
# What every session is asked for with, whatever the gift.
ALWAYS = {
    "submit_type": "donate",
    "locale": "en",
    "client_reference_id": "don_1",
    "metadata": METADATA,
    "expires_at": 1_620_820_800,
}
HOSTED = {"success_url": THANKS, "cancel_url": FORM}


def item(amount_minor: int = 2_000, name: str = "Support us", **price: Any) -> dict[str, Any]:
    product = {"product_data": {"name": name}}
    data = {"currency": "usd", "unit_amount": amount_minor, **product, **price}
    return {"quantity": 1, "price_data": data}


def test_gift_without_an_address() -> None:
    assert checkout_params(REQUEST) == {
        **ALWAYS,
        **HOSTED,
        "mode": "payment",
        "line_items": [item()],
        "payment_intent_data": {"metadata": METADATA},
    }


def test_gift_with_an_address_gets_stripes_receipt() -> None:
    assert checkout_params(replace(REQUEST, email="ann@example.org")) == {
        **ALWAYS,
        **HOSTED,
        "mode": "payment",
        "line_items": [item()],
        "customer_email": "ann@example.org",
        "payment_intent_data": {"metadata": METADATA, "receipt_email": "ann@example.org"},
    }


def test_gift_given_once_is_of_no_customer() -> None:
    known = replace(REQUEST, email="ann@example.org", customer_id="cus_1")
    assert checkout_params(known) == checkout_params(replace(REQUEST, email="ann@example.org"))


@pytest.mark.parametrize("frequency", ["month", "year"])
def test_regular_gift_of_somebody_new(frequency: Frequency) -> None:
    wanted = replace(REQUEST, frequency=frequency, email="ann@example.org")
    assert checkout_params(wanted) == {
        **ALWAYS,
        **HOSTED,
        "mode": "subscription",
        "line_items": [item(recurring={"interval": frequency})],
        "subscription_data": {"metadata": METADATA},
        "payment_method_data": {"allow_redisplay": "limited"},
        "customer_email": "ann@example.org",
    }


@pytest.mark.parametrize("frequency", ["month", "year"])
def test_regular_gift_of_a_customer_shows_no_card(frequency: Frequency) -> None:
    wanted = replace(REQUEST, frequency=frequency, email="ann@example.org", customer_id="cus_1")
    assert checkout_params(wanted) == {
        **ALWAYS,
        **HOSTED,
        "mode": "subscription",
        "line_items": [item(recurring={"interval": frequency})],
        "subscription_data": {"metadata": METADATA},
        "payment_method_data": {"allow_redisplay": "limited"},
        "saved_payment_method_options": {"allow_redisplay_filters": ["unspecified"]},
        "customer": "cus_1",
    }


@pytest.mark.parametrize(
    ("frequency", "price"),
    [
        ("once", {}),
        ("month", {"recurring": {"interval": "month"}}),
        ("year", {"recurring": {"interval": "year"}}),
    ],
)
def test_cover_is_an_item_of_its_own_and_recurs_with_the_gift(
    frequency: Frequency, price: dict[str, Any]
) -> None:
    wanted = replace(
        REQUEST, frequency=frequency, cover_minor=88, cover_label="Pour couvrir les frais"
    )
    assert checkout_params(wanted)["line_items"] == [
        item(**price),
        item(88, "Pour couvrir les frais", **price),
    ]
    # What a donation is made anew from, where our books have lost it.
    assert checkout_params(wanted)["metadata"] == METADATA | {"cover": "88"}


def test_embedded_session_comes_back_to_the_same_place() -> None:
    wanted = replace(REQUEST, embedded=True)
    assert checkout_params(wanted) == {
        **{name: value for name, value in checkout_params(REQUEST).items() if name not in HOSTED},
        "ui_mode": "embedded_page",
        "return_url": THANKS,
    }


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("en", "en"), ("en_US", "en"), ("en_GB", "en-GB"), ("de", "de"), ("de_CH", "de"),
        ("fr", "fr"), ("fr_CA", "fr-CA"), ("fr_BE", "fr"), ("es", "es"), ("es_ES", "es"),
        ("es_MX", "es-419"), ("es_419", "es-419"), ("bg", "bg"), ("bg_BG", "bg"), ("ja", "ja"),
        ("pt", "pt"), ("pt_BR", "pt-BR"), ("pt_PT", "pt"), ("zh_Hans_CN", "zh"), ("zh", "zh"),
        ("zh_Hant_TW", "zh-TW"), ("zh_TW", "zh-TW"), ("zh_Hant_HK", "zh-HK"), ("hi", "hi-IN"),
        ("no", "nb"), ("nn_NO", "nb"), ("ar", "auto"), ("ar_EG", "auto"), ("he", "auto"),
    ],
)  # fmt: skip
def test_stripes_page_speaks_the_donors_language_where_it_can(locale: str, language: str) -> None:
    assert page_language(locale) == language
    assert checkout_params(replace(REQUEST, locale=locale))["locale"] == language


def test_languages_are_those_of_the_sdk() -> None:
    from stripe.params.checkout import SessionCreateParams  # noqa: PLC0415 - large

    hint = SessionCreateParams.__annotations__["locale"]
    text = get_args(hint)[0].__forward_arg__
    assert set(re.findall(r"'([A-Za-z0-9-]+)'", text)) - {"auto"} == set(PAGE_LANGUAGES)


def test_methods_are_never_named_whatever_the_gift() -> None:
    for frequency in ("once", "month", "year"):
        for embedded in (False, True):
            wanted = replace(REQUEST, frequency=frequency, embedded=embedded)
            assert "payment_method_types" not in checkout_params(wanted)


def test_key_follows_from_the_donation_and_its_customer() -> None:
    assert checkout_key(REQUEST) == "checkout-don_1"
    assert checkout_key(replace(REQUEST, customer_id="cus_1")) == "checkout-don_1-cus_1"


def test_stripes_script_is_of_the_release_that_the_api_is_of() -> None:
    from payments.gateway import API_VERSION  # noqa: PLC0415 - beside what it is held to

    release = API_VERSION.rpartition(".")[2]
    assert embedding_at(None).script_url == f"https://js.stripe.com/{release}/stripe.js"
    assert (
        embedding_at("http://localhost:9").script_url == f"http://localhost:9/{release}/stripe.js"
    )
