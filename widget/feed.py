"""The feed of closings, as Atom has it: https://www.rfc-editor.org/rfc/rfc4287.

An entry is the news that a period was closed, with what was announced then. It never changes and
is never told anew: a refund of one gift would otherwise have every reader's feed ring. What has
become of the period since stands on its page, to which the entry leads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from babel.lists import format_list
from babel.numbers import format_decimal

from campaigns.history import PastPeriod
from campaigns.models import Campaign
from campaigns.progress import instant_text
from core.words import Words, language_tag, words_of
from widget.oembed import NOT_IN_XML

ATOM = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Whose feed it is."""

    base_url: str
    name: str


def write_feed(campaign: Campaign, closings: Sequence[PastPeriod], site: Site) -> str:
    """Return the feed of a campaign's closings, which come the latest first."""
    words = words_of(campaign.locale)
    page_url = f"{site.base_url}/c/{campaign.slug}"
    tag = _tag(campaign, site)
    title = words.gettext("{campaign}: what was raised").format(campaign=campaign.title)
    feed = ET.Element("feed", {"xmlns": ATOM, "xml:lang": language_tag(campaign.locale)})
    _add(feed, "id", tag)
    _add(feed, "title", title)
    _add(feed, "updated", instant_text(max(_closed_at(closings), default=campaign.created_at)))
    ET.SubElement(
        feed,
        "link",
        {"rel": "self", "type": "application/atom+xml", "href": f"{page_url}/closings.atom"},
    )
    ET.SubElement(
        feed, "link", {"rel": "alternate", "type": "text/html", "href": f"{page_url}/months"}
    )
    _add(ET.SubElement(feed, "author"), "name", site.name)
    for past, closed_at in zip(closings, _closed_at(closings), strict=True):
        entry = ET.SubElement(feed, "entry")
        _add(entry, "id", f"{tag}/{past.period.key}")
        _add(entry, "title", announced_title(words, past))
        _add(entry, "published", instant_text(closed_at))
        _add(entry, "updated", instant_text(closed_at))
        ET.SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": past.url})
        _add(entry, "summary", _summary(words, campaign, past))
    head = '<?xml version="1.0" encoding="utf-8"?>\n'
    return head + ET.tostring(feed, encoding="unicode")


def announced_title(words: Words, past: PastPeriod) -> str:
    """Say what was announced of a period, or where it stands while nothing was announced."""
    raised = past.as_closed_label or past.raised_label
    if past.goal is None:
        text = words.gettext("{period}: {raised}")
        return text.format(period=past.period.label, raised=raised)
    text = words.gettext("{period}: {raised} of {goal}")
    return text.format(period=past.period.label, raised=raised, goal=past.goal.label)


def _tag(campaign: Campaign, site: Site) -> str:
    """Return the id of a campaign's feed: https://www.rfc-editor.org/rfc/rfc4151."""
    host = (urlsplit(site.base_url).hostname or "localhost").replace(":", "-")
    return f"tag:{host},{campaign.created_at:%Y-%m-%d}:c/{campaign.slug}"


def _closed_at(closings: Sequence[PastPeriod]) -> list[datetime]:
    return [past.closed_at for past in closings if past.closed_at is not None]


def _summary(words: Words, campaign: Campaign, past: PastPeriod) -> str:
    parts = []
    reached = [tier.label for tier in past.tiers if tier.amount_minor and tier.reached_at_close]
    if reached:
        text = words.ngettext("Goal reached: {goals}", "Goals reached: {goals}", len(reached))
        parts.append(text.format(goals=format_list(reached, locale=campaign.locale)))
    gifts, donors = past.as_closed_donations, past.as_closed_donors
    if gifts is not None:
        text = words.ngettext("{count} gift", "{count} gifts", gifts)
        parts.append(text.format(count=format_decimal(gifts, locale=campaign.locale)))
    if donors is not None:
        text = words.ngettext("{count} donor", "{count} donors", donors)
        parts.append(text.format(count=format_decimal(donors, locale=campaign.locale)))
    return " · ".join([campaign.title, *parts])


def _add(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = NOT_IN_XML.sub("", text)
