"""The picture of the past: a column for each period, its goal's mark, and what was announced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask

from campaigns.history import PastPeriod
from core.columns import Bar, Picture, draw_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The picture, and the periods at its two ends."""

    picture: Picture
    oldest: str
    newest: str


def init_app(app: Flask) -> None:
    """Let the templates draw the past."""
    app.jinja_env.globals["draw_past"] = draw_past


def draw_past(history: Sequence[PastPeriod], direction: str) -> Timeline | None:
    """Return the picture of periods that come newest first; None where there are too few.

    Time runs as the page is read: where that is from the right, the newest stands at the left.
    """
    picture = draw_columns(
        [_bar(past) for past in (history if direction == "rtl" else reversed(history))]
    )
    if picture is None:
        return None
    return Timeline(
        picture=picture, oldest=history[-1].period.label, newest=history[0].period.label
    )


def _bar(past: PastPeriod) -> Bar:
    goal, closed = past.goal, past.as_closed_minor
    return Bar(
        title=f"{past.period.label}: {past.raised_label}",
        minor=past.raised_minor,
        outline_minor=None if closed == past.raised_minor else closed,
        levels=((goal.amount_minor, goal.label),) if goal else (),
    )
