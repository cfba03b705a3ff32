"""`campaigns edit`: what is named changes, what is wrong changes nothing."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.catalog import find_campaign
from campaigns.models import Campaign
from tests.conftest import MakeCampaign
from tests.ops.conftest import Run

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign()


def face(client: FlaskClient) -> dict[str, object]:
    answer = client.get("/api/v1/campaigns/support-us?with=face").json
    assert answer
    found: dict[str, object] = answer["face"]
    return found


def test_what_is_named_changes_and_the_rest_stays(run: Run, client: FlaskClient) -> None:
    done = run(
        *"campaigns edit support-us --accent #7A1FA2 --show days --frequency once".split(),
        *"--amount once=7 --amount once=3.50 --button".split(),
        "Chip in",
    )
    assert done.exit_code == 0, done.output
    now = face(client)
    assert now["donate_label"] == "Chip in"
    assert now["accent"] == ["#7a1fa2", "#8f42b0"]
    assert now["notes"] == ["20 days left"]
    assert now["offers"] == [
        {"frequency": "once", "label": "Once", "choices": [["3.50", "3.50 $"], ["7", "7 $"]]}
    ]
    assert now["bar_label"] == "Support us, MAY 2021"


def test_empty_words_bring_the_defaults_back(run: Run, client: FlaskClient) -> None:
    before = face(client)
    run(*"campaigns edit support-us --accent #7a1fa2 --button Hi --show days".split())
    run(*"campaigns edit support-us --amount month=9 --host https://a.example".split())
    assert face(client) != before
    done = run(
        *"campaigns edit support-us --amount month=".split(),
        *("--accent", "", "--button", "", "--show", "", "--host", ""),
    )
    assert done.exit_code == 0, done.output
    assert face(client) == before
    assert "frame-ancestors *" in client.get("/embed/support-us").headers["Content-Security-Policy"]


def test_a_paused_campaign_is_seen_and_takes_nothing(run: Run, client: FlaskClient) -> None:
    assert run(*"campaigns edit support-us --state paused".split()).exit_code == 0
    assert face(client)["status"] == "Giving is paused for now."
    assert "takes no gifts for now" in client.get("/c/support-us").text


def test_only_named_sites_may_frame_it(run: Run, client: FlaskClient) -> None:
    run(*"campaigns edit support-us --host https://News.example.org/".split())
    policy = client.get("/embed/support-us").headers["Content-Security-Policy"]
    assert "frame-ancestors https://news.example.org;" in policy


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--accent", "#ffee00"), "contrast"),
        (("--accent", "red"), "written as #18806c"),
        (("--button", "x" * 41), "at most 40"),
        (("--show", "everything"), "can't be shown"),
        (("--frequency", "weekly"), "once, month, year"),
        (("--frequency", ""), "name one of these"),
        (("--amount", "weekly=5"), "as month=5"),
        (("--amount", "5"), "as month=5"),
        (("--amount", "month=abc"), "not an amount"),
        (("--amount", "month=0"), "that a card can pay"),
        (tuple(f"--amount=once={n}" for n in range(1, 8)), "at most 6"),
        (("--host", "news.example.org"), "not a site"),
        (("--host", "https://a.example;script-src *"), "not a site"),
        (("--host", "https://a.example/path"), "not a site"),
        (("--title", "x" * 121), "1 to 120"),
        (("--state", "draft"), "draft"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_and_changes_nothing(
    run: Run, session: Session, words: tuple[str, ...], sentence: str
) -> None:
    done = run("campaigns", "edit", "support-us", "--description", "New", *words)
    assert done.exit_code != 0
    assert sentence in done.output
    assert session.scalars(select(Campaign.description)).one() == ""


def test_unknown_campaign_is_said(run: Run) -> None:
    done = run(*"campaigns edit nowhere --button Hi".split())
    assert done.exit_code != 0
    assert "nowhere" in done.output


def test_drafts_can_be_edited(run: Run, session: Session, make_campaign: MakeCampaign) -> None:
    make_campaign("later", draft=True)
    assert run(*"campaigns edit later --button Soon".split()).exit_code == 0
    assert find_campaign(session, "later", drafts=True).button == "Soon"
