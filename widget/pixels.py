"""Make pixels of a picture: a PNG of few colours, twice as large as it is shown."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

import resvg_py
from PIL import Image

from widget.svg import Colours

SCALE = 2
MOST_BYTES = 15_000
# Programs that go by it, as Outlook does, show the picture in its true size.
_DOTS_PER_INCH = 96 * SCALE
# How many shades there are between two colours, at the edges of letters. Seven are as good as all
# to the eye; a picture that is too large makes do with fewer.
_SHADES = (7, 5, 3)
_MOST_HELD = 128


@lru_cache(maxsize=_MOST_HELD)
def make_png(svg: str, colours: Colours) -> bytes:
    """Return the picture as a PNG with a palette; unchanged pictures are made once."""
    drawn = resvg_py.svg_to_bytes(svg_string=svg, zoom=SCALE, skip_system_fonts=True)
    with Image.open(BytesIO(drawn)) as opened:
        picture = opened.convert("RGB")
    packed = b""
    for shades in _SHADES:
        packed = _pack(picture, _palette(colours, shades))
        if len(packed) <= MOST_BYTES:
            break
    return packed


def _pack(picture: Image.Image, palette: list[tuple[int, ...]]) -> bytes:
    holder = Image.new("P", (1, 1))
    holder.putpalette([channel for colour in palette for channel in colour])
    reduced = picture.quantize(palette=holder, dither=Image.Dither.NONE)
    file = BytesIO()
    reduced.save(file, "PNG", optimize=True, dpi=(_DOTS_PER_INCH, _DOTS_PER_INCH))
    return file.getvalue()


def _palette(colours: Colours, shades: int) -> list[tuple[int, ...]]:
    """Return all colours, and the shades between those that touch."""
    paper, accent = _channels(colours.paper), _channels(colours.accent)
    ink, soft, on_accent = map(_channels, (colours.ink, colours.soft, colours.on_accent))
    palette = [paper, accent, ink, soft, on_accent, _channels(colours.edge)]
    for one, other in ((paper, ink), (paper, soft), (paper, accent), (accent, on_accent)):
        palette += [
            tuple(a + (b - a) * step // (shades + 1) for a, b in zip(one, other, strict=True))
            for step in range(1, shades + 1)
        ]
    return list(dict.fromkeys(palette))


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))
