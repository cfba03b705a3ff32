from __future__ import annotations

import re

import pytest
from babel.dates import get_month_names
from babel.messages.pofile import read_po
from babel.numbers import get_currency_symbol, get_decimal_symbol, get_group_symbol

from core.words import FOLDER as WORDS
from core.words import languages
from widget.lettering import (
    BOLD,
    FOLDER,
    REGULAR,
    Line,
    Style,
    drawable,
    fit_line,
    is_drawable,
    set_line,
)

CURRENCIES = "USD EUR GBP JPY INR BRL KRW ILS UAH TRY VND NGN PHP KZT PLN CZK BGN AED KWD".split()
# The four of the jōyō list that JIS X 0208 lacks, and some of what it has.
KANJI = "塡剝頰𠮟彙拶曖楷鬱籠港町新聞支援募金寄付目標"


def line(text: str, *, size: float = 20, weight: str = REGULAR, direction: str = "ltr") -> Line:
    return set_line(text, Style(size, weight), direction=direction)


@pytest.mark.parametrize("language", languages())
def test_each_language_that_is_spoken_has_its_letters(language: str) -> None:
    said = [*get_month_names(locale=language).values(), get_group_symbol(language)]
    said += [get_currency_symbol(code, locale=language) for code in CURRENCIES]
    said += [get_decimal_symbol(language), "0123456789%٪…·"]
    if language != "en":
        with (WORDS / f"{language}.po").open("rb") as file:
            for message in read_po(file, locale=language):
                forms = message.string
                said += [forms] if isinstance(forms, str) else forms or ()
    assert [text for text in said if not is_drawable(text)] == []


@pytest.mark.parametrize("text", ["Ελληνικά", "Українська", "Türkçe Ğğ İı", "Tiếng Việt", KANJI])
def test_titles_of_many_languages_have_their_letters(text: str) -> None:
    assert is_drawable(text)
    assert drawable(text) == text


@pytest.mark.parametrize("text", ["תמכו בנו", "สนับสนุนเรา", "Support us 🍕", "한국", "हिन्दी"])
def test_what_has_no_letters_says_so(text: str) -> None:
    assert not is_drawable(text)


def test_signs_without_letters_leave_no_box_and_no_gap() -> None:
    assert line("5,000 🍕").path == line("5,000").path
    assert line("🍕").path == ""


def test_control_characters_and_line_ends_are_blanks() -> None:
    assert is_drawable("a\x07b\nc\td")
    assert line("a\n\x07 b").path == line("a b").path


@pytest.mark.parametrize("text", ["520 $", "Подкрепете ни", "ادعموا", "寄付する"])
def test_a_line_is_as_long_as_its_outlines(text: str) -> None:
    drawn = line(text, size=1000)
    starts = [int(x) for x in re.findall(r"M(-?\d+)", drawn.path)]
    assert starts
    assert min(starts) >= -100
    assert 0.8 * drawn.width - 400 < max(starts) < drawn.width + 50
    assert line(text, size=10).width == pytest.approx(drawn.width / 100)


def test_weights_differ_where_there_are_two() -> None:
    assert line("520 $").path != line("520 $", weight=BOLD).path
    assert line("寄付").path == line("寄付", weight=BOLD).path


def test_arabic_letters_are_joined_and_run_from_the_right() -> None:
    joined = line("بيت", direction="rtl")
    apart = sum(line(letter, direction="rtl").width for letter in "بيت")
    assert joined.width < 0.9 * apart
    # A letter at the end of a word has another shape than the same by itself.
    assert line("بت", direction="rtl").path != line("تب", direction="rtl").path


def test_tracking_stands_between_letters_only() -> None:
    plain = set_line("MAY", Style(10), direction="ltr")
    spaced = set_line("MAY", Style(10, tracking=100), direction="ltr")
    assert spaced.width == pytest.approx(plain.width + 2)


def test_long_lines_are_cut_and_say_so() -> None:
    text, style = "Help us to keep a reporter in every courtroom", Style(20)
    whole = set_line(text, style, direction="ltr")
    assert fit_line(text, style, direction="ltr", most=whole.width) == whole
    for most in (300.0, 200.0, 90.0, 40.0):
        cut = fit_line(text, style, direction="ltr", most=most)
        assert cut.text.endswith("…")
        assert text.startswith(cut.text[:-1])
        assert most - 45 < cut.width <= most


def test_accents_that_are_written_apart_are_drawn_as_one() -> None:
    assert line("cafe\u0301").path == line("café").path


def test_fonts_are_small_and_come_with_their_licence() -> None:
    files = list(FOLDER.glob("*.ttf"))
    assert len(files) == 5
    assert sum(file.stat().st_size for file in files) < 2_500_000
    licence = (FOLDER / "OFL.txt").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE" in licence
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(file.name in readme for file in files)
