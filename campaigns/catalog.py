"""Campaigns: creating and finding them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, selectinload

from campaigns import look
from campaigns.errors import CampaignExists, CampaignNotFound, InvalidCampaign
from campaigns.fees import Fees, checked_fees
from campaigns.matching import Matching, checked_matching, set_matching
from campaigns.models import Campaign, CampaignState, CampaignTier, SuggestedAmount
from campaigns.periods import get_or_create_period
from campaigns.plans import (
    MOST_DESCRIPTION_CHARACTERS,
    MOST_TITLE_CHARACTERS,
    checked_text,
    checked_tiers,
)
from campaigns.story import checked_story
from campaigns.timing import Run, timing_columns
from core.cadence import MONTHLY, Cadence
from core.db import insert_if_absent
from core.money import check_pattern, known_currency, known_locale
from core.zones import load_zone

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?", re.ASCII)
# Words that the addresses of faces need for themselves.
_RESERVED_SLUGS = frozenset({"v1", "v1.js", "static", "api", "admin", "thanks", "donate", "new"})
MOST_SLUG_CHARACTERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignChanges:
    """What is to be changed of a campaign; None and what is not named stay as they are.

    An empty text takes the campaign's own `accent`, `button`, `money_format` or `story` away, empty
    `hosts` let every page frame it, and no suggestions for a frequency are the amounts that every
    campaign begins with. A matching without a sponsor ends it; the period that has begun takes part
    in a change of it, what has ended does not.
    """

    title: str | None = None
    description: str | None = None
    story: str | None = None
    locale: str | None = None
    capitals: bool | None = None
    money_format: str | None = None
    state: CampaignState | None = None
    accent: str | None = None
    button: str | None = None
    shows: tuple[str, ...] | None = None
    frequencies: tuple[str, ...] | None = None
    hosts: tuple[str, ...] | None = None
    suggestions: Mapping[look.Frequency, tuple[look.Suggestion, ...]] = field(default_factory=dict)
    fees: Fees | None = None
    matching: Matching | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCampaign:
    """What a campaign is made from. `tiers_minor` are in minor units of `currency`."""

    slug: str
    title: str
    currency: str
    timezone: str
    tiers_minor: tuple[int, ...] = ()
    locale: str = "en"
    money_format: str | None = None
    description: str = ""
    capitals: bool | None = None  # None: as English likes it, and other languages don't
    draft: bool = False
    cadence: Cadence = MONTHLY
    run: Run | None = None  # for a campaign that runs once, whose cadence is none
    changes: CampaignChanges = CampaignChanges()


def create_campaign(session: Session, new: NewCampaign, *, now: datetime) -> Campaign:
    """Create a campaign and the period that `now` falls in.

    Raises InvalidCampaign or Invalid, naming the field, and CampaignExists where the slug is taken.
    """
    locale = known_locale(new.locale)
    values = {
        "slug": _checked_slug(new.slug),
        "title": checked_text(new.title, "title", MOST_TITLE_CHARACTERS),
        "description": checked_text(
            new.description, "description", MOST_DESCRIPTION_CHARACTERS, required=False
        ),
        "currency": known_currency(new.currency),
        "timezone": load_zone(new.timezone).key,
        "locale": locale,
        "capitals": locale.startswith("en") if new.capitals is None else new.capitals,
        "money_format": checked_format(new.money_format or ""),
        "state": CampaignState.DRAFT if new.draft else CampaignState.OPEN,
        "created_at": now,
        **timing_columns(new.cadence, new.run),
    }
    tiers = checked_tiers(new.tiers_minor)
    if not insert_if_absent(session, Campaign, values, unique=("slug",)):
        raise CampaignExists(f"There is a campaign “{new.slug}” already.", field="slug")
    stored = session.scalars(select(Campaign).where(Campaign.slug == new.slug)).one()
    session.add_all(CampaignTier(campaign_id=stored.id, amount_minor=tier) for tier in tiers)
    session.flush()
    get_or_create_period(session, stored, now)
    return change_campaign(session, new.slug, new.changes, now=now)


def change_campaign(
    session: Session, slug: str, changes: CampaignChanges, *, now: datetime
) -> Campaign:
    """Change what is named and leave the rest; returns the campaign, drafts too.

    Raises CampaignNotFound, and InvalidCampaign, naming the field, before anything is changed.
    """
    campaign = find_campaign(session, slug, drafts=True)
    values = checked_columns(changes)
    suggestions = checked_suggestions(changes)
    matching = None if changes.matching is None else checked_matching(changes.matching)
    for name, value in values.items():
        setattr(campaign, name, value)
    if changes.matching is not None:
        set_matching(session, campaign, matching, now=now)
    _suggest(session, campaign, suggestions)
    session.flush()
    return find_campaign(session, slug, drafts=True)


def checked_columns(changes: CampaignChanges) -> dict[str, Any]:
    """Return what is to be changed in the campaign's own row, but for its matching."""
    columns: dict[str, Any] = {
        name: check(getattr(changes, name))
        for name, check in _CHECKS.items()
        if getattr(changes, name) is not None
    }
    if changes.fees is not None:
        fees = checked_fees(changes.fees)
        columns |= {"fee_rate_bp": fees.rate_bp, "fee_fixed_minor": fees.fixed_minor}
    return columns


def checked_suggestions(
    changes: CampaignChanges,
) -> dict[look.Frequency, tuple[look.Suggestion, ...]]:
    """Return the amounts to suggest that are to be changed, by frequency."""
    return {
        frequency: look.checked_suggestions(suggested)
        for frequency, suggested in changes.suggestions.items()
    }


def _suggest(
    session: Session,
    campaign: Campaign,
    suggestions: Mapping[look.Frequency, tuple[look.Suggestion, ...]],
) -> None:
    for frequency, suggested in suggestions.items():
        session.execute(
            delete(SuggestedAmount).where(
                SuggestedAmount.campaign_id == campaign.id, SuggestedAmount.frequency == frequency
            )
        )
        session.add_all(
            SuggestedAmount(
                campaign_id=campaign.id,
                frequency=frequency,
                amount_minor=suggestion.amount_minor,
                note=suggestion.note,
            )
            for suggestion in suggested
        )


def find_campaign(
    session: Session, slug: str, *, drafts: bool = False, locked: bool = False
) -> Campaign:
    """Return the campaign with its tiers; raise CampaignNotFound, also for a draft unless asked.

    `locked`: nobody else changes it until the caller commits.
    """
    statement = (
        select(Campaign)
        .where(Campaign.slug == slug)
        .options(selectinload(Campaign.tiers), selectinload(Campaign.suggestions))
        # Tiers may have been added in this session since the campaign was first loaded.
        .execution_options(populate_existing=True)
    )
    if locked:
        statement = statement.with_for_update(of=Campaign)
    campaign = session.scalars(statement).one_or_none() if "\0" not in slug else None
    if campaign is None or (campaign.state == CampaignState.DRAFT and not drafts):
        raise CampaignNotFound(slug)
    return campaign


def campaign_by_id(session: Session, campaign_id: int) -> Campaign:
    """Return the campaign of that id, with its tiers and suggestions, drafts too."""
    slug = session.scalars(select(Campaign.slug).where(Campaign.id == campaign_id)).one()
    return find_campaign(session, slug, drafts=True)


def campaigns_by_id(session: Session, ids: Collection[int]) -> dict[int, Campaign]:
    """Return the bare campaigns of these ids, drafts too. For a few thousand at most."""
    found = session.scalars(select(Campaign).where(Campaign.id.in_(ids)))
    return {campaign.id: campaign for campaign in found}


def list_campaigns(
    session: Session,
    *,
    drafts: bool = False,
    state: CampaignState | None = None,
    after: str = "",
    limit: int | None = None,
) -> Sequence[Campaign]:
    """Return the campaigns behind `after` with their tiers, by slug; all without a limit.

    `state` leaves out all that were not set to it, `drafts` lets drafts in.
    """
    statement = (
        select(Campaign)
        .where(Campaign.slug > after)
        .order_by(Campaign.slug)
        .limit(limit)
        .options(selectinload(Campaign.tiers), selectinload(Campaign.suggestions))
    )
    if not drafts:
        statement = statement.where(Campaign.state != CampaignState.DRAFT)
    if state is not None:
        statement = statement.where(Campaign.state == state)
    return session.scalars(statement.execution_options(populate_existing=True)).all()


def _checked_slug(slug: str) -> str:
    if not _SLUG.fullmatch(slug) or slug in _RESERVED_SLUGS:
        raise InvalidCampaign(
            f"“{slug[:80]}” can't be a campaign's name in addresses. Use up to 64 small letters,"
            " digits and hyphens, as in support-us.",
            field="slug",
        )
    return slug


def checked_format(text: str) -> str | None:
    """Return how amounts are printed, None for an empty text: as the language has it."""
    return check_pattern(text.strip()) if text.strip() else None


def suggest_slug(title: str) -> str:
    """Return a name for addresses that a title suggests, empty where it has no Latin letters."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:MOST_SLUG_CHARACTERS].strip("-")


_CHECKS: Mapping[str, Callable[[Any], str | bool | None]] = {
    "title": partial(checked_text, field="title", most=MOST_TITLE_CHARACTERS),
    "description": partial(
        checked_text, field="description", most=MOST_DESCRIPTION_CHARACTERS, required=False
    ),
    "story": checked_story,
    "locale": known_locale,
    "capitals": bool,
    "money_format": checked_format,
    "state": CampaignState,
    "accent": look.checked_accent,
    "button": look.checked_button,
    "shows": look.checked_shows,
    "frequencies": look.checked_frequencies,
    "hosts": look.checked_hosts,
}
