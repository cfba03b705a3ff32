"""The public JSON of campaigns: what the `to_json` of progress and history write."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from campaigns.models import CampaignState
from core.shapes import Address, Currency, Instant, Minor, PeriodKey

Percent = Annotated[
    float | None,
    Field(
        description="Of the highest tier, in tenths, rounded down; may pass 100, and is null where"
        " there is no tier."
    ),
]
Label = Annotated[str, Field(description="Ready to print, in the language asked for.")]


class PeriodJson(TypedDict):
    """A span of the campaign's calendar: `[starts_at, ends_at)`."""

    key: PeriodKey
    label: Label
    starts_at: Instant
    ends_at: Instant


class TierJson(TypedDict):
    """A goal on the bar; the first is always zero."""

    amount_minor: Minor
    label: Label
    reached: bool


class MatchingJson(TypedDict):
    """What somebody adds to the period's gifts by now."""

    sponsor: str
    matched_minor: Minor
    matched_label: Label
    counts: Annotated[bool, Field(description="Whether it is part of `raised_minor`.")]


class ProgressJson(TypedDict):
    """Where a campaign stands in the period that holds `as_of`."""

    campaign: str
    title: str
    currency: Currency
    locale: str
    period: PeriodJson
    raised_minor: Annotated[Minor, Field(description="What the bar shows, net of what went back.")]
    raised_label: Label
    percent: Percent
    tiers: list[TierJson]
    donations: int
    donors: int
    state: CampaignState
    donate_url: Address
    as_of: Instant
    matching: NotRequired[MatchingJson]
    face: NotRequired[
        Annotated[
            dict[str, Any],
            Field(description="With `with=face`: what our own element draws from. Not promised."),
        ]
    ]


class PastTierJson(TypedDict):
    """A goal of a period."""

    amount_minor: Minor
    label: Label
    reached: bool
    reached_at_close: Annotated[
        bool | None, Field(description="Null while the period is not closed.")
    ]


class AdjustmentJson(TypedDict):
    """One reason why a period's sum is not what was announced."""

    reason: str
    amount_minor: Minor
    label: Label
    count: int


class PastPeriodJson(PeriodJson):
    """A period as it was announced when it was closed, and as it is now."""

    raised_minor: Minor
    raised_label: Label
    as_closed_minor: Minor | None
    as_closed_label: Label | None
    percent: Percent
    tiers: list[PastTierJson]
    donations: int
    donors: int
    as_closed_donations: int | None
    as_closed_donors: int | None
    adjustments: list[AdjustmentJson]
    url: Address
    matching: NotRequired[MatchingJson]


class ChapterJson(PastPeriodJson):
    """One period, with the campaign that it is of."""

    campaign: str


class PeriodsJson(TypedDict):
    """Periods that are over, the newest first."""

    campaign: str
    periods: list[PastPeriodJson]
    next: Annotated[Address | None, Field(description="The page of older ones; null at the end.")]
