"""Put the element's one file together, once, when the application starts."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from string import ascii_letters

import rcssmin
import rjsmin

MOST_GZIP_BYTES = 4096
# rjsmin keeps names, and what an article's reader loads is counted in bytes. So the script's own
# names are shortened here. Each must be private to it: no name of the platform, of the progress
# JSON or of anything that a page may use. First those that are known in more than one place, each
# with a letter of its own; then, a line for each function, those that are known there only, which
# share the letters that are left. tests/widget/test_script.py looks after all that.
SHARED_NAMES = (
    "make progress chosen HOME feeds feed members askedAt endsAt failures wake ask element"
    " near sizes place tell choose draw offer group pairs item assign framed screen sheet report"
    " address box upper lower rhythm sums scale stamp NAME openFeed DonationGoal"
).split()
LOCAL_NAMES = (
    "texts".split(),
    "patience jitter wait today left timer".split(),
    "answer serverNow error".split(),
    "event entries".split(),
    "parent content tag node attributes".split(),
    "first told".split(),
    "shade slug".split(),
    "stroke rail line last text".split(),
    "free whole gap placed begin".split(),
    "shown own one like article query".split(),
    "what flag".split(),
)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served: its bytes, the same compressed, and what they are known by."""

    body: bytes
    gzipped: bytes
    digest: str  # in addresses and entity tags
    integrity: str  # for `<script integrity>` and content security policies


def digest_of(body: bytes) -> str:
    """Return what a body is known by in addresses and entity tags."""
    return hashlib.sha256(body).hexdigest()[:16]


def make_asset(text: str) -> Asset:
    """Compress and name a text."""
    body = text.encode()
    sha256 = hashlib.sha256(body)
    return Asset(
        body=body,
        # No time stamp, so that the same input makes the same bytes on every process.
        gzipped=gzip.compress(body, compresslevel=9, mtime=0),
        digest=digest_of(body),
        integrity="sha256-" + base64.b64encode(sha256.digest()).decode(),
    )


def assemble_script(folder: Path, *, base_url: str) -> Asset:
    """Return the element with its stylesheet and the tracker's address put in."""
    css: str = rcssmin.cssmin((folder / "donation-goal.css").read_text(encoding="utf-8"))
    # In its shadow root the bar is alone, and nobody reads its private properties.
    css = css.replace(".goal ", "")
    script: str = rjsmin.jsmin((folder / "donation-goal.js").read_text(encoding="utf-8"))
    for name, letter in short_names().items():
        script = re.sub(rf"\b{name}\b", letter, script)
    # What rjsmin leaves, since it knows no grammar. Here every statement ends in a semicolon.
    script = re.sub(r",?;?\n?([})])", r"\1", script).replace("}\n", "}").replace("const ", "let ")
    script = re.sub(r"--_(\w)\w*", r"--_\1", script.replace("'@@css@@'", json.dumps(css)))
    return make_asset(script.replace("@@home@@", base_url))


def minified_script(file: Path) -> Asset:
    """Return a script as it is written, without its comments."""
    return make_asset(rjsmin.jsmin(file.read_text(encoding="utf-8")))


def assemble_style(*files: Path) -> Asset:
    """Return the stylesheets as one, minified: what a page's style element holds."""
    texts = [file.read_text(encoding="utf-8") for file in files]
    return make_asset(rcssmin.cssmin("\n".join(texts)))


def short_names() -> dict[str, str]:
    """Return the letter that each private name of the script becomes."""
    free = len(SHARED_NAMES)
    return dict(zip(SHARED_NAMES, ascii_letters, strict=False)) | {
        name: letter
        for names in LOCAL_NAMES
        for name, letter in zip(names, ascii_letters[free:], strict=False)
    }
