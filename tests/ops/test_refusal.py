"""A site whose settings are not right does not start, and says all that is wrong at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.live_site import clean_environment, free_port

COMMANDS = {
    "flask": ["flask", "--app", "app", "run"],
    "serve": ["flask", "--app", "app", "serve"],
    "gunicorn": ["gunicorn", "--no-control-socket", "app:create_app()"],
}


def run(server: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    port = str(free_port())
    listen = ["--port", port]
    address = {"flask": listen, "serve": listen, "gunicorn": ["--bind", f"127.0.0.1:{port}"]}
    return subprocess.run(
        [sys.executable, "-m", *COMMANDS[server], *address[server]],
        cwd=folder,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("server", COMMANDS)
def test_missing_settings_keep_a_server_from_starting(server: str, tmp_path: Path) -> None:
    finished = run(server, tmp_path)

    assert finished.returncode != 0
    assert "SECRET_KEY is missing" in finished.stderr


@pytest.mark.parametrize("server", COMMANDS)
def test_every_problem_is_named_at_once(server: str, tmp_path: Path) -> None:
    finished = run(
        server,
        tmp_path,
        SECRET_KEY="short",
        STRIPE_SECRET_KEY="sk_live_not_a_real_one",
        BASE_URL="http://goal.example.org",
    )

    assert finished.returncode != 0
    for problem in (
        "STRIPE_WEBHOOK_SECRET is missing",
        "BASE_URL must be an https:// address",
        "SECRET_KEY must have at least 32 characters",
    ):
        assert problem in finished.stderr
    assert "sk_live_not_a_real_one" not in finished.stderr


def test_an_empty_webhook_secret_counts_as_missing(tmp_path: Path) -> None:
    finished = run(
        "flask",
        tmp_path,
        SECRET_KEY="test",
        STRIPE_SECRET_KEY="sk_test_x",
        STRIPE_WEBHOOK_SECRET=" , ",
    )

    assert finished.returncode != 0
    assert "STRIPE_WEBHOOK_SECRET is missing" in finished.stderr
