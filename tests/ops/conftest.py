"""What the tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result
from flask import Flask

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    """Run a command line, given as words, and return what came of it."""
    runner = app.test_cli_runner()

    def run(*words: str) -> Result:
        return runner.invoke(args=list(words))

    return run
