"""`campaigns edit`: what is named changes, what is wrong changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.catalog import find_campaign
from campaigns.fees import fee_terms
from campaigns.look import suggestion_note
from campaigns.matching import Matching, matching_of
from campaigns.models import Campaign
from campaigns.story import story_html
from tests.conftest import Give, MakeCampaign
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


def test_language_and_numbers_change(run: Run, client: FlaskClient) -> None:
    done = run(*"campaigns edit support-us --locale de --no-capitals --money-format".split(), "")
    assert done.exit_code == 0, done.output
    now = face(client)
    assert (now["bar_label"], now["goal_label"]) == ("Support us, Mai 2021", "von 5.000\xa0$")


def test_a_paused_campaign_is_seen_and_takes_nothing(run: Run, client: FlaskClient) -> None:
    assert run(*"campaigns edit support-us --state paused".split()).exit_code == 0
    assert face(client)["status"] == "Giving is paused for now."
    page = client.get("/c/support-us").text
    assert page.count("Giving is paused for now.") == 1
    assert "<form" not in page


def test_only_named_sites_may_frame_it(run: Run, client: FlaskClient) -> None:
    run(*"campaigns edit support-us --host https://News.example.org/".split())
    policy = client.get("/embed/support-us").headers["Content-Security-Policy"]
    assert "frame-ancestors https://news.example.org;" in policy


def stored(session: Session) -> Campaign:
    found = find_campaign(session, "support-us")
    session.expunge(found)
    session.rollback()  # or SQLite would wait for us
    return found


def test_amount_says_what_it_pays_for(run: Run, session: Session) -> None:
    done = run(
        "campaigns", "edit", "support-us",
        "--amount", "month=20:pays for a day in court: all of it", "--amount", "month=5",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    campaign = stored(session)
    assert suggestion_note(campaign, "month", 2_000) == "pays for a day in court: all of it"
    assert suggestion_note(campaign, "month", 500) is None


def test_story_comes_from_a_file_or_from_standard_input(
    run: Run, app: Flask, session: Session, tmp_path: Path
) -> None:
    file = tmp_path / "story.md"
    file.write_text("\ufeff# Why\n\nBecause <script>x</script>.\n", encoding="utf-8")
    assert run("campaigns", "edit", "support-us", "--story", str(file)).exit_code == 0
    assert story_html(stored(session)).startswith("<h2>Why</h2>\n<p>Because .</p>")
    words = ["campaigns", "edit", "support-us", "--story", "-"]
    done = app.test_cli_runner().invoke(args=words, input="*Now*\n")
    assert done.exit_code == 0, done.output
    assert story_html(stored(session)) == "<p><em>Now</em></p>\n"
    assert run("campaigns", "edit", "support-us", "--button", "Hi").exit_code == 0
    assert stored(session).story == "*Now*"
    assert run("campaigns", "edit", "support-us", "--story", "").exit_code == 0
    assert stored(session).story == ""


def test_fees_are_the_usual_until_they_are_set(run: Run, session: Session) -> None:
    assert fee_terms(stored(session)) == (290, 30)
    assert run("campaigns", "edit", "support-us", "--fees", "2.2+0.30").exit_code == 0
    assert fee_terms(stored(session)) == (220, 30)
    assert run("campaigns", "edit", "support-us", "--fees", "off").exit_code == 0
    assert fee_terms(stored(session)) is None
    assert run("campaigns", "edit", "support-us", "--fees", "").exit_code == 0
    assert fee_terms(stored(session)) == (290, 30)


def test_matching_is_set_changed_in_part_and_ended(run: Run, session: Session) -> None:
    words = ("campaigns", "edit", "support-us")
    done = run(*words, "--match", "The Foundation", "--match-up-to", "1000")
    assert done.exit_code == 0, done.output
    rule = Matching(sponsor="The Foundation", most_minor=100_000)
    assert matching_of(stored(session)) == rule
    assert run(*words, "--match-percent", "50", "--match-counts").exit_code == 0
    assert matching_of(stored(session)) == replace(rule, percent=50, counts=True)
    assert run(*words, "--match-apart", "--match-up-to", "20.50").exit_code == 0
    assert matching_of(stored(session)) == replace(rule, percent=50, most_minor=2_050)
    assert run(*words, "--button", "Hi").exit_code == 0
    assert matching_of(stored(session)) is not None
    assert run(*words, "--match", "").exit_code == 0
    assert matching_of(stored(session)) is None


def test_list_says_what_readers_gave(run: Run, give: Give, session: Session) -> None:
    give(stored(session), 52_000)
    run(*"campaigns edit support-us --match Us --match-up-to 1000 --match-counts".split())
    assert "520 $" in run("campaigns", "list").output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--amount", f"month=5:{'x' * 201}"), "at most 200"),
        (("--amount", "month=:pays for nothing"), "Enter an amount"),
        (("--story", "/nowhere/story.md"), "--story"),
        (("--fees", "a lot"), "2.9+0.30"),
        (("--fees", "29"), "0 to 20 percent"),
        (("--match", "The Foundation"), "--match-up-to 1000"),
        (("--match-up-to", "1000"), "--match 'The Foundation'"),
        (("--match-counts",), "--match 'The Foundation'"),
        (("--match", "Us", "--match-up-to", "much"), "--match-up-to: "),
        (("--match", "Us", "--match-up-to", "0"), "up to what sum"),
        (("--match", "Us", "--match-up-to", "9", "--match-percent", "0"), "1 to 1000 percent"),
        (("--match", "x" * 121, "--match-up-to", "9"), "at most 120"),
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
