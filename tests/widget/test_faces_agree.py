"""Every face says the same of the same campaign: a table of campaigns, held against each face."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page as Tab
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from app import create_app
from campaigns.catalog import NewCampaign, create_campaign
from campaigns.face import Face, read_face
from core.clock import MovableClock
from core.db import db
from core.settings import Settings
from payments.donating import OfflineGift, record_offline_gift
from tests.campaigns.cases import ALL_NOTES, CASES, Case
from tests.conftest import make_settings
from tests.fake_gateway import FakeGateway
from tests.live_site import free_port

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SLUGS = {f"case-{number}": case for number, case in enumerate(CASES)}


DRAWN = "!!document.querySelector('donation-goal').shadowRoot?.querySelector('.raised')"


@dataclass(frozen=True)
class Whole:
    """A site that has all campaigns of the table, and what they ought to say."""

    app: Flask
    address: str
    faces: dict[str, Face]


@pytest.fixture
def whole(database_url: str, clock: MovableClock) -> Iterator[Whole]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    settings = make_settings(database_url=database_url, base_url=address)
    app = create_app(settings, clock=clock, gateway=_gateway(settings, clock))
    faces = {}
    with app.app_context(), db.sessionmaker() as session:
        for slug, case in SLUGS.items():
            _make(session, slug, case, clock)
        session.commit()
        for slug in SLUGS:
            faces[slug] = read_face(session, slug, now=clock.now(), base_url=address)
    yield Whole(app, address, faces)
    with app.app_context():
        db.engine.dispose()


def _gateway(settings: Settings, clock: MovableClock) -> FakeGateway:
    return FakeGateway(settings, clock)


def _make(session: Session, slug: str, case: Case, clock: MovableClock) -> None:
    values: dict[str, Any] = {
        "title": "Support us",
        "currency": "USD",
        "timezone": "America/New_York",
        "tiers_minor": (250_000, 500_000),
        "money_format": "{amount} {symbol}",
        "changes": ALL_NOTES,
    }
    create_campaign(session, NewCampaign(slug=slug, **(values | case.campaign)), now=clock.now())
    if case.raised_minor:
        gift = OfflineGift(amount_minor=case.raised_minor, paid_at=clock.now())
        record_offline_gift(session, slug, gift, now=clock.now())


def plain(text: str) -> str:
    """Return what a text says, whatever spaces and isolates it is set with."""
    return re.sub(r"[\s\u200e\u200f\u2066-\u2069]+", " ", html.unescape(text)).strip()


def said(face: Face) -> list[str]:
    """Return what a face must say to its reader."""
    labels = [face.progress.raised_label, face.progress.period.label, face.status, *face.notes]
    return [plain(text) for text in (*labels, *(mark.label for mark in face.marks)) if text]


def words_of_page(page: str) -> str:
    """Return the text of a page, with what its bar tells those who don't see it."""
    spoken = " ".join(re.findall(r'aria-(?:valuetext|label)="([^"]*)"', page))
    return plain(
        re.sub(r"<(style|script|title).*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL) + spoken
    )


def test_the_json_says_it(whole: Whole) -> None:
    client = whole.app.test_client()
    for slug, face in whole.faces.items():
        body = client.get(f"/api/v1/campaigns/{slug}?with=face").json
        assert body is not None
        drawn = body.pop("face")
        assert body == client.get(f"/api/v1/campaigns/{slug}").json
        assert body["raised_label"] == face.progress.raised_label
        assert [tier["label"] for tier in body["tiers"]][-len(face.marks) :] == [
            mark.label for mark in face.marks
        ] or not face.marks
        assert (drawn["value_text"], drawn["status"]) == (face.value_text, face.status)
        assert tuple(drawn["notes"]) == face.notes


@pytest.mark.parametrize("path", ["/embed/{}", "/c/{}"])
def test_pages_say_it(whole: Whole, path: str) -> None:
    client = whole.app.test_client()
    for slug, face in whole.faces.items():
        page = client.get(path.format(slug)).text
        text = words_of_page(page)
        for words in said(face):
            assert words in text, (slug, words)
        assert plain(face.progress.title) in text
        spoken = plain(face.value_text)
        assert (spoken in text) == bool(face.marks) or not face.marks, slug


def test_the_picture_says_it(whole: Whole) -> None:
    client = whole.app.test_client()
    for slug, face in whole.faces.items():
        svg = plain(client.get(f"/c/{slug}.svg").text)
        assert plain(face.bar_label) in svg
        assert plain(face.value_text) in svg
        if face.status:
            assert plain(face.status) in svg


def test_oembed_says_it(whole: Whole) -> None:
    client: FlaskClient = whole.app.test_client()
    for slug, face in whole.faces.items():
        answer = client.get("/oembed", query_string={"url": f"{whole.address}/c/{slug}"}).json
        assert answer is not None
        assert answer["title"] == face.progress.title


def test_the_element_says_and_draws_it(whole: Whole, page: Tab) -> None:
    """All campaigns of the table on one page of the tracker itself, drawn by the real element."""
    server = make_server("127.0.0.1", int(whole.address.rpartition(":")[2]), whole.app)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        page.set_viewport_size({"width": 700, "height": 800})
        for slug, face in whole.faces.items():
            page.goto(f"{whole.address}/embed/{slug}")
            while not page.evaluate(DRAWN):  # the server's own drawing stands there until then
                page.wait_for_timeout(20)
            found = page.evaluate(
                """() => {
                  const root = document.querySelector('donation-goal').shadowRoot;
                  const bar = root.querySelector('[role=progressbar]');
                  const box = (node) => node && node.getBoundingClientRect();
                  return {
                    text: root.querySelector('.goal').textContent,
                    value: bar?.getAttribute('aria-valuetext'),
                    now: bar?.getAttribute('aria-valuenow'),
                    label: bar?.getAttribute('aria-label'),
                    bar: box(bar)?.width, fill: box(root.querySelector('.fill'))?.width,
                  };
                }"""
            )
            text = plain(found["text"])
            for words in said(face):
                assert words in text, (slug, words)
            if not face.marks:
                continue
            assert plain(found["value"]) == plain(face.value_text)
            assert plain(found["label"]) == plain(face.bar_label)
            assert found["now"] == str(face.now)
            assert found["fill"] / found["bar"] * 100 == pytest.approx(face.fill, abs=0.6), slug
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
