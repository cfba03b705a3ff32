"""An endpoint of the API: where it stands, what it takes, what it does."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.settings import Settings
from sandbox.transaction import Body, Transaction


@dataclass(frozen=True, slots=True)
class Call:
    """One request to an endpoint: its checked parameters, and the id that stands in its path."""

    tx: Transaction
    params: Body
    object_id: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path` may hold `<object_id>`; `params_type` names the SDK's type (see strict.py)."""

    method: str
    path: str
    params_type: str
    work: Callable[[Call], Body]
