"""Sites to measure: the application as it is, each on a fresh database of either kind."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from flask import Flask
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker

from app import create_app
from bench.gateway import SECRET, MemoryGateway
from campaigns.catalog import NewCampaign, create_campaign
from core.clock import MovableClock
from core.db import db, wal_is_safe
from core.settings import load_settings
from payments.gateway import Gateway, Payment
from tests import postgres
from tests.databases import KINDS, PostgresTemplate, SqliteTemplate

__all__ = ["KINDS", "NOW", "SLUG", "Site", "open_sites"]

NOW = datetime(2021, 5, 12, 10, 11, 12, tzinfo=UTC)
SLUG = "support-us"


@dataclass(frozen=True, slots=True)
class Site:
    """An application with one campaign."""

    kind: str
    app: Flask
    gateway: Gateway
    # What Stripe knows of, by id.
    payments: dict[str, Payment]
    engine: Engine
    open_session: sessionmaker[Session]
    campaign_id: int

    @property
    def database(self) -> str:
        """The database's name and version, and how it commits."""
        with self.engine.connect() as connection:
            if self.kind == "sqlite":
                version = connection.scalar(text("SELECT sqlite_version()"))
                journal = "write-ahead log" if wal_is_safe() else "rollback journal"
                return f"SQLite {version}, {journal}, full sync"
            version = connection.scalar(text("SHOW server_version"))
            fsync = connection.scalar(text("SHOW fsync"))
            return f"PostgreSQL {version}, fsync {fsync}, by a Unix socket"


@contextmanager
def open_sites(kind: str) -> Iterator[Callable[[], Site]]:
    """Give a function that makes one more site; all of them are removed in the end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="goalpost-bench-")))
        if kind == "sqlite":
            template = SqliteTemplate(folder)

            def make() -> Site:
                own = Path(tempfile.mkdtemp(dir=folder))
                return _open(kind, stack.enter_context(template.copy(own)), stack)

        else:
            run = postgres.open_run()
            stack.callback(postgres.close_run, run)
            server = PostgresTemplate(postgres.server_address(durable=True), "bench")
            stack.callback(server.close)

            def make() -> Site:
                return _open(kind, stack.enter_context(server.copy()), stack)

        yield make


def _open(kind: str, database_url: str, stack: ExitStack) -> Site:
    settings = load_settings(
        _env_file=None,
        database_url=database_url,
        secret_key="bench",  # noqa: S106 - signs no cookie
        stripe_secret_key="sk_test_bench",  # noqa: S106 - opens nothing
        stripe_webhook_secret=SECRET,
        ratelimit_enabled=False,
        log_level="WARNING",
    )
    memory = MemoryGateway(settings)
    gateway = cast("Gateway", memory)
    app = create_app(settings, clock=MovableClock(NOW), gateway=gateway)
    with app.app_context():
        engine, maker = db.engine, db.sessionmaker
    stack.callback(engine.dispose)
    new = NewCampaign(
        slug=SLUG,
        title="Support us",
        currency="USD",
        timezone="America/New_York",
        tiers_minor=(250_000, 500_000),
    )
    with maker() as session:
        campaign_id = create_campaign(session, new, now=NOW).id
        session.commit()
    return Site(kind, app, gateway, memory.payments, engine, maker, campaign_id)
