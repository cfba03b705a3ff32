"""Somebody who adds to what readers give: how much that is, and whether the bar counts it.

What is matched follows from what a period raised and from the period's own rule, and from nothing
else. No entry stands for it, so it can't drift; a refund lowers it as it lowers the sum. It is a
promise of the sponsor's: once their money comes it is recorded like any other gift, or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from campaigns.errors import InvalidCampaign
from campaigns.models import Campaign, Period
from core.money import MOST_MINOR

DOUBLED_PERCENT = 100
MOST_PERCENT = 1_000
MOST_SPONSOR_CHARACTERS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Who adds `percent` of what a period raises, up to `most_minor`; 100 doubles it.

    Where it `counts`, the bar shows gifts and what is added to them; else the gifts alone.
    """

    sponsor: str
    most_minor: int
    percent: int = DOUBLED_PERCENT
    counts: bool = False

    def matched_minor(self, raised_minor: int) -> int:
        """Return what is added to a period that raised so much; rounded down."""
        return min(self.most_minor, max(0, raised_minor) * self.percent // 100)


# What ends a rule.
NO_MATCHING = Matching(sponsor="", most_minor=0)


def matching_of(row: Campaign | Period) -> Matching | None:
    """Return the rule of a campaign, or the one that a period keeps; None where there is none."""
    if row.match_sponsor is None or row.match_percent is None or row.match_most_minor is None:
        return None
    return Matching(
        sponsor=row.match_sponsor,
        most_minor=row.match_most_minor,
        percent=row.match_percent,
        counts=row.match_counts,
    )


def shown_minor(matching: Matching | None, raised_minor: int) -> int:
    """Return what the bar shows of a period that raised so much."""
    if matching is None or not matching.counts:
        return raised_minor
    return raised_minor + matching.matched_minor(raised_minor)


def matching_columns(matching: Matching | None) -> dict[str, Any]:
    """Return a rule as rows keep it."""
    return {
        "match_sponsor": matching.sponsor if matching else None,
        "match_percent": matching.percent if matching else None,
        "match_most_minor": matching.most_minor if matching else None,
        "match_counts": matching.counts if matching else False,
    }


def checked_matching(matching: Matching) -> Matching | None:
    """Return the rule as it is kept, None for the one without a sponsor, which ends it.

    Raises InvalidCampaign, naming the field.
    """
    sponsor = " ".join(matching.sponsor.split())
    if not sponsor:
        return None
    if len(sponsor) > MOST_SPONSOR_CHARACTERS or not sponsor.isprintable():
        raise InvalidCampaign(
            f"Who matches has at most {MOST_SPONSOR_CHARACTERS} characters.", field="match"
        )
    if not 0 < matching.most_minor <= MOST_MINOR:
        raise InvalidCampaign(
            "Say up to what sum gifts are matched in one period.", field="match_up_to"
        )
    if not 0 < matching.percent <= MOST_PERCENT:
        raise InvalidCampaign(
            f"Gifts are matched by 1 to {MOST_PERCENT} percent.", field="match_percent"
        )
    return Matching(
        sponsor=sponsor,
        most_minor=matching.most_minor,
        percent=matching.percent,
        counts=matching.counts,
    )


def set_matching(
    session: Session, campaign: Campaign, matching: Matching | None, *, now: datetime
) -> None:
    """Set the rule of a campaign, and of its present period; what has ended keeps its own.

    The present period's row may not be there yet: it takes the campaign's rule when it is made.
    """
    columns = matching_columns(matching)
    for name, value in columns.items():
        setattr(campaign, name, value)
    session.execute(
        update(Period)
        .where(
            Period.campaign_id == campaign.id,
            Period.starts_at <= now,
            Period.ends_at > now,
            Period.closed_at.is_(None),
        )
        # What the bar shows may have come to a goal by this: have the notices look.
        .values(**columns, announce_from_minor=1)
        .execution_options(synchronize_session="fetch")
    )
