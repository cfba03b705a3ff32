"""`move`: the whole site to another database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask.cli import with_appcontext
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.auditlog import COMMAND_LINE, record
from core.clock import now
from core.db import db, open_engine
from core.errors import Conflict, Invalid, Unavailable
from core.money import exact_money
from core.printing import sentences_on_any_tables, table
from core.revisions import current_revisions, newest_revisions
from core.settings import with_driver
from core.web import settings
from ops import moving
from ops.commands.noting import SITE


@click.command("move")
@click.option(
    "--to",
    "address",
    required=True,
    help="The other database, empty and migrated: postgresql://… or sqlite:///….",
)
@with_appcontext
@sentences_on_any_tables
def move(address: str) -> None:
    """Carry the whole site, which is stopped before, to another database; prove that it arrived."""
    url = _checked(address)
    with _opened(url) as target, db.engine.connect() as source:
        moving.refuse_unlike(
            source=current_revisions(source),
            target=current_revisions(target),
            newest=newest_revisions(),
        )
        source.rollback()
        moving.lock_out_writers(source)
        with _progress(source) as step:
            moved = moving.move(source, target, step=step)
        _note(target)
        target.commit()
        source.rollback()
        if target.dialect.name == "postgresql":
            # Or it plans its first queries as if all tables were empty.
            target.exec_driver_sql("ANALYZE")
            target.commit()
    _report(moved)


def _checked(address: str) -> str:
    try:
        url = with_driver(address)
    except ValueError as error:
        raise Invalid(f"--to {error}.", field="to") from None
    if make_url(url) == make_url(settings().database_url):
        raise Conflict("That is the database in which the site is now.")
    path = make_url(url).database
    # SQLite would make the file, and leave it there.
    if url.startswith("sqlite") and not (path and Path(path).exists()):
        raise Conflict(
            f"There is no file {path}:"
            f" `DATABASE_URL={address} flask --app app db upgrade` makes it."
        )
    return url


@contextmanager
def _opened(url: str) -> Iterator[Connection]:
    engine = open_engine(url)
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        told = str(getattr(error, "orig", error)).splitlines()[0]
        raise Unavailable(f"The other database does not answer: {told}") from None
    try:
        with connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def _progress(source: Connection) -> Iterator[moving.Step]:
    # Each row is carried, and read once more where it has arrived.
    rows = 2 * moving.count_rows(source)
    with click.progressbar(length=rows, label="Moving", file=sys.stderr) as bar:
        yield lambda _, count: bar.update(count)


def _note(target: Connection) -> None:
    # There only: nothing changes at the source.
    with Session(bind=target, join_transaction_mode="create_savepoint") as session:
        details = {"from": db.engine.dialect.name, "to": target.dialect.name}
        record(session, COMMAND_LINE, "site.moved", subject=SITE, details=details, now=now())
        session.commit()


def _report(moved: moving.Moved) -> None:
    rows = [("TABLE", "ROWS", "CHECKSUM")]
    rows += [
        (name, str(content.rows), content.checksum)
        for name, content in moved.tables.items()
        if content.rows
    ]
    click.echo(table(rows))
    for currency, minor in moved.totals_minor.items():
        click.echo(f"All entries come to {exact_money(minor, currency)}.")
    click.echo(
        f"{moved.entries} entries. Every table is the same there as here, to the last value."
    )
    if moved.differences:
        click.echo(
            f"The books differed in {moved.differences} places before, and do there:"
            " `flask --app app ledger verify` names them."
        )
    click.echo("Now set DATABASE_URL to the other database, and start the site. The old one is")
    click.echo("as it was: keep it until you have seen the new one at work, and start it no more.")
