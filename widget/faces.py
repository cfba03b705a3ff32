"""All faces, and what pages that may not know them are handed: the preview, the lines to copy."""

from __future__ import annotations

from flask import Flask

from widget import demo, history, images, oembed, routes, sharing
from widget.lines import embed_lines
from widget.preview import draw_preview

__all__ = ["draw_preview", "embed_lines", "init_app"]


def init_app(app: Flask) -> None:
    """Give `app` the faces, and the demo where the settings ask for it."""
    for face in (routes, images, oembed, sharing, history, demo):
        face.init_app(app)
