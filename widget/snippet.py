"""The lines that an editor copies into an article."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from markupsafe import Markup


def element_snippet(*, base_url: str, slug: str, title: str, slot: str | None = None) -> Markup:
    """Return the one line that puts the element into a page; every value in it is escaped.

    It is one line so that WordPress's paragraph filter leaves it whole. The linked picture is what
    remains in feeds, in mail and without script, and its size is what a page reserves until then.
    """
    attributes = Markup(' slot-name="{}"').format(slot) if slot else Markup()
    return Markup(
        '<script async src="{base_url}/embed/v1.js"></script>'
        '<donation-goal campaign="{slug}"{attributes}><a href="{base_url}/c/{slug}">'
        '<img src="{base_url}/c/{slug}.png" width="600" height="160" loading="lazy" alt="{title}">'
        "</a></donation-goal>"
    ).format(base_url=base_url, slug=slug, title=title, attributes=attributes)


def pinned_script(*, base_url: str, digest: str, integrity: str) -> Markup:
    """Return the script element that runs this very version, or none."""
    return Markup(
        '<script async src="{base_url}/embed/v1.{digest}.js" integrity="{integrity}"'
        ' crossorigin="anonymous"></script>'
    ).format(base_url=base_url, digest=digest, integrity=integrity)


def frame_snippet(
    *,
    base_url: str,
    slug: str,
    title: str,
    width: int,
    height: int,
    options: Mapping[str, str] | None = None,
) -> Markup:
    """Return the iframe for pages that run no script of others; `options` are the frame's query.

    The sandbox lets it run its script and open the donate page, and nothing else.
    """
    query = f"?{urlencode(options)}" if options else ""
    return Markup(
        '<iframe src="{base_url}/embed/{slug}{query}" title="{title}" width="{width}"'
        ' height="{height}" loading="lazy" frameborder="0"'
        ' sandbox="allow-scripts allow-popups allow-popups-to-escape-sandbox"></iframe>'
    ).format(base_url=base_url, slug=slug, query=query, title=title, width=width, height=height)
