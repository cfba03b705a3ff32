from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from dotenv import dotenv_values

from ops.development import complete_environment
from tests.live_site import LiveSite, clean_environment, free_port, wait_until_none


@pytest.fixture
def site(tmp_path: Path) -> LiveSite:
    return LiveSite(tmp_path)


def read(address: str) -> str:
    with urllib.request.urlopen(address, timeout=20) as answer:  # noqa: S310 - our own site
        text: str = answer.read().decode()
        return text


def run_command(site: LiveSite, *words: str) -> str:
    """Run a command on the books of a site, as README.md says."""
    return subprocess.run(
        [sys.executable, "-m", "flask", "-e", "instance/development.env", "--app", "app", *words],
        cwd=site.folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_it_starts_everything_and_ctrl_c_ends_everything(site: LiveSite) -> None:
    with site:
        site.start()

        assert f"{site.url}/demo/article" in site.output
        assert f"{site.url}/c/support-us" in site.output
        assert site.sandbox_url in site.output
        for step in ("sandbox", "mail", "database", "demo campaign", "web", "scheduler"):
            assert f"✓ {step}" in site.output
        assert "<donation-goal" in read(f"{site.url}/demo/article")
        assert "Continue to payment" in read(f"{site.url}/c/support-us")
        assert json.loads(read(f"{site.url}/readyz"))["status"] == "ready"
        assert "None yet" in read(f"http://localhost:{site.port + 2}/")
        assert len(site.members()) >= 5  # itself, web (two), scheduler, sandbox, mail

        assert site.stop(signal.SIGINT) == 0
        assert site.lines[-1] == "Stopped."
        assert wait_until_none(site) == {}


def test_a_second_start_keeps_books_and_secrets(site: LiveSite) -> None:
    environment_file = site.folder / "instance" / "development.env"
    with site:
        site.start()
        before = json.loads(read(f"{site.url}/api/v1/campaigns/support-us"))
        kept = dotenv_values(environment_file)
        assert stat.S_IMODE(environment_file.stat().st_mode) == 0o600

        assert site.stop(signal.SIGTERM) == 0
        assert wait_until_none(site) == {}

        site.start()
        after = json.loads(read(f"{site.url}/api/v1/campaigns/support-us"))
        assert dotenv_values(environment_file) == kept
        assert after["donations"] == before["donations"]
        assert "The books are right" in run_command(site, "ledger", "verify")

        # And where one of them dies, the others don't stay behind.
        os.kill(site.member("scheduler run"), signal.SIGKILL)
        assert site.wait() == 1
        assert "scheduler was ended by SIGKILL" in site.output
        assert "Everything else is stopped too." in site.output
        assert wait_until_none(site) == {}


@pytest.mark.parametrize(
    ("offset", "whose"),
    [(0, "the site"), (1, "the sandbox"), (2, "the mail catcher"), (3, "the mail catcher")],
)
def test_a_port_in_use_is_said_before_anything_is_started(
    tmp_path: Path, offset: int, whose: str
) -> None:
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", port + offset)),
        LiveSite(tmp_path, port=port) as site,
    ):
        site.launch()

        assert site.wait() == 1
        assert f"Port {port + offset}, which {whose} needs, can't be had" in site.output
        assert "make run PORT=8010" in site.output
        assert "✓" not in site.output
        assert not list((tmp_path / "instance").glob("*.sqlite"))


def test_two_runs_on_the_same_books_are_refused(tmp_path: Path) -> None:
    with LiveSite(tmp_path) as first, LiveSite(tmp_path) as second:
        first.launch()
        while not (tmp_path / "instance" / "goalpost.sqlite").exists():
            assert first.members()
        second.launch()

        assert second.wait() == 1
        assert "Goalpost runs already" in second.output
        # Stopped in the middle of its start, the first one leaves nothing either.
        assert first.stop(signal.SIGTERM) == 0
        assert wait_until_none(first) == {}


def test_settings_that_contradict_each_other_are_all_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("STRIPE_SECRET_KEY=sk_live_real\nSECRET_KEY=short\nDEMO=true\n")
    with LiveSite(tmp_path) as site:
        site.launch()

        assert site.wait() == 1
        for name in ("STRIPE_WEBHOOK_SECRET", "SECRET_KEY", "BASE_URL", "DEMO"):
            assert name in site.output
        assert "Traceback" not in site.output
        assert "sk_live_real" not in site.output


def test_without_a_key_the_sandbox_stands_in(tmp_path: Path) -> None:
    added = complete_environment({}, port=8010, instance=tmp_path)

    assert added["STRIPE_API_BASE"] == "http://localhost:8011"
    assert added["STRIPE_SECRET_KEY"].startswith("sk_test_")
    assert added["DEMO"] == "true"
    assert added["BASE_URL"] == "http://localhost:8010"
    assert added["DATABASE_URL"].endswith(f"{tmp_path}/goalpost.sqlite")


def test_secrets_are_different_on_every_machine(tmp_path: Path) -> None:
    one, other = (complete_environment({}, port=8000, instance=tmp_path) for _ in range(2))

    assert one["SECRET_KEY"] != other["SECRET_KEY"]
    assert one["STRIPE_WEBHOOK_SECRET"] != other["STRIPE_WEBHOOK_SECRET"]


def test_what_is_given_is_not_touched(tmp_path: Path) -> None:
    given = {"SECRET_KEY": "mine", "DATABASE_URL": "postgresql://db", "BASE_URL": "http://x"}

    added = complete_environment(given, port=8000, instance=tmp_path)

    assert not given.keys() & added.keys()


def test_with_a_test_key_stripe_itself_is_asked_and_the_demo_stays(tmp_path: Path) -> None:
    given = {"STRIPE_SECRET_KEY": "sk_test_mine", "STRIPE_WEBHOOK_SECRET": "whsec_mine"}

    added = complete_environment(given, port=8000, instance=tmp_path)

    assert "STRIPE_API_BASE" not in added
    assert added["DEMO"] == "true"


def test_with_a_live_key_there_is_no_demo(tmp_path: Path) -> None:
    added = complete_environment({"STRIPE_SECRET_KEY": "sk_live_x"}, port=8000, instance=tmp_path)

    assert "DEMO" not in added
