"""The past as it is told: what was announced, what is true now, and why the two differ."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest
from sqlalchemy.orm import Session

from campaigns.adjustments import Reason
from campaigns.errors import CampaignNotFound, PeriodNotFound
from campaigns.history import Chapter, PastPeriod, Reader, read_chapter, read_closings, read_history
from campaigns.ledger import Gift, Reduction, state_gift
from campaigns.ledger_models import ReferenceKind
from campaigns.matching import Matching, set_matching
from campaigns.models import Campaign, Period
from campaigns.rolling import roll_campaign
from core.clock import MovableClock
from tests.conftest import START, Give, MakeCampaign

BASE_URL = "https://goal.example"
JUNE = datetime(2021, 6, 2, tzinfo=UTC)
REFUND, DISPUTE = ReferenceKind.REFUND, ReferenceKind.DISPUTE
PAYMENT, OFFLINE = ReferenceKind.PAYMENT, ReferenceKind.OFFLINE


class May:
    """A May with a gift of 100 $ in the books, and what is heard of it before and after."""

    def __init__(self, session: Session, campaign: Campaign) -> None:
        self._session = session
        self.campaign = campaign
        self.now = START
        self.hear("pi_1", 10_000)

    def hear(
        self,
        name: str,
        effect_minor: int,
        *taken: tuple[str, ReferenceKind, int],
        kind: ReferenceKind = PAYMENT,
    ) -> None:
        """Bring the books to what is known of a gift."""
        state_gift(
            self._session,
            self.campaign,
            Gift(reference=name, kind=kind, effect_minor=effect_minor, paid_at=START),
            [
                Reduction(reference=reference, kind=of_kind, effect_minor=-minor)
                for reference, of_kind, minor in taken
            ],
            cause="test",
            now=self.now,
        )
        self._session.commit()

    def close(self) -> None:
        """Let June begin."""
        self.now = JUNE
        roll_campaign(self._session, self.campaign.id, now=JUNE)
        self._session.commit()

    def read(self, locale: str | None = None) -> PastPeriod:
        """Read it as June does."""
        reader = Reader(now=JUNE, base_url=BASE_URL, locale=locale)
        return read_chapter(self._session, self.campaign, "2021-05", reader).past

    def reasons(self) -> dict[Reason, tuple[int, int]]:
        """Return what changed it and how many there are of each, having checked the sum."""
        past = self.read()
        assert past.as_closed_minor is not None
        changed = sum(change.amount_minor for change in past.changes)
        assert changed == past.raised_minor - past.as_closed_minor
        return {change.reason: (change.amount_minor, change.count) for change in past.changes}


@pytest.fixture
def may(session: Session, make_campaign: MakeCampaign) -> May:
    return May(session, make_campaign())


def test_nothing_that_came_before_the_close_is_a_change(may: May) -> None:
    may.hear("pi_1", 10_000, ("re_1", REFUND, 3_000))
    may.close()
    assert may.reasons() == {}
    assert may.read().as_closed_minor == 7_000


def test_refund_after_the_close(may: May) -> None:
    may.close()
    may.hear("pi_1", 10_000, ("re_1", REFUND, 2_000), ("re_2", REFUND, 500))
    assert may.reasons() == {Reason.REFUNDS: (-2_500, 2)}


def test_refund_that_failed_after_the_close_came_back(may: May) -> None:
    may.hear("pi_1", 10_000, ("re_1", REFUND, 3_000))
    may.close()
    may.hear("pi_1", 10_000, ("re_1", REFUND, 0))
    assert may.reasons() == {Reason.FAILED_REFUNDS: (3_000, 1)}


def test_lost_dispute_after_the_close(may: May) -> None:
    may.close()
    may.hear("pi_1", 10_000, ("dp_1", DISPUTE, 10_000))
    assert may.reasons() == {Reason.DISPUTES: (-10_000, 1)}
    assert may.read().donations == 0
    assert may.read().as_closed_donations == 1


def test_won_dispute_tells_of_both_ways_and_changes_nothing(may: May) -> None:
    may.close()
    may.hear("pi_1", 10_000, ("dp_1", DISPUTE, 10_000))
    may.hear("pi_1", 10_000, ("dp_1", DISPUTE, 0))
    assert may.reasons() == {Reason.DISPUTES: (-10_000, 1), Reason.WON_DISPUTES: (10_000, 1)}


def test_dispute_that_takes_over_a_failed_refunds_share_adds_up(may: May) -> None:
    may.hear("pi_1", 10_000, ("re_1", REFUND, 3_000), ("dp_1", DISPUTE, 9_000))
    may.close()
    may.hear("pi_1", 10_000, ("re_1", REFUND, 0), ("dp_1", DISPUTE, 9_000))
    assert may.reasons() == {Reason.FAILED_REFUNDS: (3_000, 1), Reason.DISPUTES: (-2_000, 1)}


def test_word_of_a_payment_that_came_late(may: May) -> None:
    may.close()
    may.hear("pi_2", 1_500)
    assert may.reasons() == {Reason.LATE_GIFTS: (1_500, 1)}


def test_offline_gift_that_is_recorded_later_for_a_closed_month(
    may: May, clock: MovableClock, give: Give
) -> None:
    may.close()
    clock.set(JUNE)
    give(may.campaign, 4_000, START)
    assert may.reasons() == {Reason.OFFLINE_GIFTS: (4_000, 1)}


@pytest.mark.parametrize("became_minor", [9_000, 11_000])
def test_gift_that_is_restated_is_a_correction(may: May, became_minor: int) -> None:
    may.hear("offline:1", 10_000, kind=OFFLINE)
    may.close()
    may.hear("offline:1", became_minor, kind=OFFLINE)
    assert may.reasons() == {Reason.CORRECTIONS: (became_minor - 10_000, 1)}


def test_what_covers_fees_is_no_reason(may: May, session: Session) -> None:
    may.close()
    gift = Gift(reference="pi_1", kind=PAYMENT, effect_minor=10_000, cover_minor=300, paid_at=START)
    state_gift(session, may.campaign, gift, cause="test", now=JUNE)
    session.commit()
    assert may.reasons() == {}


@pytest.mark.parametrize("seed", range(6))
def test_reasons_make_exactly_the_difference(may: May, seed: int) -> None:
    dice = Random(seed)  # noqa: S311 - a sequence that can be told again
    effects: dict[str, tuple[ReferenceKind, int]] = {"pi_1": (PAYMENT, 10_000)}
    taken: dict[str, dict[str, tuple[ReferenceKind, int]]] = {}
    closes_at = dice.randrange(12)
    for step in range(30):
        if step == closes_at:
            may.close()
        name = f"pi_{dice.randrange(4)}"
        kind = effects.get(name, (dice.choice([PAYMENT, OFFLINE]), 0))[0]
        effects[name] = (kind, dice.randrange(0, 10_000, 500))
        for number in range(dice.randrange(3)):
            of_kind = dice.choice([REFUND, DISPUTE])
            reduction = f"{of_kind}_{number}_{name}"
            taken.setdefault(name, {})[reduction] = (of_kind, dice.randrange(0, 8_000, 250))
        stated = [(key, *value) for key, value in taken.get(name, {}).items()]
        may.hear(name, effects[name][1], *stated, kind=kind)
    assert may.reasons() or may.read().raised_minor == may.read().as_closed_minor


def test_matching_that_counts_is_a_reason_of_its_own(session: Session, may: May) -> None:
    rule = Matching(sponsor="The Fund", most_minor=100_000, percent=100, counts=True)
    set_matching(session, may.campaign, rule, now=START)
    session.commit()
    may.close()
    may.hear("pi_1", 10_000, ("re_1", REFUND, 2_000))
    assert may.reasons() == {Reason.REFUNDS: (-2_000, 1), Reason.MATCHING: (-2_000, 0)}


def test_goal_tells_whether_it_was_reached_at_the_close_and_is_now(
    session: Session, make_campaign: MakeCampaign
) -> None:
    may = May(session, make_campaign(tiers_minor=(5_000, 10_000, 20_000)))
    assert [tier.reached_at_close for tier in may.read().tiers] == [None] * 4
    may.close()
    may.hear("pi_1", 10_000, ("re_1", REFUND, 1))
    told = [(tier.reached, tier.reached_at_close) for tier in may.read().tiers]
    assert told == [(True, True), (True, True), (False, True), (False, False)]


def test_counts_of_old_closings_are_unknown(may: May, session: Session) -> None:
    may.close()
    period = session.query(Period).filter(Period.key == "2021-05").one()
    period.as_closed_donations = period.as_closed_donors = None
    session.commit()
    past = may.read()
    assert (past.as_closed_donations, past.as_closed_donors) == (None, None)
    assert past.as_closed_minor == 10_000


def test_reason_is_said_with_its_sign_and_its_number(may: May) -> None:
    may.close()
    may.hear("pi_1", 10_000, ("re_1", REFUND, 2_000), ("re_2", REFUND, 500))
    may.hear("pi_2", 1_500)
    late, refunds = may.read().changes
    assert late.label == "+15\xa0$: 1 gift that we heard of late"
    assert refunds.label == "\N{MINUS SIGN}25\xa0$: 2 refunds"


def test_history_is_newest_first_and_paged(
    session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    campaign = make_campaign()
    for month in (1, 2, 3, 4):
        give(campaign, month * 100, datetime(2021, month, 15, tzinfo=UTC))

    def keys(limit: int, before: str | None = None) -> list[str]:
        found = read_history(
            session, "support-us", now=START, base_url=BASE_URL, limit=limit, before=before
        )
        return [past.period.key for past in found]

    assert keys(3) == ["2021-04", "2021-03", "2021-02"]
    assert keys(3, before="2021-02") == ["2021-01"]
    assert keys(2, before="2030-01") == ["2021-04", "2021-03"]


def test_history_of_a_draft_is_not_found(session: Session, make_campaign: MakeCampaign) -> None:
    make_campaign(draft=True)
    with pytest.raises(CampaignNotFound):
        read_history(session, "support-us", now=START, base_url=BASE_URL)


def _chapter(session: Session, campaign: Campaign, key: str, now: datetime = JUNE) -> Chapter:
    return read_chapter(session, campaign, key, Reader(now=now, base_url=BASE_URL))


def test_chapters_lead_to_those_beside_them(may: May, session: Session, give: Give) -> None:
    give(may.campaign, 100, datetime(2021, 4, 15, tzinfo=UTC))
    may.close()
    chapter = _chapter(session, may.campaign, "2021-05")
    assert not chapter.is_running
    assert chapter.earlier
    assert chapter.earlier.url == f"{BASE_URL}/c/support-us/2021-04"
    assert chapter.later
    assert (chapter.later.label, chapter.later.url) == (
        "JUNE 2021", f"{BASE_URL}/c/support-us/2021-06"
    )  # fmt: skip
    present = _chapter(session, may.campaign, "2021-06")
    assert present.is_running
    assert present.later is None


def test_present_period_is_there_before_anybody_has_made_it(may: May, session: Session) -> None:
    present = _chapter(session, may.campaign, "2021-06")
    assert present.is_running
    assert present.past.raised_minor == 0
    assert _chapter(session, may.campaign, "2021-05").later is not None


@pytest.mark.parametrize(
    "key", ["2021-07", "2020-01", "2021-Q2", "2021", "May", "", "\x00", "9" * 99]
)
def test_period_that_is_not_there_or_not_yet_is_not_found(
    may: May, session: Session, key: str
) -> None:
    with pytest.raises(PeriodNotFound):
        _chapter(session, may.campaign, key)


def test_only_what_was_closed_is_a_closing(may: May, session: Session) -> None:
    def closings() -> list[str]:
        found = read_closings(session, may.campaign, now=JUNE, base_url=BASE_URL, limit=24)
        return [past.period.key for past in found]

    assert closings() == []
    may.close()
    assert closings() == ["2021-05"]
