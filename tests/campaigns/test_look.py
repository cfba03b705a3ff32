"""Colours that can be seen, and what a campaign offers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import look
from campaigns.errors import InvalidCampaign
from campaigns.models import Campaign, SuggestedAmount

COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


def campaign(**values: object) -> Campaign:
    return Campaign(currency="USD", frequencies="once,month,year", suggestions=[], **values)


def test_contrast_is_as_wcag_has_it() -> None:
    assert look.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert look.contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)
    assert look.contrast("#18806c", "#18806c") == 1


@given(COLOURS)
def test_ink_can_be_read_on_any_colour(colour: str) -> None:
    assert look.contrast(look.ink_on(colour), colour) >= 4.5


@given(COLOURS)
def test_an_accent_is_seen_on_white_and_on_black_or_refused(colour: str) -> None:
    if look.contrast(colour, "#ffffff") < 3:
        with pytest.raises(InvalidCampaign, match="darker"):
            look.checked_accent(colour)
        return
    accent = look.checked_accent(colour.upper())
    assert accent == colour
    one = campaign(accent=accent)
    assert look.contrast(look.accent_on_light(one), look.LIGHT_PAPER) >= 3
    assert look.contrast(look.accent_on_dark(one), look.DARK_PAPER) >= 3


def test_the_default_accent_holds_what_is_asked_of_others() -> None:
    assert look.checked_accent(look.DEFAULT_ACCENT) == look.DEFAULT_ACCENT
    assert look.accent_on_dark(campaign()) == look.DEFAULT_ACCENT


@pytest.mark.parametrize("text", ["18806c", "#18806", "#18806g", "red", "#18806c;", "url(x)"])
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(InvalidCampaign, match="#18806c"):
        look.checked_accent(text)


@pytest.mark.parametrize(
    ("origin", "kept"),
    [
        ("https://news.example.org", "https://news.example.org"),
        ("HTTPS://News.Example.org/", "https://news.example.org"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://*.example.org", "https://*.example.org"),
    ],
)
def test_sites_are_kept_as_a_policy_writes_them(origin: str, kept: str) -> None:
    assert look.checked_hosts([origin, origin]) == kept


@pytest.mark.parametrize(
    "origin",
    ["", "*", "https://", "ftp://a.example", "https://a.example/x", "https://a b", "https://a'b",
     "https://a.example?x", "https://u@a.example", "https://a.*.example", "https://a\nb"],
)  # fmt: skip
def test_what_a_policy_would_misread_is_no_site(origin: str) -> None:
    with pytest.raises(InvalidCampaign):
        look.checked_hosts([origin])


def test_too_many_sites_are_refused() -> None:
    with pytest.raises(InvalidCampaign, match="at most 40"):
        look.checked_hosts(f"https://a{number}.example" for number in range(41))


def test_suggestions_suit_the_currency() -> None:
    dollars, yen = campaign(), campaign()
    yen.currency = "JPY"
    assert look.suggested_minor(dollars, "once") == (1_000, 2_000, 5_000, 10_000)
    assert look.suggested_minor(yen, "once") == (1_000, 2_000, 5_000, 10_000)
    assert look.suggested_minor(yen, "month") == (500, 1_000, 2_000, 5_000)
    yen.suggestions = [SuggestedAmount(frequency="once", amount_minor=333)]
    assert look.suggested_minor(yen, "once") == (333,)
    assert look.suggested_minor(yen, "year") == (5_000, 10_000, 20_000, 50_000)


def test_what_an_amount_pays_for_is_said_of_that_amount_alone() -> None:
    found = campaign()
    found.suggestions = [
        SuggestedAmount(frequency="month", amount_minor=2_000, note="a day in court"),
        SuggestedAmount(frequency="once", amount_minor=2_000),
    ]
    assert look.suggestion_note(found, "month", 2_000) == "a day in court"
    assert look.suggestion_note(found, "month", 2_001) is None
    assert look.suggestion_note(found, "once", 2_000) is None
    assert look.suggestion_note(found, "year", 2_000) is None


def test_suggestions_are_kept_least_first_each_once_with_its_last_note() -> None:
    given_ = [look.Suggestion(900), look.Suggestion(500, " a  pen\n"), look.Suggestion(900, "ink")]
    assert look.checked_suggestions(given_) == (
        look.Suggestion(500, "a pen"),
        look.Suggestion(900, "ink"),
    )
    assert look.checked_suggestions([look.Suggestion(500, "  ")]) == (look.Suggestion(500),)


@pytest.mark.parametrize("note", ["x" * 201, "a\0b", "a\u202eb"])
def test_note_that_can_t_be_printed_is_refused(note: str) -> None:
    with pytest.raises(InvalidCampaign, match="at most 200"):
        look.checked_suggestions([look.Suggestion(500, note)])
