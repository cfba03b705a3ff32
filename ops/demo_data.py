"""The demo campaign: a small paper's, with some months behind it."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from campaigns.catalog import CampaignChanges, NewCampaign, create_campaign, find_campaign
from campaigns.errors import CampaignNotFound
from campaigns.look import Frequency, Suggestion
from campaigns.models import Campaign
from campaigns.rolling import roll_campaign
from core.cadence import Cadence, Span
from payments.donating import OfflineGift, record_offline_gift

SLUG = "support-us"
# What the months before this one raised, oldest first, in cents: the picture of a campaign that
# found its readers. The last number is the present month's so far: the article's own 520 $.
_RAISED_MINOR = (118_500, 164_000, 142_000, 231_500, 268_000, 197_500, 312_000, 52_000)
_GIFTS_MINOR = (500, 1000, 1000, 2000, 2000, 2500, 5000, 10000)
STEPS = len(_RAISED_MINOR)
_STORY = """\
## Somebody has to sit there

On Tuesday evenings the county council decides what becomes of the bus line, the swimming pool and
the old mill. Two people listen to all of it, to the end, and write down who voted how. They work
for us, and **we work for you**.

### What your money does

- 5 $ print and post the court calendar.
- 20 $ pay for a day in court.
- 50 $ buy the records that the county only hands out against a fee.

> I had no idea that they wanted to close the line. I read it here on Wednesday and was at the next
> meeting. — *a reader*

We publish [every month's sum](https://example.org/books) and what we spent it on. There is no
paywall, and there are no advertisers to please.
"""
_SUGGESTIONS: dict[Frequency, tuple[Suggestion, ...]] = {
    "once": (
        Suggestion(1000, "prints the court calendar of a week"),
        Suggestion(2000, "pays for a day in court"),
        Suggestion(5000, "buys the records of one case"),
        Suggestion(10_000, "keeps the archive open for a month"),
    ),
    "month": (
        Suggestion(500, "prints and posts the court calendar"),
        Suggestion(1000, "pays for an evening in the council"),
        Suggestion(2000, "pays for a day in court"),
        Suggestion(5000, "buys the records of one case"),
    ),
}


def make_demo(session: Session, *, now: datetime, step: Callable[[], None]) -> bool:
    """Make the demo campaign as it would be at `now`; return False where it is there already.

    `step` is called after each month. The numbers are the same on every machine.
    """
    try:
        find_campaign(session, SLUG, drafts=True)
    except CampaignNotFound:
        pass
    else:
        for _ in _RAISED_MINOR:
            step()
        return False
    campaign = create_campaign(
        session,
        NewCampaign(
            slug=SLUG,
            title="Support us",
            currency="USD",
            timezone="America/New_York",
            tiers_minor=(250_000, 500_000),
            money_format="{amount} {symbol}",
            description=(
                "Two reporters, no owner, no paywall. 2,500 $ a month keep the council meetings"
                " and the courts covered; 5,000 $ pay for a third pair of eyes."
            ),
            changes=CampaignChanges(
                button="Support us",
                shows=("donors", "days"),
                story=_STORY,
                suggestions=_SUGGESTIONS,
            ),
        ),
        now=now,
    )
    dice = random.Random(2021)  # noqa: S311 - demo numbers, the same for everybody
    month = Cadence().span_holding(now, campaign.zone)
    months = [month]
    for _ in range(len(_RAISED_MINOR) - 1):
        month = Cadence().before(month)
        months.insert(0, month)
    for month, raised_minor in zip(months, _RAISED_MINOR, strict=True):
        _give(session, campaign, month, raised_minor, dice=dice, now=now)
        roll_campaign(session, campaign.id, now=min(now, month.ends_at(campaign.zone)))
        step()
    roll_campaign(session, campaign.id, now=now)
    return True


def _give(
    session: Session,
    campaign: Campaign,
    month: Span,
    raised_minor: int,
    *,
    dice: random.Random,
    now: datetime,
) -> None:
    starts_at = month.starts_at(campaign.zone)
    seconds = (min(month.ends_at(campaign.zone), now) - starts_at).total_seconds()
    left, gifts = raised_minor, []
    while left:
        amount_minor = min(dice.choice(_GIFTS_MINOR), left)
        left -= amount_minor
        paid_at = starts_at + timedelta(seconds=int(dice.random() * seconds))
        gifts.append(OfflineGift(amount_minor=amount_minor, paid_at=paid_at, note="demo"))
    # As they would have come in: the admin's list of the last ones goes by that.
    for gift in sorted(gifts, key=lambda gift: gift.paid_at):
        record_offline_gift(session, campaign.slug, gift, now=now)
