"""The rendering model: what every face prints, and where it draws."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from campaigns.catalog import CampaignChanges, change_campaign
from campaigns.expected import expect_gift
from campaigns.face import Face, compose_face, read_face
from campaigns.look import Shown
from campaigns.models import Campaign, CampaignState
from campaigns.progress import PeriodView, Progress, TierView
from core.clock import MovableClock
from tests.campaigns.cases import ALL_NOTES, CASES, Case
from tests.conftest import START, Give, MakeCampaign

BASE_URL = "https://goal.example"
KEYS = {
    "lang", "dir", "bar_label", "value_text", "goal_label", "percent_label", "now", "fill",
    "expected", "marks", "status", "notes", "recent", "donate_label", "offers", "amount",
    "other", "often", "accent",
}  # fmt: skip


def plain(text: str) -> str:
    """Return what a text says, whatever spaces and marks of direction it is set with."""
    return re.sub("\\s+", " ", re.sub("[\u200e\u200f]", "", text))


def face_now(session: Session, *, now: datetime = START, locale: str | None = None) -> Face:
    session.rollback()
    return read_face(session, "support-us", now=now, base_url=BASE_URL, locale=locale)


def change(session: Session, changes: CampaignChanges) -> None:
    change_campaign(session, "support-us", changes, now=START)
    session.commit()


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_table(session: Session, make_campaign: MakeCampaign, give: Give, case: Case) -> None:
    campaign = make_campaign(**case.campaign)
    if case.raised_minor:
        give(campaign, case.raised_minor)
    face = face_now(session)
    said = (face.progress.raised_label, face.value_text, face.status)
    assert tuple(plain(text) for text in said) == (
        case.raised_label,
        case.value_text,
        case.status,
    )
    assert plain(face.matching) == case.matching
    assert face.notes[-1:] == ((face.matching,) if case.matching else ())
    assert face.now == min(100, int(face.progress.percent or 0))
    assert set(face.to_json()) == KEYS


def test_places_on_the_bar(session: Session, make_campaign: MakeCampaign, give: Give) -> None:
    campaign = make_campaign()
    give(campaign, 52_000)
    face = face_now(session)
    assert [(mark.label, mark.share) for mark in face.marks] == [
        ("0 $", 0), ("2,500 $", 50), ("5,000 $", 100)
    ]  # fmt: skip
    assert [mark.is_next for mark in face.marks] == [False, True, False]
    assert (face.fill, face.expected, face.now) == (10.4, 10.4, 10)
    give(campaign, 948_000)  # twice the goal: it is a mark in the middle of a full bar
    face = face_now(session)
    assert [mark.share for mark in face.marks] == [0, 25, 50]
    assert not any(mark.is_next for mark in face.marks)
    assert (face.fill, face.now, face.over_goal) == (100, 100, True)


def test_without_a_tier_there_is_no_bar(session: Session, make_campaign: MakeCampaign) -> None:
    make_campaign(tiers_minor=())
    face = face_now(session)
    assert (face.marks, face.goal_label, face.percent_label, face.now) == ((), "", "", 0)
    assert not face.over_goal


def test_notes_are_shown_by_those_who_want_them(
    session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    campaign = make_campaign()
    give(campaign, 2_000)
    give(campaign, 3_000)
    expect_gift(session, "sub_1", campaign_id=campaign.id, amount_minor=10_000, due_at=START)
    session.commit()
    face = face_now(session)
    assert (face.notes, face.recent, face.expected) == ((), (), face.fill)
    change(session, ALL_NOTES)
    face = face_now(session)
    assert face.notes == (
        "2 donors", "20 days left", "100\N{NO-BREAK SPACE}$ more expected from regular gifts"
    )  # fmt: skip
    assert [plain(told) for told in face.recent] == ["Somebody gave 30 $", "Somebody gave 20 $"]
    assert (face.fill, face.expected) == (1, 3)
    change(session, CampaignChanges(shows=(Shown.DAYS,)))
    assert face_now(session).notes == ("20 days left",)


def test_what_is_expected_never_goes_past_the_bar(
    session: Session, make_campaign: MakeCampaign
) -> None:
    campaign = make_campaign()
    expect_gift(session, "sub_1", campaign_id=campaign.id, amount_minor=9_000_000, due_at=START)
    session.commit()
    change(session, ALL_NOTES)
    assert face_now(session).expected == 100


@pytest.mark.parametrize(
    ("now", "note"),
    [
        (datetime(2021, 5, 1, 4, tzinfo=UTC), "31 days left"),
        (datetime(2021, 5, 31, 3, 59, tzinfo=UTC), "2 days left"),
        (datetime(2021, 5, 31, 4, tzinfo=UTC), "Last day"),
        (datetime(2021, 6, 1, 3, 59, 59, tzinfo=UTC), "Last day"),
        (datetime(2021, 6, 1, 4, tzinfo=UTC), "30 days left"),
    ],
    ids=str,
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_days_are_counted_in_the_campaigns_zone(
    session: Session, make_campaign: MakeCampaign, now: datetime, note: str
) -> None:
    make_campaign()
    change(session, CampaignChanges(shows=(Shown.DAYS,)))
    assert face_now(session, now=now).notes == (note,)


def test_a_new_month_expects_its_own(
    session: Session, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    campaign = make_campaign()
    change(session, ALL_NOTES)
    expect_gift(session, "sub_1", campaign_id=campaign.id, amount_minor=500, due_at=START)
    session.commit()
    assert plain(face_now(session).notes[-1]) == "5 $ more expected from regular gifts"
    clock.set(START + timedelta(days=31))
    assert face_now(session, now=clock.now()).notes == ("19 days left",)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (CampaignState.PAUSED, "Giving is paused for now."),
        (CampaignState.ARCHIVED, "This campaign has ended. Thank you!"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_campaign_that_takes_nothing_says_so(
    session: Session, make_campaign: MakeCampaign, state: CampaignState, status: str
) -> None:
    make_campaign()
    change(session, CampaignChanges(state=state, shows=(Shown.DAYS,)))
    face = face_now(session)
    assert (face.status, face.is_open, face.notes) == (status, False, ())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_reader_s_language_is_spoken_throughout(
    session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    campaign = make_campaign()
    give(campaign, 52_000)
    change(session, ALL_NOTES)
    face = face_now(session, locale="de")
    assert face.value_text.replace("\xa0", " ") == "520 $ von 5.000 $, 10 %"
    assert face.notes == ("1 Spender", "noch 20 Tage")
    assert face.progress.period.label == "MAI 2021"
    assert face.donate_label == "Spenden"
    assert [offer.label for offer in face.offers] == ["Einmalig", "Monatlich", "Jährlich"]
    assert (face.lang, face.direction) == ("de", "ltr")
    assert face_now(session, locale="ar").direction == "rtl"


def test_unknown_language_keeps_english_words(
    session: Session, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    assert face_now(session, locale="nl").donate_label == "Donate"


TIERS = st.lists(st.integers(1, 999_999_999_999), max_size=8, unique=True).map(sorted)


@given(raised=st.integers(-(10**12), 10**13), amounts=TIERS, coming=st.integers(0, 10**12))
def test_nothing_is_drawn_off_the_bar_or_out_of_order(
    raised: int, amounts: list[int], coming: int
) -> None:
    tiers = tuple(
        TierView(amount_minor=amount, label=str(amount), reached=raised >= amount)
        for amount in (0, *amounts)
    )
    campaign = Campaign(currency="USD", locale="en", timezone="UTC", frequencies="once",
                        suggestions=[], shows="expected")  # fmt: skip
    period = PeriodView(key="2021-05", label="MAY 2021", starts_at=START, ends_at=START)
    progress = Progress(
        campaign="a", title="A", description="", currency="USD", locale="en", period=period,
        raised_minor=raised, raised_label="x", percent=None, tiers=tiers, donations=0, donors=0,
        state=CampaignState.OPEN, donate_url="", as_of=START,
    )  # fmt: skip
    face = compose_face(campaign, progress, coming_minor=coming)
    shares = [mark.share for mark in face.marks]
    assert shares == sorted(shares)
    assert all(0 <= share <= 100 for share in shares)
    assert 0 <= face.fill <= face.expected <= 100
    assert 0 <= face.now <= 100
    for mark, tier in zip(face.marks[1:], tiers[1:], strict=False):
        # No fill looks as if it had passed a goal that is not reached.
        assert (face.fill >= mark.share) or not tier.reached
        assert tier.reached or face.fill <= mark.share
    assert sum(mark.is_next for mark in face.marks) == (bool(amounts) and raised < max(amounts))
