from __future__ import annotations

from typing import Any

import pytest
from stripe import StripeObject

from payments.stripe_objects import dispute_from

WITHDRAWN, REINSTATED = {"amount": -2_000}, {"amount": 2_000}


@pytest.mark.parametrize(
    ("status", "transactions", "effect_minor"),
    [
        ("warning_needs_response", [], 0),
        ("needs_response", [WITHDRAWN], -2_000),
        ("lost", [WITHDRAWN], -2_000),
        ("won", [WITHDRAWN], 0),  # the money is on its way back
        ("won", [WITHDRAWN, REINSTATED], 0),
        ("needs_response", [WITHDRAWN, REINSTATED], 0),
        ("lost", [WITHDRAWN, REINSTATED, WITHDRAWN], -2_000),
    ],
)
def test_dispute_takes_what_is_withdrawn_and_not_given_back(
    status: str, transactions: list[dict[str, Any]], effect_minor: int
) -> None:
    told = StripeObject.construct_from(
        {"id": "dp_1", "status": status, "amount": 2_000, "balance_transactions": transactions},
        "sk_test_fake",
    )
    assert dispute_from(told).effect_minor == effect_minor
