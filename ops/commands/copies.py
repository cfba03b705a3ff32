"""`backup` and `restore`: the whole database to a file, and back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import make_url

from core.clock import now, stopwatch
from core.db import db
from core.errors import Conflict, NotFound
from core.printing import sentences_on_any_tables
from core.revisions import known_revisions, what_to_do
from core.web import settings
from ops import dumping
from ops.commands.noting import SITE, note
from ops.copying import (
    CopyFailed,
    Step,
    check_sqlite,
    copy_sqlite,
    new_file,
    refuse_books,
)
from ops.runs import begin_run, end_run
from ops.watch import BACKED_UP


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE where it is there already.")
@with_appcontext
@sentences_on_any_tables
def backup(file: Path, *, force: bool) -> None:
    """Copy the whole database into FILE, of one moment, while the site runs."""
    begun_at, took_ms = now(), stopwatch()
    # Tables of another release are copied, too; that they were is not kept as this one keeps it.
    are_ours = what_to_do(db.session.connection()) is None
    with new_file(file, replace=force) as partial:
        # Before it begins: no donors' data leave without a line, and the copy tells of itself.
        note("site.backup_begun", SITE, {"file": file.name})
        if are_ours:
            begin_run(db.session, BACKED_UP, now=begun_at)
        db.session.commit()
        if settings().sqlite:
            with _progress("Copying") as step:
                copy_sqlite(_books(), partial, step=step)
            check_sqlite(partial)
        else:
            with db.engine.connect() as server, _progress("Dumping") as step:
                dumping.dump(settings().database_url, partial, server=server, step=step)
        size = partial.stat().st_size
    if are_ours:
        end_run(db.session, BACKED_UP, begun_at=begun_at, took_ms=took_ms(), error=None, now=now())
        db.session.commit()
    click.echo(f"Wrote {file}: {size / 1e6:,.1f} MB, looked through and found whole.")
    click.echo("It holds donors' data, and whoever has it has all of it: keep it as you keep keys.")


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@with_appcontext
@sentences_on_any_tables
def restore(file: Path) -> None:
    """Fill the empty database that DATABASE_URL names from a backup, and bring it up to date."""
    if not file.is_file():
        raise NotFound(f"There is no file {file}.")
    if settings().sqlite:
        revision = check_sqlite(file)
        if revision not in known_revisions():
            raise CopyFailed(
                f"{file.name} was made by a newer Goalpost (its tables are {revision})."
            )
        with db.engine.connect() as connection:
            refuse_books(connection, called="The database")
        with _progress("Copying") as step:
            copy_sqlite(file, _books(), step=step)
    else:
        with db.engine.connect() as server:
            refuse_books(server, called="The database")
            dumping.check_dump(file, server=server)
            server.rollback()
            with _progress("Putting back") as step:
                dumping.put_back(file, settings().database_url, server=server, step=step)
    db.engine.dispose()
    app = current_app._get_current_object()  # type: ignore[attr-defined] # noqa: SLF001 - Flask's documented way
    # Alembic keeps its connection as long as its context, and with it SQLite's lock.
    with app.app_context():
        app.extensions["alembic"].upgrade()
    note("site.restored", SITE, {"file": file.name})
    db.session.commit()
    click.echo(f"Put {file} back. What happened since it was made, Stripe knows:")
    click.echo("  flask --app app stripe reconcile --adopt")
    click.echo("  flask --app app ledger verify")


def _books() -> Path:
    path = make_url(settings().database_url).database
    if not path or path == ":memory:":
        raise Conflict("A database in memory has no file.")
    return Path(path)


@contextmanager
def _progress(label: str) -> Iterator[Step]:
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def step(done: int, total: int) -> None:
            bar.length = max(total, 1)
            # It may be begun anew, and then there is less done than before.
            bar.update(done - bar.pos)

        yield step
