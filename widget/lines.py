"""The lines that an editor copies, one for each kind of site, with what to do with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from campaigns.face import Face
from core.web import settings
from widget.frame_size import frame_height
from widget.oembed import WIDTH
from widget.routes import embed
from widget.snippet import (
    Options,
    element_snippet,
    frame_snippet,
    page_address,
    picture,
    pinned_script,
    read_options,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What is to be copied for a kind of site. `name` is short and for machines."""

    name: str
    label: str
    told: str
    text: str


def embed_lines(face: Face, given: Mapping[str, str]) -> tuple[Line, ...]:
    """Return the lines of a campaign, with the options that a form has; raise Invalid."""
    options = read_options(given)
    found = (*_for_sites(face, options), *_for_programs(face, options))
    # A text to be copied, which pages print as one: no longer markup that is safe as it is.
    return tuple(replace(line, text=str(line.text)) for line in found)


def _for_sites(face: Face, options: Options) -> tuple[Line, ...]:
    base_url, slug, title = settings().base_url, face.progress.campaign, face.progress.title
    own = replace(options, slot=options.slot or "newsletter")
    address = page_address(
        base_url=base_url, slug=slug, slot=options.slot, lang=options.lang, theme=options.theme
    )
    mail_link = page_address(base_url=base_url, slug=slug, slot=own.slot, lang=own.lang)
    linked = picture(base_url=base_url, slug=slug, title=title, options=own, lazy=False)
    return (
        Line(
            name="page",
            label="Any page in HTML",
            told="Paste it where the bar is to stand, twice if you like: above and below the text.",
            text=element_snippet(base_url=base_url, slug=slug, title=title, options=options),
        ),
        Line(
            name="wordpress",
            label="WordPress",
            told="Paste it alone on a line: WordPress makes a frame of it, as high as it needs.",
            text=address,
        ),
        Line(
            name="ghost",
            label="Ghost",
            told="Paste it alone on a line, or choose Embed and paste it there.",
            text=address,
        ),
        Line(
            name="substack",
            label="Substack, Medium",
            told=f"Add the picture at {base_url}/c/{slug}.png, and set this link on it.",
            text=mail_link,
        ),
        Line(
            name="mail",
            label="A newsletter, a feed",
            told="A picture with a link. It shows the sum as it is when it is opened.",
            text=f'<a href="{mail_link.replace("&", "&amp;")}">{linked}</a>',
        ),
        Line(
            name="frame",
            label="A site that runs no script of others",
            told="A frame. In a column narrower than 600 pixels give it more height.",
            text=frame_snippet(
                base_url=base_url,
                slug=slug,
                title=title,
                width=WIDTH,
                height=frame_height(face, width=WIDTH),
                options={
                    name: value
                    for name, value in (
                        ("lang", options.lang),
                        ("theme", options.theme),
                        ("slot", options.slot),
                    )
                    if value
                },
            ),
        ),
    )


def _for_programs(face: Face, options: Options) -> tuple[Line, ...]:
    base_url, slug, title = settings().base_url, face.progress.campaign, face.progress.title
    script = embed().script
    pin = pinned_script(base_url=base_url, digest=script.digest, integrity=script.integrity)
    query = f"?lang={options.lang}" if options.lang else ""
    return (
        Line(
            name="pinned",
            label="A page that pins what it runs",
            told="Runs these very bytes and no others. Another release has another line.",
            text=element_snippet(
                base_url=base_url, slug=slug, title=title, options=options, script=pin
            ),
        ),
        Line(
            name="policy",
            label="A page with a content security policy",
            told="What the policy needs beside the line; nothing inline.",
            text="; ".join(
                f"{directive} {base_url}"
                for directive in ("script-src", "connect-src", "img-src", "frame-src")
            ),
        ),
        Line(
            name="link",
            label="A link, or a code on paper",
            told="The campaign’s page. The QR code leads to it, too.",
            text=page_address(base_url=base_url, slug=slug, slot=options.slot, lang=options.lang),
        ),
        Line(
            name="json",
            label="Your own drawing",
            told="The numbers as JSON; any page may read them.",
            text=f"{base_url}/api/v1/campaigns/{slug}{query}",
        ),
    )
