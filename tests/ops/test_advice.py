from __future__ import annotations

from typing import Any

import pytest

from ops.advice import advise
from tests.conftest import make_settings

POSTGRES = "postgresql://db.example/goalpost"
LARGE: dict[str, Any] = {
    "database_url": POSTGRES,
    "ratelimit_enabled": True,
    "ratelimit_storage_uri": "redis://cache.example",
    "base_url": "https://goal.example.org",
    "trusted_proxies": 1,
}


def test_site_that_is_set_up_for_many_processes_is_told_nothing() -> None:
    assert list(advise(make_settings(**LARGE))) == []


@pytest.mark.parametrize(
    ("name", "value", "about", "told"),
    [
        ("database_url", "sqlite:///a", "processes", "one web process"),
        ("ratelimit_storage_uri", "memory://", "limits", "each web process alone"),
        ("ratelimit_enabled", False, "limits", "are off"),
        ("base_url", "http://goal.example.org", "BASE_URL", "no https"),
        ("trusted_proxies", 0, "proxies", "none is trusted"),
    ],
)
def test_what_is_left_open_is_said(name: str, value: object, about: str, told: str) -> None:
    ((found, sentence),) = advise(make_settings(**(LARGE | {name: value})))
    assert found == about
    assert told in sentence
