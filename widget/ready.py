"""An answer as ready bytes: its status, headers and body, compressed as well, and its 304."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import brotli  # type: ignore[import-untyped]

Headers = list[tuple[str, str]]
Variant = tuple[Headers, bytes]

PLAIN, GZIP, BROTLI = range(3)
_CODINGS = ("", "gzip", "br")
# The last step of Brotli saves a tenth and takes forty times as long: only what stays is worth it.
_QUICK_QUALITY, _BEST_QUALITY = 5, 11
_TEXT = re.compile(r"text/|application/(?:.*\+)?(?:json|xml|javascript)\b|image/svg\+xml")
_OURS = frozenset({"content-length", "content-encoding", "date", "etag", "vary"})
_OF_A_BODY = frozenset({"content-type", "content-length", "content-encoding"})
_OVERHEAD_BYTES = 4096  # what the headers and the objects of an answer take, about


@dataclass(frozen=True, slots=True)
class Ready:
    """All that the server needs to answer with, whoever asks."""

    body: bytes
    etag: str
    variants: tuple[Variant, Variant, Variant]  # by PLAIN, GZIP and BROTLI
    unchanged: Headers  # of the 304
    is_settled: bool  # compressed as well as can be

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        return _OVERHEAD_BYTES + sum(len(body) for _, body in self.variants)


def is_for_all(status: str, headers: Headers) -> bool:
    """Tell whether an answer is the same for everybody, and may be kept."""
    told = {name.lower(): value.lower() for name, value in headers}
    return (
        status.startswith("200 ")
        and "public" in re.split(r"[\s,]+", told.get("cache-control", ""))
        and "set-cookie" not in told
        and told.get("vary", "accept-encoding") == "accept-encoding"
        and "content-encoding" not in told
    )


def make_ready(headers: Headers, body: bytes, *, previous: Ready | None) -> Ready:
    """Compress an answer; what `previous` has of it already is not done again."""
    told = {name.lower(): value for name, value in headers}
    kept = [(name, value) for name, value in headers if name.lower() not in _OURS]
    etag = _weak(told.get("etag") or f'"{hashlib.sha256(body).hexdigest()[:16]}"')
    kept.append(("ETag", etag))
    bodies: tuple[bytes, bytes, bytes] = (body, body, body)
    is_settled = True
    if _TEXT.match(told.get("content-type", "")):
        kept.append(("Vary", "Accept-Encoding"))
        stays = previous is not None and previous.body == body
        if previous is not None and stays and previous.is_settled:
            bodies = (body, previous.variants[GZIP][1], previous.variants[BROTLI][1])
        else:
            bodies, is_settled = _compressed(body, stays=stays), stays
    plain, zipped, squeezed = (
        _variant(kept, body, packed, coding)
        for packed, coding in zip(bodies, _CODINGS, strict=True)
    )
    return Ready(
        body=body,
        etag=etag,
        variants=(plain, zipped, squeezed),
        unchanged=[(name, value) for name, value in kept if name.lower() not in _OF_A_BODY],
        is_settled=is_settled,
    )


def _weak(etag: str) -> str:
    # Bodies that differ in the time of reading, or in how they are packed, share one tag.
    return etag if etag.startswith("W/") else f"W/{etag}"


def _compressed(body: bytes, *, stays: bool) -> tuple[bytes, bytes, bytes]:
    """Return the body in each coding; as it is where compressing makes nothing smaller."""
    # No time stamp: the same body makes the same bytes on every process.
    zipped = gzip.compress(body, compresslevel=9, mtime=0)
    squeezed = brotli.compress(body, quality=_BEST_QUALITY if stays else _QUICK_QUALITY)
    return body, min(zipped, body, key=len), min(squeezed, body, key=len)


def _variant(headers: Headers, body: bytes, packed: bytes, coding: str) -> Variant:
    own = [("Content-Length", str(len(packed)))]
    if packed is not body:
        own.append(("Content-Encoding", coding))
    return [*headers, *own], packed


@lru_cache(maxsize=256)  # browsers send few different ones, and a hit is one look into a table
def choose_coding(accepted: str) -> int:
    """Return which variant suits an Accept-Encoding header best (RFC 9110, 12.5.3)."""
    weights = dict(_weights(accepted.lower()))
    # What takes "anything" is given what has been understood for thirty years.
    offers = [
        (weights.get("br", 0.0), BROTLI),
        (weights.get("gzip", weights.get("*", 0.0)), GZIP),
        (weights.get("identity", 0.0), PLAIN),
    ]
    weight, coding = max(offers)
    return coding if weight > 0 else PLAIN


def _weights(accepted: str) -> Iterable[tuple[str, float]]:
    for part in accepted.split(","):
        coding, _, parameter = part.partition(";")
        name, _, value = parameter.partition("=")
        try:
            weight = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            weight = 0.0
        yield coding.strip(), weight


def is_known(asked: str, etag: str) -> bool:
    """Tell whether an If-None-Match header names the tag (RFC 9110, 13.1.2: weak comparison)."""
    bare = etag.removeprefix("W/")
    return any(part.strip().removeprefix("W/") in {bare, "*"} for part in asked.split(","))
