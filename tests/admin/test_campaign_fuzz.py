"""Whatever is sent to the forms of campaigns, they answer it, and never with an error of ours."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin.campaign_fields import LISTS, TEXTS
from admin.campaign_new import FIELDS as NEW_FIELDS
from admin.campaign_schedule import FIELDS as SCHEDULE_FIELDS
from admin.roles import Role
from tests.admin.campaign_forms import Fields, changed, fields_of
from tests.admin.conftest import SignIn
from tests.conftest import MakeCampaign

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PAGE = "/admin/campaigns/support-us"
NASTY = (
    "", "\0", "0", "-1", "1e5", "1,00", "٣", "²", "9" * 400, "{amount}", "{amount!r:>99}", "%s",
    "1: \u202e", "2021-02-30", "9999-12-31", "0001-01-01", "none", "month", "once", "percent",
    "open", "archived", "<script>", "'; --", "https://[", "../../etc/passwd", "America", "\ud7ff",
    "𝔘" * 200, "#ffffff", "en_US.UTF-8", "de-", "1\n2\n3", "2021-12", "2.9+0.30", "tier:x base",
)  # fmt: skip
VALUES = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
SOME = settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def editor(app: Flask, sign_in: SignIn, make_campaign: MakeCampaign) -> FlaskClient:
    app.config["WTF_CSRF_ENABLED"] = False
    make_campaign()
    return sign_in(Role.EDITOR)


def some(*names: str) -> st.SearchStrategy[dict[str, list[str]]]:
    return st.dictionaries(st.sampled_from(names), st.lists(VALUES, max_size=3), max_size=6)


def send(
    editor: FlaskClient, path: str, sent: dict[str, list[str]], *, opened: Fields | None = None
) -> None:
    """Send fields, over what a form holds where one was opened."""
    data = changed(opened, **sent) if opened is not None else sent
    answer = editor.post(path, data=data)
    assert answer.status_code in {200, 303, 404, 409, 422}, (path, data)


@SOME
@given(sent=some(*TEXTS, *LISTS, "base", "running", "standing", "preview_width"))
def test_edit_and_preview(editor: FlaskClient, sent: dict[str, list[str]]) -> None:
    opened = fields_of(editor.get(f"{PAGE}/edit").text)
    send(editor, f"{PAGE}/preview", sent, opened=opened)
    send(editor, f"{PAGE}/edit", sent, opened=opened)
    send(editor, f"{PAGE}/edit", sent)
    # Whatever was stored by that can be shown.
    for path in (f"{PAGE}/edit", PAGE, f"{PAGE}/plan", "/c/support-us", "/admin/campaigns"):
        assert editor.get(path).status_code == 200


@SOME
@given(sent=some(*NEW_FIELDS, "tier"))
def test_new(editor: FlaskClient, sent: dict[str, list[str]]) -> None:
    usual = {"title": ["T"], "currency": ["EUR"], "timezone": ["UTC"], "locale": ["de"]}
    send(editor, "/admin/campaigns/new", usual | {"every": ["month"]} | sent)
    assert editor.get("/admin/campaigns").status_code == 200


@SOME
@given(sent=some(*SCHEDULE_FIELDS, "confirmed", "carry", "percent", "state", "like"))
def test_schedule_carry_and_state(editor: FlaskClient, sent: dict[str, list[str]]) -> None:
    for path in ("schedule", "carry", "state", "plan/2021-12/copy", "plan/2021-12/forget"):
        send(editor, f"{PAGE}/{path}", sent)
    for path in (PAGE, f"{PAGE}/schedule", f"{PAGE}/plan"):
        assert editor.get(path).status_code == 200


@SOME
@given(
    key=st.sampled_from(["2021-05", "2021-06", "2022-01"]),
    sent=some("title", "description", "tier", "once", "month", "year"),
)
def test_plan(editor: FlaskClient, key: str, sent: dict[str, list[str]]) -> None:
    path = f"{PAGE}/plan/{key}"
    send(editor, path, sent, opened=fields_of(editor.get(path).text))
    assert editor.get(f"{PAGE}/plan").status_code == 200


@SOME
@given(given=st.dictionaries(st.sampled_from(["slot", "lang", "theme", "amounts"]), VALUES))
def test_embed_and_contrast(editor: FlaskClient, given: dict[str, str]) -> None:
    assert editor.get(f"{PAGE}/embed", query_string=given).status_code == 200
    for text in given.values():
        assert editor.get("/admin/contrast", query_string={"accent": text}).status_code == 200
        asked = {"state": text, "after": text}
        assert editor.get("/admin/campaigns", query_string=asked).status_code == 200
