"""What the tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy.orm import Session

from tests.core.receiver import Receiver
from tests.subscribers import subscribe

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    """Run a command line, given as words, and return what came of it."""
    runner = app.test_cli_runner()

    def run(*words: str) -> Result:
        return runner.invoke(args=list(words))

    return run


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
