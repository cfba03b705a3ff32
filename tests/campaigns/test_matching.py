"""A sponsor's matching: what follows from the period's sum and its own rule, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.audit import verify_ledger
from campaigns.catalog import CampaignChanges, change_campaign
from campaigns.errors import InvalidCampaign
from campaigns.history import PastPeriod, read_history
from campaigns.ledger import Gift, Reduction, state_gift
from campaigns.ledger_models import LedgerEntry, ReferenceKind
from campaigns.matching import NO_MATCHING, Matching, checked_matching, matching_of, shown_minor
from campaigns.models import Campaign, Period
from campaigns.periods import get_or_create_period
from campaigns.progress import Progress, read_progress
from campaigns.rolling import roll_campaign
from tests.conftest import START, Give, MakeCampaign

JUNE = datetime(2021, 6, 12, 10, tzinfo=UTC)
JULY = datetime(2021, 7, 12, 10, tzinfo=UTC)
DOUBLED = Matching(sponsor="The Foundation", most_minor=100_000)
COUNTED = replace(DOUBLED, counts=True)


@pytest.fixture
def change(session: Session) -> Callable[..., Campaign]:
    def change(matching: Matching, *, now: datetime = START) -> Campaign:
        changes = CampaignChanges(matching=matching)
        found = change_campaign(session, "support-us", changes, now=now)
        session.commit()
        return found

    return change


def progress(session: Session, now: datetime = START) -> Progress:
    session.rollback()
    return read_progress(session, "support-us", now=now, base_url="https://goal.example")


def past(session: Session, now: datetime) -> dict[str, PastPeriod]:
    session.rollback()
    months = read_history(session, "support-us", now=now, base_url="https://goal.example")
    return {found.period.key: found for found in months}


@pytest.mark.parametrize(
    ("percent", "most_minor", "raised_minor", "expected"),
    [
        (100, 100_000, 52_000, 52_000),
        (100, 100_000, 100_000, 100_000),
        (100, 100_000, 100_001, 100_000),
        (50, 100_000, 33, 16),
        (200, 100_000, 33, 66),
        (100, 100_000, 0, 0),
        (100, 100_000, -5, 0),  # a month with more refunds than gifts
    ],
)
def test_table(percent: int, most_minor: int, raised_minor: int, expected: int) -> None:
    rule = Matching(sponsor="A", most_minor=most_minor, percent=percent)
    assert rule.matched_minor(raised_minor) == expected
    assert shown_minor(rule, raised_minor) == raised_minor
    assert shown_minor(replace(rule, counts=True), raised_minor) == raised_minor + expected
    assert shown_minor(None, raised_minor) == raised_minor


@given(
    raised=st.integers(0, 10**13),
    less=st.integers(0, 10**13),
    percent=st.integers(1, 1_000),
    most=st.integers(1, 10**12),
)
def test_what_is_matched_never_passes_the_promise_nor_grows_by_a_refund(
    raised: int, less: int, percent: int, most: int
) -> None:
    rule = Matching(sponsor="A", most_minor=most, percent=percent)
    assert 0 <= rule.matched_minor(raised) <= most
    assert rule.matched_minor(raised - less) <= rule.matched_minor(raised)


def test_without_a_rule_nothing_is_said(
    session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    give(make_campaign(), 52_000)
    assert progress(session).matching is None
    assert "matching" not in progress(session).to_json()


def test_what_counts_apart_leaves_the_bar_alone(
    session: Session, make_campaign: MakeCampaign, give: Give, change: Callable[..., Campaign]
) -> None:
    give(make_campaign(), 150_000)
    change(DOUBLED)
    found = progress(session)
    assert (found.raised_minor, found.given_minor, found.percent) == (150_000, 150_000, 30.0)
    assert found.to_json()["matching"] == {
        "sponsor": "The Foundation",
        "matched_minor": 100_000,
        "matched_label": "1,000 $",
        "counts": False,
    }


def test_what_counts_moves_the_bar_its_tiers_and_its_labels(
    session: Session, make_campaign: MakeCampaign, give: Give, change: Callable[..., Campaign]
) -> None:
    give(make_campaign(), 150_000)
    change(COUNTED)
    found = progress(session)
    assert (found.raised_minor, found.raised_label, found.percent) == (250_000, "2,500 $", 50.0)
    assert [tier.reached for tier in found.tiers] == [True, True, False]
    assert (found.given_minor, found.donations) == (150_000, 1)


def test_matching_is_in_no_book_and_a_refund_lowers_it(
    session: Session, make_campaign: MakeCampaign, change: Callable[..., Campaign]
) -> None:
    campaign = make_campaign()
    change(COUNTED)
    gift = Gift(
        reference="pi_1", kind=ReferenceKind.PAYMENT, effect_minor=2_000, cover_minor=91,
        paid_at=START,
    )  # fmt: skip
    state_gift(session, campaign, gift, cause="test", now=START)
    session.commit()
    assert progress(session).raised_minor == 4_000  # what covers fees is matched by nobody
    refund = Reduction(reference="re_1", kind=ReferenceKind.REFUND, effect_minor=-500)
    state_gift(session, campaign, gift, [refund], cause="test", now=START)
    session.commit()
    assert progress(session).raised_minor == 3_000
    assert session.scalar(select(func.count()).select_from(LedgerEntry)) == 3
    assert session.scalars(select(Period.raised_minor)).one() == 1_500
    assert verify_ledger(session).differences == ()


def test_month_keeps_the_rule_that_it_had(
    session: Session, make_campaign: MakeCampaign, give: Give, change: Callable[..., Campaign]
) -> None:
    campaign = make_campaign()
    give(campaign, 52_000)
    change(COUNTED)
    roll_campaign(session, campaign.id, now=JUNE)
    session.commit()
    change(replace(DOUBLED, sponsor="Somebody else", percent=50), now=JUNE)
    may = past(session, JUNE)["2021-05"]
    assert (may.raised_minor, may.as_closed_minor, may.as_closed_label) == (
        104_000, 104_000, "1,040 $",
    )  # fmt: skip
    assert may.to_json()["matching"]["sponsor"] == "The Foundation"
    june = progress(session, JUNE).matching
    assert june is not None
    assert (june.rule.sponsor, june.rule.percent) == ("Somebody else", 50)
    # The ledger's own sums are gifts alone.
    stored = session.scalars(select(Period).where(Period.key == "2021-05")).one()
    assert (stored.raised_minor, stored.as_closed_minor) == (52_000, 52_000)


def test_month_that_has_ended_and_waits_for_its_roll_keeps_its_rule(
    session: Session, make_campaign: MakeCampaign, give: Give, change: Callable[..., Campaign]
) -> None:
    give(make_campaign(), 52_000)
    change(DOUBLED)
    change(NO_MATCHING, now=JUNE)
    assert past(session, JUNE)["2021-05"].matching is not None
    assert progress(session, JUNE).matching is None


def test_late_refund_lowers_what_a_closed_month_shows_by_both(
    session: Session, make_campaign: MakeCampaign, change: Callable[..., Campaign]
) -> None:
    campaign = make_campaign()
    change(COUNTED)
    gift = Gift(reference="pi_1", kind=ReferenceKind.PAYMENT, effect_minor=2_000, paid_at=START)
    state_gift(session, campaign, gift, cause="test", now=START)
    roll_campaign(session, campaign.id, now=JUNE)
    refund = Reduction(reference="re_1", kind=ReferenceKind.REFUND, effect_minor=-500)
    state_gift(session, campaign, gift, [refund], cause="test", now=JUNE)
    session.commit()
    may = past(session, JUNE)["2021-05"]
    assert (may.raised_minor, may.as_closed_minor) == (3_000, 4_000)


def test_rule_goes_on_into_the_months_to_come_until_it_ends(
    session: Session, make_campaign: MakeCampaign, change: Callable[..., Campaign]
) -> None:
    campaign = change_to = make_campaign()
    change(DOUBLED)
    get_or_create_period(session, change_to, JUNE)
    session.commit()
    assert progress(session, JUNE).matching is not None
    change(NO_MATCHING, now=JUNE)
    get_or_create_period(session, campaign, JULY)
    session.commit()
    assert progress(session, JULY).matching is None
    # Where nobody has made the month's row yet, it is what the row would be.
    change(COUNTED, now=JULY)
    assert progress(session, datetime(2021, 8, 3, tzinfo=UTC)).matching is not None


def test_rule_without_a_sponsor_ends_it(
    session: Session, make_campaign: MakeCampaign, change: Callable[..., Campaign]
) -> None:
    make_campaign()
    assert matching_of(change(DOUBLED)) == DOUBLED
    assert matching_of(change(NO_MATCHING)) is None
    assert progress(session).matching is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (replace(DOUBLED, most_minor=0), "match_up_to"),
        (replace(DOUBLED, most_minor=10**12), "match_up_to"),
        (replace(DOUBLED, percent=0), "match_percent"),
        (replace(DOUBLED, percent=1_001), "match_percent"),
        (replace(DOUBLED, sponsor="x" * 121), "match"),
        (replace(DOUBLED, sponsor="A\u202eB"), "match"),
    ],
)
def test_wrong_rule_is_refused_and_names_its_field(wrong: Matching, field: str) -> None:
    with pytest.raises(InvalidCampaign) as refused:
        checked_matching(wrong)
    assert refused.value.field == field
