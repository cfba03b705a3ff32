"""The lines that an editor copies into an article."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup

from core.errors import Invalid
from core.money import known_locale
from core.words import language_tag

SLOT = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
_AMOUNTS = re.compile(r"[1-9]\d{0,6}(,[1-9]\d{0,6}){0,5}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a line says of how a campaign is to be shown; what is empty is left to the campaign.

    `amounts` are whole units as the attribute has them: `5,15,40`.
    """

    slot: str = ""
    lang: str = ""
    theme: str = ""
    amounts: str = ""
    compact: bool = False


def read_options(given: Mapping[str, str]) -> Options:
    """Read options as a form has them; raise Invalid, naming the field."""
    slot, amounts = given.get("slot", "").strip(), "".join(given.get("amounts", "").split())
    theme, lang = given.get("theme", ""), given.get("lang", "").strip()
    if slot and not SLOT.fullmatch(slot):
        raise Invalid(
            "A place is named with up to 32 small letters, digits and hyphens, as in top.",
            field="slot",
        )
    if amounts and not _AMOUNTS.fullmatch(amounts):
        raise Invalid("Write up to six amounts in whole units, as in 5,15,40.", field="amounts")
    return Options(
        slot=slot,
        amounts=amounts,
        lang=language_tag(known_locale(lang)) if lang else "",
        theme=theme if theme in {"light", "dark"} else "",
        compact=given.get("compact", "") not in {"", "0"},
    )


def page_address(*, base_url: str, slug: str, **query: str) -> str:
    """Return the address of a campaign's page, with what is said of the query."""
    said = {name: value for name, value in query.items() if value}
    return f"{base_url}/c/{slug}" + (f"?{urlencode(said)}" if said else "")


def element_snippet(
    *,
    base_url: str,
    slug: str,
    title: str,
    options: Options = Options(),
    script: Markup | None = None,
) -> Markup:
    """Return the one line that puts the element into a page; every value in it is escaped.

    It is one line so that WordPress's paragraph filter leaves it whole. The linked picture is what
    remains in feeds, in mail and without script, and its size is what a page reserves until then;
    a compact element is lower than the picture, hence a bare link in it. `script` is another
    script element than the usual one.
    """
    attributes = Markup().join(
        Markup(' {name}="{value}"').format(name=name, value=value)
        for name, value in (
            ("slot-name", options.slot),
            ("amounts", options.amounts),
            ("lang", options.lang),
            ("theme", options.theme),
        )
        if value
    )
    if options.compact:
        attributes += Markup(" compact")
    inside = Markup("{title}").format(title=title)
    if not options.compact:
        inside = picture(base_url=base_url, slug=slug, title=title, options=options)
    return Markup(
        '{script}<donation-goal campaign="{slug}"{attributes}><a href="{href}">{inside}</a>'
        "</donation-goal>"
    ).format(
        script=script or _usual_script(base_url),
        slug=slug,
        attributes=attributes,
        href=page_address(base_url=base_url, slug=slug, slot=options.slot, lang=options.lang),
        inside=inside,
    )


def picture(
    *, base_url: str, slug: str, title: str, options: Options = Options(), lazy: bool = True
) -> Markup:
    """Return the picture, in the size that it is shown in; programs of mail know no `loading`."""
    query = {"lang": options.lang, "theme": options.theme if options.theme == "dark" else ""}
    said = {name: value for name, value in query.items() if value}
    address = f"{base_url}/c/{slug}.png" + (f"?{urlencode(said)}" if said else "")
    return Markup('<img src="{address}" width="600" height="160"{loading} alt="{title}">').format(
        address=address, title=title, loading=Markup(' loading="lazy"') if lazy else ""
    )


def _usual_script(base_url: str) -> Markup:
    return Markup('<script async src="{base_url}/embed/v1.js"></script>').format(base_url=base_url)


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
