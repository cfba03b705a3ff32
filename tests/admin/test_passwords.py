from __future__ import annotations

import pytest
from argon2 import extract_parameters
from flask import Flask
from flask_security.utils import hash_password

from admin import security
from admin.passwords import LEAST_CHARACTERS, MOST_CHARACTERS, checked_password
from app import create_app
from core.errors import Invalid
from tests.conftest import REAL_HASHING, make_settings

OURS = {"email": "ann.teller@courier.example", "site_name": "The Harrow Bay Courier"}


@pytest.mark.parametrize(
    "password",
    [
        "a quiet harbour at noon",
        "пять тихих гаваней",
        "x" * 3 + "7q#e" * 31,
        "correct horse battery staple",
        "T9!kd83mzq0P",
        " leading and trailing ",
    ],
)
def test_long_password_of_any_characters_is_taken_whole(password: str) -> None:
    assert len(checked_password(password, **OURS)) >= len(password)


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("T9!kd83mzq0", "at least 12"),
        ("x7q#" * 33, "at most 128"),
        ("password1234", "first that thieves try"),
        ("passwordpassword", "first that thieves try"),
        ("qwertyuiop123", "first that thieves try"),
        ("aaaaaaaaaaaaaaaa", "first that thieves try"),
        ("ann.teller2026", "too near"),
        ("TheHarrowBayCourier1", "too near"),
        ("ann.teller@courier.example", "too near"),
    ],
)
def test_short_common_and_own_names_are_refused(password: str, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        checked_password(password, **OURS)


def test_bounds_are_as_they_are_told() -> None:
    varied = "k3$Wq9!zL0@v" * 11

    assert checked_password(varied[:LEAST_CHARACTERS], **OURS)
    assert checked_password(varied[:MOST_CHARACTERS], **OURS)


def test_passwords_are_hashed_as_owasp_says(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security, "HASHING", REAL_HASHING)
    app: Flask = create_app(make_settings(database_url=f"sqlite:///{tmp_path}/x.sqlite"))
    with app.app_context():
        found = extract_parameters(hash_password("a quiet harbour at noon"))

    assert found.type.name == "ID"
    assert found.memory_cost >= 19 * 1024
    assert found.time_cost >= 2
    assert found.parallelism == 1
