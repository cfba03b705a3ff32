"""Switches for what goes wrong between Stripe and us: tests turn them on, and nothing else does.

The same seed gives the same faults: to the first delivery of an event type, to the second, and so
on, whatever else goes on between them.
"""

import json
import random
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from sandbox.errors import ApiError, invalid
from sandbox.store import Store
from sandbox.transaction import Body, Transaction

# A delivery that is to be overtaken is held back for this long beyond its other delay.
OVERTAKEN_SECONDS = (0.2, 1.5)
DROPPED = "dropped by a switch"
MESSAGES = {
    "rate_limit": "Request rate limit exceeded.",
    "lock_timeout": (
        "This object cannot be accessed right now because another API request or Stripe process "
        "is currently accessing it."
    ),
}

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=3_600)]
_CONFIG = ConfigDict(extra="forbid", strict=True, frozen=True)


class WebhookFaults(BaseModel):
    """Shares of the deliveries that go wrong, and how long each takes at least and at most."""

    model_config = _CONFIG

    duplicate: Share = 0
    copies: Annotated[int, Field(ge=2, le=100)] = 2  # How many of one that is duplicated.
    reorder: Share = 0
    delay_seconds: tuple[Seconds, Seconds] = (0, 0)
    drop: Share = 0


class ApiFaults(BaseModel):
    """What API requests meet, where `path` is a part of their address and `method` is theirs.

    `times` requests (all, where it is null) are refused with `status` before anything is done;
    then `timeout_after_success` POSTs are done and never answered.
    """

    model_config = _CONFIG

    path: Annotated[str, Field(max_length=200)] = ""
    method: Literal["GET", "POST", "DELETE"] | None = None
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    code: Annotated[str, Field(max_length=40)] | None = None
    times: Annotated[int, Field(ge=0)] | None = None
    share: Share = 1
    timeout_after_success: Annotated[int, Field(ge=0)] = 0
    latency_seconds: Seconds = 0


class Faults(BaseModel):
    """All switches; those that are left out are off."""

    model_config = _CONFIG

    webhooks: WebhookFaults = WebhookFaults()
    api: ApiFaults = ApiFaults()
    seed: int = 0
    drawn: dict[str, int] = {}  # How many draws were made of what: the sandbox's own count.


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one delivery."""

    delay_seconds: float = 0.0
    copies: int = 1
    dropped: bool = False


def read(given: Body) -> Faults:
    """Read what a control was sent; raise a 400 for what is no switch."""
    try:
        return Faults.model_validate_json(json.dumps(given))
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise invalid(f"{where}: {first['msg']}", param=where) from None


def current(tx: Transaction) -> Faults | None:
    """Give the switches that are on."""
    row = tx.connection.execute("SELECT switches FROM faults").fetchone()
    return None if row is None else Faults.model_validate_json(row[0])


def turn_on(tx: Transaction, faults: Faults) -> Faults:
    """Turn these switches on and all others off."""
    tx.connection.execute(
        "INSERT OR REPLACE INTO faults VALUES (1, ?)", (faults.model_dump_json(),)
    )
    return faults


def clear(tx: Transaction) -> None:
    """Turn all switches off."""
    tx.connection.execute("DELETE FROM faults")


def fate_of_delivery(tx: Transaction, event_type: str) -> Fate:
    """Draw what becomes of the next delivery of an event of this type."""
    faults = current(tx)
    if faults is None or faults.webhooks == WebhookFaults():
        return Fate()
    draw, webhooks = _draw(tx, faults, event_type), faults.webhooks
    # Every delivery draws as often as the others, whatever its fate.
    dropped, doubled, overtaken = (draw.random() for _ in range(3))
    delay_seconds = draw.uniform(*webhooks.delay_seconds)
    held_seconds = draw.uniform(*OVERTAKEN_SECONDS)
    return Fate(
        delay_seconds=delay_seconds + (held_seconds if overtaken < webhooks.reorder else 0),
        copies=webhooks.copies if doubled < webhooks.duplicate else 1,
        dropped=dropped < webhooks.drop,
    )


class ApiSwitches:
    """The API's door asks here, before its work and after."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def concerning(self, method: str, path: str) -> Faults | None:
        """Give the switches, if they have to do with such a request."""
        with self._store.read() as tx:
            faults = current(tx)
        if faults is None or faults.api == ApiFaults() or faults.api.path not in path:
            return None
        return faults if faults.api.method in (None, method) else None

    def refuse(self) -> None:
        """Raise the error that a request is to meet, where one is due."""
        with self._store.write() as tx:
            faults = current(tx)
            if faults is None or faults.api.status is None or faults.api.times == 0:
                return
            if _draw(tx, faults, "api").random() >= faults.api.share:
                return
            if faults.api.times is not None:
                _replace(tx, times=faults.api.times - 1)
        raise _error(faults.api.status, faults.api.code)

    def loses_answer(self) -> bool:
        """Say whether a POST that was done is to go without its answer."""
        with self._store.write() as tx:
            faults = current(tx)
            if faults is None or not faults.api.timeout_after_success:
                return False
            _replace(tx, timeout_after_success=faults.api.timeout_after_success - 1)
        return True


def _draw(tx: Transaction, faults: Faults, of: str) -> random.Random:
    number = faults.drawn.get(of, 0)
    turn_on(tx, faults.model_copy(update={"drawn": {**faults.drawn, of: number + 1}}))
    return random.Random(f"{faults.seed}:{of}:{number}")  # noqa: S311 - chance, not secrecy


def _replace(tx: Transaction, **left: Any) -> None:
    faults = current(tx)
    if faults is not None:
        api = faults.api.model_copy(update=left)
        turn_on(tx, faults.model_copy(update={"api": api}))


def _error(status: int, code: str | None) -> ApiError:
    if status == 429:  # noqa: PLR2004 - Too Many Requests
        code = code or "rate_limit"
        return ApiError(MESSAGES.get(code, "Too many requests."), status=status, code=code)
    return ApiError(
        "A switch of the sandbox made this request fail.",
        status=status,
        error_type="api_error",
        code=code,
    )
