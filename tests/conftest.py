"""What every test may ask for. Each gets a database of its own; nothing is shared but templates.

A test that takes `database_url`, or anything built on it, runs on SQLite and on PostgreSQL.
One that is about neither takes the first alone:

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings as hypothesis_settings
from playwright.sync_api import expect
from sqlalchemy.orm import Session

import admin.security
from app import create_app
from campaigns.catalog import NewCampaign, create_campaign
from campaigns.models import Campaign
from core import revisions
from core.clock import MovableClock
from core.db import db
from core.settings import Settings
from payments.donating import OfflineGift, record_offline_gift
from payments.models import Donation
from tests import folders, postgres
from tests.compiled import COMPILED, keep_what_is_alike
from tests.databases import KINDS, PostgresTemplate, SqliteTemplate
from tests.fake_events import WEBHOOK_SECRET
from tests.fake_gateway import FakeGateway

# A test never asserts a time: not each example either.
hypothesis_settings.register_profile("goalpost", deadline=None)
hypothesis_settings.load_profile("goalpost")
# Nor how long a browser takes, on a machine that does much else.
expect.set_options(timeout=30_000)

START = datetime(2021, 5, 12, 10, 11, 12, tzinfo=UTC)

# The developer's own settings decide nothing here: neither the environment nor .env.
for _name in Settings.model_fields:
    os.environ.pop(_name.upper(), None)
Settings.model_config["env_file"] = None

# What a password costs to hash is a promise (tests/admin/test_passwords.py holds it); tests that
# sign people in don't pay it each time.
REAL_HASHING = dict(admin.security.HASHING)
admin.security.HASHING.update(argon2__memory_cost=8, argon2__time_cost=1)

# Tests count what a page asks the books for, and how long they take is no matter of theirs.
revisions.LOOK_EVERY_MILLISECONDS = 3_600_000

keep_what_is_alike()

_run_key = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        folders.keep_files_in_memory()
        config.stash[_run_key] = postgres.open_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    if _run_key in config.stash:
        postgres.close_run(config.stash[_run_key])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests want told although they passed: the crash loop's seed and its kills."""
    told = [
        f"{report.nodeid}: {text}"
        for report in terminalreporter.getreports("passed")
        for name, text in report.user_properties
        if name == "told"
    ]
    if told:
        terminalreporter.write_sep("-", "told")
        for line in told:
            terminalreporter.write_line(line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser_type_launch_args" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplate:
    return SqliteTemplate(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def postgres_template(worker_id: str) -> Iterator[PostgresTemplate]:
    template = PostgresTemplate(postgres.server_address(), f"{os.getpid()}_{worker_id}")
    yield template
    template.close()


@contextmanager
def fresh_database(request: pytest.FixtureRequest, kind: str, folder: Path) -> Iterator[str]:
    """Give the address of a fresh, migrated database; SQLite's file lies in `folder`."""
    # Asked for by name, so that a test of SQLite alone starts no PostgreSQL.
    if kind == "sqlite":
        template: SqliteTemplate = request.getfixturevalue("sqlite_template")
        with template.copy(folder) as url:
            yield url
    else:
        server: PostgresTemplate = request.getfixturevalue("postgres_template")
        with server.copy() as url:
            yield url


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh, migrated database."""
    with fresh_database(request, request.param, tmp_path) as url:
        yield url


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(START)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return make_settings(database_url=database_url)


def make_settings(**changes: Any) -> Settings:
    """Return the settings of a test site, with `changes`."""
    values: dict[str, Any] = {
        "secret_key": "test",
        "base_url": "http://localhost:8000",
        "stripe_secret_key": "sk_test_fake",
        "stripe_webhook_secret": WEBHOOK_SECRET,
        "ratelimit_enabled": False,
        "demo": True,
        # A test reads what it wrote; the tests of the snapshots say otherwise.
        "snapshot_seconds": 0,
    }
    return Settings(**(values | changes))


@pytest.fixture
def fake_gateway(settings: Settings, clock: MovableClock) -> FakeGateway:
    return FakeGateway(settings, clock)


@pytest.fixture
def app(settings: Settings, clock: MovableClock, fake_gateway: FakeGateway) -> Iterator[Flask]:
    app = create_app(settings, clock=clock, gateway=fake_gateway)
    app.testing = True
    app.jinja_env.bytecode_cache = COMPILED
    app.extensions[revisions.EXTENSION].note(None)  # its tables are new
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    """A session of its own, beside those of the requests.

    On SQLite, reading too holds the write lock until the transaction ends: commit or roll back
    before a request is made.
    """
    with app.app_context():
        maker = db.sessionmaker
    with maker() as session:
        yield session


class MakeCampaign(Protocol):
    """Makes a campaign, and commits."""

    def __call__(self, slug: str = "support-us", **changes: Any) -> Campaign: ...


@pytest.fixture
def make_campaign(session: Session, clock: MovableClock) -> MakeCampaign:
    def make(slug: str = "support-us", **changes: Any) -> Campaign:
        values: dict[str, Any] = {
            "title": "Support us",
            "currency": "USD",
            "timezone": "America/New_York",
            "tiers_minor": (250_000, 500_000),
            "money_format": "{amount} {symbol}",
        }
        campaign = create_campaign(
            session, NewCampaign(slug=slug, **(values | changes)), now=clock.now()
        )
        session.commit()
        return campaign

    return make


class Give(Protocol):
    """Records an offline gift, and commits."""

    def __call__(
        self, campaign: Campaign, amount_minor: int, paid_at: datetime | None = None
    ) -> Donation: ...


@pytest.fixture
def give(session: Session, clock: MovableClock) -> Give:
    def give(campaign: Campaign, amount_minor: int, paid_at: datetime | None = None) -> Donation:
        donation = record_offline_gift(
            session,
            campaign.slug,
            OfflineGift(amount_minor=amount_minor, paid_at=paid_at or clock.now()),
            now=clock.now(),
        )
        session.commit()
        return donation

    return give


def browser_launch_options() -> dict[str, Any]:
    """Take the system's Chromium where there is one, and Playwright's own otherwise.

    The shell without windows first: `.ci/browser` sees to it.
    """
    system = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    return {
        "headless": True,
        "args": [
            *("--no-sandbox", "--disable-gpu"),
            # Nothing beyond this machine is found, whatever a page asks for.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE *localhost",
        ],
        **({"executable_path": system} if system else {}),
    }


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    return browser_launch_options()
