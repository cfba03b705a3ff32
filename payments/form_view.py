"""The donate form as the page prints it: what it offers, and what each offer says."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import urlencode

from babel.numbers import format_percent
from werkzeug.datastructures import MultiDict

from campaigns.fees import cover_minor, fee_terms
from campaigns.labels import money_label
from campaigns.look import Frequency, offered_frequencies, suggested_minor, suggestion_note
from campaigns.models import Campaign
from campaigns.offers import frequency_labels
from campaigns.progress import Progress
from core.errors import Invalid
from core.money import parse_amount, typed_amount
from core.words import language_tag, words_of
from payments.donating import gift_bounds_minor
from payments.forms import CONSENT, CONTROLS, chosen_frequency, kept_form_token

_MOST_SHOWN_CHARACTERS = 2000
_FIELDS = (
    "amount", "frequency", "cover_fees", "name", "email", "anonymous", "message", "dedication",
    "consent", "source", "slot",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountChoice:
    """An amount to choose: as it is typed, as it is read, what it pays for, and a link to it."""

    value: str
    label: str
    note: str  # in the campaign's own language; empty where it says nothing
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """How often one may give, and the amounts that are suggested for it."""

    frequency: Frequency
    label: str
    suggestions: tuple[AmountChoice, ...]


@dataclass(kw_only=True)
class FormView:
    """The donate form as `templates/campaign.html` prints it."""

    action: str
    csrf_token: str
    form_token: str
    values: dict[str, str]
    bounds_label: str
    cover_label: str  # empty where the campaign does not offer to cover the fees
    fees_label: str  # the same before an amount is known
    fees_url: str  # where a script asks for it anew
    consent_label: str
    available: bool
    offers: tuple[Offer, ...] = ()  # put in where the form is shown: who is refused needs none
    errors: dict[str, str] = field(default_factory=dict)
    notice: str | None = None
    challenge: object | None = None


def form_view(
    campaign: Campaign,
    values: MultiDict[str, str],
    *,
    locale: str,
    csrf_token: str,
    available: bool,
) -> FormView:
    """Return the form with `values` as they were typed, or as the link that led here chose.

    `locale` is the reader's; the form's address carries it, so that an amount is read in the
    format in which the page was read.
    """
    words = words_of(locale)
    least, most = (
        _held_label(campaign, bound, locale=locale) for bound in gift_bounds_minor(campaign)
    )
    lang = urlencode({"lang": language_tag(locale)})
    shown = {
        name: CONTROLS.sub("", values.get(name, "")[:_MOST_SHOWN_CHARACTERS]) for name in _FIELDS
    }
    shown["frequency"] = chosen_frequency(campaign, values.get("frequency"))
    if "form_token" not in values:
        # A new form: a name is shown only where its donor says so, and what costs or allows
        # something is ticked by nobody else.
        shown |= {"anonymous": "1", "cover_fees": "", "consent": ""}
    return FormView(
        action=f"/c/{campaign.slug}/donate?{lang}",
        csrf_token=csrf_token,
        form_token=kept_form_token(values.get("form_token")),
        values=shown,
        bounds_label=words.gettext("Between {least} and {most}.").format(least=least, most=most),
        cover_label=cover_label(campaign, shown["amount"], locale=locale),
        fees_label=cover_label(campaign, "", locale=locale),
        fees_url=f"/c/{campaign.slug}/fees?{lang}",
        consent_label=words.gettext(CONSENT),
        available=available,
    )


def cover_label(campaign: Campaign, typed: str, *, locale: str) -> str:
    """Say what covering the fees adds to an amount as it was typed, or what fees there are.

    Empty where the campaign does not offer it.
    """
    terms = fee_terms(campaign)
    if terms is None:
        return ""
    words = words_of(locale)
    amount_minor = _amount_of(campaign, typed, locale=locale)
    if amount_minor is None:
        return _fees_in_words(campaign, terms, locale=locale)
    cover = cover_minor(campaign, amount_minor)
    if not cover:
        return words.gettext("The fees can't be added to this amount.")
    return words.gettext(
        "Add {cover} to cover the fees, so that all of your {amount} arrives."
    ).format(
        cover=_held_label(campaign, cover, locale=locale),
        amount=_held_label(campaign, amount_minor, locale=locale),
    )


def _fees_in_words(campaign: Campaign, terms: tuple[int, int], *, locale: str) -> str:
    rate_bp, fixed_minor = terms
    words = words_of(locale)
    rate = format_percent(Decimal(rate_bp) / 10_000, locale=locale, decimal_quantization=False)
    fixed = _held_label(campaign, fixed_minor, locale=locale)
    if rate_bp and fixed_minor:
        return words.gettext("Add what the payment costs: {rate} and {fixed}.").format(
            rate=rate, fixed=fixed
        )
    return words.gettext("Add what the payment costs: {cost}.").format(
        cost=rate if rate_bp else fixed
    )


def _held_label(campaign: Campaign, amount_minor: int, *, locale: str) -> str:
    """Print an amount that stands in a sentence: no line ends within it."""
    label = money_label(campaign, amount_minor, locale=locale)
    return label.replace(" ", "\N{NO-BREAK SPACE}")


def _amount_of(campaign: Campaign, typed: str, *, locale: str) -> int | None:
    """Return an amount that may be given, None for anything else."""
    try:
        amount_minor = parse_amount(typed, campaign.currency, locale=locale)
    except Invalid:
        return None
    least, most = gift_bounds_minor(campaign)
    return amount_minor if least <= amount_minor <= most else None


def offers_in(
    campaign: Campaign, progress: Progress, shown: dict[str, str], *, locale: str
) -> tuple[Offer, ...]:
    """Return what a form that shows these values offers in the present period."""
    labels = frequency_labels(words_of(locale))
    return tuple(
        Offer(
            frequency=frequency,
            label=labels[frequency],
            suggestions=tuple(
                AmountChoice(
                    value=typed_amount(amount, campaign.currency, locale=locale),
                    label=money_label(campaign, amount, locale=locale),
                    note=suggestion_note(campaign, frequency, amount) or "",
                    href=_link(campaign, shown, frequency, amount, locale=locale),
                )
                for amount in suggested_minor(campaign, frequency, progress.suggested_minor)
            ),
        )
        for frequency in offered_frequencies(campaign)
    )


def _link(
    campaign: Campaign, shown: dict[str, str], frequency: str, amount_minor: int, *, locale: str
) -> str:
    """Return this page with an amount chosen, and with all that an address may carry along.

    Who it is and what was said is not for an address: proxies and histories keep those.
    """
    query = {
        "amount": typed_amount(amount_minor, campaign.currency, locale="en"),
        "frequency": frequency,
        "source": shown["source"],
        "slot": shown["slot"],
        "lang": language_tag(locale),
    }
    chosen = {name: value for name, value in query.items() if value}
    return f"/c/{campaign.slug}?{urlencode(chosen)}#give"
