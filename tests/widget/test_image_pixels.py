"""What is drawn: read from the pixels, and from the plan by which they were made."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from campaigns.face import Face
from tests.conftest import Give, MakeCampaign
from tests.widget.pictures import (
    ACCENT,
    MADE,
    NAMES,
    WHITE,
    Made,
    inked,
    make_face,
    open_png,
    pixel,
)
from widget.drawing import (
    BAR_HEIGHT,
    BAR_TOP,
    HEIGHT,
    LABEL_SIZES,
    LEFT,
    LENGTH,
    RIGHT,
    WIDTH,
    Box,
    Text,
    plan_image,
)
from widget.pixels import MOST_BYTES, make_png
from widget.svg import draw_svg, light_colours

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
MIDDLE = BAR_TOP + BAR_HEIGHT / 2
INK = (0x1A, 0x1A, 0x1A)


@pytest.fixture
def article(session: Session, make_campaign: MakeCampaign, give: Give) -> Face:
    return make_face(("the article", 52_000, {}), make_campaign, give, session)


def texts_of(face: Face, *roles: str) -> list[Text]:
    return [
        shape
        for shape in plan_image(face)
        if isinstance(shape, Text) and (not roles or shape.role in roles)
    ]


def boxes_of(face: Face, role: str) -> list[Box]:
    return [shape for shape in plan_image(face) if isinstance(shape, Box) and shape.role == role]


def touch(one: Text | Box, other: Text | Box) -> bool:
    return (
        one.left < other.left + other.width
        and other.left < one.left + one.width
        and one.top < other.bottom
        and other.top < one.bottom
    )


@pytest.mark.parametrize(
    ("raised_minor", "share"),
    [
        (0, 0),
        (1, 0),
        (52_000, 0.104),
        (125_000, 0.25),
        (249_999, 0.5),
        (250_000, 0.5),
        (499_999, 1),
        (500_000, 1),
        (50_000_000, 1),
    ],
)
@pytest.mark.parametrize("lang", ["en", "ar"])
def test_fill_ends_where_the_sum_does(
    client: FlaskClient,
    make_campaign: MakeCampaign,
    give: Give,
    raised_minor: int,
    share: float,
    lang: str,
) -> None:
    campaign = make_campaign()
    if raised_minor:
        give(campaign, raised_minor)
    picture = open_png(client, f"?lang={lang}")
    assert picture.size == (2 * WIDTH, 2 * HEIGHT)
    filled = [x / 2 for x in range(2 * WIDTH) if picture.getpixel((x, round(2 * MIDDLE))) == ACCENT]
    end = LEFT + LENGTH * share
    if not share:
        assert filled == []
    elif lang == "en":
        assert filled[0] == pytest.approx(LEFT, abs=1)
        assert filled[-1] == pytest.approx(end, abs=2)
    else:  # it grows from the right
        assert filled[-1] == pytest.approx(RIGHT, abs=1)
        assert filled[0] == pytest.approx(WIDTH - end, abs=2)


def test_sum_just_under_a_tier_does_not_pass_its_mark(
    client: FlaskClient, make_campaign: MakeCampaign, give: Give
) -> None:
    campaign = make_campaign()
    give(campaign, 249_999)
    half = LEFT + LENGTH / 2
    under = open_png(client)
    assert pixel(under, half - 2, MIDDLE) == ACCENT
    assert pixel(under, half + 1, MIDDLE) == INK
    assert pixel(under, half + 4, MIDDLE) == WHITE
    give(campaign, 10_000)
    over = open_png(client)
    assert pixel(over, half + 1, MIDDLE) == WHITE  # a mark in the fill, which goes on behind it
    assert pixel(over, half + 4, MIDDLE) == ACCENT


@pytest.mark.parametrize("made", MADE, ids=NAMES)
def test_nothing_touches_and_nothing_is_cut_off(
    session: Session, make_campaign: MakeCampaign, give: Give, made: Made
) -> None:
    face = make_face(made, make_campaign, give, session)
    texts = texts_of(face)
    for one, other in combinations(texts, 2):
        assert not touch(one, other), (one.line.text, other.line.text)
    for text in texts:
        assert text.left >= LEFT - 0.01
        assert text.left + text.width <= RIGHT + 0.01
        assert text.top >= 10
        assert text.bottom <= HEIGHT - 10
        assert text.line.style.size >= LABEL_SIZES[-1]
        for box in (*boxes_of(face, "track"), *boxes_of(face, "rule"), *boxes_of(face, "button")):
            assert text.role == "donate" or not touch(text, box), text.line.text
    for button in boxes_of(face, "button"):
        (label,) = texts_of(face, "donate")
        assert button.left < label.left
        assert label.left + label.width < button.left + button.width


@pytest.mark.parametrize("made", MADE, ids=NAMES)
def test_all_that_is_drawn_is_where_it_was_planned(
    client: FlaskClient, session: Session, make_campaign: MakeCampaign, give: Give, made: Made
) -> None:
    face = make_face(made, make_campaign, give, session)
    picture = open_png(client)
    for text in texts_of(face):
        drawn = inked(picture, text.left, text.top, text.left + text.width, text.bottom)
        assert (0.08 if text.role != "dot" else 0.01) < drawn < 0.6, text.line.text
    # With everything painted over that was planned, the card is blank.
    for shape in plan_image(face):
        top, bottom = shape.top, shape.bottom
        if isinstance(shape, Text):  # accents above, and tails below
            size = shape.line.style.size
            top, bottom = shape.baseline - 1.1 * size, shape.baseline + 0.45 * size
        place = (shape.left - 1, top, shape.left + shape.width + 1, bottom)
        left, upper, right, lower = (round(2 * edge) for edge in place)
        picture.paste(WHITE, (left, upper, right, lower))
    assert picture.crop((4, 4, 2 * WIDTH - 4, 2 * HEIGHT - 4)).getcolors() == [
        ((2 * WIDTH - 8) * (2 * HEIGHT - 8), WHITE)
    ]


@pytest.mark.parametrize("made", MADE, ids=NAMES)
def test_labels_are_those_of_the_face(
    session: Session, make_campaign: MakeCampaign, give: Give, made: Made
) -> None:
    face = make_face(made, make_campaign, give, session)
    assert [text.line.text for text in texts_of(face, "raised")] == [face.progress.raised_label]
    tiers = [text.line.text.removeprefix("✓ ") for text in texts_of(face, "tier")]
    labels = [mark.label for mark in face.marks]
    assert tiers == labels[len(labels) - len(tiers) :]
    assert len(tiers) == len(labels) or made[0] == "wordy money"
    goal = [text.line.text for text in texts_of(face, "goal")]
    assert goal == [face.goal_label, f"· {face.percent_label}"][: len(goal)]
    status = [text.line.text for text in texts_of(face, "status")]
    notes = [text.line.text for text in texts_of(face, "note")]
    # What is matched is said before the status where the sum is not gifts alone.
    assert status == [face.status] * bool(face.status) or (face.matching and notes and not status)
    for text in notes:
        beginnings = (" · ".join(face.notes), face.matching)
        assert any(said.startswith(text.removesuffix("…")) for said in beginnings)
    assert len(texts_of(face, "donate")) == face.is_open


def test_status_is_told_and_notes_only_where_there_is_room(
    session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    face = make_face(("over", 600_000, {}), make_campaign, give, session)
    endless = "a note that is long enough to need a line of its own, " * 3
    told = [text.line.text for text in texts_of(replace(face, notes=("short", endless)), "note")]
    assert told == ["short"]
    assert texts_of(replace(face, notes=(endless,)), "note") == []
    assert [text.line.text for text in texts_of(face, "status")] == [face.status]
    assert texts_of(replace(face, status=endless), "status") == []


def test_reached_and_next_goals_stand_out(
    session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    face = make_face(
        ("past", 310_000, {"tiers_minor": (250_000, 400_000, 500_000)}),
        make_campaign,
        give,
        session,
    )
    told = [
        (text.line.text, text.line.style.weight, text.colour) for text in texts_of(face, "tier")
    ]
    assert told == [
        ("0 $", "regular", "soft"),
        ("✓ 2,500 $", "regular", "ink"),
        ("4,000 $", "semibold", "ink"),
        ("5,000 $", "regular", "soft"),
    ]


@pytest.mark.parametrize("made", MADE, ids=NAMES)
def test_a_label_stands_over_its_mark_or_in_a_list(
    session: Session, make_campaign: MakeCampaign, give: Give, made: Made
) -> None:
    face = make_face(made, make_campaign, give, session)
    labels = texts_of(replace(face, direction="ltr"), "tier")
    is_list = bool(texts_of(face, "dot"))
    for mark, text in zip(face.marks, labels, strict=False):
        place = LEFT + LENGTH * mark.share / 100
        assert is_list or text.left <= place <= text.left + text.width
    assert len({text.baseline for text in labels}) <= 2


def test_expected_renewals_are_drawn_apart(article: Face) -> None:
    assert boxes_of(article, "expected") == []
    (coming,) = boxes_of(replace(article, expected=32.0), "expected")
    (fill,) = boxes_of(article, "fill")
    assert coming.left == pytest.approx(fill.left + fill.width)
    assert coming.left + coming.width == pytest.approx(LEFT + 0.32 * LENGTH)
    assert (coming.colour, fill.colour) == ("hatch", "accent")


def test_title_without_letters_leaves_the_month_in_its_place(article: Face) -> None:
    strange = replace(article, progress=replace(article.progress, title="สนับสนุนเรา"))
    assert [text.line.text for text in texts_of(strange, "title", "period")] == ["MAY 2021"]
    assert [text.line.text for text in texts_of(article, "title", "period")] == [
        "Support us",
        "MAY 2021",
    ]
    button = replace(article, donate_label="บริจาค")
    assert [text.line.text for text in texts_of(button, "donate")] == ["Donate"]


def test_without_a_goal_there_is_no_bar(
    session: Session, make_campaign: MakeCampaign, give: Give
) -> None:
    face = make_face(("none", 52_000, {"tiers_minor": ()}), make_campaign, give, session)
    assert boxes_of(face, "track") == boxes_of(face, "fill") == boxes_of(face, "mark") == []
    assert len(boxes_of(face, "rule")) == 1


def test_right_to_left_is_the_mirror_of_left_to_right(article: Face) -> None:
    mirrored = plan_image(replace(article, direction="rtl"))
    for one, other in zip(plan_image(article), mirrored, strict=True):
        assert other.left == pytest.approx(WIDTH - one.left - one.width)
        assert (one.role, one.top, one.width) == (other.role, other.top, other.width)


def test_colours_are_exact_and_few(article: Face) -> None:
    colours = light_colours(article)
    png = make_png(draw_svg(article, "light"), colours)
    assert len(png) <= MOST_BYTES
    assert png[25] == 3  # a palette
