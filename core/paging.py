"""Going through a table of any size, some rows at a time, each time in a short transaction.

A query that runs for as long as somebody reads its rows keeps SQLite's read lock, and nobody can
write meanwhile; on PostgreSQL it keeps old rows from being tidied away. Here each page is found by
an index, from behind the last key on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, select, true, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.db import OpenSession, in_transaction, read_only

T = TypeVar("T")


def walk(
    open_session: OpenSession,
    key: Sequence[InstrumentedAttribute[Any]],
    read: Callable[[Session, ColumnElement[bool]], T],
    *,
    within: Sequence[ColumnElement[bool]],
    at_once: int,
) -> Iterator[T]:
    """Yield what `read` makes of each page of a table, in the order of `key`.

    `key` are columns of one table: unique together, never changed, and the beginning of an index;
    `within` are conditions on that table that say where the walk ends. `read` gets a session that
    reads only and the condition of its page, of which it may take fewer rows than `at_once`, by
    conditions of its own. It may be called twice for a page that the database gave up.
    """
    place = tuple_(*key)
    after: Sequence[Any] | None = None
    while True:
        behind = [*within] if after is None else [*within, place > after]

        def page(session: Session, behind: list[ColumnElement[bool]] = behind) -> Any:
            read_only(session)
            last = session.execute(
                select(*key).where(*behind).order_by(*key).offset(at_once - 1).limit(1)
            ).first()
            until = () if last is None else (place <= tuple(last),)
            return last, read(session, and_(true(), *behind, *until))

        after, found = in_transaction(open_session, page)
        yield found
        if after is None:
            return
