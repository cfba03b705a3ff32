"""The rendering model: what every face of the widget draws, worked out once.

The element, the frame, the page, the images and oEmbed print these labels and draw at these
places; none of them computes or words anything of its own. So they can't disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from babel.dates import format_date
from babel.numbers import format_decimal, format_percent
from sqlalchemy.orm import Session

from campaigns.calendar import is_ahead
from campaigns.catalog import find_campaign
from campaigns.expected import expected_minor
from campaigns.labels import money_label
from campaigns.look import (
    Shown,
    accent_on_dark,
    accent_on_light,
    allowed_hosts,
    shown_notes,
)
from campaigns.matching import DOUBLED_PERCENT
from campaigns.models import Campaign, CampaignState
from campaigns.offers import Offer, offers_of
from campaigns.progress import Progress, TierView, progress_of
from campaigns.recent import RecentGift, recent_gifts
from core.words import N_, Words, direction_of, language_tag, words_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A tier on the bar. `share` is where it stands, in percent of the bar's length."""

    label: str
    share: float
    reached: bool
    is_next: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A campaign's progress in one language, with all that is drawn and said of it.

    `fill` and `expected` are where the sum ends on the bar and where it would with the renewals
    that are to come, in percent of its length; `now` is the percent of the goal, 0 to 100, for
    those who can't see the bar. Without a tier there is no goal, hence no bar: `marks` is empty.
    """

    progress: Progress
    lang: str
    direction: str
    bar_label: str  # Support us, MAY 2021
    value_text: str  # 520 $ of 5,000 $, 10%
    goal_label: str  # of 5,000 $
    percent_label: str  # 10%
    now: int
    fill: float
    expected: float
    marks: tuple[Mark, ...]
    status: str  # what there is to say of a goal that is reached, or of a campaign that is over
    notes: tuple[str, ...]
    matching: str  # who adds to every gift, as the notes say it, too; empty where nobody does
    recent: tuple[str, ...]
    donate_label: str
    offers: tuple[Offer, ...]
    words: Words
    accent: str
    accent_dark: str
    hosts: tuple[str, ...]  # that may frame it; empty where all may

    @property
    def is_open(self) -> bool:
        """Whether one may give."""
        return self.progress.state == CampaignState.OPEN

    @property
    def over_goal(self) -> bool:
        """Whether the highest tier is reached."""
        return len(self.marks) > 1 and self.marks[-1].reached

    def to_json(self) -> dict[str, Any]:
        """Return what the element draws from, beside the progress itself."""
        words = self.words
        return {
            "lang": self.lang,
            "dir": self.direction,
            "bar_label": self.bar_label,
            "value_text": self.value_text,
            "goal_label": self.goal_label,
            "percent_label": self.percent_label,
            "now": self.now,
            "fill": self.fill,
            "expected": self.expected,
            "marks": [
                {
                    "label": mark.label,
                    "share": mark.share,
                    "state": "reached" if mark.reached else "next" if mark.is_next else "",
                }
                for mark in self.marks
            ],
            "status": self.status,
            "notes": self.notes,
            "recent": self.recent,
            "donate_label": self.donate_label,
            "offers": [
                {
                    "frequency": offer.frequency,
                    "label": offer.label,
                    "choices": [[choice.value, choice.label] for choice in offer.choices],
                }
                for offer in self.offers
            ],
            "amount": words.gettext("Amount"),
            "other": words.gettext("Other"),
            "often": words.gettext("How often"),
            "accent": [self.accent, self.accent_dark],
        }


def read_face(
    session: Session, slug: str, *, now: datetime, base_url: str, locale: str | None = None
) -> Face:
    """Return the campaign's face at `now`; raise CampaignNotFound, also for a draft.

    `locale` is the reader's language; None is the campaign's own.
    """
    campaign = find_campaign(session, slug)
    progress = progress_of(session, campaign, now=now, base_url=base_url, locale=locale)
    return face_of(session, campaign, progress)


def read_faces(
    session: Session,
    campaigns: Sequence[Campaign],
    *,
    now: datetime,
    base_url: str,
    locale: str | None = None,
) -> tuple[Face, ...]:
    """Return the face of each of these campaigns; `locale` as in `read_face`."""
    return tuple(
        face_of(
            session,
            campaign,
            progress_of(session, campaign, now=now, base_url=base_url, locale=locale),
        )
        for campaign in campaigns
    )


def face_of(session: Session, campaign: Campaign, progress: Progress) -> Face:
    """Return the face of a progress that was read within the same transaction."""
    shows, period = shown_notes(campaign), progress.period
    coming_minor, gifts = 0, list[RecentGift]()
    if Shown.EXPECTED in shows:
        coming_minor = expected_minor(
            session, campaign.id, starts_at=period.starts_at, ends_at=period.ends_at
        )
    if Shown.RECENT in shows:
        gifts = list(recent_gifts(session, campaign.id, starts_at=period.starts_at))
    return compose_face(campaign, progress, coming_minor=coming_minor, gifts=gifts)


def compose_face(
    campaign: Campaign,
    progress: Progress,
    *,
    coming_minor: int = 0,
    gifts: Sequence[RecentGift] = (),
) -> Face:
    """Return the face of a progress, with the renewals to come and the gifts to tell of."""
    words, locale = words_of(progress.locale), progress.locale
    raised = max(0, progress.raised_minor)
    goal = progress.tiers[-1]
    # Past the highest tier the bar is as long as the sum, and the goal is a mark inside it.
    whole = max(goal.amount_minor, raised, 1)
    matching = _matching(words, progress)
    percent = raised * 100 // goal.amount_minor if goal.amount_minor else 0
    percent_label = format_percent(Decimal(percent) / 100, locale=locale)
    return Face(
        progress=progress,
        lang=language_tag(locale),
        direction=direction_of(locale),
        bar_label=f"{progress.title}, {progress.period.label}",
        value_text=_value_text(words, progress, percent_label),
        goal_label=_say(words, "of {goal}", goal=goal.label) if goal.amount_minor else "",
        percent_label=percent_label if goal.amount_minor else "",
        now=min(100, percent),
        fill=_share(raised, whole),
        expected=_share(min(raised + coming_minor, whole), whole),
        marks=_marks(progress.tiers, whole),
        status=_status(words, campaign, progress, percent_label),
        notes=(*_notes(words, campaign, progress, coming_minor), *filter(None, [matching])),
        matching=matching,
        recent=_recent(words, campaign, progress, gifts),
        donate_label=campaign.button or words.gettext("Donate"),
        offers=offers_of(words, campaign, progress),
        words=words,
        accent=accent_on_light(campaign),
        accent_dark=accent_on_dark(campaign),
        hosts=allowed_hosts(campaign),
    )


def _share(part_minor: int, whole_minor: int) -> float:
    # Hundredths of a percent, rounded down: a place on a bar, not money.
    return part_minor * 10_000 // whole_minor / 100


def _marks(tiers: Sequence[TierView], whole_minor: int) -> tuple[Mark, ...]:
    if len(tiers) == 1:
        return ()
    # Zero is no goal, even in a month whose refunds are more than its gifts.
    following = next((tier for tier in tiers[1:] if not tier.reached), None)
    return tuple(
        Mark(
            label=tier.label,
            share=_share(tier.amount_minor, whole_minor),
            reached=tier.reached,
            is_next=tier is following,
        )
        for tier in tiers
    )


def _value_text(words: Words, progress: Progress, percent_label: str) -> str:
    goal = progress.tiers[-1]
    if not goal.amount_minor:
        return _say(words, "{raised} raised", raised=progress.raised_label)
    return _say(
        words,
        "{raised} of {goal}, {percent}",
        raised=progress.raised_label,
        goal=goal.label,
        percent=percent_label,
    )


def _status(words: Words, campaign: Campaign, progress: Progress, percent_label: str) -> str:
    if progress.state == CampaignState.ARCHIVED:
        return words.gettext("This campaign has ended. Thank you!")
    if is_ahead(campaign, progress.as_of):
        first_day = progress.period.starts_at.astimezone(campaign.zone)
        day = format_date(first_day, format="long", locale=progress.locale)
        return _say(words, "Giving begins on {day}.", day=day)
    if progress.state == CampaignState.PAUSED:
        return words.gettext("Giving is paused for now.")
    goals = progress.tiers[1:]
    reached = [tier for tier in goals if tier.reached]
    if not reached:
        return ""
    if len(reached) == len(goals):
        return _say(
            words,
            "Goal reached: {percent} of {goal}. Thank you!",
            percent=percent_label,
            goal=_held(goals[-1].label),
        )
    return _say(
        words,
        "{goal} reached. Next goal: {next}",
        goal=_held(reached[-1].label),
        next=_held(goals[len(reached)].label),
    )


def _notes(
    words: Words,
    campaign: Campaign,
    progress: Progress,
    coming_minor: int,
) -> tuple[str, ...]:
    notes, shows = [], shown_notes(campaign)
    if Shown.DONORS in shows and progress.donors:
        notes.append(_count(words, progress, "{count} donor", "{count} donors", progress.donors))
    if Shown.DAYS in shows and progress.state == CampaignState.OPEN:
        zone = campaign.zone
        last = progress.period.ends_at.astimezone(zone).date()
        days = (last - progress.as_of.astimezone(zone).date()).days
        notes.append(
            _count(words, progress, "{count} day left", "{count} days left", days)
            if days > 1
            else words.gettext("Last day")
        )
    if coming_minor:
        label = money_label(campaign, coming_minor, locale=progress.locale)
        notes.append(_say(words, "{amount} more expected from regular gifts", amount=_held(label)))
    return tuple(notes)


def _matching(words: Words, progress: Progress) -> str:
    """Say who adds to every gift, how much that is by now, and whether the bar counts it."""
    matching = progress.matching
    if matching is None:
        return ""
    is_doubled = matching.rule.percent == DOUBLED_PERCENT
    text = {
        (True, True): N_(
            "{sponsor} doubles every gift, up to {most}: {matched} so far, counted here"
        ),
        (True, False): N_(
            "{sponsor} doubles every gift, up to {most}: {matched} so far, on top of this"
        ),
        (False, True): N_(
            "{sponsor} adds {percent} to every gift, up to {most}: {matched} so far, counted here"
        ),
        (False, False): N_(
            "{sponsor} adds {percent} to every gift, up to {most}: {matched} so far, on top of this"
        ),
    }[is_doubled, matching.rule.counts]
    return _say(
        words,
        text,
        sponsor=matching.rule.sponsor,
        most=_held(matching.most_label),
        matched=_held(matching.matched_label),
        percent=format_percent(Decimal(matching.rule.percent) / 100, locale=progress.locale),
    )


def _recent(
    words: Words, campaign: Campaign, progress: Progress, gifts: Sequence[RecentGift]
) -> tuple[str, ...]:
    said = []
    for gift in gifts:
        label = _held(money_label(campaign, gift.amount_minor, locale=progress.locale))
        if gift.name:
            said.append(_say(words, "{name} gave {amount}", name=gift.name, amount=label))
        else:
            said.append(_say(words, "Somebody gave {amount}", amount=label))
    return tuple(said)


def _held(label: str) -> str:
    """Return an amount that no line ends within: `5,000 $` with a space that does not break."""
    return label.replace(" ", "\N{NO-BREAK SPACE}")


def _say(words: Words, text: str, /, **values: str) -> str:
    return words.gettext(text).format(**values)


def _count(words: Words, progress: Progress, one: str, many: str, number: int) -> str:
    return words.ngettext(one, many, number).format(
        count=format_decimal(number, locale=progress.locale)
    )
