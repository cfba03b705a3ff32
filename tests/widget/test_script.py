from __future__ import annotations

import re

import rjsmin

from tests.widget.conftest import STATIC
from widget.script import MOST_GZIP_BYTES, PRIVATE_NAMES, assemble_script

SOURCE = (STATIC / "donation-goal.js").read_text(encoding="utf-8")
STYLE = (STATIC / "donation-goal.css").read_text(encoding="utf-8")
LONG_ADDRESS = "https://donations.a-rather-long-name-of-a-paper.example.org"


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in channels
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_script_stays_within_4_kb_compressed() -> None:
    assert len(assemble_script(STATIC, base_url=LONG_ADDRESS).gzipped) <= MOST_GZIP_BYTES


def test_script_uses_nothing_that_a_strict_page_forbids_or_a_reader_would_mind() -> None:
    body = assemble_script(STATIC, base_url=LONG_ADDRESS).body.decode()
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "localStorage",
        "sessionStorage",
        "indexedDB",
        "cookie",
        "sendBeacon",
        "'style'",
    ):
        assert forbidden not in body


def test_stylesheet_and_address_are_put_in() -> None:
    body = assemble_script(STATIC, base_url=LONG_ADDRESS).body.decode()
    assert "@@" not in body
    assert LONG_ADDRESS in body
    assert ":host{display:block" in body


def test_same_input_makes_same_bytes() -> None:
    one, other = (assemble_script(STATIC, base_url=LONG_ADDRESS) for _ in range(2))
    assert one == other


def test_shortened_names_are_used_and_stand_in_no_text() -> None:
    script = rjsmin.jsmin(SOURCE)
    texts = " ".join(re.findall(r"'[^']*'", script))
    # What is printed is text, what is computed in it is not.
    texts += " ".join(re.sub(r"\$\{[^}]*\}", "", text) for text in re.findall(r"`[^`]*`", script))
    for name in PRIVATE_NAMES:
        assert re.search(rf"\b{name}\b", script), f"{name} is not used any more"
        assert not re.search(rf"\b{name}\b", texts), f"{name} stands in a text"


def test_shortened_names_belong_to_nothing_of_the_platform() -> None:
    owners = {"this", "element", "feed", "item"}
    for name in PRIVATE_NAMES:
        for owner in re.findall(rf"([\w)\]]+)\??\.{name}\b", rjsmin.jsmin(SOURCE)):
            assert owner in owners, f"{owner}.{name}"


def test_short_names_are_free_in_the_source() -> None:
    script = rjsmin.jsmin(SOURCE)
    texts_out = re.sub(r"'[^']*'|`[^`]*`|/[^/\n]*/[gimu]*", "", script)
    assert not re.findall(r"(?<![\w$])[a-zA-Z](?![\w$:])", texts_out)  # a key is no name


def test_accent_is_legible_on_light_and_dark_paper() -> None:
    accents = set(re.findall(r"--donation-goal-accent, (#\w{6})", STYLE))
    assert len(accents) == 1
    accent = accents.pop()
    assert contrast(accent, "#ffffff") >= 4.5
    for paper in ("#ffffff", "#16181a", "#1e1e1e", "#000000"):
        assert contrast(accent, paper) >= 3


def test_themes_have_legible_text() -> None:
    themes = re.findall(r"theme=\w+\].*color: (#\w+); background: (#\w+)", STYLE)
    assert len(themes) == 2
    for ink, paper in themes:
        assert contrast(ink, paper if len(paper) == 7 else "#" + paper[1:] * 2) >= 4.5
