"""What donors add to cover fees: entries of their own kind, in no bar, and taken last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import permutations

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from campaigns.adjustments import list_adjustments
from campaigns.audit import verify_ledger
from campaigns.ledger import Gift, Reduction, cover_left_minor, state_gift
from campaigns.ledger_models import LedgerEntry, Reference, ReferenceKind
from campaigns.models import Campaign, Period
from campaigns.rolling import roll_campaign

PAID_AT = datetime(2021, 5, 10, 12, tzinfo=UTC)
NOW = datetime(2021, 5, 12, 10, 11, 12, tzinfo=UTC)
JUNE = datetime(2021, 6, 20, tzinfo=UTC)
REFUND, DISPUTE = ReferenceKind.REFUND, ReferenceKind.DISPUTE


@pytest.fixture
def campaign(make_campaign: Callable[..., Campaign]) -> Campaign:
    return make_campaign()


def state(
    session: Session,
    campaign: Campaign,
    reductions: Sequence[tuple[str, ReferenceKind, int]] = (),
    *,
    gift_minor: int = 2_000,
    cover_minor: int = 91,
    now: datetime = NOW,
) -> int:
    gift = Gift(
        reference="pi_1",
        kind=ReferenceKind.PAYMENT,
        effect_minor=gift_minor,
        cover_minor=cover_minor,
        paid_at=PAID_AT,
    )
    parts = [Reduction(reference=n, kind=kind, effect_minor=minor) for n, kind, minor in reductions]
    return state_gift(session, campaign, gift, parts, cause="test", now=now)


def entries(session: Session) -> list[tuple[str, int]]:
    rows = session.execute(
        select(LedgerEntry.kind, LedgerEntry.amount_minor).order_by(LedgerEntry.id)
    )
    return [(kind, minor) for kind, minor in rows]


def may(session: Session) -> tuple[int, int, int]:
    """Return what May raised, in how many gifts, and what covered fees."""
    period = session.scalars(select(Period).where(Period.key == "2021-05")).one()
    session.refresh(period)
    return period.raised_minor, period.donation_count, period.cover_minor


def test_cover_is_written_down_and_in_no_bar(session: Session, campaign: Campaign) -> None:
    assert state(session, campaign) == 2_000
    assert entries(session) == [("gift", 2_000), ("cover", 91)]
    assert may(session) == (2_000, 1, 91)
    assert verify_ledger(session).differences == ()


def test_second_statement_does_not_cover_twice(session: Session, campaign: Campaign) -> None:
    for _ in range(3):
        state(session, campaign)
    assert entries(session) == [("gift", 2_000), ("cover", 91)]


def test_changed_cover_posts_the_difference_only(session: Session, campaign: Campaign) -> None:
    state(session, campaign)
    state(session, campaign, cover_minor=60)
    assert entries(session) == [("gift", 2_000), ("cover", 91), ("cover", -31)]
    assert may(session) == (2_000, 1, 60)


@pytest.mark.parametrize(
    ("refunded", "expected"),
    [
        (1, (1_999, 1, 91)),
        (91, (1_909, 1, 91)),  # just what covers the fees: the gift pays it
        (2_000, (0, 0, 91)),
        (2_001, (0, 0, 90)),
        (2_091, (0, 0, 0)),
    ],
)
def test_refund_takes_from_the_gift_first(
    session: Session, campaign: Campaign, refunded: int, expected: tuple[int, int, int]
) -> None:
    state(session, campaign, [("re_1", REFUND, -refunded)])
    assert may(session) == expected
    assert verify_ledger(session).differences == ()


def test_refunds_and_disputes_never_take_more_than_gift_and_cover(
    session: Session, campaign: Campaign
) -> None:
    assert state(session, campaign, [("re_1", REFUND, -1_500), ("dp_1", DISPUTE, -2_091)]) == 0
    assert may(session) == (0, 0, 0)
    posted = {row.name: row.posted_minor for row in session.scalars(select(Reference))}
    assert posted == {"pi_1": 2_000, "re_1": -1_500, "dp_1": -500}
    assert verify_ledger(session).differences == ()


def test_cover_comes_back_with_a_refund_that_failed(session: Session, campaign: Campaign) -> None:
    state(session, campaign, [("re_1", REFUND, -2_091)])
    state(session, campaign, [("re_1", REFUND, 0)])
    assert may(session) == (2_000, 1, 91)
    state(session, campaign, [("re_1", REFUND, -2_050)])
    assert may(session) == (0, 0, 41)
    assert verify_ledger(session).differences == ()


def test_any_order_of_statements_leaves_the_same(session: Session, campaign: Campaign) -> None:
    facts = [("re_1", REFUND, -700), ("re_2", REFUND, -900), ("dp_1", DISPUTE, -450)]
    for order in permutations(facts):
        for name, kind, _ in facts:
            state(session, campaign, [(name, kind, 0)])
        for fact in order:
            state(session, campaign, [fact])
        assert may(session) == (0, 0, 41)


def test_gift_without_a_cover_has_no_such_entry(session: Session, campaign: Campaign) -> None:
    state(session, campaign, [("re_1", REFUND, -5_000)], cover_minor=0)
    assert entries(session) == [("gift", 2_000), ("gift", -2_000)]
    assert may(session) == (0, 0, 0)


@pytest.mark.parametrize("cover_minor", [-1, 10**12])
def test_cover_out_of_bounds_is_refused(
    session: Session, campaign: Campaign, cover_minor: int
) -> None:
    with pytest.raises(ValueError, match="between zero"):
        state(session, campaign, cover_minor=cover_minor)


def test_late_cover_changes_nothing_that_was_announced(
    session: Session, campaign: Campaign
) -> None:
    state(session, campaign)
    roll_campaign(session, campaign.id, now=JUNE)
    state(session, campaign, [("re_1", REFUND, -2_050)], now=JUNE)
    period = session.scalars(select(Period).where(Period.key == "2021-05")).one()
    assert (period.as_closed_minor, period.raised_minor, period.cover_minor) == (2_000, 0, 41)
    adjustments = list_adjustments(session, "support-us")
    assert [(found.reference, found.amount_minor) for found in adjustments] == [("re_1", -2_000)]
    assert verify_ledger(session).differences == ()


@pytest.mark.parametrize(
    ("damage", "figure"),
    [
        (update(Period).values(cover_minor=Period.cover_minor + 1), "cover_minor"),
        (update(Reference).values(cover_posted_minor=90), "cover_posted_minor"),
        (update(Reference).values(cover_stated_minor=0), "left of the cover"),
        (
            update(Reference).where(Reference.name == "re_1").values(cover_posted_minor=5),
            "left of the cover",
        ),
        (
            # As if the cover had paid for the refund.
            update(Reference).where(Reference.name == "pi_1").values(cover_posted_minor=1),
            "left of the cover",
        ),
    ],
)
def test_wrong_covers_are_named(
    session: Session, campaign: Campaign, damage: object, figure: str
) -> None:
    state(session, campaign, [("re_1", REFUND, -90)])
    session.execute(damage)  # type: ignore[call-overload]
    assert figure in {difference.figure for difference in verify_ledger(session).differences}


def test_what_is_left_of_a_cover() -> None:
    assert [cover_left_minor(100, 10, -taken) for taken in (0, 100, 101, 110, 999)] == [
        10, 10, 9, 0, 0,
    ]  # fmt: skip
