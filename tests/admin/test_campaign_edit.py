"""Editing a campaign: what is stored, what is refused, and two who do it at once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from admin.roles import Role
from campaigns.catalog import find_campaign
from campaigns.fields import stored_of
from campaigns.look import DARK_PAPER, LIGHT_PAPER, contrast, lightened
from campaigns.progress import read_progress
from tests.admin.campaign_forms import changed, fields_of, send
from tests.admin.conftest import SignIn
from tests.admin.test_campaigns import logged
from tests.conftest import START, Give, MakeCampaign

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
EDIT, PREVIEW = "/admin/campaigns/support-us/edit", "/admin/campaigns/support-us/preview"
EVERYTHING: dict[str, Any] = {
    "title": "Keep us",
    "description": "Two reporters\nand a boat",
    "story": "## Why\n\nBecause.  \nReally.",
    "locale": "de",
    "capitals": None,
    "money_format": "{symbol}{amount}",
    "accent": "#8a1f11",
    "button": "Keep us",
    "shows": ["donors", "days"],
    "frequencies": ["month"],
    "once": "10\n20.50: a day in court",
    "month": "5",
    "fees": "2.9+0.30",
    "match": "The Foundation",
    "match_up_to": "1,000",
    "match_percent": "50",
    "match_counts": "1",
    "hosts": "https://news.example.org\nhttps://*.example.org",
    "tier": ["7,000", "1000.50"],
}


@pytest.fixture
def editor(app: Flask, sign_in: SignIn) -> FlaskClient:
    app.config["WTF_CSRF_ENABLED"] = False
    return sign_in(Role.EDITOR)


@pytest.fixture
def campaign(make_campaign: MakeCampaign) -> None:
    make_campaign()


def stored(session: Session) -> dict[str, str]:
    typed = stored_of(find_campaign(session, "support-us", drafts=True))
    session.rollback()
    return typed


def goals(session: Session) -> list[int]:
    progress = read_progress(session, "support-us", now=START, base_url="http://localhost")
    session.rollback()
    return [tier.amount_minor for tier in progress.tiers[1:]]


@pytest.mark.usefixtures("campaign")
def test_everything_can_be_changed_and_is_shown_as_it_is_stored(
    editor: FlaskClient, session: Session
) -> None:
    answer = send(editor, EDIT, **EVERYTHING)
    assert answer.status_code == 303
    typed = stored(session)
    assert typed["title"] == "Keep us"
    assert typed["story"] == "## Why\n\nBecause.  \nReally."
    assert typed["once"] == "10\n20,50: a day in court"  # now as Germans write it
    assert typed["match_up_to"] == "1000"
    assert typed["tier"] == "1000,50\n7000"
    assert (typed["capitals"], typed["fees"]) == ("", "2.9+0.30")
    page = editor.get(EDIT)
    assert "Saved: title, description, story, language" in page.text
    # What is shown is what is stored: sent back as it is, nothing changes.
    again = editor.post(EDIT, data=changed(fields_of(page.text)))
    assert again.status_code == 303
    assert stored(session) == typed
    assert "Nothing was changed." in editor.get(EDIT).text
    ((action, told),) = logged(session)
    assert action == "campaign.changed"
    assert told["title"] == ["Support us", "Keep us"]
    assert told["tier"] == ["2500\n5000", "1000,50\n7000", "at once"]
    assert "year" not in told


@pytest.mark.usefixtures("campaign")
def test_what_is_emptied_is_taken_away(editor: FlaskClient, session: Session) -> None:
    before = stored(session)
    send(editor, EDIT, **EVERYTHING | {"locale": "en", "title": "Support us"})
    empty: dict[str, Any] = dict.fromkeys(EVERYTHING, "") | {"title": "Support us", "locale": "en"}
    empty |= {"shows": None, "frequencies": ["once", "month", "year"]}
    empty |= {"capitals": "1", "money_format": "{amount} {symbol}", "tier": ["2500", "5000"]}
    empty["match_counts"] = None
    assert send(editor, EDIT, **empty).status_code == 303
    assert stored(session) == before


@pytest.mark.usefixtures("campaign")
@pytest.mark.parametrize("running", ["1", None])
def test_goals_hold_at_once_or_from_the_next_period_on(
    editor: FlaskClient, session: Session, running: str | None
) -> None:
    send(editor, EDIT, tier=["900"], running=running)
    assert goals(session) == ([90_000] if running else [250_000, 500_000])
    assert stored(session)["tier"] == "900"


WRONG = [
    ("title", "", "title"),
    ("title", "a\0b", "title"),
    ("description", "x" * 2001, "description"),
    ("story", "x" * 20_001, "story"),
    ("locale", "tlh", "locale"),
    ("money_format", "{}", "money_format"),
    ("accent", "#ffff00", "accent"),  # 1.1 on white
    ("accent", "red", "accent"),
    ("button", "x" * 41, "button"),
    ("shows", ["nonsense"], "shows"),
    ("frequencies", None, "frequencies"),
    ("frequencies", ["week"], "frequencies"),
    ("once", "1,00", "once"),
    ("month", "\n".join(map(str, range(1, 8))), "month"),
    ("year", "5: " + "x" * 201, "year"),
    ("fees", "29%", "fees"),
    ("hosts", "news.example.org", "hosts"),
    ("hosts", "https://a.example; script-src *", "hosts"),
    ("tier", ["5", "5.00"], "tier"),
    ("tier", ["-5"], "tier"),
]


@pytest.mark.usefixtures("campaign")
@pytest.mark.parametrize(("field", "value", "beside"), WRONG)
def test_what_can_not_be_used_is_told_beside_its_field_and_nothing_is_stored(
    editor: FlaskClient, session: Session, field: str, value: Any, beside: str
) -> None:
    before = stored(session)
    answer = send(editor, EDIT, **{"description": "typed and kept", field: value})
    assert answer.status_code == 422
    assert f'id="{beside}-error"' in answer.text
    if field != "description":
        assert "typed and kept" in answer.text
    assert stored(session) == before
    assert logged(session) == []


@pytest.mark.usefixtures("campaign")
def test_each_field_that_is_wrong_is_told_at_once(editor: FlaskClient) -> None:
    answer = send(editor, EDIT, title="", accent="red", hosts="x", match="A", match_up_to="")
    for name in ("title", "accent", "hosts", "match_up_to"):
        assert f'id="{name}-error"' in answer.text
    assert answer.text.count("<details open>") >= 3


@pytest.mark.usefixtures("campaign")
def test_the_second_who_saves_over_an_older_state_is_told(
    editor: FlaskClient, sign_in: SignIn, session: Session
) -> None:
    other = sign_in(Role.OWNER)
    opened = fields_of(editor.get(EDIT).text)
    send(other, EDIT, title="Theirs", description="Theirs, too", button="Give")

    mine = editor.post(EDIT, data=changed(opened, title="Mine", story="My story"))

    assert mine.status_code == 409
    assert "owner@courier.example has changed this campaign" in mine.text
    assert "title, description, button" in mine.text
    assert stored(session)["title"] == "Theirs"
    assert stored(session)["story"] == ""
    # What only they changed is shown as theirs; what both did is shown as mine, with theirs beside.
    fields = dict(fields_of(mine.text))
    assert (fields["title"], fields["description"]) == ("Mine", "Theirs, too")
    assert (fields["story"], fields["button"]) == ("My story", "Give")
    assert re.search(r'id="title-clash">Stored meanwhile: <q>Theirs</q>', mine.text)
    assert 'id="description-clash"' not in mine.text
    # Whoever has seen it decides.
    assert editor.post(EDIT, data=changed(fields_of(mine.text))).status_code == 303
    after = stored(session)
    assert (after["title"], after["description"]) == ("Mine", "Theirs, too")


@pytest.mark.usefixtures("campaign")
def test_a_change_of_state_meanwhile_is_no_conflict(editor: FlaskClient, session: Session) -> None:
    opened = fields_of(editor.get(EDIT).text)
    editor.post("/admin/campaigns/support-us/state", data={"state": "paused"})
    assert editor.post(EDIT, data=changed(opened, title="Mine")).status_code == 303
    assert stored(session)["title"] == "Mine"


@pytest.mark.usefixtures("campaign")
def test_the_preview_shows_what_is_typed_and_stores_nothing(
    editor: FlaskClient, session: Session
) -> None:
    before = stored(session)
    drawn = send(editor, EDIT, to=PREVIEW, **EVERYTHING)
    assert drawn.status_code == 200
    for text in ("Keep us", "$1.000,50", "#8a1f11", "The Foundation", "Because.", "Mai 2021"):
        assert text in drawn.text, text
    assert "Two reporters" in drawn.text
    assert stored(session) == before
    assert logged(session) == []


@pytest.mark.usefixtures("campaign")
def test_the_preview_shows_what_can_not_be_used_as_it_is_stored(editor: FlaskClient) -> None:
    drawn = send(editor, EDIT, to=PREVIEW, title="Keep us", accent="#ffff00")
    assert drawn.status_code == 200
    assert "needs 3 to be seen" in drawn.text
    assert "Keep us" in drawn.text
    assert "#ffff00," not in drawn.text


@pytest.mark.parametrize(
    ("standing", "raised"), [("now", "520 $"), ("nothing", "0 $"), ("half", "2,500 $")]
)
def test_the_preview_may_be_of_another_sum(
    editor: FlaskClient, make_campaign: MakeCampaign, give: Give, standing: str, raised: str
) -> None:
    give(make_campaign(), 52_000)
    drawn = send(editor, EDIT, to=PREVIEW, standing=standing)
    assert f'<div class="raised">{raised}</div>' in drawn.text


@pytest.mark.usefixtures("campaign")
def test_the_preview_alone_may_be_framed_and_by_our_own_pages_alone(editor: FlaskClient) -> None:
    drawn = send(editor, EDIT, to=PREVIEW).headers["Content-Security-Policy"]
    form = editor.get(EDIT).headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in drawn
    assert "frame-ancestors 'none'" in form
    assert "frame-src 'self'" in form


@pytest.mark.usefixtures("campaign")
def test_a_preview_of_a_draft_and_of_a_story_that_would_run(
    editor: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign("draft", draft=True)
    story = "<script>alert(1)</script><img src=x onerror=alert(1)>[x](javascript:alert(1))"
    for slug in ("support-us", "draft"):
        drawn = send(
            editor,
            f"/admin/campaigns/{slug}/edit",
            to=f"/admin/campaigns/{slug}/preview",
            story=story,
            title="<script>alert(1)</script>",
        )
        assert drawn.status_code == 200
        assert "<script>alert" not in drawn.text
        assert "onerror" not in drawn.text
        assert 'href="javascript:' not in drawn.text


@pytest.mark.parametrize("colour", ["#18806c", "#8a1f11", "#000000", "#1a1a6c", "#d9643a"])
def test_the_contrast_that_is_told_is_the_one_that_decides(
    editor: FlaskClient, colour: str
) -> None:
    told = editor.get("/admin/contrast", query_string={"accent": colour}).json
    assert told is not None
    assert told["ok"]
    assert told["dark"] == lightened(colour)
    assert f"{contrast(colour, LIGHT_PAPER):.1f} on light" in told["told"]
    assert f"{contrast(told['dark'], DARK_PAPER):.1f} on dark" in told["told"]


@pytest.mark.parametrize("colour", ["#ffff00", "red", "#12", "\0"])
def test_a_colour_that_is_refused_says_why(editor: FlaskClient, colour: str) -> None:
    told = editor.get("/admin/contrast", query_string={"accent": colour}).json
    assert told is not None
    assert not told["ok"]
    assert told["told"]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ACCOUNTANT])
@pytest.mark.usefixtures("campaign")
def test_others_change_nothing(app: Flask, sign_in: SignIn, session: Session, role: Role) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    client = sign_in(role)
    before = stored(session)
    assert client.get(EDIT).status_code == 403
    for path in (EDIT, PREVIEW, "/admin/campaigns/support-us/state"):
        assert client.post(path, data={"title": "x", "state": "paused"}).status_code == 403
    assert stored(session) == before
