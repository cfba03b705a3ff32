"""Static files: kept for good at addresses that change with them, and for a minute at others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from core import static
from tests.conftest import MakeCampaign

FOR_GOOD = {"public", "immutable"}
FILES = sorted(
    file.relative_to(static.FOLDER).as_posix()
    for file in static.FOLDER.rglob("*")
    if file.is_file()
)
PAGES = [
    *("/", "/c/support-us", "/c/support-us/months", "/c/nothing-here", "/demo/article"),
    *("/demo/gallery", "/admin/sign-in"),
]
REFERENCE = re.compile(r"""(?:src|href)="(?:http://localhost:8000)?(/static/[^"]+)\"""")
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def words_of(response_header: str) -> set[str]:
    return {word.strip() for word in response_header.split(",")}


@only_sqlite
def test_every_file_is_kept_for_good_and_may_stand_on_any_page(client: FlaskClient) -> None:
    assert len(FILES) > 20
    for name in FILES:
        with client.get(f"{static.static_path()}/{name}") as answer:
            assert answer.status_code == 200, name
            kept = words_of(answer.headers["Cache-Control"])
            assert kept >= FOR_GOOD, name
            assert any(int(word[8:]) >= 31_536_000 for word in kept if word.startswith("max-age="))
            assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin", name
            assert answer.headers["X-Content-Type-Options"] == "nosniff", name
            assert answer.data == (static.FOLDER / name).read_bytes(), name


@only_sqlite
@pytest.mark.parametrize("path", ["/static", "/static/0123456789abcdef"])
def test_address_that_tells_no_or_another_release_is_kept_for_a_minute(
    client: FlaskClient, path: str
) -> None:
    with client.get(f"{path}/site.css") as answer:
        assert answer.data == (static.FOLDER / "site.css").read_bytes()
        assert words_of(answer.headers["Cache-Control"]) == {"public", "max-age=60"}
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'"


@only_sqlite
@pytest.mark.parametrize(
    "path",
    [
        "/static/none.css",
        "/static/0123456789abcdef/none.css",
        "/static/0123456789abcdef/..%2f..%2fapp.py",
        f"{static.static_path()}/none.css",
    ],
)
def test_file_that_is_not_there_is_kept_by_nobody(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["Cache-Control"] == "no-store"


@only_sqlite
def test_every_page_names_files_by_their_release(
    client: FlaskClient, make_campaign: MakeCampaign
) -> None:
    make_campaign()
    for path in PAGES:
        named = REFERENCE.findall(client.get(path).text)
        assert named, path
        assert all(name.startswith(f"{static.static_path()}/") for name in named), path


def test_no_template_writes_an_address_itself() -> None:
    templates = (static.FOLDER.parent / "templates").rglob("*.*")
    assert [file.name for file in templates if "/static/" in file.read_text("utf-8")] == []


def test_path_changes_with_any_file_and_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static, "FOLDER", tmp_path)
    seen = set()
    for name, text in (("a", "1"), ("a", "2"), ("b", "2"), ("c/b", "2")):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        seen.add(static.static_path.__wrapped__())
    assert len(seen) == 4
