"""The image faces in Chromium, on a page that allows pictures and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Page as Tab

from tests.widget.conftest import Goalpost
from tests.widget.servers import Page, Site

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ShowPicture = Callable[[str], Tab]
DARK_INK = (0xF4, 0xF4, 0xF2)


@pytest.fixture
def sharp_tab(new_context: Callable[..., Any]) -> Tab:
    """A reader with a screen of two dots a pixel, whose system is dark."""
    tab: Tab = new_context(device_scale_factor=2, color_scheme="dark").new_page()
    return tab


@pytest.fixture
def show(sharp_tab: Tab, paper: Site, live: Goalpost) -> ShowPicture:
    def show(name: str) -> Tab:
        paper.pages["/article"] = Page(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Article</title>'
            f'<img src="{live.address}/c/{name}" width="600" height="160" alt="Support us">',
            {"Content-Security-Policy": f"default-src 'none'; img-src {live.address}"},
        )
        sharp_tab.goto(f"{paper.origin}/article")
        sharp_tab.wait_for_function("document.images[0].complete")
        return sharp_tab

    return show


def shot(tab: Tab) -> Image.Image:
    return Image.open(BytesIO(tab.locator("img").screenshot())).convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return by how much two pictures differ in the mean, 0 to 255."""
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)


@pytest.mark.parametrize("query", ["", "?lang=ar", "?lang=ja", "?lang=bg", "?theme=dark"])
def test_svg_and_png_are_one_picture(show: ShowPicture, query: str) -> None:
    svg = shot(show(f"support-us.svg{query}"))
    png = shot(show(f"support-us.png{query}"))
    assert svg.size == png.size == (1200, 320)
    assert difference(svg, png) < 1
    # They are not alike because both are blank.
    blank = Image.new("RGB", svg.size, svg.getpixel((20, 20)))
    assert difference(svg, blank) > 5


def test_picture_is_as_light_as_most_papers_unless_it_is_to_follow_the_reader(
    show: ShowPicture,
) -> None:
    light, dark = (255, 255, 255), (0x16, 0x18, 0x1A)
    assert shot(show("support-us.svg")).getpixel((20, 20)) == light
    assert shot(show("support-us.png")).getpixel((20, 20)) == light
    assert shot(show("support-us.svg?theme=auto")).getpixel((20, 20)) == dark


def test_picture_opened_by_itself_is_drawn_under_its_own_policy(
    sharp_tab: Tab, live: Goalpost
) -> None:
    troubles: list[str] = []
    sharp_tab.on("console", lambda message: troubles.append(message.text))
    sharp_tab.goto(f"{live.address}/c/support-us.svg?theme=dark")
    drawn = Image.open(BytesIO(sharp_tab.screenshot())).convert("RGB")
    assert DARK_INK in {colour for _, colour in drawn.getcolors(100_000) or ()}
    assert drawn.getpixel((20, 20)) == (0x16, 0x18, 0x1A)
    assert troubles == []
