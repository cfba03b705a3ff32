"""The picture of the past: a column for each period, its goal's mark, and what was announced.

Places are in percent of the picture, so that pages without inline style can draw it as SVG at
whatever width. The table beside it says the same: nobody needs the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from flask import Flask

from campaigns.history import PastPeriod

LEAST_PERIODS = 2  # one column compares nothing
_COLUMN_SHARE = 0.6
# On the narrowest screens the picture has so many pixels, and a sign of a label takes so many.
_LEAST_PIXELS, _SIGN_PIXELS = 280, 6.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What one period raised; `announced` is the height of what was announced, if that differs."""

    title: str
    left: float
    width: float
    height: float
    announced: float | None

    @property
    def top(self) -> float:
        """Where it ends."""
        return 100 - self.height


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A goal that so many periods in a row had; its label is empty where it has no room."""

    left: float
    right: float
    top: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The columns from left to right, and the goals over them."""

    columns: tuple[Column, ...]
    levels: tuple[Level, ...]
    oldest: str
    newest: str
    has_announced: bool = field(init=False)

    def __post_init__(self) -> None:
        announced = any(column.announced is not None for column in self.columns)
        object.__setattr__(self, "has_announced", announced)


def init_app(app: Flask) -> None:
    """Let the templates draw the past."""
    app.jinja_env.globals["draw_past"] = draw_past


def draw_past(history: Sequence[PastPeriod], direction: str) -> Timeline | None:
    """Return the picture of periods that come newest first; None where there are too few.

    Time runs as the page is read: where that is from the right, the newest stands at the left.
    """
    if len(history) < LEAST_PERIODS:
        return None
    periods = history if direction == "rtl" else tuple(reversed(history))
    slot, most = 100 / len(periods), _most_minor(periods)
    return Timeline(
        columns=tuple(
            Column(
                title=_title(past),
                left=round(place * slot + slot * (1 - _COLUMN_SHARE) / 2, 3),
                width=round(slot * _COLUMN_SHARE, 3),
                height=_share(past.raised_minor, most),
                announced=(
                    None
                    if past.as_closed_minor in {None, past.raised_minor}
                    else _share(past.as_closed_minor or 0, most)
                ),
            )
            for place, past in enumerate(periods)
        ),
        levels=_levels(periods, slot, most),
        oldest=history[-1].period.label,
        newest=history[0].period.label,
    )


def _most_minor(periods: Sequence[PastPeriod]) -> int:
    sums = [past.raised_minor for past in periods]
    sums += [past.as_closed_minor or 0 for past in periods]
    sums += [past.goal.amount_minor for past in periods if past.goal]
    return max(*sums, 1)


def _levels(periods: Sequence[PastPeriod], slot: float, most: int) -> tuple[Level, ...]:
    levels = []
    runs = groupby(enumerate(periods), key=lambda one: one[1].goal and one[1].goal.amount_minor)
    for _, run in runs:
        found = list(run)
        goal = found[0][1].goal
        if goal is None:
            continue
        left, right = found[0][0] * slot, (found[-1][0] + 1) * slot
        fits = (right - left) * _LEAST_PIXELS / 100 >= len(goal.label) * _SIGN_PIXELS
        levels.append(
            Level(
                left=round(left, 3),
                right=round(right, 3),
                top=100 - _share(goal.amount_minor, most),
                label=goal.label if fits else "",
            )
        )
    return tuple(levels)


def _title(past: PastPeriod) -> str:
    return f"{past.period.label}: {past.raised_label}"


def _share(part_minor: int, whole_minor: int) -> float:
    # A place in a picture, not money.
    return max(0, part_minor) * 100_000 // whole_minor / 1000
