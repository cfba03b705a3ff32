from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import Settings, SettingsError, load_settings

LIVE = {
    "secret_key": "s" * 32,
    "stripe_secret_key": "sk_live_x",
    "stripe_webhook_secret": "whsec_x",
    "base_url": "https://goal.example.org",
}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # no .env here
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_secret_key_is_all_that_a_site_without_stripe_needs() -> None:
    settings = load_settings(secret_key="x")
    assert settings.sqlite
    assert not settings.livemode


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(
            database_url="mysql://x/y", base_url="goal.example.org", trusted_proxies="many"
        )
    text = str(refused.value)
    for name in ("SECRET_KEY is missing", "DATABASE_URL", "BASE_URL", "TRUSTED_PROXIES"):
        assert name in text


def test_contradictions_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(
            secret_key="short",
            stripe_secret_key="sk_live_x",
            stripe_api_base="http://127.0.0.1:8001",
            demo=True,
        )
    text = str(refused.value)
    for problem in ("STRIPE_WEBHOOK_SECRET", "STRIPE_API_BASE", "BASE_URL", "SECRET_KEY", "DEMO"):
        assert problem in text


@pytest.mark.parametrize("secrets", ["", " ", ",", " , "])
def test_key_without_a_webhook_secret_refuses_to_start(secrets: str) -> None:
    with pytest.raises(SettingsError, match="STRIPE_WEBHOOK_SECRET is missing"):
        load_settings(secret_key="x", stripe_secret_key="sk_test_x", stripe_webhook_secret=secrets)


def test_webhook_secret_without_a_key_refuses_to_start() -> None:
    with pytest.raises(SettingsError, match="STRIPE_SECRET_KEY is missing"):
        load_settings(secret_key="x", stripe_webhook_secret="whsec_x")


def test_key_that_is_none_refuses_to_start() -> None:
    with pytest.raises(SettingsError, match="must begin with"):
        load_settings(secret_key="x", stripe_secret_key="pk_test_x", stripe_webhook_secret="w")


def test_live_key_makes_a_live_site() -> None:
    assert load_settings(**LIVE).livemode
    assert not load_settings(**{**LIVE, "stripe_secret_key": "sk_test_x"}).livemode


def test_empty_secret_key_refuses_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "")
    with pytest.raises(SettingsError, match="SECRET_KEY"):
        load_settings()


def test_secrets_are_split_while_one_is_rotated() -> None:
    settings = load_settings(**{**LIVE, "stripe_webhook_secret": "whsec_a, whsec_b"})
    assert [secret.get_secret_value() for secret in settings.stripe_webhook_secret] == [
        "whsec_a",
        "whsec_b",
    ]


def test_settings_come_from_the_environment_and_from_dotenv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("SECRET_KEY=from-file\nBASE_URL=https://file.example\n")
    monkeypatch.setenv("BASE_URL", "https://environment.example/")
    settings = load_settings()
    assert settings.secret_key.get_secret_value() == "from-file"
    assert settings.base_url == "https://environment.example"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgres_addresses_get_their_driver(scheme: str) -> None:
    settings = load_settings(secret_key="x", database_url=f"{scheme}://u:p@h/d")
    assert settings.database_url == "postgresql+psycopg://u:p@h/d"
    assert not settings.sqlite


def test_secrets_are_not_printed() -> None:
    printed = repr(load_settings(**LIVE))
    assert "sk_live_x" not in printed
    assert "whsec_x" not in printed


def test_live_site_has_a_clock_that_nobody_moves(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="CLOCK_FILE"):
        load_settings(**LIVE, clock_file=tmp_path / "clock")
