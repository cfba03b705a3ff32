"""What browser tests of the admin share: a page as axe sees it, at each width and scheme."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Page as Tab

from tests.widget.test_axe import complaints

WIDTHS = (320, 1280)
SCHEMES = ("light", "dark")


def look_at(tab: Tab, name: str) -> None:
    """Hold the page to axe in light and dark, and to its width on a phone and a desk.

    With LOOK_AT set to a folder, each is kept there as a picture, for eyes.
    """
    for scheme in SCHEMES:
        tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert complaints(tab) == [], f"{name}, {scheme}"
        for width in WIDTHS:
            tab.set_viewport_size({"width": width, "height": 900})
            wide = tab.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name} is {wide} px wide on {width} px"
            if folder := os.environ.get("LOOK_AT"):
                path = Path(folder) / f"{name}-{width}-{scheme}.png"
                tab.screenshot(path=path, full_page=True)
