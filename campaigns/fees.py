"""What a payment costs, for donors who want to cover it so that their whole gift arrives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from campaigns.errors import InvalidCampaign
from campaigns.models import Campaign
from core.errors import Invalid
from core.money import MOST_CHARGE_MINOR, charge_step_minor, parse_amount, typed_amount


@dataclass(frozen=True, slots=True)
class Fees:
    """What a campaign says that a payment costs: hundredths of a percent, and minor units on top.

    None is what is usual in its currency; nothing and nothing is no offer to cover it.
    """

    rate_bp: int | None = None
    fixed_minor: int | None = None


USUAL, NOT_OFFERED = Fees(), Fees(0, 0)
# Hundredths of a percent in a whole.
_WHOLE_BP = 10_000
# No card costs a fifth; whoever writes 29 means 2.9.
MOST_RATE_BP = 2_000
# Stripe's standard prices for cards of the account's own country, in hundredths of a percent and
# minor units: https://stripe.com/pricing (by country), and, for the fixed parts outside the euro,
# https://support.stripe.com/questions/pricing-updates-for-businesses-based-in-the-european-economic-area-(eea).
# A contract may say otherwise: `campaigns edit --fees`.
_STANDARD: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "USD": (290, 30),
        "CAD": (290, 30),
        "EUR": (150, 25),
        "GBP": (150, 20),
        "CHF": (290, 30),
        "SEK": (150, 180),
        "DKK": (150, 180),
        "NOK": (240, 200),
        "PLN": (150, 100),
        "RON": (150, 100),
        "CZK": (150, 650),
        "HUF": (150, 8_500),
        "AUD": (170, 30),
        "NZD": (270, 30),
        "JPY": (360, 0),
        "SGD": (340, 50),
        "HKD": (340, 235),
        "BRL": (399, 39),
        "MXN": (360, 300),
    }
)
_OTHERWISE = (290, 0)
_WRITTEN = re.compile(r"(?P<rate>\d{1,2}(\.\d{1,2})?) ?%? ?(\+ ?(?P<fixed>[\d.]+))?", re.ASCII)


def fee_terms(campaign: Campaign) -> tuple[int, int] | None:
    """Return what a payment costs: hundredths of a percent, and minor units on top.

    None where the campaign does not offer donors to cover it.
    """
    usual_rate, usual_fixed = _STANDARD.get(campaign.currency, _OTHERWISE)
    rate_bp = usual_rate if campaign.fee_rate_bp is None else campaign.fee_rate_bp
    fixed_minor = usual_fixed if campaign.fee_fixed_minor is None else campaign.fee_fixed_minor
    return (rate_bp, fixed_minor) if rate_bp or fixed_minor else None


def cover_minor(campaign: Campaign, amount_minor: int) -> int:
    """Return the least that, added to a gift, leaves the whole gift after the fee; 0: no offer.

    The fee is taken from the whole payment, hence (gift + fixed) / (1 - rate), rounded up to what
    can be charged in the currency. Nothing is offered where that is more than the gift itself, or
    where the two are more than a card takes: part of the fee would not keep the promise.
    """
    terms = fee_terms(campaign)
    if terms is None or amount_minor <= 0:
        return 0
    rate_bp, fixed_minor = terms
    total_minor = -(-(amount_minor + fixed_minor) * _WHOLE_BP // (_WHOLE_BP - rate_bp))
    step = charge_step_minor(campaign.currency)
    total_minor = -(-total_minor // step) * step
    cover = total_minor - amount_minor
    return cover if cover <= amount_minor and total_minor <= MOST_CHARGE_MINOR else 0


def parse_fees(text: str, currency: str) -> Fees:
    """Read what a payment costs: `2.9+0.30`, `3.6`, `off` for no offer, '' for what is usual.

    Raises InvalidCampaign or Invalid for anything else.
    """
    written = text.strip()
    if not written:
        return USUAL
    if written == "off":
        return NOT_OFFERED
    match = _WRITTEN.fullmatch(written)
    if match is None:
        raise InvalidCampaign(
            "Write what a payment costs as 2.9+0.30, percent first; off for no offer to cover it.",
            field="fees",
        )
    try:
        fixed_minor = parse_amount(match["fixed"] or "0", currency, locale="en")
    except Invalid as error:
        raise InvalidCampaign(error.message, field="fees") from None
    return Fees(rate_bp=int(Decimal(match["rate"]) * 100), fixed_minor=fixed_minor)


def typed_fees(campaign: Campaign) -> str:
    """Write what a payment costs as `parse_fees` reads it."""
    rate_bp, fixed_minor = campaign.fee_rate_bp, campaign.fee_fixed_minor
    if rate_bp is None or fixed_minor is None:
        return ""
    if not rate_bp and not fixed_minor:
        return "off"
    rate = f"{Decimal(rate_bp) / 100:f}"
    fixed = typed_amount(fixed_minor, campaign.currency, locale="en")
    return f"{rate}+{fixed}" if fixed_minor else rate


def checked_fees(fees: Fees) -> Fees:
    """Return what a payment costs; raise InvalidCampaign for what no payment costs."""
    rate_bp, fixed_minor = fees.rate_bp or 0, fees.fixed_minor or 0
    if not 0 <= rate_bp <= MOST_RATE_BP or not 0 <= fixed_minor <= MOST_CHARGE_MINOR:
        raise InvalidCampaign(
            f"A payment costs from 0 to {MOST_RATE_BP // 100} percent, and a fixed part.",
            field="fees",
        )
    return fees
