"""Lists as Stripe pages them: the newest first, a cursor on either side.

https://docs.stripe.com/api/pagination
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.errors import invalid, missing
from sandbox.transaction import Body, Transaction

LIMIT_DEFAULT = 10
LIMIT_MAX = 100
COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a query, in SQL of our own making, with the values that it binds."""

    sql: str
    values: Sequence[object] = ()


def page(
    tx: Transaction,
    kind: str,
    params: Body,
    *,
    url: str,
    fields: Mapping[str, str] | None = None,
    conditions: Sequence[Condition] = (),
) -> Body:
    """Give one page of the objects of a kind.

    `fields` maps a parameter to the path in the object that must equal it; `conditions` are others.
    """
    wanted = [Condition("kind = ?", [kind]), *conditions, *_created(params)]
    for param, path in (fields or {}).items():
        if param in params:
            wanted.append(Condition(f"json_extract(body, '{path}') = ?", [params[param]]))
    limit = _limit(params)
    backwards = "ending_before" in params
    wanted += _cursor(tx, kind, params)
    where = " AND ".join(condition.sql for condition in wanted)
    values = [value for condition in wanted for value in condition.values]
    order = "ASC" if backwards else "DESC"
    found = tx.bodies(
        f"SELECT body FROM objects WHERE {where} ORDER BY sequence {order} LIMIT {limit + 1}",  # noqa: S608 - every part is our own, values are bound
        values,
    )
    data = found[:limit]
    if backwards:
        data.reverse()
    return whole_list(data, url=url, has_more=len(found) > limit)


def whole_list(data: list[Body], *, url: str, has_more: bool = False) -> Body:
    """Wrap objects in Stripe's list."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def _limit(params: Body) -> int:
    limit: int = params.get("limit", LIMIT_DEFAULT)
    if limit < 1:
        raise invalid("This value must be greater than or equal to 1.", param="limit")
    if limit > LIMIT_MAX:
        raise invalid(f"This value must be less than or equal to {LIMIT_MAX}.", param="limit")
    return limit


def _created(params: Body) -> list[Condition]:
    created = params.get("created")
    if created is None:
        return []
    if isinstance(created, int):
        return [Condition("created = ?", [created])]
    return [Condition(f"created {COMPARISONS[name]} ?", [value]) for name, value in created.items()]


def _cursor(tx: Transaction, kind: str, params: Body) -> list[Condition]:
    if "starting_after" in params and "ending_before" in params:
        raise invalid(
            "You may only specify one of these parameters: starting_after, ending_before."
        )
    for param, comparison in (("starting_after", "<"), ("ending_before", ">")):
        if param in params:
            row = tx.connection.execute(
                "SELECT sequence FROM objects WHERE id = ? AND kind = ?", (params[param], kind)
            ).fetchone()
            if row is None:
                raise missing(kind, params[param], param=param)
            return [Condition(f"sequence {comparison} ?", [row[0]])]
    return []
