"""`export donations|entries|months`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import click
from flask.cli import AppGroup

from core.auditlog import COMMAND_LINE
from core.cadence import checked_key
from core.clock import now
from core.dates import day_of
from core.printing import sentences
from core.sheets import Format
from payments.edge import open_session
from payments.export_filters import Export, What
from payments.exporting import begin_export
from payments.models import DonationState

_STANDARD_OUTPUT = "-"
# Donors' data: for whoever runs the command, and nobody else on this machine.
_OWN = 0o600

export = AppGroup(
    "export", help="Take data out, as CSV or XLSX. FILE may be - for standard output."
)

_Command = Callable[..., None]


def _filters(command: _Command) -> _Command:
    """Give a command the file, its format, and what every export may be narrowed to."""
    formats = [format_.value for format_ in Format]
    options: list[Callable[[_Command], _Command]] = [
        click.option("--until", help="The last day, in each campaign's zone: 2021-05-31."),
        click.option("--from", "since", help="The first day, in each campaign's zone: 2021-05-01."),
        click.option("--period", help="Only what counts in this period: 2021-05."),
        click.option("--campaign", "slug", help="Only this campaign's."),
        click.option("--format", "format_", type=click.Choice(formats), help="Else FILE's ending."),
        click.argument("file"),
    ]
    for option in options:
        command = option(command)
    return command


@export.command("donations")
@click.option(
    "--state", type=click.Choice([state.value for state in DonationState]), help="Only these."
)
@click.option("--personal", is_flag=True, help="With donors' names, addresses and words.")
@_filters
@sentences
def donations(*, state: str | None, personal: bool, **asked: str | None) -> None:
    """Write donations, one campaign after another, in the order in which they were begun."""
    chosen = DonationState(state) if state else None
    _write(What.DONATIONS, asked, state=chosen, personal=personal)


@export.command("entries")
@_filters
@sentences
def entries(**asked: str | None) -> None:
    """Write the ledger's entries, in the order in which they were posted."""
    _write(What.ENTRIES, asked)


@export.command("months")
@_filters
@sentences
def months(**asked: str | None) -> None:
    """Write monthly totals: each campaign's periods that have begun, in their order."""
    _write(What.MONTHS, asked)


def _write(
    what: What,
    asked: dict[str, str | None],
    *,
    state: DonationState | None = None,
    personal: bool = False,
) -> None:
    path = asked["file"] or _STANDARD_OUTPUT
    since, until, period = asked["since"], asked["until"], asked["period"]
    wanted = Export(
        what=what,
        format=_format(path, asked["format_"]),
        slug=asked["slug"],
        period=checked_key(period) if period else None,
        since=day_of(since, field="from") if since else None,
        until=day_of(until, field="until") if until else None,
        state=state,
        personal=personal,
    )
    stream = begin_export(open_session, wanted, actor=COMMAND_LINE, clock=now)
    bar = click.progressbar(length=0, label=what.value, file=sys.stderr)
    with closing(stream), _opened(path) as file, bar:
        for piece in stream:
            file.write(piece)
            bar.length = stream.rows_total or 0
            bar.update(stream.rows_done - bar.pos)
    if path != _STANDARD_OUTPUT:
        click.echo(f"Wrote {stream.rows_done} rows to {path}.")


def _format(path: str, named: str | None) -> Format:
    if named is not None:
        return Format(named)
    return Format.XLSX if path.lower().endswith(".xlsx") else Format.CSV


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    """Give the file that is written to. It has its name once it is whole."""
    if path == _STANDARD_OUTPUT:
        yield sys.stdout.buffer
        return
    partial = Path(f"{path}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWN), "wb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise click.FileError(path, error.strerror) from None
    finally:
        partial.unlink(missing_ok=True)
