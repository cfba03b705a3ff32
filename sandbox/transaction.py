"""What may be done with the state within one transaction."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sandbox.errors import missing

# A Stripe object, or a request's parameters, as JSON knows them.
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RequestOrigin:
    """The API request that causes what happens; both are null where a page or the clock did."""

    request_id: str | None
    idempotency_key: str | None


NO_REQUEST = RequestOrigin(request_id=None, idempotency_key=None)


class Transaction:
    """Stripe objects by their ids, and the sandbox's clock.

    `hidden` is what Stripe knows of an object and does not show: it is stored beside the body.
    """

    def __init__(
        self, connection: sqlite3.Connection, *, clock_seconds: float, request: RequestOrigin
    ) -> None:
        self.connection = connection
        self.clock_seconds = clock_seconds
        self.request = request

    @property
    def now(self) -> int:
        """The sandbox's time in whole seconds since 1970: it may be ahead of the machine's."""
        return int(self.clock_seconds)

    def add(self, body: Body, *, hidden: Body | None = None) -> Body:
        """Store a new object under its own id; its kind is its `object`."""
        self.connection.execute(
            "INSERT INTO objects (id, kind, created, body, hidden) VALUES (?, ?, ?, ?, ?)",
            (body["id"], body["object"], body["created"], dump(body), dump(hidden or {})),
        )
        return body

    def save(self, body: Body) -> Body:
        """Replace a stored object by what it is now."""
        self.connection.execute(
            "UPDATE objects SET body = ? WHERE id = ?", (dump(body), body["id"])
        )
        return body

    def remove(self, object_id: str) -> None:
        """Forget an object."""
        self.connection.execute("DELETE FROM objects WHERE id = ?", (object_id,))

    def get(self, object_id: str) -> Body | None:
        """Find an object of any kind."""
        row = self.connection.execute(
            "SELECT body FROM objects WHERE id = ?", (object_id,)
        ).fetchone()
        return None if row is None else load(row[0])

    def need(self, kind: str, object_id: str, *, param: str = "id") -> Body:
        """Find an object of a kind, or raise Stripe's `resource_missing`."""
        body = self.get(object_id)
        if body is None or body["object"] != kind:
            raise missing(kind, object_id, param=param)
        return body

    def hidden(self, object_id: str) -> Body:
        """Give what is known of an object and not shown."""
        row = self.connection.execute(
            "SELECT hidden FROM objects WHERE id = ?", (object_id,)
        ).fetchone()
        return {} if row is None else load(row[0])

    def save_hidden(self, object_id: str, hidden: Body) -> None:
        """Replace what is known of an object and not shown."""
        self.connection.execute(
            "UPDATE objects SET hidden = ? WHERE id = ?", (dump(hidden), object_id)
        )

    def every(self, kind: str, **equal: str) -> list[Body]:
        """Give all objects of a kind whose top-level fields equal these, the oldest first."""
        conditions = ["kind = ?"]
        values: list[str] = [kind]
        for field, value in equal.items():
            conditions.append(f"json_extract(body, '$.{field}') = ?")
            values.append(value)
        return self.bodies(
            f"SELECT body FROM objects WHERE {' AND '.join(conditions)} ORDER BY sequence",  # noqa: S608 - field names are keyword arguments in our own code
            values,
        )

    def bodies(self, query: str, values: Iterable[object]) -> list[Body]:
        """Run a query whose first column is an object's body."""
        return [load(row[0]) for row in self.connection.execute(query, tuple(values))]

    def schedule(self, action: str, object_id: str, *, due_at: float) -> None:
        """Have something happen to an object at a time of the sandbox's clock (see upkeep)."""
        self.connection.execute(
            "INSERT INTO jobs (due_at, action, object_id) VALUES (?, ?, ?)",
            (due_at, action, object_id),
        )


def dump(body: Body) -> str:
    """Write JSON as it is stored and sent."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def load(text: str) -> Body:
    """Read JSON as it was stored."""
    body: Body = json.loads(text)
    return body
