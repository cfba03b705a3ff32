"""The lines that are handed out are those of docs/embedding.md, and the preview is of the faces."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape

import pytest
from flask import Flask

from campaigns.face import Face
from core.clock import MovableClock
from core.errors import Invalid
from core.settings import Settings
from tests.conftest import make_settings
from tests.widget.embedding_paper import BLOCKS, HOME
from widget.faces import draw_preview, embed_lines
from widget.gallery import EXAMPLES, make_face

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return make_settings(database_url=database_url, base_url=HOME)


@pytest.fixture
def face(app: Flask, clock: MovableClock) -> Iterator[Face]:
    with app.test_request_context():
        yield named("support-us", clock)


def named(slug: str, clock: MovableClock, *, example: int = 0) -> Face:
    chosen = EXAMPLES[example]
    look = chosen.look | {"slug": slug}
    changed = type(chosen)(
        name=chosen.name,
        caption="",
        raised_minor=chosen.raised_minor,
        tiers_minor=chosen.tiers_minor,
        look=look,
    )
    return make_face(changed, now=clock.now(), base_url=HOME)


def line(face: Face, name: str, **options: str) -> str:
    return next(one.text for one in embed_lines(face, options) if one.name == name)


def test_the_usual_lines_are_those_of_the_paper(face: Face) -> None:
    assert line(face, "page") == BLOCKS["element"].strip()
    assert line(face, "wordpress") == BLOCKS["address"].strip()
    assert line(face, "policy") == BLOCKS["policy"].strip()
    assert line(face, "json") in BLOCKS["numbers"].split()


def test_options_make_the_lines_of_the_paper(face: Face) -> None:
    two = [line(face, "page", slot=slot) for slot in ("top", "bottom")]
    above, _, below = BLOCKS["above-and-below"].strip().split("\n")
    assert two == [above, below]
    assert line(face, "page", slot="side", compact="1") == BLOCKS["compact"].strip()
    german = line(face, "page", amounts="5, 15, 40", lang="de", theme="dark")
    assert german == BLOCKS["options"].strip().replace("Unterstützen Sie uns", "Support us")


def test_the_frame_is_as_high_as_it_needs(face: Face) -> None:
    plain = line(face, "frame", slot="top", theme="dark", lang="de")
    assert plain.startswith(
        f'<iframe src="{HOME}/embed/support-us?lang=de&amp;theme=dark&amp;slot=top"'
    )
    assert line(face, "frame").split(" height=")[0] == BLOCKS["frame"].split(" height=")[0]


def test_the_pinned_line_names_what_is_served(app: Flask, face: Face) -> None:
    told = app.test_client().get("/embed/v1.json").json
    assert told is not None
    assert line(face, "pinned").startswith(told["html"])


def test_mail_has_a_picture_in_a_link(face: Face) -> None:
    text = line(face, "mail")
    assert text.startswith(f'<a href="{HOME}/c/support-us?slot=newsletter"><img ')
    assert "loading" not in text


@pytest.mark.parametrize(
    "options",
    [
        {"slot": "Top"},
        {"slot": "x" * 33},
        {"amounts": "5,0"},
        {"amounts": "1,2,3,4,5,6,7"},
        {"amounts": "1.5"},
        {"lang": "nothing"},
    ],
)
def test_options_that_no_line_has_are_refused(face: Face, options: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        embed_lines(face, options)


def test_nothing_of_a_title_is_markup(app: Flask, clock: MovableClock) -> None:
    hostile = EXAMPLES[0]
    with app.test_request_context():
        face = make_face(
            type(hostile)(name="x", caption="", look={"title": '"><script>alert(1)</script>'}),
            now=clock.now(),
            base_url=HOME,
        )
        for one in embed_lines(face, {}):
            assert type(one.text) is str  # which a page escapes
            assert "<script>alert" not in one.text
        assert "<script>alert" not in draw_preview(face).html


@pytest.mark.parametrize("example", range(len(EXAMPLES)))
def test_every_face_is_on_the_preview(app: Flask, clock: MovableClock, example: int) -> None:
    with app.test_request_context():
        face = named("support-us", clock, example=example)
        preview = draw_preview(face)
    text = unescape(preview.html)
    assert preview.html.count("<donation-goal theme=") == 2 * 2 * 3  # themes, compact, widths
    assert preview.html.count("<iframe") == 2 * 3
    assert text.count(face.progress.raised_label) >= 13
    assert "data:image/png;base64," in preview.html
    assert '"type": "rich"' in text


def test_one_paper_and_one_width_may_be_asked_for(face: Face) -> None:
    preview = draw_preview(face, theme="dark", width="390")
    assert preview.html.count("<donation-goal theme=") == 2
    assert 'theme="light"' not in preview.html
    assert draw_preview(face, theme="x", width="9").html == draw_preview(face).html


def test_the_preview_is_locked_in(face: Face) -> None:
    policy = draw_preview(face).policy
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'self'" in policy
    assert "sandbox allow-scripts" in policy
    assert "connect-src" not in policy
    assert "unsafe" not in policy
