from __future__ import annotations

import base64
import gzip
import hashlib

import pytest
from flask.testing import FlaskClient

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_script_may_be_loaded_by_every_page(client: FlaskClient) -> None:
    headers = client.get("/embed/v1.js").headers
    assert headers["Content-Type"].startswith("text/javascript")
    assert headers["Cache-Control"] == "public, max-age=3600, stale-while-revalidate=86400"
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in headers


def test_script_is_sent_compressed_to_those_who_take_it(client: FlaskClient) -> None:
    plain = client.get("/embed/v1.js")
    packed = client.get("/embed/v1.js", headers={"Accept-Encoding": "br, gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) <= 4096
    for answer in (plain, packed):
        assert answer.headers["Vary"] == "Accept-Encoding"
    # A strong tag names bytes, and these differ.
    assert plain.headers["ETag"] != packed.headers["ETag"]
    refused = client.get("/embed/v1.js", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers


def test_known_script_is_not_sent_again(client: FlaskClient) -> None:
    tag = client.get("/embed/v1.js").headers["ETag"]
    assert client.get("/embed/v1.js", headers={"If-None-Match": tag}).status_code == 304


def test_pinned_script_never_changes(client: FlaskClient) -> None:
    body = client.get("/embed/v1.js").data
    digest = hashlib.sha256(body).hexdigest()[:16]
    pinned = client.get(f"/embed/v1.{digest}.js")
    assert pinned.data == body
    assert pinned.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert pinned.headers["Access-Control-Allow-Origin"] == "*"
    assert client.get("/embed/v1.0123456789abcdef.js").status_code == 404


def test_integrity_is_of_the_bytes_served(client: FlaskClient) -> None:
    from widget.routes import EXTENSION  # noqa: PLC0415 - an internal, named only here

    script = client.application.extensions[EXTENSION].script
    expected = base64.b64encode(hashlib.sha256(client.get("/embed/v1.js").data).digest())
    assert script.integrity == f"sha256-{expected.decode()}"
