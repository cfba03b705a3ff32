"""Secrets that stand in files: each read from where `…_FILE` says, and never from two places."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from core.settings import FROM_FILES, SettingsError, load_settings

README = Path(__file__).resolve().parents[2] / "README.md"
VALUES = {
    "database_url": "sqlite:////srv/goalpost/books.sqlite",
    "secret_key": "long and random",
    "stripe_secret_key": "sk_test_file",
    "stripe_webhook_secret": "whsec_one,whsec_two",
    "challenge_secret_key": "challenging",
    "mail_url": "smtp://user:password@mail.example:587",
    "metrics_token": "long-and-random-for-a-monitor",
}


def test_each_secret_is_read_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tuple(VALUES) == FROM_FILES
    monkeypatch.setenv("MAIL_FROM", "site@courier.example")
    for name, value in VALUES.items():
        # As an editor leaves it, with a line's end.
        (tmp_path / name).write_text(f"{value}\n")
        monkeypatch.setenv(f"{name.upper()}_FILE", str(tmp_path / name))
    settings = load_settings()
    for name, value in VALUES.items():
        held = getattr(settings, name)
        parts = held if isinstance(held, tuple) else (held,)
        told = [part.get_secret_value() if isinstance(part, SecretStr) else part for part in parts]
        assert ",".join(told) == value


@pytest.mark.parametrize("name", FROM_FILES)
def test_readme_names_each(name: str) -> None:
    assert f"`{name.upper()}_FILE`" in README.read_text(encoding="utf-8")


def test_two_places_for_one_secret_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("from the file")
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SECRET_KEY", "from the environment")
    with pytest.raises(SettingsError, match="SECRET_KEY and SECRET_KEY_FILE are both set") as told:
        load_settings()
    assert "from the" not in str(told.value)


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xff\xfe", b"x" * 20_000, None])
def test_file_that_holds_no_secret_is_named(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("SECRET_KEY_FILE", str(file))
    with pytest.raises(SettingsError, match=r"SECRET_KEY_FILE names .*key, which"):
        load_settings()
