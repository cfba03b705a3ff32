"""The campaign page in the reader's language: what is said, and how what is typed is read."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from payments.models import Donation
from tests.conftest import Give, MakeCampaign
from tests.payments.pages import fields_of, look

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}


@pytest.fixture(autouse=True)
def _campaign(make_campaign: MakeCampaign) -> None:
    make_campaign()


def language_of(page: str) -> tuple[str, str]:
    found = re.search(r'<html lang="([^"]+)" dir="([^"]+)">', page)
    assert found is not None
    return found[1], found[2]


def action_of(page: str) -> str:
    found = re.search(r'id="give" method="post" action="([^"]+)"', page)
    assert found is not None
    return found[1]


def test_without_a_wish_the_page_is_in_the_campaign_s_language(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign("hilf", locale="de", currency="EUR")
    assert language_of(client.get("/c/support-us").text) == ("en", "ltr")
    assert language_of(client.get("/c/hilf").text) == ("de", "ltr")


def test_the_browser_s_language_comes_before_the_campaign_s(client: FlaskClient) -> None:
    page = client.get("/c/support-us", headers=GERMAN)
    assert language_of(page.text) == ("de-AT", "ltr")
    assert "Accept-Language" in page.headers["Vary"]


@pytest.mark.parametrize(
    ("lang", "language", "direction"),
    [("fr", "fr", "ltr"), ("ar", "ar", "rtl"), ("de_CH", "de-CH", "ltr"), ("EN", "en", "ltr")],
)
def test_the_language_that_is_asked_for_comes_first(
    client: FlaskClient, lang: str, language: str, direction: str
) -> None:
    page = client.get(f"/c/support-us?lang={lang}", headers=GERMAN)
    assert language_of(page.text) == (language, direction)


@pytest.mark.parametrize("lang", ["tlh", "xx", "", "../../etc", "de" * 400, "<script>", "%00"])
def test_a_language_that_nobody_speaks_here_falls_back(client: FlaskClient, lang: str) -> None:
    page = client.get("/c/support-us", query_string={"lang": lang})
    assert page.status_code == 200
    assert language_of(page.text) == ("en", "ltr")
    page = client.get("/c/support-us", query_string={"lang": lang}, headers=GERMAN)
    assert language_of(page.text) == ("de-AT", "ltr")


def test_the_publisher_s_own_words_say_their_language_where_the_page_has_another(
    client: FlaskClient,
) -> None:
    assert '<h1 lang="en" dir="ltr">Support us</h1>' in client.get("/c/support-us?lang=ar").text
    assert "<h1>Support us</h1>" in client.get("/c/support-us").text


def test_languages_are_offered_in_their_own_names_and_keep_the_rest_of_the_address(
    client: FlaskClient,
) -> None:
    text = client.get("/c/support-us?amount=20&slot=top&lang=fr").text
    link = re.search(r'<a rel="nofollow" hreflang="de"[^>]*href="([^"]+)"[^>]*>([^<]+)</a>', text)
    assert link is not None
    assert link[2] == "Deutsch"
    assert link[1] == "/c/support-us?amount=20&amp;slot=top&amp;lang=de"
    assert re.search(r'hreflang="fr"[^>]*aria-current="true">français<', text)
    assert text.count('aria-current="true">français') == 1


def test_a_form_that_is_given_back_offers_no_language_that_would_lose_what_was_typed(
    client: FlaskClient,
) -> None:
    opened = client.get("/c/support-us?lang=de")
    answer = client.post(action_of(opened.text), data=fields_of(opened) | {"amount": "x"})
    assert answer.status_code == 422
    assert language_of(answer.text)[0] == "de"
    assert 'rel="nofollow" hreflang' not in answer.text


@pytest.mark.parametrize(
    ("lang", "typed", "amount_minor"),
    [
        ("en", "2,500.50", 250_050),
        ("de", "2.500,50", 250_050),
        ("de", "2500,5", 250_050),
        ("de-CH", "2’500.50", 250_050),
        ("fr", "2 500,50", 250_050),
        ("es", "20,5", 2_050),
        ("bg", "20,50", 2_050),
        ("ar", "٢٠", 2_000),
        ("ar", "٢٬٥٠٠٫٥٠", 250_050),
        ("ar", "20.5", 2_050),
        ("ja", "1,000", 100_000),
    ],
)
def test_an_amount_is_read_as_the_page_was_read(
    client: FlaskClient, session: Session, lang: str, typed: str, amount_minor: int
) -> None:
    opened = client.get(f"/c/support-us?lang={lang}")
    form = fields_of(opened) | {"amount": typed}
    assert client.post(action_of(opened.text), data=form).status_code == 303
    (donation,) = look(session, select(Donation))
    assert (donation.amount_minor, donation.locale) == (amount_minor, lang.replace("-", "_"))


@pytest.mark.parametrize(
    ("lang", "typed"),
    [
        ("en", "2.500,50"),
        ("de", "2,500.50"),
        ("de", "2.500.50"),
        ("en", "٢٠"),
        ("fr", "2.500,50"),
        ("ar", "٢٬٥٠"),
        ("ja", "２０"),
        ("de", "1e5"),
        ("ar", "NaN"),
        ("de", "−1"),
        ("de", "9223372036854775808"),
    ],
)
def test_an_amount_of_another_format_is_refused_and_kept(
    client: FlaskClient, session: Session, lang: str, typed: str
) -> None:
    opened = client.get(f"/c/support-us?lang={lang}")
    answer = client.post(action_of(opened.text), data=fields_of(opened) | {"amount": typed})
    assert answer.status_code == 422
    assert language_of(answer.text)[0] == lang
    assert fields_of(answer)["amount"] == typed
    assert look(session, select(Donation)) == []


def test_the_form_is_sent_in_the_browser_s_language_too(
    client: FlaskClient, session: Session
) -> None:
    opened = client.get("/c/support-us", headers=GERMAN)
    form = fields_of(opened) | {"amount": "2,50"}
    assert client.post(action_of(opened.text), data=form).status_code == 303
    (donation,) = look(session, select(Donation))
    assert (donation.amount_minor, donation.locale) == (250, "de_AT")


@pytest.mark.parametrize(("lang", "filled"), [("de", "2,50"), ("en", "2.50"), ("fr", "2,50")])
def test_a_link_s_amount_is_filled_in_as_its_reader_types_it(
    client: FlaskClient, lang: str, filled: str
) -> None:
    page = client.get(f"/c/support-us?amount=2.5&lang={lang}")
    assert fields_of(page)["amount"] == filled


def test_amounts_dates_and_shares_are_printed_as_the_reader_has_them(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    campaign = make_campaign("roof", money_format=None)
    give(campaign, 152_050)
    german = client.get("/c/roof?lang=de").text.replace("\xa0", " ")
    for said in ("1.520,50 $", "5.000 $", "1. Mai 2021", "30 %"):
        assert said in german
    english = client.get("/c/roof?lang=en").text
    for said in ("$1,520.50", "$5,000", "May 1, 2021", "30%"):
        assert said in english


def test_the_first_page_is_in_the_reader_s_language(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    assert language_of(client.get("/").text) == ("en", "ltr")
    page = client.get("/", headers=GERMAN)
    assert language_of(page.text) == ("de-AT", "ltr")
    assert "Accept-Language" in page.headers["Vary"]
    assert language_of(client.get("/?lang=ar").text) == ("ar", "rtl")
    make_campaign("hilf", locale="de", currency="EUR")  # two languages: none is the site's own
    assert language_of(client.get("/").text) == ("en", "ltr")
