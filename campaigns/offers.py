"""What is offered beside the bar: how often to give, and the amounts to choose from."""

from __future__ import annotations

from dataclasses import dataclass

from campaigns.labels import money_label
from campaigns.look import Frequency, offered_frequencies, suggested_minor
from campaigns.models import Campaign
from campaigns.progress import Progress
from core.money import typed_amount
from core.words import Words

# What stands beside the bar in a column; the donate page offers the rest.
MOST_CHOICES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An amount to choose: as links carry it (`20`, `2.5`), and as it is read."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The amounts that are offered for gifts of one frequency."""

    frequency: Frequency
    label: str
    choices: tuple[Choice, ...]


def offers_of(words: Words, campaign: Campaign, progress: Progress) -> tuple[Offer, ...]:
    """Return what is offered in a period, in the language of its progress."""
    labels, own = frequency_labels(words), progress.suggested_minor
    return tuple(
        Offer(
            frequency=frequency,
            label=labels[frequency],
            choices=tuple(
                Choice(
                    value=typed_amount(amount, campaign.currency, locale="en"),
                    label=money_label(campaign, amount, locale=progress.locale),
                )
                for amount in suggested_minor(campaign, frequency, own)[:MOST_CHOICES]
            ),
        )
        for frequency in offered_frequencies(campaign)
    )


def frequency_labels(words: Words) -> dict[Frequency, str]:
    """Return what the frequencies are called, in the order in which they are offered."""
    return {
        "once": words.gettext("Once"),
        "month": words.gettext("Monthly"),
        "year": words.gettext("Yearly"),
    }
