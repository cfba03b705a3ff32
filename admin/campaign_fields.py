"""The fields of a campaign's form: how what is stored is typed, and how what was typed is read.

All that a form holds is text, and that of several fields of one name is joined by lines. So what is
shown, what was typed and what was stored when the form was opened can be compared field by field.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from werkzeug.datastructures import MultiDict

from campaigns import look, plans
from campaigns.catalog import CampaignChanges, checked_format
from campaigns.fees import parse_fees
from campaigns.fields import Typed, plain, stored_of
from campaigns.look import FREQUENCIES, Frequency, Suggestion
from campaigns.matching import DOUBLED_PERCENT, NO_MATCHING, Matching, checked_matching
from campaigns.models import Campaign
from campaigns.story import checked_story
from core.errors import Invalid
from core.money import known_locale, parse_amount

T = TypeVar("T")
MATCHING = ("match", "match_up_to", "match_percent", "match_counts")
TEXTS = (
    "title", "description", "story", "locale", "capitals", "money_format", "accent", "button",
    *FREQUENCIES, "fees", *MATCHING, "hosts",
)  # fmt: skip
LISTS = ("tier", "shows", "frequencies")
LABELS: Mapping[str, str] = {
    "title": "title",
    "description": "description",
    "story": "story",
    "locale": "language",
    "capitals": "capitals",
    "money_format": "money format",
    "accent": "colour",
    "button": "button",
    "once": "amounts given once",
    "month": "monthly amounts",
    "year": "yearly amounts",
    "fees": "fees",
    "match": "who matches",
    "match_up_to": "matched up to",
    "match_percent": "matched percentage",
    "match_counts": "whether matching counts",
    "hosts": "host sites",
    "tier": "goals",
    "shows": "notes shown",
    "frequencies": "how often one may give",
}
_MOST_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was typed, as far as it can be used, and what is wrong with the rest, by field.

    `tiers_minor` are None where the goals were left as they are.
    """

    changes: CampaignChanges
    tiers_minor: tuple[int, ...] | None
    problems: dict[str, str] = field(default_factory=dict)


def typed_of(form: MultiDict[str, str]) -> Typed:
    """Return what a form holds of our fields."""
    typed = {name: plain(form.get(name, "")) for name in TEXTS}
    return typed | {name: "\n".join(filter(None, map(plain, form.getlist(name)))) for name in LISTS}


def read_fields(campaign: Campaign, typed: Typed) -> Reading:
    """Read what was typed otherwise than it is stored; what is as it was is not looked at."""
    stored, problems = stored_of(campaign), dict[str, str]()
    changed = {name for name in stored if typed[name] != stored[name]}
    values: dict[str, Any] = {}
    for name in changed & _READERS.keys():
        values[name] = attempt(problems, name, partial(_READERS[name], typed[name]))
    if "fees" in changed:
        values["fees"] = attempt(
            problems, "fees", partial(parse_fees, typed["fees"], campaign.currency)
        )
    if changed & set(MATCHING):
        values["matching"] = _matching(problems, campaign, typed)
    suggestions: dict[Frequency, tuple[Suggestion, ...]] = {}
    for frequency in FREQUENCIES:
        if frequency in changed:
            read = attempt(
                problems, frequency, partial(read_suggestions, campaign, typed[frequency])
            )
            suggestions |= {} if read is None else {frequency: read}
    tiers = None
    if "tier" in changed:
        tiers = attempt(problems, "tier", partial(read_tiers, campaign, typed["tier"]))
    return Reading(
        changes=CampaignChanges(**values, suggestions=suggestions),
        tiers_minor=tiers,
        problems=problems,
    )


def attempt(problems: dict[str, str], name: str, read: Callable[[], T]) -> T | None:
    """Return what `read` reads; None where it can't, whose sentence then stands by the field."""
    try:
        return read()
    except Invalid as error:
        problems[name] = error.message
        return None


def read_tiers(campaign: Campaign, text: str) -> tuple[int, ...]:
    """Read goals, one a line, as the campaign's language writes them."""
    return tuple(plans.checked_tiers([_minor(campaign, line) for line in text.split("\n") if line]))


def read_suggestions(campaign: Campaign, text: str) -> tuple[Suggestion, ...]:
    """Read amounts to suggest, one a line: `20`, or `20: pays for a day in court`."""
    found = []
    for line in filter(None, map(str.strip, text.split("\n"))):
        amount, _, note = line.partition(":")
        found.append(Suggestion(_minor(campaign, amount), note))
    return look.checked_suggestions(found)


def read_number(text: str) -> int:
    """Read a small whole number; raise Invalid."""
    if not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS:
        raise Invalid("Write a whole number.")
    return int(text)


def fingerprints(typed: Typed) -> str:
    """Return a mark of each field's text, by which a later form knows what it was opened with."""
    return " ".join(f"{name}:{_fingerprint(text)}" for name, text in sorted(typed.items()))


def moved_since(base: str, stored: Typed) -> set[str]:
    """Return the fields that somebody has changed since a form was opened with these marks."""
    marks = dict(part.split(":", 1) for part in base.split() if ":" in part)
    return {
        name for name, text in stored.items() if marks.get(name) not in {None, _fingerprint(text)}
    }


def touched(base: str, typed: Typed, name: str) -> bool:
    """Tell whether a field holds another text than when its form was opened."""
    return f" {name}:{_fingerprint(typed[name])} " not in f" {base} "


def _matching(problems: dict[str, str], campaign: Campaign, typed: Typed) -> Matching | None:
    if not typed["match"]:
        return NO_MATCHING
    most = attempt(problems, "match_up_to", partial(_minor, campaign, typed["match_up_to"]))
    written = typed["match_percent"] or str(DOUBLED_PERCENT)
    percent = attempt(problems, "match_percent", partial(read_number, written))
    if most is None or percent is None:
        return None
    rule = Matching(
        sponsor=typed["match"], most_minor=most, percent=percent, counts=bool(typed["match_counts"])
    )
    try:
        return checked_matching(rule)
    except Invalid as error:
        problems[error.field if error.field in MATCHING else "match"] = error.message
        return None


def _minor(campaign: Campaign, text: str) -> int:
    return parse_amount(text, campaign.currency, locale=campaign.locale)


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:10]


def _text(field: str, most: int, *, required: bool) -> Callable[[str], str]:
    return lambda text: plans.checked_text(text, field, most, required=required)


def _lines(text: str) -> Iterable[str]:
    return filter(None, map(str.strip, text.split("\n")))


def _checked_lines(check: Callable[[Iterable[str]], str]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        names = tuple(_lines(text))
        check(names)
        return names

    return read


def _unchanged(check: Callable[[str], object]) -> Callable[[str], str]:
    """Have a text checked, and keep it as it was typed: an empty one takes away what was set."""

    def read(text: str) -> str:
        check(text)
        return text

    return read


_READERS: Mapping[str, Callable[[str], Any]] = {
    "title": _text("title", plans.MOST_TITLE_CHARACTERS, required=True),
    "description": _text("description", plans.MOST_DESCRIPTION_CHARACTERS, required=False),
    "story": checked_story,
    "locale": known_locale,
    "capitals": bool,
    "money_format": _unchanged(checked_format),
    "accent": _unchanged(look.checked_accent),
    "button": _unchanged(look.checked_button),
    "hosts": _checked_lines(look.checked_hosts),
    "shows": _checked_lines(look.checked_shows),
    "frequencies": _checked_lines(look.checked_frequencies),
}
