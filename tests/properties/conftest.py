from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.databases import KINDS, PostgresTemplate, SqliteTemplate

OpenDatabase = Callable[[], AbstractContextManager[str]]


@pytest.fixture(params=KINDS)
def open_database(request: pytest.FixtureRequest, tmp_path: Path) -> OpenDatabase:
    """Opens a fresh, migrated database as often as it is called, one after the other."""
    if request.param == "sqlite":
        template: SqliteTemplate = request.getfixturevalue("sqlite_template")
        return lambda: template.copy(tmp_path)
    server: PostgresTemplate = request.getfixturevalue("postgres_template")
    return server.copy
