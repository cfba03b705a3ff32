"""The story: what Markdown makes of it, and nothing that could run or reach out."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from campaigns.errors import InvalidCampaign
from campaigns.models import Campaign
from campaigns.story import MOST_STORY_CHARACTERS, checked_story, story_html

ALLOWED = frozenset(
    "p br hr h2 h3 h4 ul ol li blockquote a em strong b i s del ins sub sup code pre".split()
)
ATTRIBUTES = {"a": {"href", "title", "rel"}, "ol": {"start"}}


def html(text: str) -> str:
    found = story_html(Campaign(story=text))
    assert isinstance(found, Markup)
    return str(found).strip()


class Reader(HTMLParser):
    """Fails at whatever does not belong into a story."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        for name, value in attrs:
            assert name in ATTRIBUTES.get(tag, set()), (tag, name)
            if name == "href":
                assert re.match(r"\s*(https?://|mailto:)", value or "", re.IGNORECASE), value

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def read(text: str) -> str:
    found = html(text)
    reader = Reader()
    reader.feed(found)
    reader.close()
    return found


def test_markdown_becomes_prose() -> None:
    assert read("# Why\n\nWe *sit* in **court**.\n\n## How\n\n1. One\n2. Two\n\n> So be it.\n") == (
        "<h2>Why</h2>\n<p>We <em>sit</em> in <strong>court</strong>.</p>\n<h2>How</h2>\n"
        "<ol>\n<li>One</li>\n<li>Two</li>\n</ol>\n<blockquote>\n<p>So be it.</p>\n</blockquote>"
    )


def test_no_story_is_nothing() -> None:
    assert html("") == ""


def test_html_of_its_own_may_stand_in_it() -> None:
    assert read('<p class="x" style="color:red" id="y">H<sub>2</sub>O</p>') == (
        "<p>H<sub>2</sub>O</p>"
    )


@pytest.mark.parametrize(
    ("text", "tag"),
    [("# A", "h2"), ("### A", "h3"), ("##### A", "h4"), ("###### A", "h4"), ("<h1>A</h1>", "h2")],
)
def test_headings_stay_under_the_page_s_own(text: str, tag: str) -> None:
    assert read(text) == f"<{tag}>A</{tag}>"


@pytest.mark.parametrize(
    "address",
    ["https://example.org/a?b=c", "http://example.org", "mailto:ann@example.org", "HTTPS://a.org"],
)
def test_links_lead_to_the_web_and_to_mail(address: str) -> None:
    assert read(f"[us]({address})") == (
        f'<p><a href="{address}" rel="noopener noreferrer">us</a></p>'
    )


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "/admin",
        "//evil.org", "x", "file:///etc/passwd", "&#106;avascript:alert(1)",
        "java\tscript:alert(1)", "\x01javascript:alert(1)",
    ],
)  # fmt: skip
def test_other_links_lead_nowhere(address: str) -> None:
    for text in (f"[us]({address})", f'<a href="{address}">us</a>', f"[us](<{address}>)"):
        found = read(text)
        assert "href" not in found
        assert "us" in found


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![](https://evil.example/pixel.png)",
        "<svg><script>alert(1)</script></svg>",
        "<svg onload=alert(1)><p>x</p></svg>",
        "<iframe src=https://evil.example></iframe>",
        "<style>body{display:none}</style>",
        "<p onclick=alert(1)>x</p>",
        '<a href="https://a.org" onmouseover="alert(1)" target="_top">x</a>',
        '<a href="https://a.org" title="<h1>&quot; onclick=alert(1) x=&quot;">x</a>',
        "<form action=https://evil.example><input name=card></form>",
        "<math><mtext><table><style><!--</style><img title='--&gt;&lt;img onerror=alert(1)'>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
        "<base href=https://evil.example>",
        "<meta http-equiv=refresh content=0>",
        "<!-- <b>x</b> -->",
        "</div></main></body>",
        "```html\n<script>alert(1)</script>\n```",
        "<b>un<i>closed",
        "<details open ontoggle=alert(1)>",
    ],
)
def test_nothing_hostile_is_left(text: str) -> None:
    found = read(f"Before\n\n{text}\n\nAfter")
    assert "alert" not in re.sub(r"&[a-z]+;script&gt;alert\(1\)|title=\"[^\"]*\"", "", found)
    assert "Before" in found


@pytest.mark.parametrize(
    "piece",
    ["[", "]", "![", "[a](", "*", "**a", "_a*", "`", "<", "<b>", "<div>", "> ", "- ", "1. ",
     "&", "\\", "<!--", "<a ", "[a]: b\n", "#" * 7, "~~~\n"],
)  # fmt: skip
def test_longest_story_of_anything_is_rendered(piece: str) -> None:
    read((piece * MOST_STORY_CHARACTERS)[:MOST_STORY_CHARACTERS])


@given(st.text("<>/!\"'=[]()*_`#&;:-\\\n abhrefjsconsript123", max_size=200))
def test_whatever_is_written_stays_harmless(text: str) -> None:
    read(text)


def test_story_is_kept_without_space_around_it() -> None:
    assert checked_story("\r\n# A\r\nb\r\n\r\n") == "# A\nb"
    assert checked_story("x" * MOST_STORY_CHARACTERS) == "x" * MOST_STORY_CHARACTERS


@pytest.mark.parametrize("text", ["x" * (MOST_STORY_CHARACTERS + 1), "a\0b"])
def test_too_long_a_story_is_refused(text: str) -> None:
    with pytest.raises(InvalidCampaign) as refused:
        checked_story(text)
    assert refused.value.field == "story"
