"""Bugs of months and of the roll from one to the next."""

from __future__ import annotations

from tests.mutants.seed import Seed

MONTHS = "core/months.py"
MONTHS_TESTS = "tests/core/test_months.py"
PERIODS = "campaigns/periods.py"
PERIODS_TESTS = "tests/campaigns/test_periods.py"

SEEDS = (
    Seed(
        "midnight in UTC",
        "in New York the month ends at eight in the evening",
        MONTHS,
        "instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)",
        "instant = wall.replace(tzinfo=UTC)",
        MONTHS_TESTS,
    ),
    Seed(
        "month that ends at 23:59:59",
        "a gift of the last second belongs to no month",
        MONTHS,
        "return self.next().starts_at(zone)",
        "return self.next().starts_at(zone) - timedelta(seconds=1)",
        MONTHS_TESTS,
    ),
    Seed(
        "month of 30 days",
        "the months drift away from the calendar",
        MONTHS,
        "return self.next().starts_at(zone)",
        "return self.starts_at(zone) + timedelta(days=30)",
        MONTHS_TESTS,
    ),
    Seed(
        "second midnight of two",
        "in Havana the month begins an hour late, and the hour belongs to two months",
        MONTHS,
        "fold=0",
        "fold=1",
        MONTHS_TESTS,
    ),
    Seed(
        "local date alone decides",
        "the hour that comes again is counted in the month that is over",
        MONTHS,
        "    if instant >= month.ends_at(zone):\n        return month.next()\n",
        "",
        MONTHS_TESTS,
    ),
    Seed(
        "December without a next year",
        "January is counted in the January before",
        MONTHS,
        "return Month(self.year + 1, 1)",
        "return Month(self.year, 1)",
        MONTHS_TESTS,
    ),
    Seed(
        "boundary in both months",
        "at the stroke of midnight two months claim the gift",
        PERIODS,
        "Period.ends_at > now)",
        "Period.ends_at >= now)",
        PERIODS_TESTS,
    ),
    Seed(
        "roll that closes what is closed",
        "the sum that was announced is overwritten by the next tick",
        PERIODS,
        "                Period.campaign_id == campaign.id,\n"
        "                Period.closed_at.is_(None),\n",
        "                Period.campaign_id == campaign.id,\n",
        PERIODS_TESTS,
    ),
    Seed(
        "roll that closes too early",
        "May is closed while people still give to it",
        PERIODS,
        "                Period.ends_at <= now,\n            )\n",
        "            )\n",
        PERIODS_TESTS,
    ),
    Seed(
        "roll that jumps to today",
        "after downtime the months between are missing",
        PERIODS,
        "get_or_create_period(session, campaign, period.ends_at)",
        "get_or_create_period(session, campaign, now)",
        PERIODS_TESTS,
    ),
    Seed(
        "roll of the newest month first",
        "months are announced in the wrong order",
        PERIODS,
        ".order_by(Period.starts_at)\n            .limit(1)",
        ".order_by(Period.starts_at.desc())\n            .limit(1)",
        PERIODS_TESTS,
    ),
    Seed(
        "roll without a bound",
        "a clock that jumps by a thousand years fills the disk with months",
        PERIODS,
        "while len(rolled) < MOST_ROLLED_AT_ONCE:",
        "while True:",
        PERIODS_TESTS,
    ),
    Seed(
        "roll of drafts",
        "a campaign that nobody has seen is announced",
        PERIODS,
        "            Period.closed_at.is_(None), Period.ends_at <= now,"
        " Campaign.state != CampaignState.DRAFT\n",
        "            Period.closed_at.is_(None), Period.ends_at <= now\n",
        PERIODS_TESTS,
    ),
    Seed(
        "roll that freezes what it read before the lock",
        "two schedulers announce two sums of one month",
        PERIODS,
        "    period.as_closed_minor = period.raised_minor\n",
        "    period.as_closed_minor = 0\n",
        PERIODS_TESTS,
    ),
)
