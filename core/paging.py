"""Going through a table of any size, some rows at a time, each time in a short transaction.

A query that runs for as long as somebody reads its rows keeps SQLite's read lock, and nobody can
write meanwhile; on PostgreSQL it keeps old rows from being tidied away. Here each page is found by
an index, from behind the last key on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, select, true, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.db import OpenSession, in_transaction, read_only

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a table, to be gone through in the order of `key`.

    `key` are columns of one table: never changed, together unique, and the beginning of an index,
    where it begins with what `within` holds equal. `within` are conditions on that table alone.

    Where it begins and ends is said apart, by `after`, a key, and by `end`, a condition on the key.
    SQLite goes by one lower and one upper bound: were there others, it might look for each page
    from the very beginning, and on to the very end.
    """

    key: tuple[InstrumentedAttribute[Any], ...]
    within: tuple[ColumnElement[bool], ...] = ()
    after: tuple[Any, ...] | None = None
    end: ColumnElement[bool] | None = None


def walk(
    open_session: OpenSession,
    stretch: Stretch,
    read: Callable[[Session, ColumnElement[bool]], T],
    *,
    at_once: int,
) -> Iterator[T]:
    """Yield what `read` makes of each page of a stretch.

    `read` gets a session that reads only and the condition of its page, of which it may take fewer
    rows than `at_once`, by conditions of its own. It is called twice for a page that the database
    gave up.
    """
    key, place, after = stretch.key, tuple_(*stretch.key), stretch.after
    end = () if stretch.end is None else (stretch.end,)
    while True:
        behind = stretch.within if after is None else (*stretch.within, place > after)

        def page(session: Session, behind: tuple[ColumnElement[bool], ...] = behind) -> Any:
            read_only(session)
            last = session.execute(
                select(*key).where(*behind, *end).order_by(*key).offset(at_once - 1).limit(1)
            ).first()
            until = end if last is None else (place <= tuple(last),)
            return last, read(session, and_(true(), *behind, *until))

        last, found = in_transaction(open_session, page)
        yield found
        if last is None:
            return
        after = tuple(last)
