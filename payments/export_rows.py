"""Reading the rows of an export from tables of any size, and constant in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Select, SQLColumnExpression
from sqlalchemy.orm import Session

from core.db import OpenSession, in_transaction, read_only
from core.paging import Stretch, walk
from core.sheets import ROWS_AT_ONCE, Row, Sheet
from payments.export_filters import Export, narrowed, zones_of

# Counting reads no rows, so more of them are gone through in a transaction as short.
_COUNTED_AT_ONCE = 20_000


class Rows(Protocol):
    """What an export is made of."""

    @property
    def sheet(self) -> Sheet:
        """The columns."""

    def count(self) -> int:
        """Return how many rows there are: what `pages` will hold, unless it changes meanwhile."""

    def pages(self) -> Iterator[Sequence[Row]]:
        """Yield the rows, a page at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A table that can be exported, and what is read of it.

    `stretch` says which part of it is gone through, as it is when the export begins at that
    instant; `instant` is what its days are cut by, `more` are the conditions of its own filters.
    """

    stretch: Callable[[Session, Export, datetime], Stretch]
    instant: SQLColumnExpression[Any]
    select: Select[*tuple[Any, ...]]
    count: Select[*tuple[Any, ...]]
    sheet: Sheet
    row: Callable[[Any], Row]
    more: Callable[[Export], Sequence[ColumnElement[bool]]] = lambda _: ()


class TableRows:
    """The rows of a source that an export asks for, of those that were there when it began."""

    def __init__(
        self, source: Source, open_session: OpenSession, export: Export, *, now: datetime
    ) -> None:
        self._source = source
        self._open_session = open_session

        def begin(session: Session) -> tuple[Stretch, Sequence[str]]:
            read_only(session)
            return source.stretch(session, export, now), zones_of(session, export)

        self._stretch, zones = in_transaction(open_session, begin)
        self._conditions = [*narrowed(export, source.instant, zones), *source.more(export)]

    @property
    def sheet(self) -> Sheet:
        """The columns."""
        return self._source.sheet

    def count(self) -> int:
        """Return how many rows there are."""

        def count(session: Session, page: ColumnElement[bool]) -> int:
            statement = self._source.count.where(page, *self._conditions)
            return int(session.scalars(statement).one())

        return sum(self._walk(count, at_once=_COUNTED_AT_ONCE))

    def pages(self) -> Iterator[Sequence[Row]]:
        """Yield the rows, a page at a time."""
        statement = self._source.select.where(*self._conditions).order_by(*self._stretch.key)

        def read(session: Session, page: ColumnElement[bool]) -> Sequence[Any]:
            return session.execute(statement.where(page)).all()

        # Made into cells when the transaction is over: that takes longer than reading them.
        for found in self._walk(read, at_once=ROWS_AT_ONCE):
            yield [self._source.row(row) for row in found]

    def _walk(self, read: Any, *, at_once: int) -> Iterator[Any]:
        return walk(self._open_session, self._stretch, read, at_once=at_once)
