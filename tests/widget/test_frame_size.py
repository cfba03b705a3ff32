from __future__ import annotations

import math
from typing import Any

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect
from sqlalchemy.orm import Session

from campaigns.catalog import CampaignChanges
from campaigns.face import read_face
from campaigns.models import CampaignState
from core.clock import MovableClock
from tests.conftest import Give, MakeCampaign
from tests.widget.conftest import Goalpost
from widget.frame_size import frame_height

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

WIDTHS = (240, 280, 320, 360, 480, 540, 600)
# What is left free below what is drawn, at most: a row of buttons, and two or three lines of text.
MOST_SPARE = 104
LONG = "A title that goes on for a while, as those of campaigns with two aims and a subtitle do"
ALL = ("donors", "days", "expected", "recent")
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "no-goal": {"tiers_minor": ()},
    "many-goals": {"tiers_minor": tuple(range(100_000, 900_000, 100_000))},
    "reached": {"tiers_minor": (10_000, 20_000)},
    "long": {"title": LONG},
    "talkative": {"changes": CampaignChanges(shows=ALL)},
    "once": {"changes": CampaignChanges(frequencies=("once",))},
    "paused": {"changes": CampaignChanges(state=CampaignState.PAUSED)},
    "all": {
        "title": LONG,
        "tiers_minor": tuple(range(100_000, 900_000, 100_000)),
        "changes": CampaignChanges(shows=ALL),
    },
}


@pytest.mark.parametrize("lang", ["en", "de", "ar"])
@pytest.mark.parametrize("shape", SHAPES)
def test_frame_is_told_as_high_as_the_browser_draws_it(
    live: Goalpost,
    page: Tab,
    session: Session,
    clock: MovableClock,
    make_campaign: MakeCampaign,
    give: Give,
    shape: str,
    lang: str,
) -> None:
    campaign = make_campaign("shape", **SHAPES[shape])
    for _ in range(3):
        give(campaign, 52_000)
    face = read_face(session, "shape", now=clock.now(), base_url=live.address, locale=lang)
    session.rollback()
    told, drawn = {}, {}
    page.goto(f"{live.address}/embed/shape?lang={lang}")
    element = page.locator("donation-goal .face > .sum > .raised")  # the server draws no face
    expect(element).to_have_text(face.progress.raised_label)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 400})
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        box = page.locator("html").bounding_box()
        assert box
        drawn[width], told[width] = math.ceil(box["height"]), frame_height(face, width=width)
    spare = {width: told[width] - drawn[width] for width in WIDTHS}
    assert min(spare.values()) >= 0, (spare, drawn)
    assert max(spare.values()) <= MOST_SPARE, (spare, drawn)
