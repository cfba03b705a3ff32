"""A campaign's progress, ready to print: the one model behind every face of the widget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from campaigns.calendar import state_at
from campaigns.catalog import find_campaign
from campaigns.labels import money_label, period_label, span_label
from campaigns.look import Frequency
from campaigns.matching import Matching, matching_of, shown_minor
from campaigns.models import Campaign, CampaignState, Period
from campaigns.opening import Opening, opening_of
from campaigns.periods import current_period, preview_period
from campaigns.plans import amounts_of
from campaigns.shapes import MatchingJson, PeriodJson, ProgressJson, TierJson


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodView:
    """A period for people: its key, its label, and the instants `[starts_at, ends_at)`."""

    key: str
    label: str
    starts_at: datetime
    ends_at: datetime

    def to_json(self) -> PeriodJson:
        """Return the period as the public contract writes it."""
        return {
            "key": self.key,
            "label": self.label,
            "starts_at": instant_text(self.starts_at),
            "ends_at": instant_text(self.ends_at),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TierView:
    """A goal on the bar; the first is always zero."""

    amount_minor: int
    label: str
    reached: bool

    def to_json(self) -> TierJson:
        """Return the tier as the public contract writes it."""
        return {"amount_minor": self.amount_minor, "label": self.label, "reached": self.reached}


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchingView:
    """What somebody adds to a period's gifts by now, as their rule says."""

    rule: Matching
    matched_minor: int
    matched_label: str
    most_label: str

    def to_json(self) -> MatchingJson:
        """Return the matching as the public contract writes it."""
        return {
            "sponsor": self.rule.sponsor,
            "matched_minor": self.matched_minor,
            "matched_label": self.matched_label,
            "counts": self.rule.counts,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a campaign stands in the period that holds `as_of`.

    `raised_minor` is what the bar shows: the period's gifts, and what is matched of them where
    that counts. `percent` is of the highest tier, in tenths rounded down so that no goal looks
    reached before it is; it may pass 100, and is None where there is no tier.
    """

    campaign: str
    title: str
    description: str
    currency: str
    locale: str
    period: PeriodView
    raised_minor: int
    raised_label: str
    percent: float | None
    tiers: tuple[TierView, ...]
    donations: int
    donors: int
    state: CampaignState
    donate_url: str
    as_of: datetime
    matching: MatchingView | None = None
    # The amounts that are suggested in this period alone, by frequency.
    suggested_minor: Mapping[Frequency, tuple[int, ...]] = field(default_factory=dict)

    @property
    def given_minor(self) -> int:
        """What readers gave, without what is matched of it."""
        if self.matching is None or not self.matching.rule.counts:
            return self.raised_minor
        return self.raised_minor - self.matching.matched_minor

    def to_json(self) -> ProgressJson:
        """Return the progress as the public contract writes it: no word of matching without it."""
        told: ProgressJson = {
            "campaign": self.campaign,
            "title": self.title,
            "currency": self.currency,
            "locale": self.locale,
            "period": self.period.to_json(),
            "raised_minor": self.raised_minor,
            "raised_label": self.raised_label,
            "percent": self.percent,
            "tiers": [tier.to_json() for tier in self.tiers],
            "donations": self.donations,
            "donors": self.donors,
            "state": self.state,
            "donate_url": self.donate_url,
            "as_of": instant_text(self.as_of),
        }
        if self.matching is not None:
            told["matching"] = self.matching.to_json()
        return told


def instant_text(instant: datetime) -> str:
    """Write an instant as JSON has it: `2021-05-01T04:00:00Z`, to the second."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_progress(
    session: Session, slug: str, *, now: datetime, base_url: str, locale: str | None = None
) -> Progress:
    """Return the campaign's progress at `now`; raise CampaignNotFound, also for a draft.

    Reads only. Where nobody has made the current month's row yet, it is what the row would be.
    """
    campaign = find_campaign(session, slug)
    return progress_of(session, campaign, now=now, base_url=base_url, locale=locale)


def progress_of(
    session: Session,
    campaign: Campaign,
    *,
    now: datetime,
    base_url: str,
    locale: str | None = None,
) -> Progress:
    """Return the progress at `now` of a campaign that was found with its tiers."""
    stored = current_period(session, campaign, now)
    if stored is not None:
        return progress_of_period(campaign, stored, now=now, base_url=base_url, locale=locale)
    bounds, opening = preview_period(session, campaign, now)
    return compose_progress(
        campaign,
        PeriodView(
            key=bounds.key,
            label=span_label(campaign, bounds.key, bounds.last_day, locale=locale),
            starts_at=bounds.starts_at,
            ends_at=bounds.ends_at,
        ),
        opening=opening,
        given_minor=0,
        matching=matching_of(campaign),
        donations=0,
        donors=0,
        now=now,
        base_url=base_url,
        locale=locale,
    )


def progress_of_period(
    campaign: Campaign,
    period: Period,
    *,
    now: datetime,
    base_url: str,
    locale: str | None = None,
) -> Progress:
    """Return how a period stands that was found with its tiers, whether it is over or not."""
    return compose_progress(
        campaign,
        PeriodView(
            key=period.key,
            label=period_label(campaign, period, locale=locale),
            starts_at=period.starts_at,
            ends_at=period.ends_at,
        ),
        opening=opening_of(period),
        given_minor=period.raised_minor,
        matching=matching_of(period),
        donations=period.donation_count,
        donors=period.donor_count,
        now=now,
        base_url=base_url,
        locale=locale,
    )


def compose_progress(
    campaign: Campaign,
    period: PeriodView,
    *,
    opening: Opening,
    given_minor: int,
    donations: int,
    donors: int,
    now: datetime,
    base_url: str,
    locale: str | None = None,
    matching: Matching | None = None,
) -> Progress:
    """Return the progress that these numbers are.

    `opening` is what the period has of its own, `given_minor` what its ledger says, and `matching`
    its own rule.
    """
    raised_minor, tiers = shown_minor(matching, given_minor), opening.tiers_minor
    return Progress(
        campaign=campaign.slug,
        title=opening.title or campaign.title,
        description=opening.description or campaign.description,
        currency=campaign.currency,
        locale=locale or campaign.locale,
        period=period,
        raised_minor=raised_minor,
        raised_label=money_label(campaign, raised_minor, locale=locale),
        percent=_percent(raised_minor, tiers),
        tiers=_tiers(campaign, raised_minor, tiers, locale=locale),
        donations=donations,
        donors=donors,
        state=state_at(campaign, now),
        donate_url=f"{base_url}/c/{campaign.slug}",
        as_of=now,
        matching=_matched(campaign, matching, given_minor, locale=locale),
        suggested_minor=amounts_of(opening.amounts),
    )


def _matched(
    campaign: Campaign, matching: Matching | None, given_minor: int, *, locale: str | None
) -> MatchingView | None:
    if matching is None:
        return None
    matched_minor = matching.matched_minor(given_minor)
    return MatchingView(
        rule=matching,
        matched_minor=matched_minor,
        matched_label=money_label(campaign, matched_minor, locale=locale),
        most_label=money_label(campaign, matching.most_minor, locale=locale),
    )


def _tiers(
    campaign: Campaign, raised: int, amounts: Sequence[int], *, locale: str | None = None
) -> tuple[TierView, ...]:
    return tuple(
        TierView(
            amount_minor=amount,
            label=money_label(campaign, amount, locale=locale),
            reached=raised >= amount,
        )
        for amount in (0, *amounts)
    )


def _percent(raised: int, amounts: Sequence[int]) -> float | None:
    if not amounts:
        return None
    tenths = raised * 1000 // max(amounts)
    return tenths / 10  # a share, not money: exact in print up to 2**53 tenths
