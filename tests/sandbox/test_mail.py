"""The mail catcher: keeps what it is given, shows it, and lets nothing in it run."""

from __future__ import annotations

import gc
import json
import signal
import smtplib
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from sandbox.mail import main
from tests.live_site import free_port
from tests.sandbox_process import ROOT


class Catcher:
    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def read(self, path: str) -> tuple[str, str]:
        """Return a page, and its policy."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:  # noqa: S310
            return answer.read().decode(), answer.headers["Content-Security-Policy"]

    def send(self, message: EmailMessage) -> None:
        with smtplib.SMTP("127.0.0.1", self.port + 1, timeout=10) as connection:
            connection.send_message(message)


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    port = free_port()
    command = [sys.executable, "-m", "sandbox.mail", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--smtp-port", str(port + 1)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert "Mail is kept at" in process.stdout.readline()
    yield Catcher(port)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    process.stdout.close()


def letter() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "The Courier <a@courier.example>", "ann@example.org"
    message["Subject"] = "Благодарим & <b>thanks</b>"
    message.set_content("See https://goal.example/manage/x\n<script>alert(1)</script>")
    message.add_alternative("<h1>Thanks</h1><script>alert(2)</script>", subtype="html")
    return message


def test_a_mail_is_kept_and_shown(catcher: Catcher) -> None:
    assert "None yet" in catcher.read("/")[0]
    catcher.send(letter())
    page, _ = catcher.read("/")
    assert "Благодарим &amp; &lt;b&gt;thanks&lt;/b&gt;" in page
    page, policy = catcher.read("/mails/1")
    assert "ann@example.org" in page
    assert 'href="https://goal.example/manage/x"' in page
    assert "<script>" not in page
    assert "default-src 'none'" in policy


def test_the_mail_s_own_html_can_run_nothing(catcher: Catcher) -> None:
    catcher.send(letter())
    page, policy = catcher.read("/mails/1.html")
    assert "<h1>Thanks</h1>" in page
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert "sandbox" in policy


def test_mails_are_told_to_tests(catcher: Catcher) -> None:
    catcher.send(letter())
    (mail,) = json.loads(catcher.read("/_sandbox/mails")[0])
    assert mail["to"] == ["ann@example.org"]
    assert mail["text"].startswith("See https://goal.example/manage/x")
    assert mail["html"].startswith("<h1>Thanks</h1>")


def test_a_mail_that_is_not_there_is_said(catcher: Catcher) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        catcher.read("/mails/7")


def test_a_port_in_use_is_said_in_one_sentence(
    catcher: Catcher, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--port", str(free_port()), "--smtp-port", str(catcher.port + 1)]) == 1
    assert capsys.readouterr().err.startswith("mail: Cannot listen")
    gc.collect()  # what was left open would be told of here
