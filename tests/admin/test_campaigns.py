"""The list of campaigns, making one, and what becomes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.orm import Session

from admin.roles import Role
from campaigns.catalog import find_campaign
from campaigns.errors import CampaignNotFound
from campaigns.models import CampaignState
from campaigns.timing import Run
from core.auditlog import AuditFilter, list_records
from core.db import db
from tests.admin.campaign_forms import send
from tests.admin.conftest import SignIn
from tests.conftest import START, Give, MakeCampaign

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
LIST, NEW, PAGE = "/admin/campaigns", "/admin/campaigns/new", "/admin/campaigns/support-us"


@pytest.fixture
def editor(app: Flask, sign_in: SignIn) -> FlaskClient:
    app.config["WTF_CSRF_ENABLED"] = False
    return sign_in(Role.EDITOR)


def logged(session: Session, slug: str = "support-us") -> list[tuple[str, dict[str, Any]]]:
    """Return what the log says of a campaign, the newest first."""
    found = list_records(session, AuditFilter(subject=f"campaign:{slug}"))
    told = [(record.action, record.told) for record in found]
    session.rollback()
    return told


def test_an_empty_list_leads_to_the_first_campaign(editor: FlaskClient, sign_in: SignIn) -> None:
    page = editor.get(LIST).text
    assert "There is no campaign yet." in page
    assert 'href="/admin/campaigns/new"' in page
    assert 'href="/admin/campaigns/new"' not in sign_in(Role.VIEWER).get(LIST).text


def test_the_list_tells_where_each_stands(
    editor: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    give(make_campaign(), 52_000)
    make_campaign("quiet", title="Quiet", draft=True, tiers_minor=())
    page = editor.get(LIST).text
    for text in ("520 $", "5,000 $", "May 2021", "America/New_York", "Draft", "Open"):
        assert text in page
    drafts = editor.get(f"{LIST}?state=draft").text
    assert "Quiet" in drafts
    assert "support-us" not in drafts
    assert "No campaign is archived" in editor.get(f"{LIST}?state=archived").text
    assert "support-us" in editor.get(f"{LIST}?state=nonsense").text


def test_the_list_asks_the_books_as_often_for_many_as_for_one(
    app: Flask, editor: FlaskClient, make_campaign: MakeCampaign
) -> None:
    def asked() -> int:
        statements: list[str] = []

        def note(_: Any, __: Any, statement: str, *___: Any) -> None:
            statements.append(statement)

        with app.app_context():
            event.listen(db.engine, "before_cursor_execute", note)
            assert editor.get(LIST).status_code == 200
            event.remove(db.engine, "before_cursor_execute", note)
        return len(statements)

    make_campaign()
    alone = asked()
    for number in range(10):
        make_campaign(f"other-{number}")
    assert asked() == alone


def test_a_long_list_has_pages(editor: FlaskClient, make_campaign: MakeCampaign) -> None:
    for number in range(51):
        make_campaign(f"c-{number:02}")
    first = editor.get(LIST).text
    assert "c-49" in first
    assert "c-50" not in first
    assert "?after=c-49" in first
    assert "c-50" in editor.get(f"{LIST}?after=c-49").text


def test_a_campaign_is_made_of_a_few_fields(editor: FlaskClient, session: Session) -> None:
    answer = send(
        editor,
        NEW,
        title="Für die Fähre",
        currency="eur",
        timezone="Europe/Berlin",
        locale="de",
        tier=["5.000", "2500,50", ""],
    )
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/admin/campaigns/fur-die-fahre"
    campaign = find_campaign(session, "fur-die-fahre")
    assert (campaign.currency, campaign.state) == ("EUR", CampaignState.OPEN)
    assert [tier.amount_minor for tier in campaign.tiers] == [250_050, 500_000]
    session.rollback()
    ((action, told),) = logged(session, "fur-die-fahre")
    assert action == "campaign.created"
    assert told["tiers_minor"] == [250_050, 500_000]


def test_a_draft_is_seen_by_nobody_until_it_is_published(
    editor: FlaskClient, client: FlaskClient, session: Session
) -> None:
    send(editor, NEW, title="Support us", timezone="Europe/Sofia", state="draft", every="quarter")
    assert client.get("/c/support-us").status_code == 404
    assert "a draft" in editor.get(PAGE).text.lower()
    send(editor, PAGE, to=f"{PAGE}/state", state="open")
    assert client.get("/c/support-us").status_code == 200
    assert logged(session)[0] == ("campaign.published", {"state": ["draft", "open"]})


def test_a_campaign_that_runs_once_is_made_from_day_to_day(
    editor: FlaskClient, session: Session
) -> None:
    days = {"every": "once", "from": "2021-05-01", "until": "2021-05-31"}
    send(editor, NEW, title="Trial", timezone="UTC", **days)
    campaign = find_campaign(session, "trial")
    assert campaign.runs_from is not None
    assert campaign.runs_until is not None
    assert campaign.runs_until - campaign.runs_from == timedelta(days=31)


@pytest.mark.parametrize(
    ("field", "value", "beside"),
    [
        ("title", "", "title"),
        ("title", "x" * 121, "title"),
        ("slug", "Support Us", "slug"),
        ("slug", "new", "slug"),
        ("slug", "taken", "slug"),
        ("currency", "dollars", "currency"),
        ("timezone", "Mars/Base", "timezone"),
        ("locale", "tlh", "locale"),
        ("tier", ["1,00"], "tier"),
        ("tier", ["100", "100"], "tier"),
        ("tier", ["0"], "tier"),
        ("tier", [str(step) for step in range(1, 10)], "tier"),
        ("money_format", "{amount} {x}", "money_format"),
        ("every", "week", "every"),
        ("every", "once", "from"),
        ("from_day", "32", "from_day"),
        ("from_month", "x", "from_month"),
        ("description", "x" * 2001, "description"),
    ],
)
def test_what_can_not_be_used_is_told_beside_its_field_and_kept(
    editor: FlaskClient,
    make_campaign: MakeCampaign,
    session: Session,
    field: str,
    value: str | list[str],
    beside: str,
) -> None:
    make_campaign("taken")
    typed: dict[str, Any] = {
        "title": "Support us",
        "timezone": "UTC",
        "money_format": "{amount}!",
        field: value,
    }
    answer = send(editor, NEW, **typed)
    assert answer.status_code == 422
    assert f'id="{beside}-error"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    for one in typed.values():
        for text in [one] if isinstance(one, str) else one:
            assert text[:100] in answer.text
    with pytest.raises(CampaignNotFound):
        find_campaign(session, "support-us")


def test_a_campaign_is_paused_resumed_archived_and_opened_again(
    editor: FlaskClient, make_campaign: MakeCampaign, session: Session
) -> None:
    make_campaign()
    for state in ("paused", "open"):
        assert editor.post(f"{PAGE}/state", data={"state": state}).status_code == 303
    asks = editor.post(f"{PAGE}/state", data={"state": "archived"})
    assert "Archive it?" in asks.text
    assert find_campaign(session, "support-us").state == CampaignState.OPEN
    session.rollback()
    editor.post(f"{PAGE}/state", data={"state": "archived", "confirmed": "1"})
    assert find_campaign(session, "support-us").state == CampaignState.ARCHIVED
    session.rollback()
    assert "Open again" in editor.get(PAGE).text
    editor.post(f"{PAGE}/state", data={"state": "open"})
    actions = [action.partition(".")[2] for action, _ in logged(session)]
    assert actions == ["reopened", "archived", "resumed", "paused"]


def test_pressed_twice_is_done_and_logged_once(
    editor: FlaskClient, make_campaign: MakeCampaign, session: Session
) -> None:
    make_campaign()
    for _ in range(2):
        assert editor.post(f"{PAGE}/state", data={"state": "paused"}).status_code == 303
    assert len(logged(session)) == 1


def test_no_way_leads_back_to_a_draft(
    editor: FlaskClient, make_campaign: MakeCampaign, session: Session
) -> None:
    make_campaign()
    assert editor.post(f"{PAGE}/state", data={"state": "draft"}).status_code == 409
    assert editor.post(f"{PAGE}/state", data={"state": "gone"}).status_code == 422
    assert logged(session) == []


def test_viewers_look_and_have_no_buttons(
    editor: FlaskClient, make_campaign: MakeCampaign, sign_in: SignIn
) -> None:
    make_campaign()
    editor.post(f"{PAGE}/state", data={"state": "paused"})
    assert "editor@courier.example: paused" in editor.get(PAGE).text
    assert "editor@courier.example" not in sign_in(Role.VIEWER, email="v@x.example").get(PAGE).text
    viewer = sign_in(Role.VIEWER)
    for path in (PAGE, f"{PAGE}/plan", f"{PAGE}/embed"):
        page = viewer.get(path)
        assert page.status_code == 200
        assert 'method="post" action="/admin/campaigns' not in page.text
        assert f"{PAGE}/edit" not in page.text


def test_the_page_shows_the_bar_what_comes_and_the_line(
    editor: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    give(make_campaign(), 52_000)
    page = editor.get(PAGE).text
    for text in ("520 $", "May 2021", "August 2021", "&lt;donation-goal campaign="):
        assert text in page
    assert "<donation-goal" not in page


def test_the_lines_have_the_options_that_were_chosen(
    editor: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    page = editor.get(f"{PAGE}/embed?slot=top&theme=dark&compact=1").text
    assert "slot-name=&#34;top&#34; theme=&#34;dark&#34; compact" in page
    assert page.count("data-copy=") == 10
    assert page.count("hidden>Copy</button>") == 10  # the button comes with the script
    wrong = editor.get(f"{PAGE}/embed?slot=Top")
    assert 'id="slot-error"' in wrong.text
    assert 'value="Top"' in wrong.text


def test_what_runs_once_says_what_it_is_by_its_dates(
    editor: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign(run=Run(starts_at=START + timedelta(days=1), ends_at=START + timedelta(days=9)))
    assert "by its dates it is paused now" in editor.get(PAGE).text
    assert editor.get(f"{PAGE}/plan").status_code == 200
