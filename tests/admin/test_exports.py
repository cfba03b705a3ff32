from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from admin.roles import GRANTS, Permission, Role
from campaigns.audit import verify_ledger
from core.auditlog import list_records
from core.clock import MovableClock
from payments.export_models import ExportRun, RunState
from payments.export_runs import DEAD_AFTER
from payments.models import Donation
from tests.admin.conftest import SignIn, csrf_token
from tests.conftest import Give, MakeCampaign
from tests.fake_gateway import FakeGateway
from tests.payments.conftest import Books
from tests.payments.exported import last_run, read_csv, read_xlsx
from tests.payments.gifts import give_with_cover

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def books(app: Flask, fake_gateway: FakeGateway, clock: MovableClock) -> Books:
    return Books(app, fake_gateway, clock)


def take(client: FlaskClient, **wanted: Any) -> TestResponse:
    """Send the form, as a browser that streams what comes back to its disk."""
    values = {"csrf_token": csrf_token(client, "/admin/exports"), "what": "donations"}
    values |= {"format": "csv", "campaign": "", "period": "", "from": "", "until": "", "state": ""}
    return client.post("/admin/exports", data=values | wanted, buffered=False)


def test_file_comes_as_it_is_made_and_is_for_nobody_else(
    sign_in: SignIn, make_campaign: MakeCampaign, give: Give, session: Session
) -> None:
    give(make_campaign(), 52_000)
    client = sign_in(Role.ACCOUNTANT)
    response = take(client, period="2021-05", campaign="support-us")
    assert response.status_code == 200
    headers = response.headers
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    name = "donations-support-us-2021-05.csv"
    assert headers["Content-Disposition"] == f"attachment; filename={name}"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Accel-Buffering"] == "no"
    assert "Content-Length" not in headers
    pieces = response.iter_encoded()
    assert next(pieces).startswith(b"\xef\xbb\xbfid,")
    # Its beginning has left, and it is under way.
    assert last_run(session).state == RunState.RUNNING
    assert "<progress" in client.get("/admin/exports").text
    (row,) = read_csv([b"\xef\xbb\xbf" + b"id,campaign,period,state,amount\r\n", *pieces])
    assert row["amount"] == "520.00"
    response.close()
    run = last_run(session)
    assert (run.state, run.rows_done, run.actor_name) == ("done", 1, "accountant@courier.example")
    page = client.get("/admin/exports").text
    assert "<progress" not in page
    assert "support-us, 2021-05" in page
    (line,) = list_records(session)[:1]
    assert (line.action, line.subject) == ("export.begun", f"export:{run.id}")


@only_sqlite
def test_xlsx_of_entries(sign_in: SignIn, make_campaign: MakeCampaign, give: Give) -> None:
    give(make_campaign(), 52_000)
    response = take(sign_in(), what="entries", format="xlsx", state="pending", personal="yes")
    assert response.headers["Content-Disposition"].endswith("entries-until-2021-05-12.xlsx")
    assert [row["Amount"] for row in read_xlsx(response.iter_encoded())] == [520]
    response.close()


@only_sqlite
def test_formula_of_a_donor_reaches_no_spreadsheet(
    sign_in: SignIn,
    make_campaign: MakeCampaign,
    books: Books,
    session: Session,
    clock: MovableClock,
) -> None:
    give_with_cover(books, make_campaign(), clock, amount_minor=2_000)
    donation = session.scalars(select(Donation)).one()
    donation.message = "=cmd|' /C calc'!A0"
    donation.public_name = "x\n@SUM(1);=1+1"
    session.commit()
    client = sign_in(Role.ACCOUNTANT)
    response = take(client, personal="yes")
    (row,) = read_csv(response.iter_encoded())
    response.close()
    assert row["message"] == "'=cmd|' /C calc'!A0"
    assert row["public_name"] == "x\n'@SUM(1);'=1+1"
    assert row["donor_email"] == "ann@example.org"
    assert last_run(session).personal
    assert "with donors’ data" in client.get("/admin/exports").text


@pytest.mark.parametrize("format_", ["csv", "xlsx"])
def test_download_that_is_cut_off_says_so_and_harms_nothing(
    sign_in: SignIn, make_campaign: MakeCampaign, give: Give, session: Session, format_: str
) -> None:
    give(make_campaign(), 52_000)
    client = sign_in()
    response = take(client, format=format_)
    next(response.iter_encoded())
    response.close()
    assert last_run(session).state == RunState.CUT_OFF
    assert "cut off" in client.get("/admin/exports").text
    assert verify_ledger(session).differences == ()


@only_sqlite
def test_export_whose_process_died_is_told_as_cut_off(
    sign_in: SignIn, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    make_campaign()
    client = sign_in()
    response = take(client)  # and nobody ever reads it
    assert "<progress" in client.get("/admin/exports").text
    clock.advance(DEAD_AFTER + timedelta(seconds=1))
    assert '<span class="tag bad">cut off</span>' in client.get("/admin/exports").text
    response.close()


@only_sqlite
@pytest.mark.parametrize("role", [role for role in Role if Permission.EXPORT not in GRANTS[role]])
def test_roles_that_may_not_take_anything_out_do_not(
    sign_in: SignIn, make_campaign: MakeCampaign, session: Session, role: Role
) -> None:
    make_campaign()
    client = sign_in(role)
    page = client.get("/admin/")
    assert "/admin/exports" not in page.text
    token = csrf_token(client)
    values = {"csrf_token": token, "what": "donations", "format": "csv"}
    assert client.post("/admin/exports", data=values).status_code == 403
    assert client.get("/admin/exports").status_code == 403
    assert session.scalars(select(func.count(ExportRun.id))).one() == 0


@only_sqlite
@pytest.mark.parametrize(
    ("wanted", "field", "sentence"),
    [
        ({"what": "secrets"}, "what", "Choose one of these."),
        ({"format": "exe"}, "format", "Choose one of these."),
        ({"campaign": "none"}, "campaign", "There is no campaign “none”."),
        ({"period": "soon"}, "period", "“soon” is no period"),
        ({"from": "yesterday"}, "from", "is not a day"),
        ({"from": "2021-05-02", "until": "2021-05-01"}, "until", "The last day is before"),
        ({"state": "<script>"}, "state", "Choose one of these."),
    ],
)
def test_what_can_not_be_is_said_beside_its_field_and_the_rest_is_kept(
    sign_in: SignIn,
    make_campaign: MakeCampaign,
    session: Session,
    wanted: dict[str, str],
    field: str,
    sentence: str,
) -> None:
    make_campaign()
    response = take(sign_in(), **({"from": "2021-05-03"} | wanted), personal="yes")
    assert response.status_code == 422
    assert re.search(rf'id="{field}-error">[^<]*{re.escape(sentence)}', response.text)
    assert "checked" in response.text.split('name="personal"')[1][:40]
    if "from" not in wanted:
        assert 'value="2021-05-03"' in response.text
    assert session.scalars(select(func.count(ExportRun.id))).one() == 0


@only_sqlite
def test_list_alone_is_what_htmx_gets(sign_in: SignIn) -> None:
    client = sign_in()
    part = client.get("/admin/exports", headers={"HX-Request": "true"}).text
    assert part.lstrip().startswith('<section id="runs"')
    assert "Nothing was taken out yet." in part
    assert "every 1s" not in part


@only_sqlite
def test_site_of_many_campaigns_asks_for_a_name(
    sign_in: SignIn, make_campaign: MakeCampaign
) -> None:
    for number in range(101):
        make_campaign(f"campaign-{number}")
    page = sign_in().get("/admin/exports").text
    assert '<select id="campaign"' not in page
    assert '<input id="campaign"' in page


@only_sqlite
def test_who_may_not_see_donors_gets_none_of_them(
    sign_in: SignIn, make_campaign: MakeCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No role of today takes out and may not see donors; one of tomorrow must not either.
    make_campaign()
    client = sign_in(Role.ACCOUNTANT)
    fewer = GRANTS[Role.ACCOUNTANT] - {Permission.SEE_DONORS}
    monkeypatch.setattr("admin.roles.GRANTS", {**GRANTS, Role.ACCOUNTANT: fewer})
    assert 'name="personal"' not in client.get("/admin/exports").text
    assert take(client, personal="yes").status_code == 403
    response = take(client)
    assert b"donor_email" not in response.data
