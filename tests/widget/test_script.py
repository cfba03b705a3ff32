from __future__ import annotations

import itertools
import json
import re
from string import ascii_letters

import rjsmin

from campaigns.look import DEFAULT_ACCENT, contrast
from tests.widget.conftest import STATIC
from tests.widget.servers import progress_json
from widget.script import (
    LOCAL_NAMES,
    MOST_GZIP_BYTES,
    SHARED_NAMES,
    assemble_script,
    short_names,
)

SOURCE = (STATIC / "donation-goal.js").read_text(encoding="utf-8")
STYLE = (STATIC / "donation-goal.css").read_text(encoding="utf-8")
LONG_ADDRESS = "https://donations.a-rather-long-name-of-a-paper.example.org"


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


def code_and_texts() -> tuple[str, str]:
    """Return the script without its texts, and these: what is computed in a text is no text."""
    script = rjsmin.jsmin(SOURCE)
    texts = re.findall(r"'[^']*'", script)
    texts += [re.sub(r"\$\{[^}]*\}", "", text) for text in re.findall(r"`[^`]*`", script)]
    return re.sub(r"'[^']*'|`[^`]*`|/[^/\n]*/[gimu]*", "", script), " ".join(texts)


def test_shortened_names_are_used_and_stand_in_no_text() -> None:
    script, (_, texts) = rjsmin.jsmin(SOURCE), code_and_texts()
    for name in short_names():
        assert re.search(rf"\b{name}\b", script), f"{name} is not used any more"
        assert not re.search(rf"\b{name}\b", texts), f"{name} stands in a text"


def test_shortened_names_belong_to_nothing_of_the_platform_or_of_the_numbers() -> None:
    script = rjsmin.jsmin(SOURCE)
    owners = {"this", "element", "feed", "group", "feeds)feeds[url]"}
    told = set(re.findall(r'"(\w+)":', json.dumps(progress_json("https://t"))))
    assert not told & set(short_names())
    for name in short_names():
        for owner in re.findall(rf"([\w)\]\[]+)\??\.{name}\b", script):
            assert owner in owners, f"{owner}.{name}"


def test_short_names_are_free_in_the_source() -> None:
    code, _ = code_and_texts()
    assert not re.findall(r"(?<![\w$.])[a-zA-Z](?![\w$:])", code)  # a key is no name


def test_only_names_of_different_functions_share_a_letter() -> None:
    assert len(SHARED_NAMES) == len({*SHARED_NAMES})
    assert len(SHARED_NAMES) + max(len(names) for names in LOCAL_NAMES) <= len(ascii_letters)
    # Where the names of a function are known: these stretches of the source do not overlap.
    stretches = []
    for names in LOCAL_NAMES:
        found = [at.start() for name in names for at in re.finditer(rf"\b{name}\b", bare())]
        stretches.append((min(found), max(found), names))
    stretches.sort()
    for (_, end, names), (begin, _, others) in itertools.pairwise(stretches):
        assert end < begin, (names, others)


def bare() -> str:
    """Return the source without comments, in which words stand that are names elsewhere."""
    return re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", SOURCE, flags=re.DOTALL)


def test_what_is_cut_away_means_something_nowhere() -> None:
    _, texts = code_and_texts()
    patterns = " ".join(re.findall(r"(?<=[(,])/[^/\n]+/", rjsmin.jsmin(SOURCE)))
    for kept in (texts, patterns):
        assert kept
        assert not re.search(r"[,;][})]|const ", kept)


def test_default_accent_is_legible_on_light_and_dark_paper() -> None:
    accents = set(re.findall(r"#18806c|--_accent, (#\w{6})", STYLE)) - {""}
    assert accents == {DEFAULT_ACCENT}
    assert contrast(DEFAULT_ACCENT, "#ffffff") >= 4.5
    for paper in ("#ffffff", "#16181a", "#1e1e1e", "#000000"):
        assert contrast(DEFAULT_ACCENT, paper) >= 3


def test_themes_have_legible_text() -> None:
    themes = re.findall(r"theme=\w+\].*--_ink: (#\w+); --_paper: (#\w+)", STYLE)
    assert len(themes) == 2
    for ink, paper in themes:
        assert contrast(ink, paper if len(paper) == 7 else "#" + paper[1:] * 2) >= 4.5
