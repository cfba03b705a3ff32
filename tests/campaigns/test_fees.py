"""What covers a payment's fee: the least that leaves the whole gift, or no offer at all."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import InvalidCampaign
from campaigns.fees import (
    MOST_RATE_BP,
    NOT_OFFERED,
    USUAL,
    Fees,
    checked_fees,
    cover_minor,
    fee_terms,
    parse_fees,
)
from campaigns.models import Campaign
from core.money import MOST_CHARGE_MINOR, charge_step_minor

CURRENCIES = ("USD", "EUR", "GBP", "JPY", "SEK", "ISK", "UGX", "KWD", "HUF", "XAF", "TRY")


def campaign(currency: str = "USD", fees: Fees = USUAL) -> Campaign:
    return Campaign(currency=currency, fee_rate_bp=fees.rate_bp, fee_fixed_minor=fees.fixed_minor)


def left_minor(total_minor: int, rate_bp: int, fixed_minor: int) -> int:
    """Return what Stripe leaves of a payment: the fee is rounded to the nearest unit."""
    fee = Decimal(total_minor) * rate_bp / 10_000 + fixed_minor
    return total_minor - int(fee.quantize(Decimal(1), rounding=ROUND_HALF_UP))


@pytest.mark.parametrize(
    ("currency", "amount_minor", "expected"),
    [
        ("USD", 2_000, 91),  # 20.91 less 2.9 % and 30 cents
        ("USD", 50, 33),
        ("EUR", 2_000, 56),
        ("GBP", 2_000, 51),
        ("JPY", 1_000, 38),
        ("SEK", 20_000, 488),
        ("ISK", 500_000, 15_000),  # 149.33 krónur, and there is no smaller coin
        ("KWD", 5_000, 150),  # 149.33 fils, and Stripe takes tens
        ("TRY", 10_000, 299),  # not among those with a published price
    ],
)
def test_table(currency: str, amount_minor: int, expected: int) -> None:
    assert cover_minor(campaign(currency), amount_minor) == expected


@given(
    currency=st.sampled_from(CURRENCIES),
    steps=st.integers(1, MOST_CHARGE_MINOR),
    rate_bp=st.integers(0, MOST_RATE_BP),
    fixed_minor=st.integers(0, 10_000),
)
def test_whole_gift_is_left_and_not_a_step_more_is_asked(
    currency: str, steps: int, rate_bp: int, fixed_minor: int
) -> None:
    step = charge_step_minor(currency)
    amount_minor = min(steps * step, MOST_CHARGE_MINOR // step * step)
    cover = cover_minor(campaign(currency, Fees(rate_bp, fixed_minor)), amount_minor)
    assert 0 <= cover <= amount_minor
    if cover:
        total_minor = amount_minor + cover
        assert total_minor % step == 0
        assert total_minor <= MOST_CHARGE_MINOR
        assert left_minor(total_minor, rate_bp, fixed_minor) >= amount_minor
        # A step less is too little, to the exact fraction.
        exact = Decimal(total_minor - step) * (10_000 - rate_bp) / 10_000 - fixed_minor
        assert exact < amount_minor


def test_what_costs_nothing_is_not_offered() -> None:
    assert fee_terms(campaign(fees=NOT_OFFERED)) is None
    assert cover_minor(campaign(fees=NOT_OFFERED), 2_000) == 0


def test_fees_over_the_gift_itself_are_not_offered() -> None:
    dear = campaign(fees=Fees(0, 200))
    assert cover_minor(dear, 200) == 200
    assert cover_minor(dear, 199) == 0


def test_what_no_card_can_pay_together_is_not_offered() -> None:
    assert cover_minor(campaign(), MOST_CHARGE_MINOR) == 0
    assert cover_minor(campaign(), 97_099_969) + 97_099_969 == MOST_CHARGE_MINOR
    assert cover_minor(campaign(), 97_099_970) == 0


@pytest.mark.parametrize("amount_minor", [0, -100])
def test_there_is_nothing_to_cover_of_nothing(amount_minor: int) -> None:
    assert cover_minor(campaign(), amount_minor) == 0


def test_each_half_that_is_not_said_is_the_usual_one() -> None:
    assert fee_terms(campaign()) == (290, 30)
    assert fee_terms(campaign(fees=Fees(rate_bp=220))) == (220, 30)
    assert fee_terms(campaign(fees=Fees(fixed_minor=0))) == (290, 0)
    assert fee_terms(campaign("XAF")) == (290, 0)


@pytest.mark.parametrize(
    ("text", "fees"),
    [
        ("2.9+0.30", Fees(290, 30)),
        (" 1.5 % + 0.25 ", Fees(150, 25)),
        ("3.6", Fees(360, 0)),
        ("0+0.30", Fees(0, 30)),
        ("off", NOT_OFFERED),
        ("0", NOT_OFFERED),
        ("", USUAL),
    ],
)
def test_prices_are_read_as_they_are_written(text: str, fees: Fees) -> None:
    assert parse_fees(text, "USD") == fees


@pytest.mark.parametrize("text", ["a lot", "2,9+0,30", "-1", "2.9+", "2.955", "2.9+0.305", "on"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(InvalidCampaign) as refused:
        parse_fees(text, "USD")
    assert refused.value.field == "fees"


@pytest.mark.parametrize(
    "fees", [Fees(2_001, 0), Fees(-1, 0), Fees(290, -1), Fees(290, MOST_CHARGE_MINOR + 1)]
)
def test_prices_that_nobody_asks_are_refused(fees: Fees) -> None:
    with pytest.raises(InvalidCampaign, match="0 to 20 percent"):
        checked_fees(fees)


def test_usual_prices_can_be_kept() -> None:
    assert checked_fees(USUAL) == USUAL
