from __future__ import annotations

import itertools
import json
import re
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from app import create_app
from tests.conftest import make_settings
from tests.widget.conftest import Goalpost
from widget.gallery import EXAMPLES, make_face

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NOW = datetime(2021, 5, 12, 10, 11, 12, tzinfo=UTC)
BOXES = """(all) => all.filter((one) => one.checkVisibility()).map((one) => {
  const {left, right, top, bottom} = one.getBoundingClientRect();
  return {left, right, top, bottom};
})"""


def test_every_state_is_shown_by_element_and_server(client: FlaskClient) -> None:
    text = client.get("/demo/gallery").text
    for example in EXAMPLES:
        assert f'id="{example.name}"' in text
        assert text.count(f'data-example="{example.name}"') == 2
        face = make_face(example, now=NOW, base_url="http://localhost:8000")
        assert face.progress.raised_label in text


def test_element_is_fed_what_the_contract_says(client: FlaskClient) -> None:
    text = client.get("/demo/gallery").text
    blocks = re.findall(r'<script type="application/json" id="([\w-]+)">(.*?)</script>', text)
    assert [name for name, _ in blocks] == [example.name for example in EXAMPLES]
    for _, block in blocks:
        told = json.loads(block)
        assert {"campaign", "title", "period", "raised_label", "state", "face"} <= set(told)


def test_choice_is_one_of_those_offered(client: FlaskClient) -> None:
    text = client.get("/demo/gallery?width=600&theme=dark&colours=%22%3E%3Cscript%3E").text
    assert 'class="w600"' in text
    assert 'data-theme="dark"' in text
    assert 'class="faces own"' in text
    assert "%22%3E" not in text


def test_makes_up_nothing_in_the_books(client: FlaskClient) -> None:
    client.get("/demo/gallery")
    assert client.get("/api/v1/campaigns/gallery-usual").status_code == 404


def test_there_is_no_gallery_unless_the_demo_is_asked_for(database_url: str) -> None:
    app = create_app(make_settings(database_url=database_url, demo=False))
    assert app.test_client().get("/demo/gallery").status_code == 404


def boxes(faces: Locator, part: str) -> list[dict[str, float]]:
    found: list[dict[str, float]] = faces.locator(part).evaluate_all(BOXES)
    return found


@pytest.mark.parametrize("width", [240, 280, 320, 600, 1200])
def test_no_label_touches_another_nor_is_cut_in_any_state(
    live: Goalpost, page: Tab, width: int
) -> None:
    page.set_viewport_size({"width": max(360, width + 60), "height": 900})
    page.goto(f"{live.address}/demo/gallery?width={width}")
    expect(page.locator("donation-goal .raised")).to_have_count(2 * len(EXAMPLES))
    for figure in page.locator("figure").all():
        (around,) = boxes(figure, "xpath=.")
        labels = boxes(figure, ".tier")
        for label in labels:
            assert label["left"] >= around["left"] - 1
            assert label["right"] <= around["right"] + 1
            assert label["bottom"] <= boxes(figure, ".bar")[0]["top"] + 1
        for one, other in itertools.combinations(labels, 2):
            assert (
                one["right"] <= other["left"]
                or other["right"] <= one["left"]
                or one["bottom"] <= other["top"]
                or other["bottom"] <= one["top"]
            )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [240, 320, 600, 1200])
def test_server_draws_every_state_as_the_element_does(
    live: Goalpost, page: Tab, width: int
) -> None:
    page.set_viewport_size({"width": max(360, width + 60), "height": 900})
    page.goto(f"{live.address}/demo/gallery?width={width}")
    expect(page.locator("donation-goal .raised")).to_have_count(2 * len(EXAMPLES))
    for section in page.locator("section").all():
        element, _, drawn = section.locator("figure").all()
        for part in (".title", ".raised", ".of", ".period", ".status", ".notes", ".gift"):
            texts = [
                [text for text in face.locator(part).all_inner_texts() if text]
                for face in (element, drawn)
            ]
            assert texts[0] == texts[1], part
        top, twin_top = boxes(element, ".goal")[0], boxes(drawn, ".goal")[0]
        for part in (".bar", ".fill", ".expected", ".mark", ".raised", ".period"):
            pairs = zip(boxes(element, part), boxes(drawn, part), strict=True)
            for one, twin in pairs:
                assert one["left"] - top["left"] == pytest.approx(
                    twin["left"] - twin_top["left"], abs=1.5
                ), part
                assert one["right"] - top["left"] == pytest.approx(
                    twin["right"] - twin_top["left"], abs=1.5
                ), part
