"""https://oembed.com: what a consumer may ask, and what it is told."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from xml.etree import ElementTree as ET

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from campaigns.catalog import CampaignChanges
from tests.conftest import Give, MakeCampaign

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HOME = "http://localhost:8000"
PAGE = f"{HOME}/c/support-us"


class Tags(HTMLParser):
    """The start tags of a text, with their attributes read as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def ask(client: FlaskClient, url: str = PAGE, **query: str) -> TestResponse:
    return client.get("/oembed", query_string={"url": url} | query)


def described(client: FlaskClient, url: str = PAGE, **query: str) -> dict[str, Any]:
    answer = ask(client, url, **query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.get_json()
    return body


def frame_of(html: str) -> dict[str, str | None]:
    """Return the attributes of the one iframe that the html is."""
    ((tag, attributes),) = Tags(html).found
    assert tag == "iframe"
    return attributes


def test_page_is_described_by_its_frame(client: FlaskClient, make_campaign: MakeCampaign) -> None:
    make_campaign()
    told = described(client)
    frame = frame_of(told.pop("html"))
    height = told.pop("height")
    assert told == {
        "type": "rich",
        "version": "1.0",
        "title": "Support us",
        "provider_name": "Goalpost",
        "provider_url": HOME,
        "cache_age": 3600,
        "width": 600,
        "thumbnail_url": f"{PAGE}.png",
        "thumbnail_width": 1200,
        "thumbnail_height": 320,
    }
    assert frame == {
        "src": f"{HOME}/embed/support-us",
        "title": "Support us",
        "width": "600",
        "height": str(height),
        "loading": "lazy",
        "frameborder": "0",
        "sandbox": "allow-scripts allow-popups allow-popups-to-escape-sandbox",
    }
    assert client.get(urlsplit(str(frame["src"])).path).status_code == 200


@pytest.mark.parametrize(
    ("limits", "width", "height"),
    [
        ({"maxwidth": "320"}, 320, None),
        ({"maxwidth": "1"}, 1, None),
        ({"maxwidth": "900", "maxheight": "900"}, 600, None),
        ({"maxheight": "100"}, 600, 100),
        ({"maxwidth": "300", "maxheight": "1"}, 300, 1),
    ],
)
def test_limits_are_kept(
    client: FlaskClient,
    make_campaign: MakeCampaign,
    limits: dict[str, str],
    width: int,
    height: int | None,
) -> None:
    make_campaign()
    told = described(client, **limits)
    frame = frame_of(told["html"])
    assert told["width"] == width
    assert height in {told["height"], None}
    assert (frame["width"], frame["height"]) == (str(told["width"]), str(told["height"]))


@pytest.mark.parametrize("limit", ["0", "-300", "wide", "", "3e2", "300px", "٣٠٠", "9" * 40])
def test_limit_that_is_no_size_is_as_if_it_were_not_given(
    client: FlaskClient, make_campaign: MakeCampaign, limit: str
) -> None:
    make_campaign()
    assert described(client, maxwidth=limit, maxheight=limit) == described(client)


def test_narrow_frame_is_higher_and_so_is_one_that_says_more(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    make_campaign()
    talkative = make_campaign("talkative", changes=CampaignChanges(shows=("donors", "recent")))
    give(talkative, 52_000)
    plain = described(client)["height"]
    assert described(client, maxwidth="280")["height"] > plain
    assert described(client, f"{HOME}/c/talkative")["height"] > plain


@pytest.mark.parametrize(
    ("limits", "fields"),
    [
        ({}, 3),
        ({"maxwidth": "1200", "maxheight": "320"}, 3),
        ({"maxwidth": "1199"}, 0),
        ({"maxheight": "319"}, 0),
    ],
)
def test_thumbnail_is_told_whole_or_not_at_all(
    client: FlaskClient, make_campaign: MakeCampaign, limits: dict[str, str], fields: int
) -> None:
    make_campaign()
    told = [name for name in described(client, **limits) if name.startswith("thumbnail_")]
    assert len(told) == fields


def test_xml_says_what_json_says(client: FlaskClient, make_campaign: MakeCampaign) -> None:
    title = 'Bread <&"> & roses ]]> 🌹'
    make_campaign(title=title)
    answer = ask(client, format="xml")
    assert answer.mimetype == "text/xml"
    assert answer.text.startswith('<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n')
    root = ET.fromstring(answer.data)  # noqa: S314 - our own
    assert root.tag == "oembed"
    told = {child.tag: child.text for child in root}
    assert told == {name: str(value) for name, value in described(client).items()}
    assert told["title"] == title
    assert frame_of(told["html"] or "")["title"] == title


def test_what_xml_has_no_place_for_is_left_out(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign(title="Bell\x07 and \ufffe form\x0cfeed")
    root = ET.fromstring(ask(client, format="xml").data)  # noqa: S314 - our own
    assert root.findtext("title") == "Bell and  formfeed"


def test_title_is_inert_in_the_html(client: FlaskClient, make_campaign: MakeCampaign) -> None:
    make_campaign(title='"><script>alert(1)</script>')
    html = described(client)["html"]
    assert "<script" not in html
    assert frame_of(html)["title"] == '"><script>alert(1)</script>'


@pytest.mark.parametrize("form", ["yaml", "JSON", "", "jsonp", "xml "])
def test_other_formats_are_not_implemented(
    client: FlaskClient, make_campaign: MakeCampaign, form: str
) -> None:
    make_campaign()
    assert ask(client, format=form).status_code == 501


def test_json_is_what_is_told_unless_asked(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    answer = client.get("/oembed", query_string={"url": PAGE}, headers={"Accept": "text/html"})
    assert answer.mimetype == "application/json"
    assert answer.get_json() == described(client, format="json")


@pytest.mark.parametrize("query", ["", "?url=", "?url=%20", "?format=xml"])
def test_address_must_be_given(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/oembed{query}")
    assert answer.status_code == 400
    assert "url" in answer.get_json()["error"]["message"]


def test_parameters_that_nobody_knows_are_ignored(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    assert described(client, dnt="1", callback="alert") == described(client)


def test_what_is_not_public_is_not_found(client: FlaskClient, make_campaign: MakeCampaign) -> None:
    make_campaign("sketch", draft=True)
    for url in (f"{HOME}/c/sketch", f"{HOME}/c/nobody", "https://elsewhere.example/c/sketch"):
        answer = ask(client, url)
        assert answer.status_code == 404, url
        assert answer.get_json()["error"]["code"] == "not_found"
        assert answer.headers["Cache-Control"] == "no-store"


def test_what_the_address_asks_of_the_frame_is_passed_on(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    query = {
        "lang": "de",
        "theme": "dark",
        "slot": "footer",
        "source": "https://paper.example/2021/ferry?a=1&b=2",
        "utm_source": "letter",
        "amount": "20",
    }
    src = str(frame_of(described(client, f"{PAGE}?{urlencode(query)}")["html"])["src"])
    passed = {name: values[0] for name, values in parse_qs(urlsplit(src).query).items()}
    del query["utm_source"], query["amount"]
    assert passed == query
    page = client.get(src.removeprefix(HOME)).text
    assert '<html lang="de"' in page
    assert 'data-theme="dark"' in page
    assert 'slot-name="footer"' in page


def test_address_that_would_break_out_stays_inside_its_attribute(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    html = described(client, f"{PAGE}?slot=%22%3E%3Cscript%3E&lang={'x' * 9999}")["html"]
    assert "<script" not in html
    assert len(html) < 2000


def test_every_site_may_read_it_and_nobody_is_known_by_it(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    answer = ask(client)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert answer.headers["Surrogate-Key"] == "campaign-support-us"
    assert "Set-Cookie" not in answer.headers
    assert "Vary" not in answer.headers


def discovered(page: str) -> dict[str, str]:
    """Return the addresses that WordPress finds in a page, by their type.

    As its `WP_oEmbed::discover` does: it reads 150 KB, keeps what is before `</head>`, and looks
    for link tags in which no angle bracket stands.
    """
    head = page.encode()[: 150 * 1024].decode().partition("</head>")[0]
    found = {}
    for attributes in re.findall(r"<link([^<>]+)/?>", head, re.IGNORECASE):
        ((_, values),) = Tags(f"<link{attributes}>").found
        if "oembed" in (values.get("type") or ""):
            found[str(values["type"])] = str(values["href"])
    return found


def test_page_leads_consumers_to_its_description(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign(title="A > B & <C>")
    links = discovered(client.get("/c/support-us").text)
    assert set(links) == {"application/json+oembed", "text/xml+oembed"}
    for kind, address in links.items():
        answer = client.get(address.removeprefix(HOME) + "&maxwidth=500&maxheight=750&dnt=1")
        assert answer.status_code == 200
        assert f"{answer.mimetype}+oembed" == kind
    told = client.get(links["application/json+oembed"].removeprefix(HOME)).get_json()
    assert frame_of(told["html"])["src"] == f"{HOME}/embed/support-us"


def test_language_of_the_pasted_page_reaches_the_frame(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    links = discovered(client.get("/c/support-us?lang=de&utm_source=letter").text)
    told = client.get(links["application/json+oembed"].removeprefix(HOME)).get_json()
    assert frame_of(told["html"])["src"] == f"{HOME}/embed/support-us?lang=de"


def test_page_tells_what_a_card_needs(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    give(make_campaign(), 52_000)
    page = client.get("/c/support-us").text
    card = {
        str(values.get("property")): values.get("content")
        for tag, values in Tags(page).found
        if tag == "meta" and "property" in values
    }
    assert card["og:title"] == "Support us"
    assert card["og:url"] == PAGE
    # Discourse shows no card without a description.
    assert card["og:description"] == "MAY 2021: 520 $ of 5,000 $, 10%"
    assert card["og:image"] == f"{PAGE}/card.png"
    assert (card["og:image:width"], card["og:image:height"]) == ("1200", "630")
    assert "520 $" in str(card["og:image:alt"])
