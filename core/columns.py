"""Sums over time as a picture: a column for each, an outline for comparison, levels to reach.

Places are in percent of the picture, so that pages without inline style can draw it as SVG at
whatever width. The table beside it says the same: nobody needs the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

LEAST_COLUMNS = 2  # one column compares nothing
_COLUMN_SHARE = 0.6
# On the narrowest screens the picture has so many pixels, and a sign of a label takes so many.
_LEAST_PIXELS, _SIGN_PIXELS = 280, 6.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One sum: what is to be drawn of it. `title` says it in words.

    `outline_minor` is another sum to compare it with, `levels` are what it was to reach, with
    their labels.
    """

    title: str
    minor: int
    outline_minor: int | None = None
    levels: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A sum's place in the picture; `outline` is the height of what it is compared with."""

    title: str
    left: float
    width: float
    height: float
    outline: float | None

    @property
    def top(self) -> float:
        """Where it ends."""
        return 100 - self.height


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A level that so many columns in a row had; its label is empty where it has no room."""

    left: float
    right: float
    top: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The columns from left to right, and the levels over them."""

    columns: tuple[Column, ...]
    levels: tuple[Level, ...]
    has_outlines: bool = field(init=False)

    def __post_init__(self) -> None:
        outlined = any(column.outline is not None for column in self.columns)
        object.__setattr__(self, "has_outlines", outlined)


def draw_columns(bars: Sequence[Bar]) -> Picture | None:
    """Return the picture of sums from left to right; None where there are too few."""
    if len(bars) < LEAST_COLUMNS:
        return None
    slot, most = 100 / len(bars), _most_minor(bars)
    return Picture(
        columns=tuple(
            Column(
                title=bar.title,
                left=round(place * slot + slot * (1 - _COLUMN_SHARE) / 2, 3),
                width=round(slot * _COLUMN_SHARE, 3),
                height=_share(bar.minor, most),
                outline=None if bar.outline_minor is None else _share(bar.outline_minor, most),
            )
            for place, bar in enumerate(bars)
        ),
        levels=tuple(_levels(bars, slot, most)),
    )


def _most_minor(bars: Sequence[Bar]) -> int:
    sums = [bar.minor for bar in bars]
    sums += [bar.outline_minor or 0 for bar in bars]
    sums += [minor for bar in bars for minor, _ in bar.levels]
    return max(*sums, 1)


def _levels(bars: Sequence[Bar], slot: float, most: int) -> Iterator[Level]:
    """Yield each level over the columns in a row that have it, from left to right."""
    begun: dict[tuple[int, str], int] = {}
    for place in range(len(bars) + 1):
        here = set(bars[place].levels) if place < len(bars) else set()
        for level in sorted(set(begun) - here):
            yield _level(level, begun.pop(level) * slot, place * slot, most)
        for level in here - set(begun):
            begun[level] = place


def _level(level: tuple[int, str], left: float, right: float, most: int) -> Level:
    minor, label = level
    fits = (right - left) * _LEAST_PIXELS / 100 >= len(label) * _SIGN_PIXELS
    return Level(
        left=round(left, 3),
        right=round(right, 3),
        top=100 - _share(minor, most),
        label=label if fits else "",
    )


def _share(part_minor: int, whole_minor: int) -> float:
    # A place in a picture, not money.
    return max(0, part_minor) * 100_000 // whole_minor / 1000
