"""The page of entries: what is behind a number, and who may follow it further."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from admin.roles import Role
from payments.donating import correct_offline_gift
from tests.admin.conftest import SignIn
from tests.campaigns.books import fill
from tests.conftest import START, Give, MakeCampaign

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PAGE = "/admin/entries"


@pytest.fixture
def viewer(sign_in: SignIn) -> FlaskClient:
    return sign_in(Role.VIEWER)


def test_an_empty_ledger_says_what_writes_the_first_line(viewer: FlaskClient) -> None:
    assert "The ledger is empty." in viewer.get(PAGE).text


def test_each_line_stands_below_their_sum_and_leads_to_its_gift(
    viewer: FlaskClient, make_campaign: MakeCampaign, give: Give, session: Session
) -> None:
    donation = give(make_campaign(), 52_050)
    correct_offline_gift(session, donation.id, amount_minor=50_050, note="typed wrong", now=START)
    session.commit()
    page = viewer.get(f"{PAGE}?campaign=support-us&month=2021-05&kind=gift").text
    assert "<b>500.50 USD</b>" in page
    assert "Gifts, May 2021" in page
    assert "520.50" in page
    assert "−20.00" in page
    assert page.count(f'href="/admin/donations/{donation.id}"') == 2
    assert "12 May 2021, 06:11" in page


def test_sums_of_two_currencies_stand_apart(
    viewer: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    give(make_campaign(), 100)
    give(make_campaign("yen", currency="JPY", tiers_minor=()), 2_500)
    page = viewer.get(PAGE).text
    assert "<b>1.00 USD</b>" in page
    assert "<b>2,500 JPY</b>" in page
    assert "JPY</b>" not in viewer.get(f"{PAGE}?currency=usd").text


def test_pages_go_on_and_keep_what_was_asked_for(
    viewer: FlaskClient, make_campaign: MakeCampaign, session: Session
) -> None:
    fill(session, make_campaign(), seed=7, gifts=80)
    assert "Article: unknown" in viewer.get(f"{PAGE}?article=").text
    first = viewer.get(f"{PAGE}?campaign=support-us&kind=all").text
    following = first.partition('rel="next" href="')[2].partition('"')[0]
    assert "campaign=support-us&amp;kind=all&amp;after=" in following
    second = viewer.get(following.replace("&amp;", "&"))
    assert second.status_code == 200
    assert "No entry is like that" not in second.text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("campaign=none", "There is no campaign “none”."),
        ("month=soon", "is no period"),
        ("kind=money", "Choose one of these."),
        ("regular=2", "Choose one of these."),
        ("campaign=%00", "The ledger is empty."),
        ("after=x&after_close=1", "No entry is like that."),
        ("after=99999999999999999999", "The ledger is empty."),
    ],
)
def test_what_can_not_be_is_told(viewer: FlaskClient, query: str, sentence: str) -> None:
    answer = viewer.get(f"{PAGE}?{query}")
    assert answer.status_code == 200
    assert sentence in answer.text
