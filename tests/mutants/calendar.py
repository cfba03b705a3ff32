"""Bugs of periods, of what they begin with, and of the roll from one to the next."""

from __future__ import annotations

from tests.mutants.seed import Seed

ZONES = "core/zones.py"
CADENCE = "core/cadence.py"
CADENCE_TESTS = "tests/core/test_cadence.py"
CALENDAR = "campaigns/calendar.py"
CALENDAR_TESTS = "tests/campaigns/test_calendar.py"
PERIODS = "campaigns/periods.py"
ROLLING = "campaigns/rolling.py"
PERIODS_TESTS = "tests/campaigns/test_periods.py"
PLANS = "campaigns/plans.py"
PLANS_TESTS = "tests/campaigns/test_plans.py"

SEEDS = (
    Seed(
        "midnight in UTC",
        "in New York the month ends at eight in the evening",
        ZONES,
        "instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)",
        "instant = wall.replace(tzinfo=UTC)",
        CADENCE_TESTS,
    ),
    Seed(
        "month that ends at 23:59:59",
        "a gift of the last second belongs to no month",
        CADENCE,
        "return _midnight(self.end_day, zone)",
        "return _midnight(self.end_day, zone) - timedelta(seconds=1)",
        CADENCE_TESTS,
    ),
    Seed(
        "month of 30 days",
        "the months drift away from the calendar",
        CADENCE,
        "return _midnight(self.end_day, zone)",
        "return self.starts_at(zone) + timedelta(days=30)",
        CADENCE_TESTS,
    ),
    Seed(
        "second midnight of two",
        "in Havana the month begins an hour late, and the hour belongs to two months",
        ZONES,
        "fold=0",
        "fold=1",
        CADENCE_TESTS,
    ),
    Seed(
        "local date alone decides",
        "the hour that comes again is counted in the month that is over",
        CADENCE,
        "        if instant >= span.ends_at(zone):\n            return self.after(span)\n",
        "",
        CADENCE_TESTS,
    ),
    Seed(
        "day that drifts",
        "after February, months that began on the 31st begin on the 28th for ever",
        CADENCE,
        "        return self.span_on(span.end_day)\n",
        "        return Cadence(self.rhythm, span.end_day.day, self.month).span_on(span.end_day)\n",
        CADENCE_TESTS,
    ),
    Seed(
        "quarters that begin in January whatever is asked for",
        "a tax year that begins in April is counted from January",
        CADENCE,
        "at -= (at - (self.month - 1)) % months",
        "at -= at % months",
        CADENCE_TESTS,
    ),
    Seed(
        "sliver that is a period of its own",
        "after a change of zone there is a month of seven hours",
        CALENDAR,
        "SLIVER = timedelta(hours=36)",
        "SLIVER = timedelta(0)",
        CALENDAR_TESTS,
    ),
    Seed(
        "boundary in both months",
        "at the stroke of midnight two months claim the gift",
        PERIODS,
        "<= now, Period.ends_at > now)",
        "<= now, Period.ends_at >= now)",
        PERIODS_TESTS,
    ),
    Seed(
        "roll that closes what is closed",
        "the sum that was announced is overwritten by the next tick",
        ROLLING,
        "            Period.closed_at.is_(None),\n"
        "            Period.ends_at <= now,\n            ~select",
        "            Period.ends_at <= now,\n            ~select",
        PERIODS_TESTS,
    ),
    Seed(
        "roll that closes too early",
        "May is closed while people still give to it",
        ROLLING,
        "            Period.ends_at <= now,\n            ~select",
        "            ~select",
        PERIODS_TESTS,
    ),
    Seed(
        "roll that opens nothing",
        "after downtime the months between are missing",
        ROLLING,
        "    open_periods(session, wanted)\n",
        "    open_periods(session, wanted[:0])\n",
        PERIODS_TESTS,
    ),
    Seed(
        "roll of the newest month first",
        "months are announced in the wrong order",
        ROLLING,
        "before.starts_at < Period.starts_at",
        "before.starts_at > Period.starts_at",
        PERIODS_TESTS,
    ),
    Seed(
        "roll without a bound",
        "a clock that jumps by a thousand years fills the disk with months",
        ROLLING,
        "while len(rolled) < MOST_ROLLED_AT_ONCE:",
        "while True:",
        PERIODS_TESTS,
    ),
    Seed(
        "roll of drafts",
        "a campaign that nobody has seen is announced",
        ROLLING,
        "            Period.closed_at.is_(None), Period.ends_at <= now,"
        " Campaign.state != CampaignState.DRAFT\n",
        "            Period.closed_at.is_(None), Period.ends_at <= now\n",
        PERIODS_TESTS,
    ),
    Seed(
        "roll that announces nothing raised",
        "the sum that is announced is not the one that was raised",
        ROLLING,
        "as_closed_minor=Period.raised_minor,",
        "as_closed_minor=0,",
        PERIODS_TESTS,
    ),
    Seed(
        "plan that is kept after it was taken over",
        "a plan that is over is listed for ever",
        "campaigns/opening.py",
        "    _forget_plans(session, {row.campaign_id: row.key for row in made})\n",
        "",
        PLANS_TESTS,
    ),
    Seed(
        "closed period whose goals are changed",
        "what was announced as reached is not any more",
        PLANS,
        "        if period.closed_at is not None:\n",
        "        if False:\n",
        PLANS_TESTS,
    ),
    Seed(
        "what was missed is forgotten",
        "a goal that was missed is not carried over",
        PLANS,
        "missed = max(0, max(last) - last_raised_minor)",
        "missed = 0",
        PLANS_TESTS,
    ),
)
