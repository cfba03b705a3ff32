"""The donate form: what a reader may type, how it is read, and what is said of mistakes."""

from __future__ import annotations

import re
import secrets
from typing import Any
from urllib.parse import urlsplit

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Field, StringField, ValidationError
from wtforms.validators import Email, Optional

from campaigns.fees import cover_minor
from campaigns.labels import money_label
from campaigns.look import Frequency, offered_frequencies
from campaigns.models import Campaign
from core.errors import Invalid
from core.money import parse_amount
from core.words import N_, words_of
from payments.donating import Wish, gift_bounds_minor

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# What the box says that lets the newsroom write; stored with the donation in the donor's language.
CONSENT = N_("The newsroom may write to me about its work.")
_FORM_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_SLOT = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
# Far more than the form has.
MOST_FORM_FIELDS = 100
_MOST_SOURCE_CHARACTERS = 500
_MOST_EMAIL_CHARACTERS = 254


class _Text:
    """Holds a text to its length, and to characters that can be printed."""

    def __init__(self, *, most: int) -> None:
        self.most = most

    def __call__(self, form: DonateForm, field: Field) -> None:
        text = field.data or ""
        if len(text) > self.most:
            raise form.mistake(N_("Please use at most {count} characters."), count=str(self.most))
        if CONTROLS.search(text):
            raise form.mistake(
                N_("This holds characters that can't be printed. Please type it anew.")
            )


def _mail_address(form: DonateForm, field: StringField) -> None:
    if len(field.data or "") > _MOST_EMAIL_CHARACTERS:
        raise form.mistake(N_("This address is too long."))
    try:
        Email()(form, field)
    except ValidationError:
        raise form.mistake(
            N_("This does not look like a mail address. Leave it empty if you like.")
        ) from None


def _tidy(text: str | None) -> str | None:
    # Browsers send every line of a text with CR LF: https://html.spec.whatwg.org/#normalizing-newlines
    return text.strip().replace("\r\n", "\n") if text else text


class DonateForm(FlaskForm):  # type: ignore[misc] # Flask-WTF ships no types
    """The fields of the public contract; `amount` is text in the reader's own format.

    `locale` is the language in which the form was read: mistakes are told in it, too.
    """

    frequency = StringField(filters=[_tidy])
    amount = StringField(filters=[_tidy])
    cover_fees = BooleanField()
    name = StringField(filters=[_tidy], validators=[_Text(most=120)])
    email = StringField(filters=[_tidy], validators=[Optional(), _mail_address])
    anonymous = BooleanField()
    message = StringField(filters=[_tidy], validators=[_Text(most=500)])
    dedication = StringField(filters=[_tidy], validators=[_Text(most=200)])
    consent = BooleanField()
    source = StringField()
    slot = StringField()
    form_token = StringField()

    def __init__(self, campaign: Campaign, formdata: MultiDict[str, str], *, locale: str) -> None:
        super().__init__(formdata=formdata)
        self.campaign = campaign
        self.locale = locale
        self.words = words_of(locale)
        self.amount_minor = 0

    def mistake(self, text: str, **blanks: str) -> ValidationError:
        """Return what is raised of a field that can't be taken, in the reader's language."""
        return ValidationError(self.words.gettext(text).format(**blanks))

    def validate_amount(self, amount: Field) -> None:
        """Read the amount in the reader's language and hold it to its bounds."""
        try:
            self.amount_minor = parse_amount(
                amount.data or "", self.campaign.currency, locale=self.locale
            )
        except Invalid as error:
            raise ValidationError(error.told(self.words)) from None
        least, most = gift_bounds_minor(self.campaign)
        if self.amount_minor < least:
            raise self.mistake(N_("The least is {amount}."), amount=self._money(least))
        if self.amount_minor > most:
            raise self.mistake(N_("The most is {amount}."), amount=self._money(most))

    def validate_frequency(self, frequency: Field) -> None:
        """Take what the campaign offers; a form that does not say how often gives once."""
        if frequency.data and frequency.data not in offered_frequencies(self.campaign):
            raise self.mistake(N_("Please choose how often you would like to give."))

    def wish(self) -> Wish:
        """Return what was submitted; call it on a valid form only."""
        covers = self.cover_fees.data
        # Without an address there is nowhere to write to.
        consents = self.consent.data and self.email.data
        return Wish(
            # A form without its token still works; only a double click is not recognised then.
            form_token=kept_form_token(self.form_token.data),
            amount_minor=self.amount_minor,
            cover_minor=cover_minor(self.campaign, self.amount_minor) if covers else 0,
            frequency=chosen_frequency(self.campaign, self.frequency.data),
            email=self.email.data or None,
            name=self.name.data or None,
            anonymous=bool(self.anonymous.data),
            message=self.message.data or None,
            dedication=self.dedication.data or None,
            consent_text=self.words.gettext(CONSENT) if consents else None,
            locale=self.locale,
            source=clean_source(self.source.data),
            slot=clean_slot(self.slot.data),
        )

    def _money(self, amount_minor: int) -> str:
        return money_label(self.campaign, amount_minor, locale=self.locale)


def first_errors(form: DonateForm) -> dict[str, str]:
    """Return one sentence a field, for those that have a mistake, in the order of the fields."""
    errors: dict[str, Any] = form.errors
    return {name: str(sentences[0]) for name, sentences in errors.items() if sentences}


def new_form_token() -> str:
    """Return what tells one form from another, so that sending it twice is giving once."""
    return secrets.token_urlsafe(16)


def kept_form_token(token: str | None) -> str:
    """Return the form's token where it is one, else a new one."""
    return token if token and _FORM_TOKEN.fullmatch(token) else new_form_token()


def chosen_frequency(campaign: Campaign, asked: str | None) -> Frequency:
    """Return how often to give: as asked for where it is offered, else the first that is."""
    offered = offered_frequencies(campaign)
    return next((name for name in offered if name == asked), offered[0])


def clean_source(address: str | None) -> str | None:
    """Return the origin and path of an article's address, or None where it is none of the web's."""
    try:
        parts = urlsplit((address or "").strip())
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        return None
    source = f"{parts.scheme}://{parts.netloc}{parts.path or '/'}"
    return None if CONTROLS.search(source) else source[:_MOST_SOURCE_CHARACTERS]


def source_of_link(referrer: str | None, *, base_url: str) -> str | None:
    """Return the page that a link stood on which says nothing itself, None where it is ours."""
    source = clean_source(referrer)
    is_ours = source is not None and urlsplit(source).netloc == urlsplit(base_url).netloc
    return None if is_ours else source


def clean_slot(slot: str | None) -> str | None:
    """Return the slot's name, or None where it is not one."""
    return slot if slot and _SLOT.fullmatch(slot) else None
