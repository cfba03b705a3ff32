"""Put the element's one file together, once, when the application starts."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import rcssmin
import rjsmin

MOST_GZIP_BYTES = 4096
# rjsmin keeps names, and what an article's reader loads is counted in bytes. So the script's own
# longest names are shortened here. Each must be private to it: no name of the platform, of the
# progress JSON or of anything that a page may use; tests/widget/test_script.py looks after that.
PRIVATE_NAMES = tuple(
    "HOME NAME WORDS POLL_MS JITTER_MS FRESH_MS TIMEOUT_MS Feed DonationGoal feeds members askedAt"
    " endsAt wake element near feed sizes choices place stale shows share whole words zero given"
    " framed screen sheet stroke heading offer".split()
)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served: its bytes, the same compressed, and what they are known by."""

    body: bytes
    gzipped: bytes
    digest: str  # in addresses and entity tags
    integrity: str  # for `<script integrity>` and content security policies


def make_asset(text: str) -> Asset:
    """Compress and name a text."""
    body = text.encode()
    sha256 = hashlib.sha256(body)
    return Asset(
        body=body,
        # No time stamp, so that the same input makes the same bytes on every process.
        gzipped=gzip.compress(body, compresslevel=9, mtime=0),
        digest=sha256.hexdigest()[:16],
        integrity="sha256-" + base64.b64encode(sha256.digest()).decode(),
    )


def assemble_script(folder: Path, *, base_url: str) -> Asset:
    """Return the element with its stylesheet and the tracker's address put in."""
    css: str = rcssmin.cssmin((folder / "donation-goal.css").read_text(encoding="utf-8"))
    script: str = rjsmin.jsmin((folder / "donation-goal.js").read_text(encoding="utf-8"))
    for number, name in enumerate(PRIVATE_NAMES):
        script = re.sub(rf"\b{name}\b", _short_name(number), script)
    return make_asset(
        script.replace("'@@css@@'", json.dumps(css)).replace("@@home@@", base_url),
    )


def minified_script(file: Path) -> Asset:
    """Return a script as it is written, without its comments."""
    return make_asset(rjsmin.jsmin(file.read_text(encoding="utf-8")))


def assemble_style(*files: Path) -> Asset:
    """Return the stylesheets as one, minified: what a page's style element holds."""
    texts = [file.read_text(encoding="utf-8") for file in files]
    return make_asset(rcssmin.cssmin("\n".join(texts)))


def _short_name(number: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return letters[number]
