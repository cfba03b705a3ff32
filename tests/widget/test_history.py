"""The public past: the list of periods, the page of one, the JSON, and the feed of closings."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page as Tab
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from campaigns.ledger import Gift, Reduction, state_gift
from campaigns.ledger_models import ReferenceKind
from campaigns.matching import Matching, set_matching
from campaigns.models import Campaign, Period
from campaigns.rolling import roll_campaign
from core.cadence import Cadence, Rhythm
from core.clock import MovableClock
from tests.conftest import START, Give, MakeCampaign
from tests.widget.conftest import Goalpost
from tests.widget.test_axe import SCHEMES, complaints

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
JUNE = datetime(2021, 6, 2, 12, tzinfo=UTC)
LIST, PERIOD, FEED = "/c/support-us/months", "/c/support-us/2021-05", "/c/support-us/closings.atom"
API = "/api/v1/campaigns/support-us/periods"
ATOM = {"a": "http://www.w3.org/2005/Atom"}


def take(session: Session, campaign: Campaign, *refunds: int, now: datetime) -> None:
    """State a gift of 3,120 $, with refunds of it."""
    state_gift(
        session,
        campaign,
        Gift(reference="pi_1", kind=ReferenceKind.PAYMENT, effect_minor=312_000, paid_at=START),
        [
            Reduction(reference=f"re_{minor}", kind=ReferenceKind.REFUND, effect_minor=-minor)
            for minor in refunds
        ],
        cause="test",
        now=now,
    )
    session.commit()


def close(session: Session, campaign: Campaign, clock: MovableClock) -> None:
    clock.set(JUNE)
    roll_campaign(session, campaign.id, now=JUNE)
    session.commit()


@pytest.fixture
def campaign(make_campaign: MakeCampaign, session: Session, clock: MovableClock) -> Campaign:
    """A May that was announced with 3,120 $, of which 1,000 $ were refunded in June."""
    campaign = make_campaign()
    take(session, campaign, now=START)
    close(session, campaign, clock)
    take(session, campaign, 100_000, now=JUNE)
    return campaign


def text(answer: TestResponse) -> str:
    assert answer.status_code == 200, answer.text
    return answer.text.replace("\xa0", " ")


def feed(client: FlaskClient) -> ET.Element:
    return ET.fromstring(client.get(FEED).data)  # noqa: S314 - our own


def test_list_tells_what_was_announced_what_is_and_why(
    client: FlaskClient, campaign: Campaign
) -> None:
    assert campaign.id
    page = text(client.get(LIST))
    for said in (
        "MAY 2021",
        "2,120 $",
        "Announced: 3,120 $ · 1 gift · 1 donor",
        "\N{MINUS SIGN}1,000 $: 1 refund",
        "2,500 $ was reached at the close, and is no more.",
        '<a href="/c/support-us/2021-06">JUNE 2021</a> stands at 0 $ of 5,000 $.',
    ):
        assert said in page
    assert "pi_1" not in page
    assert "re_" not in page


def test_list_is_paged_by_two_dozen(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    campaign = make_campaign()
    for number in range(26):
        give(campaign, 100, datetime(2019 + number // 12, number % 12 + 1, 12, tzinfo=UTC))
    first = text(client.get(f"{LIST}?lang=de"))
    assert first.count('<tr>\n<th scope="row">') == 24
    assert 'href="/c/support-us/months?before=2019-03&amp;lang=de"' in first
    second = text(client.get(f"{LIST}?before=2019-03"))
    assert second.count('<tr>\n<th scope="row">') == 2
    assert 'rel="next"' not in second
    assert 'href="/c/support-us/months"' in second
    assert client.get(f"{LIST}?before=yesterday").status_code == 422


def test_list_before_anything_is_over_says_so(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign(tiers_minor=())
    page = text(client.get(LIST))
    assert "No period is over yet." in page
    assert "<table" not in page
    assert "stands at 0 $." in page


def test_period_has_an_address_for_good(client: FlaskClient, campaign: Campaign) -> None:
    assert campaign.id
    page = text(client.get(PERIOD))
    for said in (
        "<h1>MAY 2021</h1>",
        '<link rel="canonical" href="http://localhost:8000/c/support-us/2021-05">',
        '<meta property="og:title" content="MAY 2021: 3,120 $ of 5,000 $">',
        '<meta property="og:url" content="http://localhost:8000/c/support-us/2021-05">',
        "2,120 $ of 5,000 $, 42%",
        "Announced at the close</dt><dd>3,120 $",
        "\N{MINUS SIGN}1,000 $: 1 refund",
        "reached at the close, and no more",
        "Give now",
        'rel="next" href="http://localhost:8000/c/support-us/2021-06"',
    ):
        assert said in page
    assert "Next goal" not in page
    assert "card.png" not in page  # it shows June


def test_running_period_says_that_it_runs(client: FlaskClient, campaign: Campaign) -> None:
    assert campaign.id
    page = text(client.get("/c/support-us/2021-06"))
    assert "Still running: it ends on June 30, 2021." in page
    assert "Raised so far" in page
    assert "card.png" in page
    assert 'rel="next"' not in page


def test_period_that_has_ended_and_is_not_closed_announces_nothing(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give, clock: MovableClock
) -> None:
    give(make_campaign(), 5_000)
    clock.set(JUNE)
    page = text(client.get(PERIOD))
    assert "What it raised is about to be announced." in page
    assert "Announced at the close" not in page
    assert feed(client).findall("a:entry", ATOM) == []


def test_paused_campaign_asks_for_nothing(
    client: FlaskClient, campaign: Campaign, session: Session
) -> None:
    campaign.state = "paused"
    session.commit()
    assert "Give now" not in text(client.get(PERIOD))


@pytest.mark.parametrize(
    ("percent", "counts", "said"),
    [
        (100, True, "The Fund doubled every gift, up to 500 $: 500 $, counted here."),
        (50, False, "The Fund added 50% to every gift, up to 500 $: 500 $, on top of this."),
    ],
)
def test_sponsor_of_a_past_period_is_named(
    client: FlaskClient,
    make_campaign: MakeCampaign,
    session: Session,
    clock: MovableClock,
    percent: int,
    counts: bool,  # noqa: FBT001 - a case of the test
    said: str,
) -> None:
    campaign = make_campaign()
    take(session, campaign, now=START)
    rule = Matching(sponsor="The Fund", most_minor=50_000, percent=percent, counts=counts)
    set_matching(session, campaign, rule, now=START)
    close(session, campaign, clock)
    assert said in text(client.get(PERIOD))


def test_publishers_words_of_one_period_stand_on_its_page_alone(
    client: FlaskClient, campaign: Campaign, session: Session
) -> None:
    period = session.query(Period).filter(Period.key == "2021-05").one()
    period.title, period.description = "A <new> press", "Ours is from 1960."
    session.commit()
    assert "A &lt;new&gt; press: Ours is from 1960." in text(client.get(PERIOD))
    assert "press" not in text(client.get("/c/support-us/2021-06"))
    assert campaign.id


@pytest.mark.parametrize(
    ("cadence", "key"),
    [
        (Cadence(Rhythm.QUARTER), "2021-Q2"),
        (Cadence(Rhythm.YEAR), "2021"),
        (Cadence(Rhythm.MONTH, 15), "2021-05-15"),
    ],
)
def test_periods_of_any_cadence_have_their_pages(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give, clock: MovableClock,
    cadence: Cadence, key: str,
) -> None:  # fmt: skip
    campaign = make_campaign(cadence=cadence)
    give(campaign, 1_000, datetime(2020, 12, 30, tzinfo=UTC))
    give(campaign, 2_000)
    clock.set(datetime(2021, 5, 20, tzinfo=UTC))
    give(campaign, 4_000)
    assert text(client.get(f"/c/support-us/{key.lower()}")).count(f"support-us/{key}") >= 2
    listed = client.get(API).json
    assert listed
    found = [period["key"] for period in listed["periods"]]
    assert key not in found
    assert found == sorted(found, reverse=True)
    older = text(client.get(f"{LIST}?before={key}"))
    assert f"/c/support-us/{found[0]}" in older


@pytest.mark.parametrize("key", ["2021-07", "2021-04", "2021", "2021-05-01", "May", "2021-5"])
def test_period_that_is_not_there_is_not_found(
    client: FlaskClient, campaign: Campaign, key: str
) -> None:
    assert campaign.id
    assert client.get(f"/c/support-us/{key}").status_code == 404
    answer = client.get(f"{API}/{key}")
    assert answer.status_code == 404
    assert answer.json


@pytest.mark.parametrize("address", [LIST, PERIOD, FEED, API, f"{API}/2021-05"])
def test_nobody_sees_a_draft(
    client: FlaskClient, make_campaign: MakeCampaign, address: str
) -> None:
    make_campaign(draft=True)
    assert client.get(address).status_code == 404
    assert client.get(address.replace("support-us", "other")).status_code == 404


@pytest.mark.parametrize("address", [LIST, PERIOD])
def test_pages_are_for_every_reader_of_a_language(
    client: FlaskClient, campaign: Campaign, address: str
) -> None:
    assert campaign.id
    answer = client.get(address, headers={"Accept-Language": "de"})
    assert '<html lang="de"' in answer.text
    assert "Mai 2021" in answer.text or "MAI 2021" in answer.text
    assert answer.headers["Cache-Control"].startswith("public, max-age=30")
    assert "Accept-Language" in answer.headers["Vary"]
    assert "Set-Cookie" not in answer.headers
    known = {"If-None-Match": answer.headers["ETag"], "Accept-Language": "de"}
    assert client.get(address, headers=known).status_code == 304
    assert client.get(address, headers=known | {"Accept-Language": "en"}).status_code == 200


def test_other_addresses_of_a_campaign_stay_what_they_are(
    client: FlaskClient, campaign: Campaign
) -> None:
    assert campaign.id
    assert client.get("/c/support-us/donate").status_code == 405
    assert client.post(PERIOD).status_code == 405


def test_json_has_what_it_had_and_why_the_sums_differ(
    client: FlaskClient, campaign: Campaign
) -> None:
    assert campaign.id
    listed = client.get(API).json
    assert listed
    (may,) = listed["periods"]
    assert may == {
        "key": "2021-05",
        "label": "MAY 2021",
        "starts_at": "2021-05-01T04:00:00Z",
        "ends_at": "2021-06-01T04:00:00Z",
        "raised_minor": 212_000,
        "raised_label": "2,120 $",
        "as_closed_minor": 312_000,
        "as_closed_label": "3,120 $",
        "percent": 42.4,
        "tiers": [
            {"amount_minor": 0, "label": "0 $", "reached": True, "reached_at_close": True},
            {
                "amount_minor": 250_000,
                "label": "2,500 $",
                "reached": False,
                "reached_at_close": True,
            },
            {
                "amount_minor": 500_000,
                "label": "5,000 $",
                "reached": False,
                "reached_at_close": False,
            },
        ],
        "donations": 1,
        "donors": 1,
        "as_closed_donations": 1,
        "as_closed_donors": 1,
        "adjustments": [
            {
                "reason": "refunds",
                "amount_minor": -100_000,
                "label": "\N{MINUS SIGN}1,000\xa0$: 1 refund",
                "count": 1,
            }
        ],
        "url": "http://localhost:8000/c/support-us/2021-05",
    }
    assert client.get(f"{API}/2021-05").json == {"campaign": "support-us", **may}


def test_json_of_one_period_is_for_other_pages_and_kept_for_seconds(
    client: FlaskClient, campaign: Campaign
) -> None:
    assert campaign.id
    answer = client.get(f"{API}/2021-06?lang=de")
    assert answer.json
    assert answer.json["label"] in {"JUNI 2021", "Juni 2021"}
    assert answer.json["as_closed_minor"] is None
    assert answer.json["tiers"][0]["reached_at_close"] is None
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"].startswith("public, max-age=10")
    known = {"If-None-Match": answer.headers["ETag"]}
    assert client.get(f"{API}/2021-06?lang=de", headers=known).status_code == 304


def test_feed_announces_each_closing_once(
    client: FlaskClient, campaign: Campaign, session: Session
) -> None:
    answer = client.get(FEED)
    assert answer.mimetype == "application/atom+xml"
    root = feed(client)
    assert root.findtext("a:id", "", ATOM) == "tag:localhost,2021-05-12:c/support-us"
    assert root.findtext("a:updated", "", ATOM) == "2021-06-02T12:00:00Z"
    assert root.findtext("a:author/a:name", "", ATOM)
    links = {link.get("rel"): link.get("href") for link in root.findall("a:link", ATOM)}
    assert links == {
        "self": "http://localhost:8000/c/support-us/closings.atom",
        "alternate": "http://localhost:8000/c/support-us/months",
    }
    (entry,) = root.findall("a:entry", ATOM)
    assert entry.findtext("a:id", "", ATOM) == "tag:localhost,2021-05-12:c/support-us/2021-05"
    assert entry.findtext("a:title", "", ATOM) == "MAY 2021: 3,120 $ of 5,000 $"
    assert entry.findtext("a:updated", "", ATOM) == "2021-06-02T12:00:00Z"
    assert entry.findtext("a:summary", "", ATOM) == (
        "Support us · Goal reached: 2,500 $ · 1 gift · 1 donor"
    )
    link = entry.find("a:link", ATOM)
    assert link is not None
    assert link.get("href") == "http://localhost:8000/c/support-us/2021-05"
    # A later refund is told of on the period's page, and rings nobody.
    known = {"If-None-Match": answer.headers["ETag"]}
    take(session, campaign, 100_000, 7_000, now=JUNE)
    assert client.get(FEED, headers=known).status_code == 304


def test_feed_of_a_hostile_title_is_whole(client: FlaskClient, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(title="]]> \x01\x0b\ufffe <script> & “quotes”")
    assert campaign.id
    title = feed(client).findtext("a:title", "", ATOM)
    assert title == "]]>  <script> & “quotes”: what was raised"


def test_feed_is_in_the_campaigns_language(
    client: FlaskClient, make_campaign: MakeCampaign, session: Session, clock: MovableClock
) -> None:
    campaign = make_campaign(locale="de")
    take(session, campaign, now=START)
    close(session, campaign, clock)
    root = ET.fromstring(client.get(FEED, headers={"Accept-Language": "fr"}).data)  # noqa: S314 - our own
    assert root.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
    assert "Mai 2021: 3.120 $" in root.findtext("a:entry/a:title", "", ATOM)


@pytest.mark.parametrize("address", ["/c/support-us", LIST, PERIOD])
def test_pages_name_the_feed(client: FlaskClient, campaign: Campaign, address: str) -> None:
    assert campaign.id
    assert 'type="application/atom+xml"' in client.get(address).text
    assert "/c/support-us/closings.atom" in client.get(address).text


def test_picture_follows_the_sums(client: FlaskClient, campaign: Campaign, give: Give) -> None:
    give(campaign, 106_000, datetime(2021, 4, 12, tzinfo=UTC))
    page = client.get(LIST).text
    # Of the goal, which is the highest: April 21.2%, and May 42.4% of it with 62.4% announced.
    assert page.count('class="column"') == 2
    assert 'height="21.2%"' in page
    assert 'height="42.4%"' in page
    assert page.count('class="announced" x="60.0%" y="37.6%" width="30.0%" height="62.4%"') == 1
    assert page.count('class="level"') == 1


def test_one_period_makes_no_picture(client: FlaskClient, campaign: Campaign) -> None:
    assert campaign.id
    assert "<figure" not in client.get(LIST).text


@pytest.fixture(params=SCHEMES)
def past(
    request: pytest.FixtureRequest,
    live: Goalpost,
    page: Tab,
    database_url: str,
    clock: MovableClock,
) -> str:
    page.emulate_media(color_scheme=request.param)
    assert database_url
    clock.set(datetime(2021, 8, 2, tzinfo=UTC))
    return live.address


@pytest.mark.parametrize("path", [LIST, PERIOD, "/c/support-us/2021-08", f"{LIST}?lang=ar"])
def test_axe_finds_nothing(past: str, page: Tab, path: str) -> None:
    page.goto(past + path)
    page.wait_for_load_state("networkidle")
    assert page.locator("h1").count() == 1
    assert complaints(page) == []


@pytest.mark.parametrize("path", [LIST, PERIOD])
def test_page_is_as_wide_as_the_narrowest_screen(past: str, page: Tab, path: str) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto(past + path)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
