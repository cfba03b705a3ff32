from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import permutations

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from campaigns.audit import verify_ledger
from campaigns.errors import LedgerConflict
from campaigns.ledger import Gift, Reduction, state_gift
from campaigns.ledger_models import LedgerEntry, PeriodDonor, Reference, ReferenceKind
from campaigns.models import Campaign, Period
from campaigns.periods import current_period

PAID_AT = datetime(2021, 5, 10, 12, tzinfo=UTC)
NOW = datetime(2021, 5, 12, 10, 11, 12, tzinfo=UTC)


@pytest.fixture
def campaign(make_campaign: Callable[..., Campaign]) -> Campaign:
    return make_campaign()


def gift(
    effect_minor: int = 2_000,
    *,
    reference: str = "pi_1",
    donor_key: str | None = None,
    paid_at: datetime = PAID_AT,
) -> Gift:
    return Gift(
        reference=reference,
        kind=ReferenceKind.PAYMENT,
        effect_minor=effect_minor,
        paid_at=paid_at,
        donor_key=donor_key,
    )


def refund(effect_minor: int, reference: str = "re_1") -> Reduction:
    return Reduction(reference=reference, kind=ReferenceKind.REFUND, effect_minor=effect_minor)


def dispute(effect_minor: int, reference: str = "dp_1") -> Reduction:
    return Reduction(reference=reference, kind=ReferenceKind.DISPUTE, effect_minor=effect_minor)


def state(
    session: Session, campaign: Campaign, one: Gift, reductions: Sequence[Reduction] = ()
) -> int:
    return state_gift(session, campaign, one, reductions, cause="test", now=NOW)


def may(session: Session, campaign: Campaign) -> Period:
    period = current_period(session, campaign, PAID_AT)
    assert period is not None
    session.refresh(period)
    return period


def amounts(session: Session) -> list[int]:
    return list(session.scalars(select(LedgerEntry.amount_minor).order_by(LedgerEntry.id)))


def standing(session: Session) -> dict[str, int]:
    return {row.name: row.posted_minor for row in session.scalars(select(Reference))}


def test_gift_moves_its_period(session: Session, campaign: Campaign) -> None:
    assert state(session, campaign, gift()) == 2_000
    period = may(session, campaign)
    assert (period.raised_minor, period.donation_count, period.donor_count) == (2_000, 1, 1)


def test_second_statement_of_the_same_does_not_count_twice(
    session: Session, campaign: Campaign
) -> None:
    for _ in range(3):
        state(session, campaign, gift(), [refund(-500)])
    assert amounts(session) == [2_000, -500]
    assert may(session, campaign).raised_minor == 1_500


def test_changed_effect_posts_the_difference_only(session: Session, campaign: Campaign) -> None:
    state(session, campaign, gift(2_000))
    state(session, campaign, gift(1_750))
    assert amounts(session) == [2_000, -250]


def test_refund_of_everything_takes_the_gift_out_of_the_counts(
    session: Session, campaign: Campaign
) -> None:
    state(session, campaign, gift(), [refund(-2_000)])
    period = may(session, campaign)
    assert (period.raised_minor, period.donation_count, period.donor_count) == (0, 0, 0)


def test_refund_that_fails_later_is_restored(session: Session, campaign: Campaign) -> None:
    state(session, campaign, gift(), [refund(-2_000)])
    state(session, campaign, gift(), [refund(0)])
    period = may(session, campaign)
    assert (period.raised_minor, period.donation_count) == (2_000, 1)
    assert amounts(session) == [2_000, -2_000, 2_000]


def test_refunds_and_disputes_never_take_more_than_the_gift(
    session: Session, campaign: Campaign
) -> None:
    left = state(session, campaign, gift(), [refund(-500), dispute(-2_000)])
    assert left == 0
    assert standing(session) == {"pi_1": 2_000, "re_1": -500, "dp_1": -1_500}


def test_any_order_of_statements_ends_in_the_same_standing(
    session: Session, campaign: Campaign
) -> None:
    facts = [refund(-700, "re_1"), refund(-900, "re_2"), dispute(-2_000)]
    endings = []
    for number, order in enumerate(permutations(facts)):
        reference = f"pi_{number}"
        for fact in order:
            own = Reduction(
                reference=f"{fact.reference}_{number}",
                kind=fact.kind,
                effect_minor=fact.effect_minor,
            )
            state(session, campaign, gift(reference=reference), [own])
        endings.append(
            {
                name.removesuffix(f"_{number}"): minor
                for name, minor in standing(session).items()
                if name.endswith(f"_{number}") and not name.startswith("pi_")
            }
        )
    assert all(ending == {"re_1": -700, "re_2": -900, "dp_1": -400} for ending in endings)


def test_gift_belongs_to_the_month_of_its_payment(session: Session, campaign: Campaign) -> None:
    # 23:30 on 30 April in New York, told on 12 May.
    state(session, campaign, gift(paid_at=datetime(2021, 5, 1, 3, 30, tzinfo=UTC)))
    april = session.scalars(select(Period).where(Period.key == "2021-04")).one()
    assert april.raised_minor == 2_000
    assert may(session, campaign).raised_minor == 0


def test_refund_lowers_the_month_of_its_gift(session: Session, campaign: Campaign) -> None:
    state(session, campaign, gift())
    later = datetime(2021, 6, 20, tzinfo=UTC)
    state_gift(session, campaign, gift(), [refund(-500)], cause="test", now=later)
    assert may(session, campaign).raised_minor == 1_500
    assert current_period(session, campaign, later) is None
    assert session.scalars(select(LedgerEntry.posted_at)).all() == [NOW, later]


def test_donor_who_gives_twice_is_one_donor(session: Session, campaign: Campaign) -> None:
    state(session, campaign, gift(reference="pi_1", donor_key="donor:1"))
    state(session, campaign, gift(reference="pi_2", donor_key="donor:1"))
    state(session, campaign, gift(reference="pi_3"))
    period = may(session, campaign)
    assert (period.donation_count, period.donor_count) == (3, 2)
    state(session, campaign, gift(0, reference="pi_1", donor_key="donor:1"))
    period = may(session, campaign)
    assert (period.donation_count, period.donor_count) == (2, 2)


def test_reference_of_another_campaign_is_refused(
    session: Session, campaign: Campaign, make_campaign: Callable[..., Campaign]
) -> None:
    state(session, campaign, gift())
    with pytest.raises(LedgerConflict):
        state(session, make_campaign(slug="other"), gift())


def test_refund_of_another_gift_is_refused(session: Session, campaign: Campaign) -> None:
    state(session, campaign, gift(), [refund(-100)])
    with pytest.raises(LedgerConflict):
        state(session, campaign, gift(reference="pi_2"), [refund(-100)])


@pytest.mark.parametrize("effect_minor", [-1, 10**12])
def test_gift_out_of_bounds_is_refused(
    session: Session, campaign: Campaign, effect_minor: int
) -> None:
    with pytest.raises(ValueError, match="between zero"):
        state(session, campaign, gift(effect_minor))


def test_reduction_that_adds_is_refused(session: Session, campaign: Campaign) -> None:
    with pytest.raises(ValueError, match="zero or less"):
        state(session, campaign, gift(), [refund(1)])


def test_database_itself_refuses_to_change_an_entry(session: Session, campaign: Campaign) -> None:
    state(session, campaign, gift())
    session.commit()
    for statement in (
        update(LedgerEntry).values(amount_minor=1),
        delete(LedgerEntry),
    ):
        with pytest.raises(DBAPIError, match="append-only"):
            session.execute(statement)
        session.rollback()
    assert amounts(session) == [2_000]


def test_database_itself_refuses_a_negative_total(session: Session, campaign: Campaign) -> None:
    state(session, campaign, gift())
    session.commit()
    with pytest.raises(DBAPIError):
        session.execute(update(Period).values(raised_minor=-1))
    session.rollback()


def test_right_books_verify(session: Session, campaign: Campaign) -> None:
    state(session, campaign, gift(donor_key="donor:1"), [refund(-500), dispute(-9_000)])
    state(session, campaign, gift(5_000, reference="pi_2", donor_key="donor:1"))
    audit = verify_ledger(session)
    assert audit.differences == ()
    assert audit.entries == 4


@pytest.mark.parametrize(
    ("damage", "figure"),
    [
        (update(Period).values(raised_minor=Period.raised_minor + 1), "raised_minor"),
        (update(Period).values(donation_count=9), "donation_count"),
        (update(Period).values(donor_count=9), "donor_count"),
        (update(PeriodDonor).values(donation_count=0), "listed donors"),
        (update(Reference).values(posted_minor=1), "posted_minor"),
        (update(Reference).values(entry_count=5), "entry_count"),
    ],
)
def test_wrong_books_are_named(
    session: Session, campaign: Campaign, damage: object, figure: str
) -> None:
    state(session, campaign, gift())
    session.execute(damage)  # type: ignore[call-overload]
    assert figure in {difference.figure for difference in verify_ledger(session).differences}


def test_lost_entry_is_named(session: Session, campaign: Campaign) -> None:
    state(session, campaign, gift())
    session.flush()
    sqlite = session.get_bind().dialect.name == "sqlite"
    session.execute(
        text(
            "DROP TRIGGER ledger_entries_no_delete"
            if sqlite
            else "ALTER TABLE ledger_entries DISABLE TRIGGER ledger_entries_append_only"
        )
    )
    session.execute(delete(LedgerEntry))
    figures = {difference.figure for difference in verify_ledger(session).differences}
    assert {"posted_minor", "entry_count", "raised_minor"} <= figures
