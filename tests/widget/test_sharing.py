"""What goes with a link: the card, as it is drawn and served, and the code, as a phone reads it."""

from __future__ import annotations

from io import BytesIO

import pytest
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy.orm import Session

from tests.conftest import Give, MakeCampaign
from tests.widget.pictures import MADE, NAMES, Made, make_face
from widget.card import HEIGHT, MOST_LINES, WIDTH, plan_card
from widget.drawing import LEFT, RIGHT, Box, Text

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CARD, CODE = "/c/support-us/card.png", "/c/support-us/qr"
ROUNDING = 0.01


@pytest.mark.parametrize("made", MADE, ids=NAMES)
def test_nothing_on_the_card_touches_or_leaves_it(
    made: Made, make_campaign: MakeCampaign, give: Give, session: Session
) -> None:
    plan = plan_card(make_face(made, make_campaign, give, session), "The Courier")
    texts = [shape for shape in plan if isinstance(shape, Text)]
    titles = [text for text in texts if text.role == "title"]
    assert 1 <= len(titles) <= MOST_LINES
    for shape in plan:
        if isinstance(shape, Box) and shape.role == "stripe":
            continue
        assert shape.left >= LEFT - ROUNDING
        assert shape.left + shape.width <= RIGHT + ROUNDING
        assert shape.top >= 0
        assert shape.bottom <= HEIGHT
    others = [text for text in texts if text.role != "title"]
    for title in titles:
        assert all(other.bottom <= title.top or other.top >= title.bottom for other in others)


def test_card_has_the_size_that_networks_ask_for(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    give(make_campaign(), 52_000)
    answer = client.get(CARD)
    assert answer.mimetype == "image/png"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    with Image.open(BytesIO(answer.data)) as picture:
        assert picture.size == (2 * WIDTH, 2 * HEIGHT) == (1200, 630)
    assert client.get(CARD, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_card_follows_the_sum(client: FlaskClient, make_campaign: MakeCampaign, give: Give) -> None:
    campaign = make_campaign()
    before = client.get(CARD)
    give(campaign, 52_000)
    after = client.get(CARD)
    assert before.headers["ETag"] != after.headers["ETag"]
    assert before.data != after.data


def test_card_from_right_to_left_is_mirrored(
    make_campaign: MakeCampaign, give: Give, session: Session
) -> None:
    made = ("Arabic", 52_000, {"locale": "ar", "title": "ادعموا صحافتنا المستقلة"})
    plan = plan_card(make_face(made, make_campaign, give, session), "صحيفة")
    (title,) = [shape for shape in plan if shape.role == "title"]
    assert title.left + title.width == pytest.approx(RIGHT)


def test_code_leads_to_the_donate_page_and_says_so(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    answer = client.get(f"{CODE}.svg")
    assert answer.mimetype == "image/svg+xml"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.data.startswith(b"<?xml")
    with Image.open(BytesIO(client.get(f"{CODE}.png").data)) as opened:
        picture = opened.convert("L")
    side, quiet = picture.size[0] // 16, 4
    # The corners of the code, where its three finders are, and the quiet zone around it.
    modules = [
        [picture.getpixel((column * 16 + 8, row * 16 + 8)) == 0 for column in range(side)]
        for row in range(side)
    ]
    assert not any(any(row[:quiet]) for row in modules)
    finder = [True] * 7
    assert modules[quiet][quiet : quiet + 7] == finder
    assert modules[quiet][side - quiet - 7 : side - quiet] == finder
    assert modules[side - quiet - 1][quiet : quiet + 7] == finder


@pytest.mark.parametrize("address", [CARD, f"{CODE}.svg", f"{CODE}.png"])
def test_nobody_sees_a_draft_and_what_is_not_there(
    client: FlaskClient, make_campaign: MakeCampaign, address: str
) -> None:
    make_campaign(draft=True)
    assert client.get(address).status_code == 404
    assert client.get(address.replace("support-us", "other")).status_code == 404


def test_code_has_no_other_form(client: FlaskClient, make_campaign: MakeCampaign) -> None:
    make_campaign()
    assert client.get(f"{CODE}.gif").status_code == 404
