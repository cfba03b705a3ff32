"""Languages: each is one file, whole, with the same blanks to fill in as the English text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from core import words
from core.words import FOLDER, direction_of, language_tag, languages, words_of

ROOT = FOLDER.parent
# Where a text stands in the calls that say one.
SAYING = {
    "gettext": None, "ngettext": (1, 2), "_say": (2,), "_count": (3, 4),
    "_": None, "N_": None, "said": None,
}  # fmt: skip
METHODS = [
    *((f"{package}/**.py", "python") for package in ("core", "campaigns", "payments", "widget")),
    *((f"templates/**.{ending}", "jinja2") for ending in ("html", "txt")),
]
LANGUAGES = [name for name in languages() if name != "en"]
BLANK = re.compile(r"\{[a-z]+\}")


def said() -> set[str]:
    """Return every English text that the code says."""
    found = extract_from_dir(
        ROOT, METHODS, keywords=SAYING, directory_filter=lambda path: Path(path).name[0] not in "._"
    )
    return {text if isinstance(text, str) else text[0] for _, _, text, _, _ in found}


def catalog(language: str) -> Catalog:
    with (FOLDER / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def test_the_widget_speaks_what_the_issue_names() -> None:
    assert {"en", "de", "fr", "es", "bg", "ar", "ja"} <= set(languages())


def test_the_code_says_something() -> None:
    assert {"Donate", "{raised} of {goal}, {percent}", "{count} donor"} <= said()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_there_in_every_language(language: str) -> None:
    there = {
        message.id if isinstance(message.id, str) else message.id[0]: message
        for message in catalog(language)
        if message.id
    }
    assert said() - set(there) == set(), "not translated"
    assert set(there) - said() == set(), "said nowhere"
    assert [text for text, message in there.items() if message.fuzzy] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_have_the_same_blanks(language: str) -> None:
    for message in catalog(language):
        if not message.id:
            continue
        texts = [message.string] if isinstance(message.string, str) else message.string or []
        blanks = set(BLANK.findall(message.id if isinstance(message.id, str) else message.id[1]))
        for text in texts:
            assert text, message.id
            # A form for one, two or none may say the number in words.
            missing = blanks - set(BLANK.findall(text))
            assert set(BLANK.findall(text)) <= blanks, text
            assert not missing or (message.pluralizable and missing == {"{count}"}), text


def test_a_new_file_is_a_new_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nl.po").write_text(
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgid "Donate"\nmsgstr "Doneer"\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(words, "FOLDER", tmp_path)
    languages.cache_clear()
    try:
        assert words_of("nl_BE").gettext("Donate") == "Doneer"
        assert words_of("nl").gettext("Amount") == "Amount"  # what is missing is said in English
    finally:
        languages.cache_clear()


def test_unknown_language_is_english() -> None:
    assert words_of("eo").gettext("Donate") == "Donate"


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, "متبرع واحد"), (2, "متبرعان"), (3, "3 متبرعين"), (11, "11 متبرعًا"), (100, "100 متبرع")],
)
def test_arabic_counts_in_its_six_ways(number: int, said: str) -> None:
    text = words_of("ar").ngettext("{count} donor", "{count} donors", number)
    assert text.format(count=number) == said


def test_directions_and_tags() -> None:
    assert (direction_of("ar"), direction_of("he"), direction_of("pt_BR")) == ("rtl", "rtl", "ltr")
    assert language_tag("pt_BR") == "pt-BR"
