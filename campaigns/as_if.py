"""A campaign as changes would make it: its face, before anybody decides. Nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from campaigns.catalog import CampaignChanges, checked_columns, checked_suggestions
from campaigns.expected import expected_minor
from campaigns.face import Face, compose_face
from campaigns.labels import period_label, span_label
from campaigns.look import Shown, shown_notes
from campaigns.matching import checked_matching, matching_columns, matching_of
from campaigns.models import Campaign, SuggestedAmount
from campaigns.opening import Opening
from campaigns.periods import current_period, preview_period
from campaigns.progress import PeriodView, compose_progress
from campaigns.recent import RecentGift, recent_gifts

# What stands for a goal where there is none, in minor units.
_NO_GOAL_MINOR = 100_000


class Standing(StrEnum):
    """What the campaign is to have raised."""

    NOW = "now"  # what it has
    NOTHING = "nothing"
    HALF = "half"  # half of the highest goal
    OVER = "over"  # a quarter more than the highest goal


def changed_copy(campaign: Campaign, changes: CampaignChanges) -> Campaign:
    """Return a campaign that was found with its suggestions as these changes would make it.

    It belongs to no session. Raises Invalid, naming the field.
    """
    columns = {
        column.key: getattr(campaign, column.key) for column in inspect(Campaign).column_attrs
    } | checked_columns(changes)
    if changes.matching is not None:
        columns |= matching_columns(checked_matching(changes.matching))
    named = checked_suggestions(changes)
    kept = [
        (one.frequency, one.amount_minor, one.note)
        for one in campaign.suggestions
        if one.frequency not in named
    ]
    new = [
        (frequency, one.amount_minor, one.note) for frequency in named for one in named[frequency]
    ]
    return Campaign(
        **columns,
        suggestions=[
            SuggestedAmount(frequency=frequency, amount_minor=amount_minor, note=note)
            for frequency, amount_minor, note in (*kept, *new)
        ],
    )


def face_as_if(
    session: Session,
    copy: Campaign,
    tiers_minor: Sequence[int],
    *,
    standing: Standing,
    now: datetime,
    base_url: str,
) -> Face:
    """Return the face of a changed copy in the present period, with these goals. Reads only.

    What is planned for the period alone is left out: the campaign's own words are looked at.
    """
    stored = current_period(session, copy, now)
    if stored is None:
        bounds, _ = preview_period(session, copy, now)
        label = span_label(copy, bounds.key, bounds.last_day)
        period = PeriodView(
            key=bounds.key, label=label, starts_at=bounds.starts_at, ends_at=bounds.ends_at
        )
    else:
        period = PeriodView(
            key=stored.key,
            label=period_label(copy, stored),
            starts_at=stored.starts_at,
            ends_at=stored.ends_at,
        )
    goal = max(tiers_minor, default=_NO_GOAL_MINOR)
    raised_minor = stored.raised_minor if stored else 0
    if standing is not Standing.NOW:
        raised_minor = {
            Standing.NOTHING: 0,
            Standing.HALF: goal // 2,
            Standing.OVER: goal + goal // 4,
        }[standing]
    progress = compose_progress(
        copy,
        period,
        opening=Opening(tiers_minor=tuple(sorted(tiers_minor))),
        given_minor=raised_minor,
        donations=stored.donation_count if stored else 0,
        donors=stored.donor_count if stored else 0,
        now=now,
        base_url=base_url,
        matching=matching_of(copy),
    )
    coming_minor, gifts = 0, list[RecentGift]()
    if Shown.EXPECTED in shown_notes(copy):
        coming_minor = expected_minor(
            session, copy.id, starts_at=period.starts_at, ends_at=period.ends_at
        )
    if Shown.RECENT in shown_notes(copy):
        gifts = list(recent_gifts(session, copy.id, starts_at=period.starts_at))
    return compose_face(copy, progress, coming_minor=coming_minor, gifts=gifts)
