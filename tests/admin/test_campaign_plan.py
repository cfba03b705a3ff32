"""Planning months ahead, and changing when they begin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from admin.roles import Role
from campaigns.ahead import Ahead, look_ahead
from campaigns.catalog import find_campaign
from campaigns.plans import Plan
from campaigns.timing import Run
from tests.admin.campaign_forms import changed, fields_of, send
from tests.admin.conftest import SignIn
from tests.admin.test_campaigns import logged
from tests.conftest import START, MakeCampaign

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PAGE = "/admin/campaigns/support-us"
PLAN, SCHEDULE = f"{PAGE}/plan", f"{PAGE}/schedule"


@pytest.fixture
def editor(app: Flask, sign_in: SignIn, make_campaign: MakeCampaign) -> FlaskClient:
    app.config["WTF_CSRF_ENABLED"] = False
    make_campaign()
    return sign_in(Role.EDITOR)


def ahead(session: Session, count: int = 14) -> dict[str, Ahead]:
    campaign = find_campaign(session, "support-us")
    found = {one.key: one for one in look_ahead(session, campaign, now=START, count=count)}
    session.rollback()
    return found


def test_a_month_is_planned_and_taken_back(editor: FlaskClient, session: Session) -> None:
    path = f"{PLAN}/2021-12"
    answer = send(
        editor,
        path,
        title="Christmas",
        description="For the winter",
        tier=["8,000", "4000", ""],
        once="15\n75",
    )
    assert answer.status_code == 303
    planned = Plan(
        title="Christmas",
        description="For the winter",
        tiers_minor=(400_000, 800_000),
        amounts_minor={"once": (1_500, 7_500)},
    )
    assert ahead(session)["2021-12"].plan == planned
    page = editor.get(PLAN).text
    for text in ("Christmas", "4,000 $, 8,000 $", "set for it alone", "15 $, 75 $"):
        assert text in page
    # Sent back as it is shown, it stays as it is, and nothing is logged.
    editor.post(path, data=changed(fields_of(editor.get(path).text)))
    assert ahead(session)["2021-12"].plan == planned
    assert editor.post(f"{path}/forget").status_code == 303
    assert ahead(session)["2021-12"].plan is None
    assert [action for action, _ in logged(session)] == [
        "campaign.plan_forgotten",
        "campaign.planned",
    ]
    assert editor.post(f"{path}/forget").status_code == 404


def test_what_is_emptied_is_the_campaigns_again(editor: FlaskClient, session: Session) -> None:
    path = f"{PLAN}/2021-06"
    send(editor, path, title="June", tier=["8000"], once="15")
    send(editor, path, title="June", tier=["", ""], once="")
    assert ahead(session)["2021-06"].plan == Plan(title="June")
    send(editor, path, title="", no_goals="1")
    assert ahead(session)["2021-06"].plan == Plan(tiers_minor=())
    editor.post(path, data=changed(fields_of(editor.get(path).text)))
    assert ahead(session)["2021-06"].tiers_minor == ()
    send(editor, path, no_goals=None)
    assert ahead(session)["2021-06"].plan is None


def test_the_running_month_follows_at_once(editor: FlaskClient, session: Session) -> None:
    send(editor, f"{PLAN}/2021-05", title="May", tier=["900"])
    assert ahead(session)["2021-05"].tiers_minor == (90_000,)
    editor.post(f"{PLAN}/2021-05/forget")
    may = ahead(session)["2021-05"]
    assert (may.plan, may.tiers_minor) == (None, (250_000, 500_000))


def test_last_years_month_is_copied(editor: FlaskClient, session: Session) -> None:
    send(editor, f"{PLAN}/2021-05", title="Spring", tier=["900"])
    assert "Copy 2021-05" in editor.get(PLAN).text
    editor.post(f"{PLAN}/2022-05/copy", data={"like": "2021-05"})
    assert ahead(session)["2022-05"].plan == Plan(title="Spring", tiers_minor=(90_000,))
    assert editor.post(f"{PLAN}/2022-04/copy", data={"like": "2019-04"}).status_code == 404
    assert editor.post(f"{PLAN}/2022-04/copy", data={"like": "nonsense"}).status_code == 422


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "x" * 121),
        ("description", "x" * 2001),
        ("tier", ["x"]),
        ("tier", ["5", "5"]),
        ("once", "1,00"),
        ("year", "\n".join(map(str, range(1, 9)))),
    ],
)
def test_a_plan_that_can_not_be_used_is_told_beside_its_field(
    editor: FlaskClient, session: Session, field: str, value: Any
) -> None:
    answer = send(editor, f"{PLAN}/2021-06", **{"title": "June", field: value})
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert ahead(session)["2021-06"].plan is None


@pytest.mark.parametrize("key", ["2021-04", "2027-01", "2021-Q3", "x", "9999-12"])
def test_only_what_is_ahead_is_planned(editor: FlaskClient, key: str) -> None:
    assert editor.get(f"{PLAN}/{key}").status_code == 404
    assert editor.post(f"{PLAN}/{key}", data={"title": "x"}).status_code == 404
    assert editor.post(f"{PLAN}/{key}/copy", data={"like": "2021-05"}).status_code == 404


def test_two_who_plan_one_month_are_told(
    editor: FlaskClient, sign_in: SignIn, session: Session
) -> None:
    path = f"{PLAN}/2021-06"
    opened = fields_of(editor.get(path).text)
    send(sign_in(Role.OWNER), path, title="Theirs")
    mine = editor.post(path, data=changed(opened, title="Mine"))
    assert mine.status_code == 409
    assert "Stored meanwhile: <q>Theirs</q>" in mine.text
    assert ahead(session)["2021-06"].plan == Plan(title="Theirs")
    assert editor.post(path, data=changed(fields_of(mine.text))).status_code == 303
    assert ahead(session)["2021-06"].plan == Plan(title="Mine")


@pytest.mark.parametrize(
    ("rule", "percent", "june"),
    [
        ("percent", "+10", (275_000, 550_000)),
        ("percent", "-10%", (225_000, 450_000)),
        ("missed", "", (250_000, 500_000)),
    ],
)
def test_the_rule_is_set(
    editor: FlaskClient, session: Session, rule: str, percent: str, june: tuple[int, ...]
) -> None:
    answer = editor.post(f"{PAGE}/carry", data={"carry": rule, "percent": percent})
    assert answer.status_code == 303
    assert ahead(session)["2021-06"].tiers_minor == june
    ((_, told),) = logged(session)
    assert told["carry"][0] == "the same each time"


@pytest.mark.parametrize(("rule", "percent"), [("percent", "x"), ("percent", "5000"), ("all", "")])
def test_no_rule_that_there_is_not(
    editor: FlaskClient, session: Session, rule: str, percent: str
) -> None:
    answer = editor.post(f"{PAGE}/carry", data={"carry": rule, "percent": percent})
    assert answer.status_code == 422
    assert 'id="percent-error"' in answer.text
    assert logged(session) == []


def test_a_change_of_cadence_is_looked_at_before_it_is_made(
    editor: FlaskClient, session: Session
) -> None:
    looked = send(editor, SCHEDULE, every="quarter", timezone="Europe/Sofia")
    assert looked.status_code == 200
    assert "It would hold from <b>1 June 2021, 07:00</b> (Europe/Sofia) on" in looked.text
    assert "Q3 2021" in looked.text
    assert list(ahead(session, 2)) == ["2021-05", "2021-06"]
    assert logged(session) == []
    made = editor.post(SCHEDULE, data=changed(fields_of(looked.text)))
    assert made.status_code == 303
    assert list(ahead(session, 3))[2] == "2021-Q3"
    ((action, told),) = logged(session)
    assert action == "campaign.rescheduled"
    assert told == {
        "every": ["month", "quarter"],
        "timezone": ["America/New_York", "Europe/Sofia"],
    }
    assert "Changed: holds from 1 June 2021" in editor.get(SCHEDULE).text


def test_nothing_is_changed_where_nothing_is_typed(editor: FlaskClient, session: Session) -> None:
    assert send(editor, SCHEDULE).status_code == 303
    assert "Nothing was changed." in editor.get(SCHEDULE).text
    assert logged(session) == []


@pytest.mark.parametrize(
    ("field", "value", "beside"),
    [
        ("timezone", "Mars/Base", "timezone"),
        ("every", "week", "every"),
        ("every", "once", "every"),
        ("from_day", "0", "from_day"),
        ("from_day", "²", "from_day"),
        ("from_month", "13", "from_month"),
    ],
)
def test_a_schedule_that_can_not_be_used_is_told_beside_its_field(
    editor: FlaskClient, session: Session, field: str, value: str, beside: str
) -> None:
    answer = send(editor, SCHEDULE, confirmed="1", **{field: value})
    assert answer.status_code == 422
    assert f'id="{beside}-error"' in answer.text
    assert logged(session) == []


def test_what_runs_once_gets_another_end(
    editor: FlaskClient, session: Session, make_campaign: MakeCampaign
) -> None:
    run = Run(starts_at=START - timedelta(days=1), ends_at=START + timedelta(days=9))
    make_campaign("trial", run=run)
    path = "/admin/campaigns/trial/schedule"
    for wrong in ("2021-05-01", "soon", "9999-12-31", "0001-01-01"):
        answer = send(editor, path, until=wrong, confirmed="1")
        assert answer.status_code == 422
        assert 'id="until-error"' in answer.text
    looked = send(editor, path, until="2021-06-30")
    assert "It would hold at once." in looked.text
    assert editor.post(path, data=changed(fields_of(looked.text))).status_code == 303
    campaign = find_campaign(session, "trial")
    assert campaign.runs_until is not None
    assert f"{campaign.runs_until:%F %H}" == "2021-07-01 04"


def test_two_who_change_the_schedule_are_told(editor: FlaskClient, session: Session) -> None:
    opened = fields_of(editor.get(SCHEDULE).text)
    looked = editor.post(SCHEDULE, data=changed(opened, every="quarter"))
    send(editor, SCHEDULE, timezone="Europe/Sofia", confirmed="1")
    for sent in (changed(opened, every="quarter"), changed(fields_of(looked.text))):
        mine = editor.post(SCHEDULE, data=sent)
        assert mine.status_code == 409
        assert "Stored meanwhile: <q>Europe/Sofia</q>" in mine.text
    assert find_campaign(session, "support-us").timezone == "Europe/Sofia"
    session.rollback()
    assert [action for action, _ in logged(session)] == ["campaign.rescheduled"]


def test_two_who_set_the_rule_are_told(editor: FlaskClient, session: Session) -> None:
    opened = fields_of(editor.get(PLAN).text)
    editor.post(f"{PAGE}/carry", data={"carry": "missed"})
    mine = editor.post(f"{PAGE}/carry", data=changed(opened, carry="percent", percent="5"))
    assert mine.status_code == 409
    assert "Somebody has set another rule meanwhile" in mine.text
    assert find_campaign(session, "support-us").carry == "missed"
