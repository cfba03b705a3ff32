"""The test of the test: books that are kept wrong, in ways that others keep them, are found out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from campaigns import ledger
from core.cadence import Cadence
from payments import books, inbox
from payments.gateway import Dispute, Refund
from payments.models import Donation, InboxState
from tests.properties.conftest import OpenDatabase
from tests.properties.test_books import BooksMachine

Seed = Callable[[pytest.MonkeyPatch], None]


def month_by_utc(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Cadence, "span_holding", lambda cadence, instant, _: cadence.span_on(instant.date())
    )


def pending_refund_does_not_count(patch: pytest.MonkeyPatch) -> None:
    effect = property(lambda refund: -refund.amount_minor if refund.status == "succeeded" else 0)
    patch.setattr(Refund, "effect_minor", effect)


def inquiry_takes_the_money(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Dispute, "effect_minor", property(lambda dispute: -dispute.amount_minor))


def failed_refund_is_not_restored(patch: pytest.MonkeyPatch) -> None:
    state = ledger._state_reduction  # noqa: SLF001 - what is broken on purpose

    def keep(session: Any, gift: Any, reduction: Any) -> None:
        if reduction.effect_minor:
            state(session, gift, reduction)

    patch.setattr(ledger, "_state_reduction", keep)


def reductions_pass_the_gift(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        ledger,
        "shares_minor",
        lambda _, reductions: {name: effect for name, (_, effect) in reductions.items()},
    )


def covers_count_on_the_bar(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Donation, "parts_minor", lambda _, received_minor: (received_minor, 0))


def refunds_take_covers_first(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        ledger, "cover_left_minor", lambda _, cover, reductions: max(0, cover + reductions)
    )


def closed_months_change_unmarked(patch: pytest.MonkeyPatch) -> None:
    post = ledger._post  # noqa: SLF001 - what is broken on purpose
    patch.setattr(
        ledger, "_post", lambda *args, **named: post(*args, **(named | {"after_close": False}))
    )


def whatever_was_paid_counts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(books, "_not_as_asked", lambda *_: None)


def failed_events_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(inbox, "_DUE", (InboxState.WAITING,))


@pytest.mark.parametrize("open_database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "seed",
    [
        month_by_utc,
        pending_refund_does_not_count,
        inquiry_takes_the_money,
        failed_refund_is_not_restored,
        reductions_pass_the_gift,
        covers_count_on_the_bar,
        refunds_take_covers_first,
        closed_months_change_unmarked,
        whatever_was_paid_counts,
        failed_events_are_forgotten,
    ],
    ids=lambda seed: seed.__name__,
)
@pytest.mark.slow
def test_seeded_bug_is_found(
    seed: Seed, open_database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(monkeypatch)
    # Whatever the books trip over: our own checks, or a constraint of the database.
    with pytest.raises(Exception):  # noqa: B017, PT011
        run_state_machine_as_test(
            lambda: BooksMachine(open_database),  # type: ignore[arg-type] # takes a factory, too
            settings=settings(
                max_examples=300,
                stateful_step_count=40,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
