"""A campaign's story: the publisher's Markdown, made into HTML that is safe to print.

Whoever may edit a campaign may not thereby run a script on the page where people pay. So the
text is rendered, and what comes out is reduced to a short list of what prose needs; everything
else, raw HTML included, goes through the same gate.
"""

from __future__ import annotations

import re
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

from campaigns.errors import InvalidCampaign
from campaigns.models import Campaign

MOST_STORY_CHARACTERS = 20_000
_TAGS = {
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "a",
    "em", "strong", "b", "i", "s", "del", "ins", "sub", "sup", "code", "pre",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_SCHEMES = ("https://", "http://", "mailto:")
# The page has its own h1, and no more than four levels.
_LEVELS = {"1": "2", "5": "4", "6": "4"}
_HEADING = re.compile(r"<(/?)h([156])>")
_markdown = MarkdownIt("commonmark", {"html": True})


def story_html(campaign: Campaign) -> Markup:
    """Return the campaign's story as HTML, empty where it has none.

    Paragraphs, headings from h2 to h4, lists, quotes, code, emphasis, and links to the web and to
    mail addresses; no pictures, no styles, nothing that could run.
    """
    return _rendered(campaign.story)


def checked_story(text: str) -> str:
    """Return a story as it is stored; raise InvalidCampaign where it is too long."""
    cleaned = text.replace("\r\n", "\n").strip()
    if len(cleaned) > MOST_STORY_CHARACTERS or "\0" in cleaned:
        raise InvalidCampaign(
            f"The story has at most {MOST_STORY_CHARACTERS} characters.", field="story"
        )
    return cleaned


@lru_cache(maxsize=128)
def _rendered(text: str) -> Markup:
    cleaned = nh3.clean(
        _markdown.render(text),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_kept,
        url_schemes={"http", "https", "mailto"},
        # The publisher's own links, to pages that they vouch for: hence no nofollow.
        link_rel="noopener noreferrer",
    )
    # What is left has no attributes on headings, and every other "<" is written "&lt;".
    return Markup(_HEADING.sub(lambda found: f"<{found[1]}h{_LEVELS[found[2]]}>", cleaned))  # noqa: S704


def _kept(tag: str, name: str, value: str) -> str | None:
    """Keep links that say where they lead: without a scheme they would lead into Goalpost."""
    if (tag, name) == ("a", "href") and not value.strip().lower().startswith(_SCHEMES):
        return None
    return value
