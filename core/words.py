"""Words: what Goalpost says, in the language of whoever reads it.

Each language is one file, `translations/<language>.po`, in gettext's own format; English is the
texts themselves. A file that is put there is a language that is spoken: nothing is compiled and
nothing else is edited. Numbers, money and months come from CLDR, by Babel.
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

FOLDER = Path(__file__).resolve().parent.parent / "translations"
SOURCE_LANGUAGE = "en"
_MOST_TAG_CHARACTERS = 35  # https://www.rfc-editor.org/rfc/rfc5646#section-4.4.1

Words = gettext.NullTranslations


@cache
def languages() -> tuple[str, ...]:
    """Return the languages that are spoken, by code, English first."""
    return (SOURCE_LANGUAGE, *sorted(file.stem for file in FOLDER.glob("*.po")))


def words_of(locale: str) -> Words:
    """Return the words of a locale (`de`, `pt_BR`): its own, its language's, else English."""
    language = locale.partition("_")[0]
    spoken = languages()
    return _load(next((name for name in (locale, language) if name in spoken), SOURCE_LANGUAGE))


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark a text that is translated later, where it is shown, and return it as it is."""
    return text


def best_locale(accepted: Iterable[str], default: str) -> str:
    """Return the first of a reader's locales whose language is spoken, else `default`.

    `accepted` are BCP 47 tags as browsers send them (`de-CH`), the most wanted first. A locale
    keeps its country: its numbers and dates are written in its own way.
    """
    spoken = {name.partition("_")[0] for name in languages()}
    for tag in accepted:
        if tag.partition("-")[0].lower() not in spoken:
            continue
        try:
            return str(Locale.parse(tag[:_MOST_TAG_CHARACTERS], sep="-"))
        except (UnknownLocaleError, ValueError):
            continue
    return default


def direction_of(locale: str) -> str:
    """Return `rtl` where the locale is written from right to left, else `ltr`."""
    direction: str = Locale.parse(locale).text_direction
    return direction


def language_tag(locale: str) -> str:
    """Return a locale as HTML's `lang` has it (BCP 47): `pt-BR`."""
    return locale.replace("_", "-")


@cache
def _load(language: str) -> Words:
    if language == SOURCE_LANGUAGE:
        return gettext.NullTranslations()
    with (FOLDER / f"{language}.po").open("rb") as file:
        catalog = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
