"""Idempotency keys: the same request under the same key is done once and answered twice.

https://docs.stripe.com/api/idempotent_requests
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.errors import ApiError
from sandbox.transaction import Body, Transaction, dump, load

KEPT_SECONDS = 24 * 3_600
KEY_LENGTH_MAX = 255


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered with."""

    status: int
    body: Body
    request_id: str


class KeysInUse:
    """The keys whose requests are being worked on; they are forgotten with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[str] = set()

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Keep others from using a key at the same time: they are told 409."""
        with self._lock:
            if key in self._keys:
                raise ApiError(
                    "There is currently another in-progress request using this idempotent key "
                    "(that probably means you submitted twice, and the other request is still "
                    f"going through): {key}. Try again later.",
                    status=409,
                    error_type="idempotency_error",
                    code="idempotency_key_in_use",
                )
            self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.remove(key)


def fingerprint(params: Body) -> str:
    """Sum up decoded parameters, whatever their order."""
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()


def recall(tx: Transaction, key: str, *, path: str, print_of_params: str) -> Answer | None:
    """Find the answer that was given under a key; raise 400 if it was to another request."""
    row = tx.connection.execute(
        "SELECT path, fingerprint, status, answer, request_id FROM idempotency_keys "
        "WHERE key = ? AND created_at > ?",
        (key, tx.now - KEPT_SECONDS),
    ).fetchone()
    if row is None:
        return None
    if row[0] != path:
        raise _misused(
            "Keys for idempotent requests can only be used for the same endpoint they were first "
            f"used for ('{path}' vs '{row[0]}'). Try using a key other than '{key}' if you meant "
            "to execute a different request."
        )
    if row[1] != print_of_params:
        raise _misused(
            "Keys for idempotent requests can only be used with the same parameters they were "
            f"first used with. Try using a key other than '{key}' if you meant to execute a "
            "different request."
        )
    return Answer(status=row[2], body=load(row[3]), request_id=row[4])


def remember(tx: Transaction, key: str, answer: Answer, *, path: str, print_of_params: str) -> None:
    """Keep an answer under its key, in the transaction that made what it tells of."""
    tx.connection.execute(
        "INSERT OR REPLACE INTO idempotency_keys "
        "(key, path, fingerprint, request_id, status, answer, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            key,
            path,
            print_of_params,
            answer.request_id,
            answer.status,
            dump(answer.body),
            tx.now,
        ),
    )


def prune(tx: Transaction) -> None:
    """Forget the keys that are older than a day."""
    tx.connection.execute(
        "DELETE FROM idempotency_keys WHERE created_at <= ?", (tx.now - KEPT_SECONDS,)
    )


def _misused(message: str) -> ApiError:
    return ApiError(message, error_type="idempotency_error")
