"""What Stripe says of currencies: which there are, their minor units, the least charge.

https://docs.stripe.com/currencies
"""

import re

SUPPORTED = frozenset(
    """
    aed afn all amd aoa ars aud awg azn bam bbd bdt bhd bif bmd bnd bob brl bsd bwp byn bzd
    cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd
    gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt
    lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok
    npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle
    sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd
    xof xpf yer zar zmw
    """.split()
)
ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
# Sent with two decimals for old times' sake; there are no such coins, so they must be zero.
WHOLE_ONLY = frozenset({"isk", "ugx"})

LEAST_OTHERWISE_MINOR = 50
LEAST_MINOR = {
    **dict.fromkeys(("aed", "myr", "pln", "ron"), 200),
    "gbp": 30,
    "dkk": 250,
    "nok": 300,
    "sek": 300,
    "hkd": 400,
    "mxn": 1_000,
    "thb": 1_000,
    "czk": 1_500,
    "huf": 17_500,
}
MOST_MINOR = 999_999_999_999  # Twelve digits, for cards.
SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


def least_minor(currency: str) -> int:
    """Give the smallest amount that may be charged."""
    return LEAST_MINOR.get(currency, LEAST_OTHERWISE_MINOR)


def is_whole(amount_minor: int, currency: str) -> bool:
    """Say whether an amount has none of the digits that its currency may not use."""
    if currency in WHOLE_ONLY:
        return amount_minor % 100 == 0
    return currency not in THREE_DECIMAL or amount_minor % 10 == 0


def exponent(currency: str) -> int:
    """Give how many digits of an amount in minor units stand behind the point."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


def label(amount_minor: int, currency: str) -> str:
    """Print an amount for a person: `$2,500.00`, `2,500.00 CHF`."""
    places = exponent(currency)
    whole, part = divmod(abs(amount_minor), 10**places)
    digits = f"{whole:,}" + (f".{part:0{places}d}" if places else "")
    sign = "−" if amount_minor < 0 else ""
    if currency in SYMBOLS:
        return sign + SYMBOLS[currency] + digits
    return f"{sign}{digits} {currency.upper()}"


def parse(text: str, currency: str) -> int | None:
    """Read an amount that a person typed, such as `1,234.50`, in minor units."""
    places = exponent(currency)
    typed = re.fullmatch(
        rf"([0-9]{{1,12}})(?:\.([0-9]{{0,{places}}}))?", text.strip().replace(",", "")
    )
    if typed is None:
        return None
    return int(typed[1] + (typed[2] or "").ljust(places, "0"))
