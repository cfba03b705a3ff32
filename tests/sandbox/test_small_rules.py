"""Rules that are easier to see alone than through a payment."""

from __future__ import annotations

import pytest

from sandbox import currencies, forms
from sandbox.cards import CARDS, passes_luhn
from sandbox.delivery import GIVE_UP_AFTER_SECONDS, RETRY_DELAYS_SECONDS, signature
from sandbox.errors import ApiError
from sandbox.resources.balance_transactions import fee_minor


@pytest.mark.parametrize(
    ("amount", "fee"), [(50, 31), (100, 33), (500, 45), (1000, 59), (2500, 103), (10_000, 320)]
)
def test_fee_rounds_halves_up(amount: int, fee: int) -> None:
    assert fee_minor(amount) == fee


def test_every_test_card_is_a_card() -> None:
    assert all(passes_luhn(number) for number in CARDS)
    assert not passes_luhn("4242424242424241")


@pytest.mark.parametrize(
    ("amount", "currency", "label"),
    [
        (250_000, "usd", "$2,500.00"),
        (1_005, "kwd", "1.005 KWD"),
        (500, "jpy", "¥500"),
        (-1_050, "chf", "−10.50 CHF"),
    ],
)
def test_amounts_are_printed_by_their_currency(amount: int, currency: str, label: str) -> None:
    assert currencies.label(amount, currency) == label


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("10", "usd", 1000),
        ("1,234.5", "usd", 123_450),
        ("500", "jpy", 500),
        ("5.0", "jpy", None),
        ("1e5", "usd", None),
        ("", "usd", None),
    ],
)
def test_amounts_are_read_by_their_currency(text: str, currency: str, amount: int | None) -> None:
    assert currencies.parse(text, currency) == amount


def test_forms_are_decoded_as_the_sdk_encodes_them() -> None:
    decoded = forms.decode("a[0][b]=1&a[1][b]=2&expand[]=x&expand[]=y&metadata[0]=%C3%A9&e=")
    assert decoded == {
        "a": {"0": {"b": "1"}, "1": {"b": "2"}},
        "expand": {"0": "x", "1": "y"},
        "metadata": {"0": "é"},
        "e": "",
    }


@pytest.mark.parametrize("raw", ["a[b=1", "a]=1", "a[b]c=1", "=1", "a=%ff", "a=1&a[b]=2"])
def test_what_no_sdk_would_send_is_refused(raw: str) -> None:
    with pytest.raises(ApiError):
        forms.decode(raw)


def test_retries_grow_up_to_three_days() -> None:
    assert list(RETRY_DELAYS_SECONDS) == sorted(RETRY_DELAYS_SECONDS)
    assert sum(RETRY_DELAYS_SECONDS) < GIVE_UP_AFTER_SECONDS == 259_200


def test_signature_is_stripes_scheme() -> None:
    # The HMAC-SHA256 of `1700000000.{"a":1}` under `whsec_x`, by an independent tool.
    assert signature(b'{"a":1}', secret="whsec_x", timestamp=1_700_000_000).split(",v1=")[1] == (
        "b3438763ab46d9634b9844c8722818eaf523f803db1327484c6067462a5fd6d1"
    )
