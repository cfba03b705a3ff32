"""Money as integer minor units of one currency: what Stripe's exponents are, parsing, printing.

"Minor" here always means the unit in which Stripe takes the currency: cents for USD, whole yen
for JPY, fils for KWD, and hundredths for ISK and UGX although these have none in daily life.
Source of the tables: https://docs.stripe.com/currencies (zero-decimal, three-decimal and special
cases, minimum charge amounts). Babel's own precisions differ and are not used for arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from babel import Locale, UnknownLocaleError
from babel.numbers import (
    format_currency,
    format_decimal,
    get_currency_symbol,
    get_decimal_symbol,
    get_group_symbol,
    is_currency,
)

from core.errors import Invalid
from core.words import N_

_DEFAULT_EXPONENT = 2
_EXPONENTS: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(
        "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split(),
        0,
    )
    | dict.fromkeys("BHD JOD KWD OMR TND".split(), 3)
)
# Amounts that Stripe takes only in whole multiples, in minor units.
_STEPS_MINOR: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(("ISK", "UGX"), 100) | dict.fromkeys("BHD JOD KWD OMR TND".split(), 10)
)
_LEAST_CHARGE_MINOR: Mapping[str, int] = MappingProxyType(
    dict.fromkeys("USD AUD BRL CAD CHF EUR INR NZD SGD ZAR".split(), 50)
    | dict.fromkeys("AED MYR PLN RON".split(), 200)
    | dict.fromkeys(("NOK", "SEK"), 300)
    | dict.fromkeys(("MXN", "THB"), 1000)
    | dict.fromkeys(("JPY", "KRW"), 50)
    | {"GBP": 30, "DKK": 250, "HKD": 400, "CZK": 1500, "HUF": 17500}
)
# A gift by card: eight digits, the most that every card scheme takes. Sums are thus
# capped long before they come near 2**63.
MOST_CHARGE_MINOR = 99_999_999
# A gift that arrived otherwise (a foundation's bank transfer) and a goal: twelve digits.
MOST_MINOR = 999_999_999_999

_DIGIT_ZERO = {"arab": "٠", "arabext": "۰", "deva": "०", "beng": "০"}
_ARABIC_ZEROS = (_DIGIT_ZERO["arab"], _DIGIT_ZERO["arabext"])
_SPACES = re.compile(r"[\s  ]")
_MOST_CHARACTERS = 40
_DECIMALS = re.compile(r"0\.0+")


def known_currency(code: str) -> str:
    """Return `code` in upper case; raise Invalid where it is no ISO 4217 currency."""
    upper = code.strip().upper()
    if not upper.isascii() or not is_currency(upper):
        raise Invalid(
            f"“{code}” is not a currency. Use a code such as USD or EUR.", field="currency"
        )
    return upper


def known_locale(code: str) -> str:
    """Return `code` as CLDR writes it (`pt_BR`); raise Invalid where Babel does not know it."""
    try:
        return str(Locale.parse(code.strip(), sep="-" if "-" in code else "_"))
    except (UnknownLocaleError, ValueError):
        raise Invalid(
            f"“{code}” is not a language. Use a code such as en, de or pt_BR.", field="locale"
        ) from None


def exponent(currency: str) -> int:
    """Return how many decimal digits Stripe's minor unit of `currency` stands for."""
    return _EXPONENTS.get(currency, _DEFAULT_EXPONENT)


def least_charge_minor(currency: str) -> int:
    """Return the least amount, in minor units, that Stripe charges; one whole unit if unknown."""
    return _LEAST_CHARGE_MINOR.get(currency, 10 ** exponent(currency))


def charge_step_minor(currency: str) -> int:
    """Return the step, in minor units, in whose multiples alone Stripe charges `currency`."""
    return _STEPS_MINOR.get(currency, 1)


def to_major(amount_minor: int, currency: str) -> Decimal:
    """Return `amount_minor` in whole units of `currency`, exactly."""
    return Decimal(amount_minor).scaleb(-exponent(currency))


def exact_money(amount_minor: int, currency: str) -> str:
    """Write an amount to the last digit, as books and the log do: `20.00 USD`."""
    return f"{to_major(amount_minor, currency)} {currency}"


def format_money(
    amount_minor: int, currency: str, *, locale: str, pattern: str | None = None
) -> str:
    """Print an amount for people: `2,500 $`, `520.50 $`, `€1,000`.

    Digits after the decimal mark appear only where the amount has a fraction. `pattern` is the
    campaign's own (`{amount} {symbol}`); without one the locale decides.
    """
    major = to_major(amount_minor, currency)
    digits = 0 if major == major.to_integral_value() else exponent(currency)
    symbol = get_currency_symbol(currency, locale=locale)
    if pattern is not None:
        number: str = format_decimal(
            major, locale=locale, format="#,##0" + _decimals(digits), decimal_quantization=False
        )
        own = pattern.format(amount=number, symbol=_kept_whole(symbol, locale))
        return _kept_apart(own, symbol, locale)
    # The locale's own pattern, with as many digits as this amount has: "¤#,##0.00" to "¤#,##0".
    standard = Locale.parse(locale).currency_formats["standard"].pattern
    if symbol[-1:].isalpha():
        # CLDR's "alphaNextToNumber": letters don't touch digits.
        standard = standard.replace("¤#", "¤\xa0#")
    printed: str = format_currency(
        major,
        currency,
        locale=locale,
        format=_DECIMALS.sub("0" + _decimals(digits), standard),
        currency_digits=False,
        decimal_quantization=False,
    )
    return _kept_apart(printed.replace(symbol, _kept_whole(symbol, locale)), symbol, locale)


def _kept_whole(symbol: str, locale: str) -> str:
    """Return a currency's sign so that right-to-left text does not part it: US$, not $US."""
    is_mixed = not symbol[-1:].isalpha()
    return f"{symbol}\N{LEFT-TO-RIGHT MARK}" if is_mixed and _is_foreign(symbol, locale) else symbol


def _kept_apart(printed: str, symbol: str, locale: str) -> str:
    """Return an amount that ends in Latin letters so that a number after it is not drawn to it."""
    return f"{printed}\N{RIGHT-TO-LEFT MARK}" if _is_foreign(symbol, locale) else printed


def _is_foreign(symbol: str, locale: str) -> bool:
    """Tell whether a currency's sign begins in Latin letters, in text from right to left."""
    is_latin = symbol[:1].isascii() and symbol[:1].isalpha()
    return is_latin and Locale.parse(locale).text_direction == "rtl"


def _decimals(digits: int) -> str:
    return "." + "0" * digits if digits else ""


def check_pattern(pattern: str) -> str:
    """Return the money pattern; raise Invalid unless it is `{amount}` with text around it."""
    rest = pattern.replace("{amount}", "", 1).replace("{symbol}", "", 1)
    is_shaped = "{amount}" in pattern and not {"{", "}"} & set(rest)
    if not is_shaped or not pattern.isprintable() or len(pattern) > _MOST_CHARACTERS:
        raise Invalid(
            "A money format holds {amount} once and {symbol} at most once, as in"
            " '{amount} {symbol}'.",
            field="money_format",
        )
    return pattern


def parse_amount(text: str, currency: str, *, locale: str) -> int:
    """Read an amount as people of `locale` write it, and return it in minor units.

    Only the digits and marks of that locale (and ASCII digits) are read: a number that could
    mean two things, like `1,00` in English, is refused rather than guessed at. A sign of the
    currency around the number is allowed.

    Raises Invalid with a sentence for the person who typed it.
    """
    typed = text.strip()
    if not typed:
        raise Invalid(N_("Enter an amount."), field="amount")
    number = _strip_currency(typed, currency, locale)
    if number.startswith(("-", "−")) and number[1:].strip()[:1].isdigit():
        raise Invalid(N_("The amount must be more than zero."), field="amount")
    decimal_mark, group_mark = get_decimal_symbol(locale), get_group_symbol(locale)
    match = _number_shape(decimal_mark, group_mark).fullmatch(_ascii_digits(number, locale))
    if match is None or len(typed) > _MOST_CHARACTERS:
        example = format_decimal(Decimal("20.5"), locale=locale, format="0.00")
        if exponent(currency) == 0:
            example = "2000"
        raise Invalid(
            N_("“{typed}” is not an amount that we can read. Write it as {example}."),
            field="amount",
            typed=typed[:_MOST_CHARACTERS],
            example=example,
        )
    whole = re.sub(r"\D", "", match["whole"], flags=re.ASCII)
    # Zeros count, too: `2.500` is no amount of cents but a German's two and a half thousand.
    fraction = match["fraction"] or ""
    small = N_("{currency} has no such small unit. Use fewer digits.")
    if len(fraction) > exponent(currency):
        raise Invalid(small, field="amount", currency=currency)
    amount_minor = int(whole + fraction.ljust(exponent(currency), "0"))
    if amount_minor % charge_step_minor(currency):
        raise Invalid(small, field="amount", currency=currency)
    return amount_minor


def exact_amount(amount_minor: int, currency: str, *, locale: str) -> str:
    """Print an amount for a table of books: all digits, no sign of the currency, `1,234.50`."""
    pattern = "#,##0" + _decimals(exponent(currency))
    number: str = format_decimal(
        to_major(amount_minor, currency), locale=locale, format=pattern, decimal_quantization=False
    )
    return number.replace("-", "\N{MINUS SIGN}")


def typed_amount(amount_minor: int, currency: str, *, locale: str) -> str:
    """Write an amount as people of `locale` type it into a form: `1234.50`, `1234,50`, `20`."""
    major = to_major(amount_minor, currency)
    digits = 0 if major == major.to_integral_value() else exponent(currency)
    return format_decimal(
        major, locale=locale, format="0" + _decimals(digits), decimal_quantization=False
    )


def _strip_currency(typed: str, currency: str, locale: str) -> str:
    for sign in (currency, currency.lower(), get_currency_symbol(currency, locale=locale)):
        if typed.startswith(sign):
            return typed.removeprefix(sign).strip()
        if typed.endswith(sign):
            return typed.removesuffix(sign).strip()
    return typed


def _ascii_digits(number: str, locale: str) -> str:
    """Return a number with the digits and marks of its language's own script as ASCII has them.

    Arabic is typed in either script, whichever its country prints: hence the native digits.
    """
    zero = _DIGIT_ZERO.get(Locale.parse(locale).other_numbering_systems.get("native", ""))
    if zero is None:
        return number
    table = {ord(zero) + digit: str(digit) for digit in range(10)}
    if zero in _ARABIC_ZEROS:
        table |= {ord("٫"): get_decimal_symbol(locale), ord("٬"): get_group_symbol(locale)}
    return number.translate(table)


def _number_shape(decimal_mark: str, group_mark: str) -> re.Pattern[str]:
    group = r"[\s  ]" if _SPACES.fullmatch(group_mark) else re.escape(group_mark)
    if group_mark in "'’":
        group = "['’]"
    whole = rf"(?P<whole>[0-9]{{1,15}}|[0-9]{{1,3}}(?:{group}[0-9]{{3}}){{1,4}})"
    return re.compile(rf"{whole}(?:{re.escape(decimal_mark)}(?P<fraction>[0-9]{{1,6}}))?")
