from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.money import (
    MOST_MINOR,
    check_pattern,
    format_money,
    known_currency,
    known_locale,
    least_charge_minor,
    parse_amount,
)

PATTERN = "{amount} {symbol}"


@pytest.mark.parametrize(
    ("amount_minor", "printed"),
    [(0, "0 $"), (250_000, "2,500 $"), (52_000, "520 $"), (52_050, "520.50 $"), (1, "0.01 $")],
)
def test_pattern_of_the_campaign_prints_the_labels_of_the_article(
    amount_minor: int, printed: str
) -> None:
    assert format_money(amount_minor, "USD", locale="en", pattern=PATTERN) == printed


@pytest.mark.parametrize(
    ("amount_minor", "currency", "locale", "printed"),
    [
        (250_000, "USD", "en", "$2,500"),
        (52_050, "EUR", "de", "520,50\xa0€"),
        (100_000, "EUR", "fr", "1\u202f000\xa0€"),
        (5_200, "JPY", "ja", "￥5,200"),
        (1_500_000, "KWD", "en", "KWD\xa01,500"),
        (150_000, "ISK", "en", "ISK\xa01,500"),
    ],
)
def test_without_a_pattern_the_locale_decides(
    amount_minor: int, currency: str, locale: str, printed: str
) -> None:
    assert format_money(amount_minor, currency, locale=locale) == printed


@pytest.mark.parametrize(
    ("typed", "currency", "locale", "amount_minor"),
    [
        ("20", "USD", "en", 2_000),
        (" 20.50 ", "USD", "en", 2_050),
        ("$20", "USD", "en", 2_000),
        ("20 USD", "USD", "en", 2_000),
        ("2,500", "USD", "en", 250_000),
        ("20,5", "EUR", "de", 2_050),
        ("2.500", "EUR", "de", 250_000),
        ("1 000,50", "EUR", "fr", 100_050),
        ("1\u202f000,50", "EUR", "fr", 100_050),
        ("1’000", "CHF", "de_CH", 100_000),
        ("٢٠", "EGP", "ar_EG", 2_000),
        ("500", "JPY", "ja", 500),
        ("20", "ISK", "en", 2_000),
        ("1.250", "KWD", "en", 1_250),
    ],
)
def test_amount_is_read_as_its_locale_writes_it(
    typed: str, currency: str, locale: str, amount_minor: int
) -> None:
    assert parse_amount(typed, currency, locale=locale) == amount_minor


@pytest.mark.parametrize(
    ("typed", "currency", "locale"),
    [
        ("", "USD", "en"),
        ("   ", "USD", "en"),
        ("-1", "USD", "en"),
        ("−5", "USD", "en"),
        ("+5", "USD", "en"),
        ("abc", "USD", "en"),
        ("1e5", "USD", "en"),
        ("NaN", "USD", "en"),
        ("inf", "USD", "en"),
        ("0x10", "USD", "en"),
        ("1_000", "USD", "en"),
        ("1,00", "USD", "en"),  # a comma as a decimal mark, or a slip: refused, not guessed at
        ("2.500", "USD", "en"),  # thousands, as Germans write them
        ("٢٠", "USD", "en"),
        ("２０", "USD", "en"),
        ("20.005", "USD", "en"),
        ("20.5", "JPY", "en"),
        ("20.5", "ISK", "en"),
        ("1.255", "KWD", "en"),
        ("9" * 16, "USD", "en"),
        ("20\x00", "USD", "en"),
        ("9" * 5000, "USD", "en"),
    ],
)
def test_amount_that_could_mean_something_else_is_refused_with_a_sentence(
    typed: str, currency: str, locale: str
) -> None:
    with pytest.raises(Invalid) as refused:
        parse_amount(typed, currency, locale=locale)
    assert refused.value.field == "amount"
    assert refused.value.message.endswith(".")
    assert len(refused.value.message) < 200


@given(
    amount_minor=st.integers(min_value=0, max_value=MOST_MINOR),
    locale=st.sampled_from(["en", "de", "fr", "bg", "pt_BR", "de_CH", "ja"]),
    currency=st.sampled_from(["USD", "JPY", "EUR"]),
)
def test_what_is_printed_can_be_typed_again(amount_minor: int, locale: str, currency: str) -> None:
    printed = format_money(amount_minor, currency, locale=locale, pattern="{amount}")
    assert parse_amount(printed, currency, locale=locale) == amount_minor


@given(st.text(max_size=60))
def test_any_text_is_an_amount_or_a_sentence(typed: str) -> None:
    try:
        amount_minor = parse_amount(typed, "USD", locale="en")
    except Invalid:
        return
    assert amount_minor >= 0


def test_least_charge_is_stripes() -> None:
    assert least_charge_minor("USD") == 50
    assert least_charge_minor("JPY") == 50
    assert least_charge_minor("HUF") == 17_500
    assert least_charge_minor("XAF") == 1


@pytest.mark.parametrize(
    "pattern",
    ["{symbol}", "{amount} {0}", "{amount.real}", "{amount} {amount}", "{", "{amount}" * 9],
)
def test_money_pattern_that_could_print_anything_else_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid):
        check_pattern(pattern)


def test_money_pattern_without_a_symbol_is_fine() -> None:
    assert check_pattern("US{amount}") == "US{amount}"


def test_currency_is_an_iso_code() -> None:
    assert known_currency("usd ") == "USD"
    for wrong in ("US", "DOLLAR", "ΑΒΓ", ""):
        with pytest.raises(Invalid):
            known_currency(wrong)


def test_locale_is_one_that_cldr_knows() -> None:
    assert known_locale("pt-BR") == "pt_BR"
    for wrong in ("xx", "", "en_", "../../etc"):
        with pytest.raises(Invalid):
            known_locale(wrong)


def test_a_sign_that_begins_with_letters_stays_whole_from_right_to_left() -> None:
    mark, back = "\N{LEFT-TO-RIGHT MARK}", "\N{RIGHT-TO-LEFT MARK}"
    # And what follows is not drawn to it: "5,000 US$ · 10%".
    assert format_money(300_000, "USD", locale="ar", pattern="{amount} {symbol}").endswith(
        f"US${mark}{back}"
    )
    assert not format_money(300_000, "EUR", locale="ar").endswith(back)
    assert f"US${mark}" in format_money(300_000, "USD", locale="ar")
    assert mark not in format_money(300_000, "USD", locale="de")
    assert mark not in format_money(300_000, "EUR", locale="he")
