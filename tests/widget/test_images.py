"""The image faces as they are asked for over HTTP."""

from __future__ import annotations

import gzip
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app import create_app
from campaigns.catalog import NewCampaign, create_campaign
from campaigns.errors import InvalidCampaign
from core.clock import MovableClock
from tests.conftest import Give, MakeCampaign, make_settings
from tests.widget.pictures import MADE, NAMES, WHITE, Made, make_face, open_png, pixel
from widget.pixels import make_png

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
MOST_BYTES = 15_000
SVG, PNG = "/c/support-us.svg", "/c/support-us.png"
NAMESPACE = "{http://www.w3.org/2000/svg}"


def words_of(svg: str) -> tuple[str, str]:
    """Return a picture's title and description, which also shows that it is well-formed."""
    root = ET.fromstring(svg)  # noqa: S314 - our own
    return root.findtext(f"{NAMESPACE}title", ""), root.findtext(f"{NAMESPACE}desc", "")


@pytest.mark.parametrize(
    ("path", "kind"), [(SVG, "image/svg+xml; charset=utf-8"), (PNG, "image/png")]
)
def test_headers_let_every_page_show_it_for_minutes(
    client: FlaskClient, make_campaign: MakeCampaign, path: str, kind: str
) -> None:
    make_campaign()
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Surrogate-Key"] == "campaign-support-us"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers
    assert "Cookie" not in answer.headers.get("Vary", "")


def test_page_of_the_campaign_is_still_there(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    assert client.get("/c/support-us").mimetype == "text/html"


def test_no_campaigns_name_has_a_dot(make_campaign: MakeCampaign) -> None:
    with pytest.raises(InvalidCampaign):
        make_campaign("support-us.png")


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_unknown_and_draft_campaigns_have_no_picture(
    client: FlaskClient, session: Session, clock: MovableClock, kind: str
) -> None:
    draft = NewCampaign(
        slug="draft", title="D", currency="USD", timezone="UTC", tiers_minor=(100,), draft=True
    )
    create_campaign(session, draft, now=clock.now())
    session.commit()
    for slug in ("nobody", "draft", "%00"):
        answer = client.get(f"/c/{slug}.{kind}")
        assert answer.status_code == 404
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", [SVG, PNG])
def test_unchanged_books_answer_304_however_late_it_is(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give, clock: MovableClock, path: str
) -> None:
    campaign = make_campaign()
    tag = client.get(path).headers["ETag"]
    clock.advance(timedelta(hours=3))
    again = client.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    give(campaign, 2_000)
    changed = client.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


@pytest.mark.parametrize("path", [SVG, PNG])
def test_head_is_told_the_same_and_nothing_may_be_sent(
    client: FlaskClient, make_campaign: MakeCampaign, path: str
) -> None:
    make_campaign()
    head, got = client.head(path), client.get(path)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == got.headers["ETag"]
    assert head.headers["Content-Length"] == got.headers["Content-Length"]
    assert client.post(path).status_code == 405


@pytest.mark.parametrize("made", MADE, ids=NAMES)
def test_every_campaigns_pictures_are_small(
    client: FlaskClient, session: Session, make_campaign: MakeCampaign, give: Give, made: Made
) -> None:
    make_face(made, make_campaign, give, session)
    for query in ("", "?theme=dark"):
        png = client.get(PNG + query).data
        assert png.startswith(b"\x89PNG")
        assert len(png) <= MOST_BYTES
    svg = client.get(f"{SVG}?theme=auto").data
    assert len(gzip.compress(svg)) <= MOST_BYTES
    words_of(svg.decode())


def test_picture_says_what_the_json_says(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    give(make_campaign(), 250_000)
    for lang in ("", "de", "ar", "ja"):
        told = client.get(f"/api/v1/campaigns/support-us?with=face&lang={lang}").json
        assert told
        face = told["face"]
        title, description = words_of(client.get(f"{SVG}?lang={lang}").text)
        assert title == face["bar_label"]
        assert description == f"{face['value_text']} · {face['status']}"


@pytest.mark.parametrize("title", ['<&">', "a]]>b<script>alert(1)</script>", "\x01\x0b\ufffe&amp;"])
def test_no_title_breaks_out_of_the_picture(
    client: FlaskClient, make_campaign: MakeCampaign, title: str
) -> None:
    make_campaign(title=title)
    svg = client.get(SVG).text
    allowed = "".join(sign for sign in title if sign.isprintable() and sign != "\ufffe")
    assert words_of(svg)[0] == f"{allowed}, MAY 2021"
    assert "<script" not in svg
    assert open_png(client).size == (1200, 320)


def test_picture_opened_by_itself_may_do_nothing(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    policy = client.get(SVG).headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "sandbox" in policy
    assert client.get(PNG).headers["Content-Security-Policy"] == "default-src 'none'"


def test_themes(client: FlaskClient, make_campaign: MakeCampaign) -> None:
    make_campaign()
    media = "prefers-color-scheme"
    light, dark = client.get(SVG).text, client.get(f"{SVG}?theme=dark").text
    assert ".paper{fill:#ffffff}" in light
    assert ".paper{fill:#16181a}" in dark
    assert media not in light + dark
    assert media in client.get(f"{SVG}?theme=auto").text
    for strange in ("light", "purple", "", "'><x"):
        assert client.get(SVG, query_string={"theme": strange}).text == light
    assert pixel(open_png(client), 10, 10) == WHITE
    assert pixel(open_png(client, "?theme=auto"), 10, 10) == WHITE
    assert pixel(open_png(client, "?theme=dark"), 10, 10) == (0x16, 0x18, 0x1A)


def test_language_that_we_have_no_letters_for_is_told_in_english(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    give(make_campaign(capitals=False), 52_000)
    english = client.get(SVG).text
    assert client.get(f"{SVG}?lang=he").text == english
    assert client.get(f"{SVG}?lang=bn").text == english
    assert words_of(client.get(f"{SVG}?lang=bg").text)[0] == "Support us, май 2021\u202fг."
    assert client.get(f"{SVG}?lang=xx-klingon").text == english


def test_unchanged_pictures_are_drawn_once(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    campaign = make_campaign()
    make_png.cache_clear()
    for _ in range(3):
        client.get(PNG)
    assert make_png.cache_info().misses == 1
    give(campaign, 100)
    client.get(PNG)
    assert make_png.cache_info().misses == 2


def test_ready_bytes_before_flask_hold_pictures_too(
    database_url: str, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    give(make_campaign(), 52_000)
    settings = make_settings(database_url=database_url, snapshot_seconds=1)
    client = create_app(settings, clock=clock).test_client()
    for path, coding in ((SVG, "gzip"), (PNG, None)):
        # What a mailing adds to an address makes no other picture of it.
        answer = client.get(f"{path}?utm_source=mail", headers={"Accept-Encoding": "gzip"})
        assert answer.headers.get("Content-Encoding") == coding
        assert len(answer.data) == int(answer.headers["Content-Length"]) <= MOST_BYTES
        assert answer.headers["Cache-Control"] == "public, max-age=300"
        tag = answer.headers["ETag"]
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
        assert client.get(f"{path}?theme=dark").headers["ETag"] != tag
