from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.conftest import fresh_database
from tests.databases import KINDS

OpenDatabase = Callable[[], AbstractContextManager[str]]


@pytest.fixture(params=KINDS)
def open_database(request: pytest.FixtureRequest, tmp_path: Path) -> OpenDatabase:
    """Opens a fresh, migrated database as often as it is called, one after the other."""
    return lambda: fresh_database(request, request.param, tmp_path)
