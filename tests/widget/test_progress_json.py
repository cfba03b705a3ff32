from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from campaigns.catalog import NewCampaign, create_campaign
from core.clock import MovableClock
from tests.conftest import Give, MakeCampaign

ADDRESS = "/api/v1/campaigns/support-us"
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_progress_is_as_the_contract_says(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    give(make_campaign(), 52_000)
    assert client.get(ADDRESS).json == {
        "campaign": "support-us",
        "title": "Support us",
        "currency": "USD",
        "locale": "en",
        "period": {
            "key": "2021-05",
            "label": "MAY 2021",
            "starts_at": "2021-05-01T04:00:00Z",
            "ends_at": "2021-06-01T04:00:00Z",
        },
        "raised_minor": 52_000,
        "raised_label": "520 $",
        "percent": 10.4,
        "tiers": [
            {"amount_minor": 0, "label": "0 $", "reached": True},
            {"amount_minor": 250_000, "label": "2,500 $", "reached": False},
            {"amount_minor": 500_000, "label": "5,000 $", "reached": False},
        ],
        "donations": 1,
        "donors": 1,
        "state": "open",
        "donate_url": "http://localhost:8000/c/support-us",
        "as_of": "2021-05-12T10:11:12Z",
    }


def test_headers_let_every_page_read_and_every_cache_keep_it_for_seconds(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    answer = client.get(ADDRESS, headers={"Origin": "https://paper.example"})
    headers = answer.headers
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == (
        "public, max-age=10, s-maxage=10, stale-while-revalidate=60"
    )
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in headers
    assert "Date" in headers["Access-Control-Expose-Headers"]
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert headers["Surrogate-Key"] == "campaign-support-us"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in headers
    assert "Cookie" not in headers.get("Vary", "")
    # The web server writes the one Date that there may be.
    assert "Date" not in headers
    assert len(answer.data) <= 1536


def test_unchanged_books_answer_304_however_late_it_is(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    campaign = make_campaign()
    tag = client.get(ADDRESS).headers["ETag"]
    clock.advance(timedelta(hours=3))
    again = client.get(ADDRESS, headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert again.data == b""
    assert again.headers["Access-Control-Allow-Origin"] == "*"
    give(campaign, 2_000)
    changed = client.get(ADDRESS, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


def test_month_turns_without_anybody_having_rolled_it(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    give(make_campaign(), 52_000)
    tag = client.get(ADDRESS).headers["ETag"]
    clock.set(datetime(2021, 6, 1, 4, tzinfo=UTC))
    answer = client.get(ADDRESS, headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert answer.json
    assert answer.json["period"]["label"] == "JUNE 2021"
    assert answer.json["raised_label"] == "0 $"


def test_unknown_and_draft_campaigns_are_not_found_in_json(
    client: FlaskClient, session: Session, clock: MovableClock
) -> None:
    draft = NewCampaign(
        slug="draft", title="D", currency="USD", timezone="UTC", tiers_minor=(100,), draft=True
    )
    create_campaign(session, draft, now=clock.now())
    session.commit()
    for slug in ("nobody", "draft"):
        for path in (f"/api/v1/campaigns/{slug}", f"/api/v1/campaigns/{slug}/periods"):
            answer = client.get(path)
            assert answer.status_code == 404
            assert answer.json
            assert answer.json["error"]["code"] == "campaign_not_found"
            assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_month_is_told_in_the_language_asked_for(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign(capitals=False)
    german = client.get(f"{ADDRESS}?lang=de-AT").json
    assert german
    assert german["period"]["label"] == "Mai 2021"
    for strange in ("xx-klingon", "../../etc", "", "e" * 500, "\x00"):
        answer = client.get(ADDRESS, query_string={"lang": strange})
        assert answer.status_code == 200
        assert answer.json
        assert answer.json["locale"] == "en"


def test_head_and_options_are_sane(client: FlaskClient, make_campaign: MakeCampaign) -> None:
    make_campaign()
    head = client.head(ADDRESS)
    assert head.status_code == 200
    assert head.data == b""
    assert head.headers["ETag"] == client.get(ADDRESS).headers["ETag"]
    options = client.options(ADDRESS)
    assert options.status_code == 200
    assert options.headers["Access-Control-Allow-Origin"] == "*"
    assert "GET" in options.headers["Access-Control-Allow-Methods"]
    assert client.post(ADDRESS).status_code == 405


def test_past_months_come_newest_first_and_in_pages(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    campaign = make_campaign()
    for month in (5, 6, 7):
        clock.set(datetime(2021, month, 12, tzinfo=UTC))
        give(campaign, month * 1_000)
    clock.set(datetime(2021, 8, 2, tzinfo=UTC))
    first = client.get(f"{ADDRESS}/periods?limit=2").json
    assert first
    assert [period["key"] for period in first["periods"]] == ["2021-07", "2021-06"]
    assert first["periods"][0]["raised_label"] == "70 $"
    following = first["next"].removeprefix("http://localhost:8000")
    last = client.get(following).json
    assert last
    assert [period["key"] for period in last["periods"]] == ["2021-05"]
    assert last["next"] is None


def test_page_of_months_has_bounds(client: FlaskClient, make_campaign: MakeCampaign) -> None:
    make_campaign()
    for query in ("limit=0", "limit=51", "limit=-1", "before=May", "before=2021-05'--"):
        answer = client.get(f"{ADDRESS}/periods?{query}")
        assert answer.status_code == 422
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
