"""`doctor` holds the machine's clock to the others that it can ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.clock import MovableClock
from tests.fake_gateway import FakeGateway
from tests.ops.conftest import Run

# What a clock may be off before anybody cares: more than a slow test takes.
FAR = timedelta(hours=1)


def said(run: Run) -> list[str]:
    output = run("doctor").output
    return [line for line in output.splitlines() if " clock " in line or " Stripe " in line][1:]


def test_clocks_that_agree_and_one_that_does_not(
    run: Run, clock: MovableClock, fake_gateway: FakeGateway, database_url: str
) -> None:
    clock.set(datetime.now(UTC))
    theirs = ["ok clock        agrees with the database server's"]
    expected = [] if database_url.startswith("sqlite") else theirs
    right = [
        *expected,
        "ok Stripe       answers to this key",
        "ok clock        agrees with Stripe's",
    ]
    assert said(run) == right
    for ahead, side in ((FAR, "behind"), (-FAR, "ahead of")):
        fake_gateway.clock_of_stripe = clock.now() + ahead
        *others, wrong = said(run)
        assert others == right[:-1]
        assert wrong.startswith(f"!! clock        is 3,600 s {side} Stripe's: have it set by NTP")
    if expected:
        fake_gateway.clock_of_stripe = None
        clock.advance(-FAR)
        assert said(run)[0].startswith("!! clock        is 3,")
        assert "behind the database server's" in said(run)[0]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_stripe_that_does_not_answer_is_said(run: Run, fake_gateway: FakeGateway) -> None:
    fake_gateway.refused = True
    (told,) = said(run)
    assert told.startswith("!! Stripe       does not answer as it should: Stripe refused the call")
