"""What the commands share: errors as sentences, and tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import ParamSpec, TypeVar
from urllib.parse import urlsplit

import click

from core.errors import DomainError
from core.revisions import refuse_other_tables

P = ParamSpec("P")
R = TypeVar("R")
# Amounts on the command line are plain numbers, whatever the campaign's language: 2500 or 20.50.
PLAIN = "en"
# A path longer than this may hold a secret.
_LONG = 12


def sentences(command: Callable[P, R]) -> Callable[P, R]:
    """Print a DomainError as one sentence, and leave with status 1.

    The command is not begun where the tables are not this code's: it would write, or tell, sums
    that are not true.
    """

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        refuse_other_tables()
        return command(*args, **kwargs)

    return sentences_on_any_tables(run)


def sentences_on_any_tables(command: Callable[P, R]) -> Callable[P, R]:
    """Print a DomainError as one sentence: for what looks after other tables by itself."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except DomainError as error:
            raise click.ClickException(error.message) from None

    return run


def masked(url: str) -> str:
    """Return an address as it may be shown: what follows the host is often a secret."""
    parts = urlsplit(url)
    rest = url.partition(parts.netloc)[2] if parts.netloc else ""
    return f"{parts.scheme}://{parts.netloc}/…{rest[-4:]}" if len(rest) > _LONG else url


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines, each column as wide as its widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    """Return rows as lines, each column as wide as its widest cell."""
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
