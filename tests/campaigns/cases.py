"""The campaigns that every face has to draw, and what all of them must say alike."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from campaigns.catalog import CampaignChanges
from campaigns.look import Shown
from campaigns.matching import Matching

EIGHT = tuple(100_000 * number for number in range(1, 9))
LONG_TITLE = "Help us to keep a reporter in every courtroom of the county, on every day of the year"
ALL_NOTES = CampaignChanges(shows=tuple(Shown))
DOUBLED = Matching(sponsor="The Foundation & Sons", most_minor=100_000)


@dataclass(frozen=True)
class Case:
    """A campaign to make, what it raised, and what every face says of it."""

    name: str
    raised_minor: int
    raised_label: str
    value_text: str
    status: str = ""
    campaign: dict[str, Any] = field(default_factory=dict)
    matching: str = ""

    def __str__(self) -> str:
        return self.name


CASES = (
    Case("nothing", 0, "0 $", "0 $ of 5,000 $, 0%"),
    Case("one cent", 1, "0.01 $", "0.01 $ of 5,000 $, 0%"),
    Case("the article", 52_000, "520 $", "520 $ of 5,000 $, 10%"),
    Case("just under a tier", 249_999, "2,499.99 $", "2,499.99 $ of 5,000 $, 49%"),
    Case(
        "on a tier",
        250_000,
        "2,500 $",
        "2,500 $ of 5,000 $, 50%",
        "2,500 $ reached. Next goal: 5,000 $",
    ),
    Case(
        "just under the goal",
        499_999,
        "4,999.99 $",
        "4,999.99 $ of 5,000 $, 99%",
        "2,500 $ reached. Next goal: 5,000 $",
    ),
    Case(
        "on the goal",
        500_000,
        "5,000 $",
        "5,000 $ of 5,000 $, 100%",
        "Goal reached: 100% of 5,000 $. Thank you!",
    ),
    Case(
        "far over the top",
        61_750_000,
        "617,500 $",
        "617,500 $ of 5,000 $, 12,350%",
        "Goal reached: 12,350% of 5,000 $. Thank you!",
    ),
    Case(
        "matched, and counted",
        130_000,
        "2,300 $",
        "2,300 $ of 5,000 $, 46%",
        campaign={"changes": replace(ALL_NOTES, matching=replace(DOUBLED, counts=True))},
        matching=(
            "The Foundation & Sons doubles every gift, up to 1,000 $: 1,000 $ so far, counted here"
        ),
    ),
    Case(
        "matched over a tier",
        160_000,
        "2,600 $",
        "2,600 $ of 5,000 $, 52%",
        "2,500 $ reached. Next goal: 5,000 $",
        campaign={"changes": replace(ALL_NOTES, matching=replace(DOUBLED, counts=True))},
        matching=(
            "The Foundation & Sons doubles every gift, up to 1,000 $: 1,000 $ so far, counted here"
        ),
    ),
    Case(
        "matched apart",
        52_000,
        "520 $",
        "520 $ of 5,000 $, 10%",
        campaign={"changes": CampaignChanges(matching=DOUBLED)},
        matching=(
            "The Foundation & Sons doubles every gift, up to 1,000 $: 520 $ so far, on top of this"
        ),
    ),
    Case(
        "matched in part, and counted",
        52_000,
        "780 $",
        "780 $ of 5,000 $, 15%",
        campaign={
            "changes": CampaignChanges(matching=replace(DOUBLED, percent=50, counts=True)),
        },
        matching=(
            "The Foundation & Sons adds 50% to every gift, up to 1,000 $: 260 $ so far, counted"
            " here"
        ),
    ),
    Case(
        "matched threefold, apart",
        1,
        "0.01 $",
        "0.01 $ of 5,000 $, 0%",
        campaign={"changes": CampaignChanges(matching=replace(DOUBLED, percent=200))},
        matching=(
            "The Foundation & Sons adds 200% to every gift, up to 1,000 $: 0.02 $ so far, on top"
            " of this"
        ),
    ),
    Case("no tier", 52_000, "520 $", "520 $ raised", campaign={"tiers_minor": ()}),
    Case(
        "eight tiers",
        345_000,
        "3,450 $",
        "3,450 $ of 8,000 $, 43%",
        "3,000 $ reached. Next goal: 4,000 $",
        {"tiers_minor": EIGHT},
    ),
    Case(
        "yen",
        123_456,
        "¥123,456",
        "¥123,456 of ¥500,000, 24%",
        campaign={
            "currency": "JPY",
            "tiers_minor": (250_000, 500_000),
            "money_format": None,
        },
    ),
    Case(
        "yen in Japanese",
        300_000,
        "￥300,000",
        "￥500,000のうち￥300,000、60%",
        "￥250,000を達成。次の目標：￥500,000",
        {
            "currency": "JPY",
            "tiers_minor": (250_000, 500_000),
            "money_format": None,
            "locale": "ja",
            "title": "地域の報道を支えてください",
        },
    ),
    Case(
        "dinars",
        1_234_560,
        "KWD 1,234.560",
        "KWD 1,234.560 of KWD 5,000, 24%",
        campaign={"currency": "KWD", "tiers_minor": (5_000_000,), "money_format": None},
    ),
    Case(
        "huge",
        123_456_789_012,
        "1,234,567,890.12 $",
        "1,234,567,890.12 $ of 9,999,999,999.99 $, 12%",
        campaign={"tiers_minor": (400_000_000_000, 999_999_999_999)},
    ),
    Case(
        "right to left",
        300_000,
        "3,000 US$",
        "3,000 US$ من 5,000 US$، 60%",
        "تم بلوغ 2,500 US$. الهدف التالي: 5,000 US$",
        {"locale": "ar", "title": "ادعموا صحافتنا"},
    ),
    Case(
        "long title",
        52_000,
        "520 $",
        "520 $ of 5,000 $, 10%",
        campaign={"title": LONG_TITLE},
    ),
    Case(
        "markup in the title",
        52_000,
        "520 $",
        "520 $ of 5,000 $, 10%",
        campaign={"title": 'Us & <b>"them"</b>'},
    ),
    Case(
        "Bulgarian",
        52_000,
        "520 €",
        "520 € от 5 000 €, 10%",
        campaign={
            "currency": "EUR",
            "locale": "bg",
            "money_format": None,
            "title": "Подкрепете ни",
        },
    ),
)
