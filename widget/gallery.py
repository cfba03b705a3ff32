"""The gallery: every state that a bar can be in. The numbers are made up, the faces are real."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from campaigns.face import Face, compose_face
from campaigns.labels import span_label
from campaigns.models import Campaign, CampaignState
from campaigns.opening import Opening
from campaigns.progress import PeriodView, compose_progress
from campaigns.recent import RecentGift
from core.cadence import Cadence

_MONTH = Cadence().span_on(date(2021, 5, 1))
_GIFTS = (
    RecentGift(amount_minor=2_000, name="Ann Teller"),
    RecentGift(amount_minor=5_000, name=None),
    RecentGift(amount_minor=1_250, name="Bo"),
)
_ALL_NOTES = "donors,days,expected,recent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A state to look at: what is made up, all else being the README's campaign.

    Amounts are in minor units. `look` changes the campaign itself.
    """

    name: str
    caption: str
    raised_minor: int = 52_000
    tiers_minor: tuple[int, ...] = (250_000, 500_000)
    donors: int = 12
    coming_minor: int = 0
    gifts: tuple[RecentGift, ...] = ()
    look: dict[str, Any] = field(default_factory=dict)


EXAMPLES = (
    Example(name="usual", caption="The usual: some of the way to the first tier"),
    Example(name="nothing", caption="Nothing yet", raised_minor=0, donors=0),
    Example(name="one-cent", caption="One cent", raised_minor=1, donors=1),
    Example(name="just-under", caption="One cent short of a tier", raised_minor=249_999),
    Example(name="on-it", caption="On the tier, to the cent", raised_minor=250_000),
    Example(name="between", caption="Between two tiers", raised_minor=381_250),
    Example(name="reached", caption="The goal, to the cent", raised_minor=500_000),
    Example(name="far-over", caption="Far over the top", raised_minor=1_234_500, donors=431),
    Example(name="in-the-red", caption="More refunds than gifts", raised_minor=-3_000),
    Example(name="no-tier", caption="No tier: no goal, hence no bar", tiers_minor=()),
    Example(
        name="eight-tiers",
        caption="Eight tiers",
        raised_minor=1_730_000,
        tiers_minor=tuple(1_000_000 + 500_000 * step for step in range(8)),
    ),
    Example(
        name="close-tiers",
        caption="Tiers that stand close",
        raised_minor=105_000,
        tiers_minor=(100_000, 110_000, 120_000, 500_000),
    ),
    Example(
        name="expected",
        caption="Renewals that are still to come, drawn apart",
        raised_minor=152_000,
        coming_minor=64_000,
        look={"shows": "expected"},
    ),
    Example(
        name="all-notes",
        caption="Everything that may be shown",
        raised_minor=271_800,
        coming_minor=64_000,
        gifts=_GIFTS,
        look={"shows": _ALL_NOTES},
    ),
    Example(
        name="paused", caption="Paused", raised_minor=52_000, look={"state": CampaignState.PAUSED}
    ),
    Example(
        name="archived",
        caption="Archived",
        raised_minor=512_000,
        look={"state": CampaignState.ARCHIVED},
    ),
    Example(
        name="once",
        caption="Given once only, with a button of its own and a pale accent",
        look={"frequencies": "once", "button": "Keep the ferry running", "accent": "#d9643a"},
    ),
    Example(
        name="long-title",
        caption="A long title",
        look={"title": "Two reporters for the county’s courts, councils and schools until spring"},
    ),
    Example(
        name="yen",
        caption="Yen, in Japanese",
        raised_minor=84_000,
        tiers_minor=(100_000, 300_000),
        look={
            "title": "夜の渡し船を残そう",
            "currency": "JPY",
            "locale": "ja",
            "money_format": None,
            "shows": "donors,days",
        },
    ),
    Example(
        name="dinar",
        caption="Dinars, with three decimals, in Arabic: from right to left",
        raised_minor=1_520_500,
        tiers_minor=(1_000_000, 5_000_000),
        coming_minor=640_000,
        gifts=_GIFTS,
        look={
            "title": "ادعمونا",
            "currency": "KWD",
            "locale": "ar",
            "money_format": None,
            "shows": _ALL_NOTES,
        },
    ),
    Example(
        name="german",
        caption="Euros, in German",
        raised_minor=312_050,
        look={
            "title": "Unterstützen Sie uns",
            "currency": "EUR",
            "locale": "de",
            "money_format": None,
            "capitals": False,
            "shows": _ALL_NOTES,
        },
    ),
    Example(
        name="bulgarian",
        caption="In Bulgarian",
        raised_minor=260_000,
        look={
            "title": "Подкрепете ни",
            "currency": "EUR",
            "locale": "bg",
            "money_format": None,
            "shows": "donors,days",
        },
    ),
    Example(
        name="huge",
        caption="Huge sums",
        raised_minor=123_456_789_012,
        tiers_minor=(50_000_000_000, 999_999_999_900),
        donors=4_812_345,
        look={"shows": "donors"},
    ),
)


def make_face(example: Example, *, now: datetime, base_url: str) -> Face:
    """Return the face of an example, in May 2021 whenever it is looked at."""
    campaign = Campaign(
        **{
            "slug": f"gallery-{example.name}",
            "title": "Support us",
            "description": "",
            "currency": "USD",
            "timezone": "America/New_York",
            "locale": "en",
            "money_format": "{amount} {symbol}",
            "capitals": True,
            "frequencies": "once,month,year",
            "state": CampaignState.OPEN,
            "tiers": [],
            "suggestions": [],
            **example.look,
        }
    )
    period = PeriodView(
        key=_MONTH.key,
        label=span_label(campaign, _MONTH.key, _MONTH.last_day),
        starts_at=_MONTH.starts_at(campaign.zone),
        ends_at=_MONTH.ends_at(campaign.zone),
    )
    progress = compose_progress(
        campaign,
        period,
        opening=Opening(tiers_minor=example.tiers_minor),
        given_minor=example.raised_minor,
        donations=example.donors,
        donors=example.donors,
        now=now,
        base_url=base_url,
    )
    return compose_face(campaign, progress, coming_minor=example.coming_minor, gifts=example.gifts)
