"""`campaigns schedule|plan|plans`, as an admin types them."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from campaigns.progress import read_progress
from core.clock import MovableClock
from tests.conftest import MakeCampaign
from tests.ops.conftest import Run

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CREATE = ("campaigns", "create", "fund", "--title", "Fund", "--currency", "USD", "--timezone",
          "America/New_York", "--tier", "1000")  # fmt: skip


def label(session: Session, clock: MovableClock, slug: str = "fund") -> str:
    session.rollback()
    found = read_progress(session, slug, now=clock.now(), base_url="http://localhost")
    session.rollback()
    return found.period.label


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "MAY 2021"),
        (("--every", "quarter"), "Q2 2021"),
        (("--every", "year"), "2021"),
        (("--from-day", "10"), "MAY 10 – JUN 9, 2021"),
        (("--every", "year", "--from-month", "4"), "APR 2021 – MAR 2022"),
        (("--from", "2021-05-01", "--until", "2021-05-20"), "MAY 1 – 20, 2021"),
    ],
)
def test_campaign_is_made_with_any_cadence(
    run: Run, session: Session, clock: MovableClock, options: tuple[str, ...], expected: str
) -> None:
    assert run(*CREATE, *options).exit_code == 0
    assert label(session, clock) == expected


@pytest.mark.parametrize(
    "options",
    [
        ("--from", "2021-05-01"),
        ("--until", "2021-05-01"),
        ("--from", "2021-05-02", "--until", "2021-05-01"),
        ("--from", "yesterday", "--until", "2021-05-01"),
        ("--from-day", "32"),
        ("--from-month", "13", "--every", "year"),
    ],
)
def test_cadence_that_is_none_is_refused_in_a_sentence(run: Run, options: tuple[str, ...]) -> None:
    result = run(*CREATE, *options)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "Traceback" not in result.output


def test_change_says_from_when_it_holds(
    run: Run, make_campaign: MakeCampaign, session: Session, clock: MovableClock
) -> None:
    make_campaign()
    result = run(
        "campaigns", "schedule", "support-us", "--timezone", "Europe/Sofia", "--every", "quarter"
    )
    assert "holds from 2021-06-01 07:00 (Europe/Sofia) on" in result.output
    assert label(session, clock, "support-us") == "MAY 2021"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--currency", "EUR"), "keeps its currency"),
        (("--until", "2021-08-31"), "has no end"),
        (("--carry", "twice"), "is no rule"),
        (("--timezone", "Mars"), "is not a time zone"),
    ],
)
def test_what_can_not_be_changed_says_why(
    run: Run, make_campaign: MakeCampaign, options: tuple[str, ...], sentence: str
) -> None:
    make_campaign()
    result = run("campaigns", "schedule", "support-us", *options)
    assert result.exit_code == 1
    assert sentence in result.output


def test_plans_are_set_listed_copied_and_taken_back(run: Run, make_campaign: MakeCampaign) -> None:
    make_campaign()
    plan = ("campaigns", "plan", "support-us")
    assert "Nothing is planned" in run("campaigns", "plans", "support-us").output
    assert run(*plan, "2021-12", "--tier", "5000", "--amount", "once=15", "--title", "A warm one",
               ).output == "Planned 2021-12 of support-us.\n"  # fmt: skip
    assert run(*plan, "2022-05", "--like", "2021-05").exit_code == 0
    listed = run("campaigns", "plans", "support-us").output.splitlines()
    assert listed[1].split() == ["2021-12", "5,000", "$", "once", "15", "$", "A", "warm", "one"]
    assert listed[2].split() == ["2022-05", "2,500", "$,", "5,000", "$"]
    assert run(*plan, "2021-12", "--forget").exit_code == 0
    assert run(*plan, "2021-12", "--forget").exit_code == 1
    assert run(*plan, "2021-12").exit_code == 1
    assert run(*plan, "December", "--tier", "5").exit_code == 1


def test_roll_says_that_nothing_follows_a_campaign_that_ran_once(
    run: Run, clock: MovableClock
) -> None:
    run(*CREATE, "--from", "2021-05-01", "--until", "2021-05-20")
    clock.set(clock.now().replace(month=7))
    assert run("campaigns", "roll").output == "Closed fund 2021-05-01 at $0; none follows.\n"
