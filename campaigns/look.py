"""How a campaign looks and what it offers: its colour and amounts, what it shows, who may frame it.

Each is kept as short text in the campaign's row. Here it is checked on its way in and read on its
way out, with the defaults of a campaign that says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, cast

from campaigns.errors import InvalidCampaign
from campaigns.models import Campaign
from core.money import MOST_CHARGE_MINOR, exponent

Frequency = Literal["once", "month", "year"]
FREQUENCIES: tuple[Frequency, ...] = ("once", "month", "year")
MOST_SUGGESTIONS = 6
MOST_NOTE_CHARACTERS = 200
MOST_BUTTON_CHARACTERS = 40
DEFAULT_ACCENT = "#18806c"
# What the bar may stand on, at its lightest and at its darkest.
LIGHT_PAPER, DARK_PAPER = "#ffffff", "#16181a"
# WCAG 2.2, 1.4.11: graphics against what is beside them.
LEAST_CONTRAST = 3.0
_MOST_HOSTS = 40
_MOST_HOSTS_CHARACTERS = 2000
_COLOUR = re.compile(r"#[0-9a-f]{6}", re.ASCII)
_ORIGIN = re.compile(r"(https?://(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:\d{1,5})?)/?", re.ASCII)
_SUGGESTED_MAJOR: dict[Frequency, tuple[int, ...]] = {
    "once": (10, 20, 50, 100),
    "month": (5, 10, 20, 50),
    "year": (50, 100, 200, 500),
}


class Shown(StrEnum):
    """What a campaign may show beside its bar. Stored by value."""

    DONORS = "donors"  # how many people gave
    DAYS = "days"  # how many days are left
    EXPECTED = "expected"  # renewals that are still to come this month
    RECENT = "recent"  # the latest gifts, by name only where the donor wants it


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An amount to suggest, and what the publisher says that it pays for."""

    amount_minor: int
    note: str | None = None


def checked_accent(text: str) -> str | None:
    """Return a colour as `#18806c`, None for an empty text, which is the default one.

    Raises InvalidCampaign where it is no colour, or one that is too pale to see.
    """
    colour = text.strip().lower()
    if not colour:
        return None
    if not _COLOUR.fullmatch(colour):
        raise InvalidCampaign("A colour is written as #18806c.", field="accent")
    found = contrast(colour, LIGHT_PAPER)
    if found < LEAST_CONTRAST:
        raise InvalidCampaign(
            f"{colour} has a contrast of {found:.1f} on white; the bar needs {LEAST_CONTRAST:.0f}"
            " to be seen. Take a darker one.",
            field="accent",
        )
    return colour


def checked_button(text: str) -> str | None:
    """Return the text of the button, None for an empty one; raise InvalidCampaign if too long."""
    cleaned = text.strip()
    if len(cleaned) > MOST_BUTTON_CHARACTERS or not cleaned.isprintable():
        raise InvalidCampaign(
            f"The button's text has at most {MOST_BUTTON_CHARACTERS} characters.", field="button"
        )
    return cleaned or None


def checked_shows(names: Iterable[str]) -> str:
    """Return what is to be shown, as it is stored; raise InvalidCampaign for an unknown name."""
    wanted = set(names)
    unknown = wanted - set(Shown)
    if unknown:
        raise InvalidCampaign(
            f"“{min(unknown)}” can't be shown. There are {', '.join(Shown)}.", field="show"
        )
    return ",".join(name for name in Shown if name in wanted)


def checked_frequencies(names: Iterable[str]) -> str:
    """Return how often may be given, as it is stored; raise InvalidCampaign for anything else."""
    wanted = set(names)
    if not wanted or wanted - set(FREQUENCIES):
        raise InvalidCampaign(
            f"Gifts are given {', '.join(FREQUENCIES)}: name one of these or more.",
            field="frequency",
        )
    return ",".join(name for name in FREQUENCIES if name in wanted)


def checked_hosts(origins: Iterable[str]) -> str:
    """Return the origins that may frame a campaign, as they are stored.

    An origin is `https://news.example.org`, with `*.` for all that is under a name. Raises
    InvalidCampaign for anything that a content security policy would not take for one.
    """
    checked = []
    for origin in origins:
        match = _ORIGIN.fullmatch(origin.strip(" ").lower())
        if match is None:
            raise InvalidCampaign(
                f"“{origin[:80]}” is not a site. Write it as https://news.example.org.",
                field="host",
            )
        checked.append(match[1])
    text = "\n".join(dict.fromkeys(checked))
    if len(checked) > _MOST_HOSTS or len(text) > _MOST_HOSTS_CHARACTERS:
        raise InvalidCampaign(f"A campaign names at most {_MOST_HOSTS} sites.", field="host")
    return text


def checked_suggestions(suggestions: Iterable[Suggestion]) -> tuple[Suggestion, ...]:
    """Return the amounts to suggest, least first, each once and with the last note it was given.

    Raises InvalidCampaign for too many, and for a note that is too long.
    """
    notes = {suggestion.amount_minor: _checked_note(suggestion.note) for suggestion in suggestions}
    if len(notes) > MOST_SUGGESTIONS or any(
        not 0 < amount <= MOST_CHARGE_MINOR for amount in notes
    ):
        raise InvalidCampaign(
            f"Suggest at most {MOST_SUGGESTIONS} amounts that a card can pay.", field="amount"
        )
    return tuple(Suggestion(amount, note) for amount, note in sorted(notes.items()))


def _checked_note(note: str | None) -> str | None:
    cleaned = " ".join((note or "").split())
    if len(cleaned) > MOST_NOTE_CHARACTERS or not cleaned.isprintable():
        raise InvalidCampaign(
            f"What an amount pays for is said in at most {MOST_NOTE_CHARACTERS} characters.",
            field="amount",
        )
    return cleaned or None


def shown_notes(campaign: Campaign) -> frozenset[Shown]:
    """Return what the campaign shows beside its bar."""
    return frozenset(Shown(name) for name in (campaign.shows or "").split(",") if name)


def offered_frequencies(campaign: Campaign) -> tuple[Frequency, ...]:
    """Return how often one may give, in the order in which it is offered."""
    return tuple(cast("Frequency", name) for name in campaign.frequencies.split(","))


def suggested_minor(
    campaign: Campaign,
    frequency: Frequency,
    of_period: Mapping[Frequency, tuple[int, ...]] = MappingProxyType({}),
) -> tuple[int, ...]:
    """Return the amounts that are offered for gifts of this frequency, least first.

    Those of the period go before the campaign's, and these before the usual ones.
    """
    if of_period.get(frequency):
        return of_period[frequency]
    own = tuple(
        suggested.amount_minor
        for suggested in campaign.suggestions
        if suggested.frequency == frequency
    )
    if own:
        return own
    digits = exponent(campaign.currency)
    # Ten yen buy nothing: where there is no small unit, the whole one is small itself.
    scale = 10**digits if digits else 100
    return tuple(major * scale for major in _SUGGESTED_MAJOR[frequency])


def suggestion_note(campaign: Campaign, frequency: str, amount_minor: int) -> str | None:
    """Return what the publisher says that an amount pays for, None where they say nothing."""
    return next(
        (
            suggested.note
            for suggested in campaign.suggestions
            if (suggested.frequency, suggested.amount_minor) == (frequency, amount_minor)
        ),
        None,
    )


def allowed_hosts(campaign: Campaign) -> tuple[str, ...]:
    """Return the origins that may frame the campaign; empty where all may."""
    return tuple((campaign.hosts or "").split())


def accent_on_light(campaign: Campaign) -> str:
    """Return the colour of the bar on light paper."""
    return campaign.accent or DEFAULT_ACCENT


def accent_on_dark(campaign: Campaign) -> str:
    """Return the colour of the bar on dark paper."""
    return lightened(accent_on_light(campaign))


def lightened(colour: str) -> str:
    """Return a colour as it is on dark paper: the same, as much lighter as it needs to be seen."""
    for percent in range(0, 101, 4):
        mixed = _mixed(colour, LIGHT_PAPER, percent)
        if contrast(mixed, DARK_PAPER) >= LEAST_CONTRAST:
            return mixed
    return LIGHT_PAPER


def ink_on(colour: str) -> str:
    """Return black or white, whichever reads better on `colour`; it always has 4.5:1."""
    return max(("#ffffff", "#000000"), key=lambda ink: contrast(ink, colour))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21.

    https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
    """
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    # https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
    channels = [value / 255 for value in _channels(colour)]
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4  # noqa: PLR2004
        for value in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _mixed(colour: str, other: str, percent: int) -> str:
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{one + (two - one) * percent // 100:02x}" for one, two in pairs)


def _channels(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
