"""`serve`: the web server for readers, chosen by measurement (docs/adr/0024-granian.md)."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import with_appcontext

from core.db import db
from core.logs import dict_config
from core.settings import Settings
from core.web import settings
from ops.health import examine

# Who has not sent the head of a request by then is let go.
HEAD_MILLISECONDS = 10_000
# For so long requests that run when the server is stopped may go on.
STOP_SECONDS = 30
MOST_CONNECTIONS_WAITING = 2048


@click.command()
@click.option("--host", help="Where to listen; WEB_HOST without it.")
@click.option("--port", type=click.IntRange(1, 65_535), help="WEB_PORT without it.")
@click.option("--processes", type=click.IntRange(1, 256), help="WEB_PROCESSES without it.")
@click.option("--threads", type=click.IntRange(1, 256), help="WEB_THREADS without it.")
@with_appcontext
def serve(host: str | None, port: int | None, processes: int | None, threads: int | None) -> None:
    """Serve the site to its readers.

    SIGTERM lets the requests that run come to their end. SIGHUP starts the processes anew, one
    after the other, with the `.env` that is there by then; a new release wants a new start. The
    scheduler is another command, unless SCHEDULER=inside.
    """
    # Here, since no other command needs the server.
    from granian import Granian  # noqa: PLC0415
    from granian.constants import Interfaces  # noqa: PLC0415
    from granian.http import HTTP1Settings  # noqa: PLC0415
    from granian.log import LogLevels  # noqa: PLC0415

    chosen = settings()
    processes = processes or chosen.web_processes
    _refuse(chosen, processes=processes)
    Granian(
        f"{current_app.import_name}:create_app",
        factory=True,
        interface=Interfaces.WSGI,
        websockets=False,
        address=host or chosen.web_host,
        port=port or chosen.web_port,
        workers=processes,
        blocking_threads=threads or chosen.web_threads,
        backlog=MOST_CONNECTIONS_WAITING,
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_MILLISECONDS),
        workers_kill_timeout=STOP_SECONDS,
        respawn_failed_workers=True,
        # Its warning is of more threads than cores, which are wanted: they wait for Stripe.
        log_level=LogLevels.error,
        log_dictconfig=dict_config(chosen),
    ).serve()


def _refuse(chosen: Settings, *, processes: int) -> None:
    """Say what to do where the site can't be served as it is, and end with status 1."""
    if chosen.sqlite and processes > 1:
        raise click.ClickException(
            "On SQLite one process serves the site: two that write would wait for each other. Set"
            " WEB_PROCESSES=1, with as many WEB_THREADS as you like, or move to PostgreSQL by"
            " `flask --app app move --to postgresql://…`."
        )
    missing = [finding for finding in examine() if finding.needed and not finding.ok]
    # Its processes open connections of their own.
    db.session.close()
    db.engine.dispose()
    if missing:
        told = "; ".join(f"the {finding.name} {finding.message}" for finding in missing)
        raise click.ClickException(f"The site can't be served yet: {told}.")
