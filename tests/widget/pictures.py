"""What the tests of the image faces look at: campaigns, faces, and the pixels of an answer."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy.orm import Session

from campaigns.catalog import CampaignChanges
from campaigns.face import Face, read_face
from campaigns.look import Shown
from campaigns.models import CampaignState
from tests.campaigns.cases import ALL_NOTES, CASES
from tests.conftest import START, Give, MakeCampaign

Pixel = tuple[int, int, int]
ACCENT: Pixel = (0x18, 0x80, 0x6C)
WHITE: Pixel = (255, 255, 255)
HUGE = 999_999_999_999
GERMAN = "Unterstützen Sie die Redaktion der Norddeutschen Küstenzeitung und ihre Recherchen"
LONG_BUTTON = CampaignChanges(
    button="Become a supporter of the newsroom now!!", shows=(Shown.DAYS,)
)

# Name, what was raised, and how the campaign differs from the article's.
Made = tuple[str, int, dict[str, Any]]
MADE: tuple[Made, ...] = (
    *((case.name, case.raised_minor, case.campaign) for case in CASES),
    ("all notes", 310_000, {"changes": ALL_NOTES}),
    ("no tier, all notes", 310_000, {"tiers_minor": (), "changes": ALL_NOTES}),
    ("close tiers", 230_000, {"tiers_minor": (10_000, 20_000, 30_000, 50_000, 1_000_000)}),
    ("eight huge", HUGE // 9, {"tiers_minor": tuple(HUGE * part // 8 for part in range(1, 9))}),
    ("huge neighbours", HUGE, {"tiers_minor": (1, HUGE - 1, HUGE)}),
    (
        "wordy money",
        52_000,
        {
            "money_format": "{amount} and not a {symbol} more, friend",
            "tiers_minor": tuple(HUGE - part for part in range(8)),
        },
    ),
    (
        "German",
        600_000,
        {
            "locale": "de",
            "currency": "EUR",
            "title": GERMAN,
            "money_format": None,
            "changes": ALL_NOTES,
        },
    ),
    (
        "French",
        310_000,
        {"locale": "fr", "currency": "EUR", "money_format": None, "changes": ALL_NOTES},
    ),
    (
        "Arabic, all notes",
        310_000,
        {
            "locale": "ar",
            "title": "ادعموا صحافتنا المستقلة",
            "money_format": None,
            "changes": ALL_NOTES,
        },
    ),
    (
        "Arabic, eight",
        345_000,
        {"locale": "ar", "tiers_minor": tuple(range(100_000, 900_000, 100_000))},
    ),
    ("no letters", 52_000, {"title": "สนับสนุนเรา"}),
    ("wide title", 52_000, {"title": "国" * 120}),
    ("long button", 52_000, {"changes": LONG_BUTTON}),
    ("paused", 52_000, {"changes": CampaignChanges(state=CampaignState.PAUSED)}),
)
NAMES = [name for name, _, _ in MADE]


def make_face(
    made: Made, make_campaign: MakeCampaign, give: Give, session: Session, lang: str | None = None
) -> Face:
    """Make the campaign, give it what it raised, and return its face."""
    _, raised_minor, campaign = made
    stored = make_campaign(**campaign)
    if raised_minor:
        give(stored, raised_minor)
    face = read_face(session, "support-us", now=START, base_url="http://localhost", locale=lang)
    session.rollback()
    return face


def open_png(client: FlaskClient, query: str = "") -> Image.Image:
    """Return the campaign's picture as it is served."""
    answer = client.get(f"/c/support-us.png{query}")
    assert answer.status_code == 200
    return Image.open(BytesIO(answer.data)).convert("RGB")


def pixel(picture: Image.Image, x: float, y: float) -> Pixel:
    """Return the colour at a place that is told as the plan tells it."""
    found = picture.getpixel((round(2 * x), round(2 * y)))
    assert isinstance(found, tuple)
    red, green, blue = found
    return int(red), int(green), int(blue)


def inked(picture: Image.Image, left: float, top: float, right: float, bottom: float) -> float:
    """Return which part of a place is of another colour than its most frequent one."""
    part = picture.crop((round(2 * left), round(2 * top), round(2 * right), round(2 * bottom)))
    colours = part.getcolors(100_000)
    assert colours
    counts = [count for count, _ in colours]
    return 1 - max(counts) / sum(counts)
