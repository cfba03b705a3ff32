from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.__main__ import main
from tests.sandbox.donor import pay_one, payment
from tests.sandbox_process import ROOT, SandboxProcess, running_sandbox


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_help_is_a_manual(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    told = capsys.readouterr().out
    for word in ("It is not Stripe", "--webhook-secret", "4242 4242 4242 4242", "example:"):
        assert word in told


def test_port_in_use_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = run("--port", str(port), "--state", str(tmp_path / "state.sqlite"))
    assert told.returncode == 1
    assert told.stdout == ""
    assert (
        told.stderr
        == f"sandbox: Cannot listen on 127.0.0.1, port {port}: Address already in use.\n"
    )


def test_file_that_is_no_state_is_said_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    path.write_text("This is no database, and long enough to be read as one." * 50)
    told = run("--port", "0", "--state", str(path))
    assert told.returncode == 1
    assert told.stderr.count("\n") == 1
    assert "cannot be used" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--webhook-url", "http://127.0.0.1:1/"], "every delivery is signed"),
        (["--webhook-url", "localhost:8000"], "is not an http or https address"),
        (["--public-url", "//example"], "is not an http or https address"),
        (["--port", "65536"], "is not a port"),
    ],
)
def test_wrong_options_are_explained(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_name_that_leads_nowhere_is_said_in_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--host", "256.256.256.256", "--port", "0"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("sandbox: Cannot listen on 256.256.256.256, port 0: ")
    assert told.count("\n") == 1


def test_sigterm_ends_it_cleanly_and_soon(tmp_path: Path) -> None:
    sandbox = SandboxProcess(tmp_path / "sandbox.sqlite").start()
    began = time.monotonic()
    assert sandbox.stop() == 0
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_restart_forgets_nothing(tmp_path: Path, how: str) -> None:
    with running_sandbox(tmp_path / "sandbox.sqlite") as sandbox:
        intent = pay_one(sandbox)
        sandbox.advance(3600)
        before = payment(sandbox, intent["id"])
        events = sandbox.events()
        now = sandbox.now()
        getattr(sandbox, how)()
        sandbox.start()
        assert payment(sandbox, intent["id"]) == before
        assert sandbox.events() == events
        assert sandbox.now() >= now


def test_what_fell_due_while_it_was_down_is_done_at_the_start(tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "sandbox.sqlite") as sandbox:
        intent_id = pay_one(sandbox)["id"]
        sandbox.kill()
        time.sleep(1.0)
        sandbox.start()
        until = time.monotonic() + 5
        while payment(sandbox, intent_id)["latest_charge"]["balance_transaction"] is None:
            assert time.monotonic() < until
            time.sleep(0.02)


def test_health_answers(sandbox: SandboxProcess) -> None:
    assert sandbox.api("GET", "/health")["status"] == "ok"
