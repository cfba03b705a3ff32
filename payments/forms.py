"""The donate form: what a reader may type, how it is read, and what is said of mistakes."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Field, StringField, ValidationError
from wtforms.validators import Email, Length, Optional

from campaigns.face import frequency_labels
from campaigns.labels import money_label
from campaigns.look import Frequency, offered_frequencies, suggested_minor
from campaigns.models import Campaign
from core.errors import Invalid
from core.money import parse_amount, typed_amount
from core.words import words_of
from payments.donating import Wish, gift_bounds_minor

_FORM_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_SLOT = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
_MOST_SOURCE_CHARACTERS = 500
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_MOST_NAME_CHARACTERS = 120
_MOST_MESSAGE_CHARACTERS = 500
_MOST_EMAIL_CHARACTERS = 254


def _inert(_form: FlaskForm, text_field: Field) -> None:
    if _CONTROLS.search(text_field.data or ""):
        raise ValidationError("This holds characters that can't be printed. Please type it anew.")


def _strip(text: str | None) -> str | None:
    return text.strip() if text else text


class DonateForm(FlaskForm):  # type: ignore[misc] # Flask-WTF ships no types
    """The fields of the public contract; `amount` is text in the reader's own format."""

    amount = StringField(filters=[_strip])
    frequency = StringField(filters=[_strip])
    name = StringField(
        filters=[_strip],
        validators=[
            Length(max=_MOST_NAME_CHARACTERS, message="Please use at most 120 characters."),
            _inert,
        ],
    )
    email = StringField(
        filters=[_strip],
        validators=[
            Optional(),
            Length(max=_MOST_EMAIL_CHARACTERS, message="This address is too long."),
            Email(message="This does not look like a mail address. Leave it empty if you like."),
        ],
    )
    anonymous = BooleanField()
    message = StringField(
        filters=[_strip],
        validators=[
            Length(max=_MOST_MESSAGE_CHARACTERS, message="Please use at most 500 characters."),
            _inert,
        ],
    )
    source = StringField()
    slot = StringField()
    form_token = StringField()

    def __init__(self, campaign: Campaign, formdata: MultiDict[str, str]) -> None:
        super().__init__(formdata=formdata)
        self.campaign = campaign
        self.amount_minor = 0

    def validate_amount(self, amount: Field) -> None:
        """Read the amount in the campaign's language and hold it to its bounds."""
        try:
            self.amount_minor = parse_amount(
                amount.data or "", self.campaign.currency, locale=self.campaign.locale
            )
        except Invalid as error:
            raise ValidationError(error.message) from None
        least, most = gift_bounds_minor(self.campaign)
        if self.amount_minor < least:
            raise ValidationError(f"The least is {money_label(self.campaign, least)}.")
        if self.amount_minor > most:
            raise ValidationError(f"The most is {money_label(self.campaign, most)}.")

    def validate_frequency(self, frequency: Field) -> None:
        """Take what the campaign offers; a form that does not say how often gives once."""
        if frequency.data and frequency.data not in offered_frequencies(self.campaign):
            raise ValidationError("Please choose how often you would like to give.")

    def wish(self) -> Wish:
        """Return what was submitted; call it on a valid form only."""
        token = self.form_token.data or ""
        return Wish(
            # A form without its token still works; only a double click is not recognised then.
            form_token=token if _FORM_TOKEN.fullmatch(token) else new_form_token(),
            amount_minor=self.amount_minor,
            frequency=_frequency(self.campaign, self.frequency.data),
            email=self.email.data or None,
            name=self.name.data or None,
            anonymous=bool(self.anonymous.data),
            message=self.message.data or None,
            source=clean_source(self.source.data),
            slot=clean_slot(self.slot.data),
        )


@dataclass(kw_only=True)
class FormView:
    """The donate form as `templates/campaign.html` prints it."""

    action: str
    csrf_token: str
    form_token: str
    values: dict[str, str]
    frequencies: list[tuple[str, str]]  # the value and the label of each that is offered
    suggestions: list[tuple[str, str]]
    bounds_label: str
    available: bool
    errors: dict[str, str] = field(default_factory=dict)
    notice: str | None = None


def form_view(
    campaign: Campaign, values: MultiDict[str, str], *, csrf_token: str, available: bool
) -> FormView:
    """Return the form with `values` as they were typed, or as the link that led here chose."""
    least, most = (money_label(campaign, bound) for bound in gift_bounds_minor(campaign))
    frequency = _frequency(campaign, values.get("frequency"))
    labels = frequency_labels(words_of(campaign.locale))
    names = ("amount", "frequency", "name", "email", "anonymous", "message", "source", "slot")
    token = values.get("form_token", "")
    return FormView(
        action=f"/c/{campaign.slug}/donate",
        csrf_token=csrf_token,
        form_token=token if _FORM_TOKEN.fullmatch(token) else new_form_token(),
        values={name: _CONTROLS.sub("", values.get(name, "")[:2000]) for name in names}
        | {"frequency": frequency}
        # A name is shown only where its donor says so: a form that is new keeps it.
        | ({} if "form_token" in values else {"anonymous": "1"}),
        frequencies=[(name, labels[name]) for name in offered_frequencies(campaign)],
        suggestions=[
            (
                typed_amount(amount, campaign.currency, locale=campaign.locale),
                money_label(campaign, amount),
            )
            for amount in suggested_minor(campaign, frequency)
        ],
        bounds_label=f"Between {least} and {most}.",
        available=available,
    )


def first_errors(form: DonateForm) -> dict[str, str]:
    """Return one sentence a field, for those that have a mistake."""
    errors: dict[str, Any] = form.errors
    return {name: str(sentences[0]) for name, sentences in errors.items() if sentences}


def new_form_token() -> str:
    """Return what tells one form from another, so that sending it twice is giving once."""
    return secrets.token_urlsafe(16)


def clean_source(address: str | None) -> str | None:
    """Return the origin and path of an article's address, or None where it is none of the web's."""
    try:
        parts = urlsplit((address or "").strip())
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        return None
    source = f"{parts.scheme}://{parts.netloc}{parts.path or '/'}"
    return None if _CONTROLS.search(source) else source[:_MOST_SOURCE_CHARACTERS]


def source_of_link(referrer: str | None, *, base_url: str) -> str | None:
    """Return the page that a link stood on which says nothing itself, None where it is ours."""
    source = clean_source(referrer)
    is_ours = source is not None and urlsplit(source).netloc == urlsplit(base_url).netloc
    return None if is_ours else source


def clean_slot(slot: str | None) -> str | None:
    """Return the slot's name, or None where it is not one."""
    return slot if slot and _SLOT.fullmatch(slot) else None


def _frequency(campaign: Campaign, asked: str | None) -> Frequency:
    """Return how often to give: as asked for where it is offered, else the first that is."""
    offered = offered_frequencies(campaign)
    return next((name for name in offered if name == asked), offered[0])
