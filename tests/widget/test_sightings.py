"""On which sites a bar is seen: named by browsers, bounded whatever they say, off the fast path."""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from campaigns.models import CampaignState
from campaigns.sightings import (
    KEPT,
    MOST_HOSTS,
    STALE,
    forget_sightings,
    list_sightings,
    note_sightings,
)
from core.clock import MovableClock
from core.settings import Settings
from tests.conftest import MakeCampaign, make_settings
from tests.widget.test_snapshots_of_books import counted_statements
from widget.sightings import MOST_KNOWN, MOST_PENDING, Sight, Spotter, read_sight

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
JSON, FRAME = "/api/v1/campaigns/support-us", "/embed/support-us"
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("path", "headers", "host"),
    [
        (JSON, {"HTTP_ORIGIN": "https://paper.example"}, "paper.example"),
        (JSON, {"HTTP_ORIGIN": "http://CMS.local:8080"}, "cms.local"),
        (JSON, {"HTTP_ORIGIN": "https://xn--bcher-kva.example"}, "xn--bcher-kva.example"),
        (FRAME, {"HTTP_REFERER": "https://paper.example/2021/ferry?from=ann"}, "paper.example"),
        (FRAME, {"HTTP_ORIGIN": "null", "HTTP_REFERER": "https://a.example/"}, "a.example"),
        (JSON, {}, None),
        (JSON, {"HTTP_ORIGIN": "null"}, None),
        (JSON, {"HTTP_ORIGIN": "https://[::1"}, None),
        (JSON, {"HTTP_ORIGIN": "https://<script>alert(1)</script>"}, None),
        (JSON, {"HTTP_ORIGIN": "https://a.example\x00"}, None),
        (JSON, {"HTTP_ORIGIN": "https://b\xfccher.example"}, None),
        (JSON, {"HTTP_ORIGIN": "https://" + "a" * 1_000_000}, None),
        (JSON, {"HTTP_ORIGIN": "chrome-extension://abcdef"}, None),
        ("/c/support-us", {"HTTP_REFERER": "https://paper.example/"}, None),
        ("/embed/v1.js", {"HTTP_REFERER": "https://paper.example/"}, None),
    ],
)
def test_browsers_name_the_site(path: str, headers: dict[str, str], host: str | None) -> None:
    assert read_sight({"PATH_INFO": path, **headers}) == (host and ("support-us", host))


class Saver:
    """Keeps what it is given, once it may go on."""

    def __init__(self) -> None:
        self.saved: list[set[Sight]] = []
        self.fails = False

    def __call__(self, seen: Collection[Sight]) -> None:
        self.saved.append(set(seen))
        if self.fails:
            raise OSError("the books can't be reached")


def note(spotter: Spotter, *hosts: str) -> None:
    for host in hosts:
        spotter.note({"PATH_INFO": JSON, "HTTP_ORIGIN": f"https://{host}"})
    join()


def join() -> None:
    """Wait until what is being written is written."""
    for thread in threading.enumerate():
        if thread.name == "sightings":
            thread.join()


def test_it_is_written_once_a_day_and_at_most_once_a_minute() -> None:
    save, times = Saver(), [0.0]
    spotter = Spotter(save, own_host="goal.example", now=lambda: times[0])
    note(spotter, "goal.example")
    assert save.saved == []
    note(spotter, "a.example", "a.example")
    note(spotter, "b.example")
    assert save.saved == [{("support-us", "a.example")}]
    times[0] += 60
    note(spotter, "a.example")
    assert len(save.saved) == 1
    note(spotter, "c.example")
    assert save.saved[1] == {("support-us", "b.example"), ("support-us", "c.example")}
    times[0] += 86_400
    note(spotter, "a.example")
    assert save.saved[2] == {("support-us", "a.example")}
    times[0] -= 400 * 86_400  # the clock was set right
    note(spotter, "d.example")
    assert save.saved[3] == {("support-us", "d.example")}


def test_what_could_not_be_written_is_written_when_it_is_seen_again() -> None:
    save, times = Saver(), [0.0]
    spotter = Spotter(save, own_host="", now=lambda: times[0])
    save.fails = True
    note(spotter, "a.example")
    save.fails, times[0] = False, 60
    note(spotter, "a.example")
    assert save.saved == [{("support-us", "a.example")}] * 2


def test_a_flood_of_made_up_sites_is_bounded() -> None:
    save, times = Saver(), [0.0]
    spotter = Spotter(save, own_host="", now=lambda: times[0])
    for minute in range(30):
        times[0] = minute * 60.0
        note(spotter, *(f"s{number}.m{minute}.example" for number in range(1000)))
    assert max(map(len, save.saved)) <= MOST_PENDING
    assert len(spotter._known) <= MOST_KNOWN  # noqa: SLF001 - what must not grow


def test_sites_are_kept_with_their_first_and_last_day(
    session: Session, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    campaign = make_campaign()
    make_campaign("draft").state = CampaignState.DRAFT
    session.commit()
    first = clock.now()
    seen = [("support-us", "a.example"), ("draft", "a.example"), ("none", "a.example")]
    note_sightings(session, seen, now=first)
    note_sightings(session, [("support-us", "b.example")], now=first + DAY)
    note_sightings(session, seen, now=first + 2 * DAY)
    found = [
        (one.host, one.first_seen_at, one.last_seen_at) for one in list_sightings(session, campaign)
    ]
    assert found == [
        ("a.example", first, first + 2 * DAY),
        ("b.example", first + DAY, first + DAY),
    ]
    assert forget_sightings(session, first + DAY + KEPT) == 0
    assert forget_sightings(session, first + DAY + KEPT + DAY) == 1
    assert [one.host for one in list_sightings(session, campaign)] == ["a.example"]


def test_made_up_sites_push_out_none_that_is_read_every_day(
    session: Session, make_campaign: MakeCampaign, clock: MovableClock
) -> None:
    campaign = make_campaign()
    note_sightings(session, [("support-us", "old.example")], now=clock.now())
    clock.advance(STALE + DAY)
    flood = [("support-us", f"s{number}.example") for number in range(MOST_HOSTS - 1)]
    note_sightings(session, [("support-us", "paper.example"), *flood], now=clock.now())
    kept = {one.host for one in list_sightings(session, campaign)}
    assert len(kept) == MOST_HOSTS
    assert "paper.example" in kept
    assert "old.example" not in kept
    note_sightings(session, [("support-us", "late.example")], now=clock.now() + DAY)
    assert {one.host for one in list_sightings(session, campaign)} == kept


@pytest.fixture
def settings(database_url: str, request: pytest.FixtureRequest) -> Settings:
    return make_settings(database_url=database_url, snapshot_seconds=getattr(request, "param", 1))


@only_sqlite
@pytest.mark.parametrize("settings", [0, 1], indirect=True)
def test_an_embedded_bar_is_seen_and_our_own_pages_are_not(
    client: FlaskClient, make_campaign: MakeCampaign, session: Session
) -> None:
    campaign = make_campaign()
    client.get(JSON, headers={"Origin": "https://paper.example"})
    client.get(FRAME, headers={"Referer": "http://localhost:8000/demo/article"})
    join()
    assert [one.host for one in list_sightings(session, campaign)] == ["paper.example"]


@only_sqlite
@pytest.mark.parametrize("settings", [1], indirect=True)
def test_what_is_held_ready_asks_the_books_for_nothing(
    app: Flask, client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    client.get(JSON)
    with counted_statements(app) as statements:
        for number in range(50):
            client.get(JSON, headers={"Origin": f"https://s{number}.example"})
        join()
    assert statements == []
