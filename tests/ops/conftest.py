"""What the tests of the command line share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy.orm import Session

from tests.core.receiver import Receiver
from tests.live_site import clean_environment
from tests.subscribers import subscribe

Run = Callable[..., Result]
Start = Callable[..., subprocess.Popen[str]]
STOP_SECONDS = 60.0


@pytest.fixture
def run(app: Flask) -> Run:
    """Run a command line, given as words, and return what came of it."""
    runner = app.test_cli_runner()

    def run(*words: str) -> Result:
        return runner.invoke(args=list(words))

    return run


@pytest.fixture
def start(database_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start `python -m` of these words on the test's books; end what is left of it afterwards."""
    begun: list[subprocess.Popen[str]] = []

    def start(*command: str, **settings: str) -> subprocess.Popen[str]:
        environment = {"DATABASE_URL": database_url, "SECRET_KEY": "test", **settings}
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            env=clean_environment(**environment),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.terminate()  # it ends its own first
        try:
            process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().serving() as receiver:
        yield receiver


@pytest.fixture
def subscriber(session: Session, receiver: Receiver) -> int:
    """Have all notices posted to the receiver; return the subscriber's number."""
    added = subscribe(session, receiver.url, local=True)
    session.commit()
    return added.id
