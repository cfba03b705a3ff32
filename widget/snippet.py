"""The lines that an editor copies into an article."""

from __future__ import annotations

from markupsafe import Markup


def element_snippet(*, base_url: str, slug: str, title: str, slot: str | None = None) -> Markup:
    """Return the one line that puts the element into a page; every value in it is escaped.

    It is one line so that WordPress's paragraph filter leaves it whole, and the link in it is what
    remains in feeds, in mail and without script.
    """
    attributes = Markup(' slot-name="{}"').format(slot) if slot else Markup()
    return Markup(
        '<script async src="{base_url}/embed/v1.js"></script>'
        '<donation-goal campaign="{slug}"{attributes}><a href="{base_url}/c/{slug}">{title}</a>'
        "</donation-goal>"
    ).format(base_url=base_url, slug=slug, title=title, attributes=attributes)
